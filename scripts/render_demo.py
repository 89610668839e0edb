"""Draw the clip that `make demo` tracks, with the exact truth about it.

    python scripts/render_demo.py --assets ../shared/data/makehuman
    python scripts/render_demo.py --assets ../shared/data/makehuman --still 95 --out /tmp/frames

Reads MakeHuman's CC0 bodies and CMU's motion clips (a folder, or the folder with makehuman_subset.tar.gz);
none of them ends up in the repository. Takes about five minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scene import cast, truth
from scene.backdrop import draw_square
from scene.picture import Crowd, photograph

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = 2  # per pixel, each way


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--assets", type=Path, required=True, help="folder of the MakeHuman assets")
    parser.add_argument("--out", type=Path, default=ROOT / "posetrack/demo", help="folder of the results")
    parser.add_argument("--still", type=int, nargs="*", help="only these frames, as PNG")
    parser.add_argument("--crf", type=int, default=23, help="x264 quality, lower is better and larger")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with unpacked(options.assets) as folder:
        actors = cast.assemble(folder)
    render(actors, options.out, options.still, options.crf)


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """The folder of the assets itself, or a temporary one if it holds their archive."""
    packed = folder / "makehuman_subset.tar.gz"
    if not packed.exists():
        yield folder
        return
    with tempfile.TemporaryDirectory() as place, tarfile.open(packed) as archive:
        archive.extractall(place, filter="data")
        yield Path(place) / "makehuman"


def render(actors: list[cast.Actor], out: Path, still: list[int] | None, crf: int) -> None:
    """Draw all frames (or some as stills), then write the clip and its truth."""
    wide = cast.wide_camera()
    square = draw_square(wide.supersampled(SAMPLES)).reduced(SAMPLES)
    known: list[list[tuple[int, truth.Truth]]] = []
    pictures = []
    for number in still or range(cast.FRAMES):
        camera = cast.camera_at(number)
        crowd = Crowd([a.body for a in actors], [a.vertices(number) for a in actors])
        picture, seen = photograph(crowd, square, wide, camera, SAMPLES, np.random.default_rng(number))
        found = [
            truth.measure(a.body, v, a.places[number], camera, seen, me)
            for me, (a, v) in enumerate(zip(actors, crowd.vertices, strict=True))
        ]
        known.append([(me + 1, t) for me, t in enumerate(found) if t is not None])
        pictures.append(picture)
        print(f"\rframe {number}", end="", flush=True)
        if still:
            cv2.imwrite(str(out / f"{number:06d}.png"), picture[..., ::-1])
    print()
    if not still:
        encode(pictures, out / "demo.mp4", crf)
        annotations = truth.posetrack18(known)
        (out / "demo_truth.json").write_text(json.dumps(annotations, separators=(",", ":")) + "\n")


def encode(pictures: list[NDArray[np.uint8]], path: Path, crf: int) -> None:
    """H.264, 4:2:0, playable everywhere."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(cast.FPS), options={"crf": str(crf), "preset": "slow"}
        )
        height, width = pictures[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
