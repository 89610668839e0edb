"""The training's own curve, from its log."""

from __future__ import annotations

import json
from pathlib import Path

from light.markdown import table

ROWS = 10


def curve(log: Path) -> str:
    """About ten rows of PCK@0.2 over pictures seen, the last one among them, as Markdown."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.strip()]
    width, measured = 0, []
    for line in lines:
        width = line.get("width", width)  # of the input, in the lines before
        if "pck_lspet" in line:
            measured.append((line["pictures"], width, line["pck_lspet"], line["pck_others"]))
    step = -(-len(measured) // ROWS)
    chosen = measured[::-1][:: max(step, 1)][::-1]
    rows = [[f"{pictures:,}", f"{wide} px", own, others] for pictures, wide, own, others in chosen]
    return table(["pictures", "input's width", "athletes", "bystanders"], rows)
