"""`posetrack fetch`: weights, downloaded and checked."""

from __future__ import annotations

from typing import Annotated

from posetrack.commands import options


def fetch(
    name: Annotated[list[str], "a preset, or weights by name"],
) -> int:
    """Download the weights of a preset and check them."""
    from posetrack.presets import PRESETS, weights_of
    from posetrack.progress import download_progress
    from posetrack.zoo import catalog
    from posetrack.zoo import fetch as fetch_weights

    names = [weight for word in name for weight in (weights_of(word) if word in PRESETS else [word])]
    if not names:
        print("nothing to fetch: the weights of this preset ship with the package")
        return options.DONE
    for weight in names:
        print(f"{weight}: licence {catalog.find(weight).licence}")
    with download_progress() as report:
        paths = fetch_weights(names, report)
    for path in paths:
        print(path)
    return options.DONE
