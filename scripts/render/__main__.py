"""Draw people whose every joint is known: the demo clip, clips of any crowd, pictures to train on.

    python -m scripts.render demo --assets MAKEHUMAN --overwrite
    python -m scripts.render clips --assets MAKEHUMAN --out scenes
    python -m scripts.render crowd --assets MAKEHUMAN --out scenes --people 30 --seconds 60 --seed 3
    python -m scripts.render people --assets MAKEHUMAN --photos LSPET --out rendered --count 8000

MAKEHUMAN is the folder of MakeHuman's CC0 bodies and CMU's motion clips, or of their archive
(makehuman_subset.tar.gz). None of these ends up in the repository.
"""

from __future__ import annotations

import re
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from posetrack.commands.flags import Command
from posetrack.errors import PoseTrackError
from posetrack.files import refuse_existing
from scripts.cli import run
from scripts.render import plays
from scripts.render.bodies import Library
from scripts.render.film import film
from scripts.render.people import draw_people

Assets = Annotated[Path, "folder of the MakeHuman assets, or of their archive"]
Processes = Annotated[int, "frames drawn side by side; the result is the same"]
Overwrite = Annotated[bool, "replace files that are there already"]
DEMO = Path(__file__).parents[2] / "posetrack" / "demo"


def demo(
    *,
    assets: Assets,
    out: Annotated[Path, "folder of demo.mp4 and demo_truth.json"] = DEMO,
    processes: Processes = 1,
    overwrite: Overwrite = False,
) -> None:
    """The clip that ships with the package (five minutes on one core)."""
    truth = out / "demo_truth.json"
    refuse_existing(truth, overwrite=overwrite)
    _film({"demo": plays.DEMO}, assets, out, processes, overwrite)
    (out / "demo.json").replace(truth)


def clips(
    *,
    assets: Assets,
    out: Annotated[Path, "folder of NAME.mp4 and NAME.json"],
    processes: Processes = 1,
    overwrite: Overwrite = False,
) -> None:
    """Three clips to choose thresholds on: crossing, games, afar (two minutes each on one core)."""
    _film(plays.PLAYS, assets, out, processes, overwrite)


def crowd(
    *,
    assets: Assets,
    out: Annotated[Path, "folder of NAME.mp4 and NAME.json"],
    people: Annotated[int, "how many"] = 20,
    seconds: Annotated[float, "length of the clip"] = 10.0,
    size: Annotated[str, "WIDTHxHEIGHT, both even"] = "1280x720",
    seed: Annotated[int, "another one gives other people on other ways"] = 1,
    kind: Annotated[plays.Kind, "all walk, or every second one jumps, kicks, turns"] = "street",
    name: Annotated[str | None, "of the files; default: KIND_PEOPLE_SEED"] = None,
    processes: Processes = 1,
    overwrite: Overwrite = False,
) -> None:
    """A clip of many people."""
    found = re.fullmatch(r"(\d*[02468])x(\d*[02468])", size)
    if not found or people < 1 or seconds <= 0:
        raise PoseTrackError(
            f"--size {size} --people {people} --seconds {seconds:g}: give a size of even numbers such as "
            "1280x720, one person or more and a length above 0"
        )
    play = plays.crowd(people, seconds, (int(found[1]), int(found[2])), seed, kind)
    _film({name or f"{kind}_{people}_{seed}": play}, assets, out, processes, overwrite)


def people(
    *,
    assets: Assets,
    photos: Annotated[Path, "folder with backgrounds.tar and its boxes"],
    out: Annotated[Path, "folder of people.tar and people.json"],
    count: Annotated[int, "pictures; a core draws six a second"] = 8000,
    seed: Annotated[int, "another one gives other pictures"] = 1,
    processes: Processes = 1,
    overwrite: Overwrite = False,
) -> None:
    """Pictures of people before photos, to train the pose network on."""
    refuse_existing(out / "people.json", overwrite=overwrite)
    with unpacked(assets) as folder:
        found = draw_people(folder, photos, out, count, seed, processes)
    print(f"{count} pictures, {found} people: {out}/people.json")


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """The folder of the assets itself, or a temporary one if it holds their archive."""
    packed = folder / "makehuman_subset.tar.gz"
    if not packed.exists():
        if not (folder / "base" / "base.obj").exists():
            raise PoseTrackError(f"--assets {folder}: neither base/base.obj nor {packed.name} is there")
        yield folder
        return
    with tempfile.TemporaryDirectory() as place, tarfile.open(packed) as archive:
        archive.extractall(place, filter="data")
        yield Path(place) / "makehuman"


def _film(
    chosen: dict[str, plays.Play],
    assets: Path,
    out: Path,
    processes: int,
    overwrite: bool,
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with unpacked(assets) as folder:
        library = Library(folder)
        for name, play in chosen.items():
            print(*film(play, library, out / name, processes=processes, overwrite=overwrite))


COMMANDS: dict[str, Command] = {"demo": demo, "clips": clips, "crowd": crowd, "people": people}


if __name__ == "__main__":
    sys.exit(run("render", __doc__, COMMANDS))
