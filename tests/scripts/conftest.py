"""The drawing code of scripts/render_demo.py is a folder beside it, not an installed package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
