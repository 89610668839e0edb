"""Tables as Markdown text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: str, rows: Iterable[Sequence[object]]) -> str:
    """`head` as written between bars: `name | number:`, where a colon sets a column to the right."""
    titles = [title.strip() for title in head.split("|")]
    rule = ["---:" if title.endswith(":") else "---" for title in titles]
    lines = [
        [title.removesuffix(":") for title in titles],
        rule,
        *([str(cell) for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
