"""Fill docs/paper.md: every row of the HRNet paper, next to what this code gives or to the commands for it.

    python -m scripts.paper              # fills the tables and commands in; all other text is written there
    python -m scripts.paper --check      # exit code 1 if that file says anything else than the code

Costs are counted, rules looked up and recipes read each time, so the document cannot drift from the code: a
test compares it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from scripts.markdown import fill
from scripts.paper import code, costs, printed, training

PATH = Path(__file__).parents[2] / "docs" / "paper.md"


def scores_and_commands(rows: tuple[printed.Score, ...]) -> str:
    return f"{training.scores(rows)}\n\n{training.commands(rows)}"


# What stands between the marks of docs/paper.md, by their names.
PARTS: Mapping[str, Callable[[], str]] = {
    "costs": costs.tables_1_2_4,
    "hourglasses": costs.hourglasses,
    "official code": costs.official_code,
    "transposed convolutions": costs.transposed_convolutions,
    "classifiers": costs.classifiers,
    "ablations": costs.ablations,
    "sizes": costs.by_size,
    "schedules": training.schedules,
    "recipes": training.settings,
    "crops": partial(code.rules, code.CROPS),
    "decoding": partial(code.rules, code.DECODING),
    "tracking": partial(code.rules, code.TRACKING),
    "metrics": partial(code.rules, code.METRICS),
    "Table 1": partial(scores_and_commands, printed.COCO_VAL),
    "Table 2": partial(training.scores, printed.COCO_TEST),
    "Table 2, commands": partial(training.commands, printed.COCO_TEST[-1:]),
    "Table 2, test-dev": partial(training.test_commands, printed.COCO_TEST),
    "Table 3": partial(training.scores, printed.MPII_TEST),
    "Table 3, test": partial(training.test_commands, printed.MPII_TEST),
    "MPII validation": partial(scores_and_commands, printed.MPII_VAL),
    "Table 5": partial(scores_and_commands, printed.POSETRACK),
    "Table 6": partial(scores_and_commands, printed.ABLATIONS),
    "Figure 6": partial(scores_and_commands, training.figure_6()),
    "ImageNet": training.imagenet,
}


def document() -> str:
    """The document with every part made anew."""
    text = PATH.read_text()
    for name, part in PARTS.items():
        text = fill(text, name, part())
    return text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PATH.write_text(document())
    elif PATH.read_text() != document():
        sys.exit(f"{PATH} is not what the code says: run python -m scripts.paper")


if __name__ == "__main__":
    main()
