"""PyPI has other packages named `trackers` and `flow`. Where one of them hides ours, say so in one line."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from posetrack.errors import PoseTrackError

OURS = {"trackers": "TRACKERS", "flow": "FLOWS"}  # and a name that only ours define


def refuse_namesakes() -> None:
    """Nothing is imported; it costs about a millisecond.

    Raises:
        PoseTrackError: `import trackers` or `import flow` would give something else than ours.
    """
    root = Path(__file__).resolve().parents[1]
    for name, ours in OURS.items():
        spec = find_spec(name)
        path = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if path is None or path.parents[1] != root or ours not in path.read_text(encoding="utf-8"):
            raise PoseTrackError(
                f"the package '{name}' is {path or 'missing'}, not posetrack's own: PyPI has another of that "
                f"name; install posetrack into an environment of its own, or uninstall '{name}' and install "
                "posetrack again"
            )
