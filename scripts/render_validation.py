"""Draw clips with exact truth, to choose the light preset's thresholds on (scripts/report_light.py).

    python scripts/render_validation.py --assets FOLDER_OF_MAKEHUMAN --out /tmp/runs/scenes

Writes NAME.mp4 and NAME.json (PoseTrack18) for each of scene.plays.PLAYS; 640x360, 120 frames, about two
minutes each on one core. Nothing of it belongs in the repository.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from render_demo import encode, unpacked
from scene import plays, truth
from scene.backdrop import draw_square
from scene.picture import Crowd, photograph

SAMPLES = 2  # per pixel, each way


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--assets", type=Path, required=True, help="folder of the MakeHuman assets")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--plays", nargs="*", default=list(plays.PLAYS), choices=list(plays.PLAYS))
    parser.add_argument("--still", type=int, nargs="*", help="only these frames, as PNG")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with unpacked(given.assets) as folder:
        for name in given.plays:
            render(name, plays.PLAYS[name], folder, given.out, given.still)


def render(name: str, play: plays.Play, folder: Path, out: Path, still: list[int] | None) -> None:
    actors = plays.assemble(play, folder)
    square = draw_square(play.wide.supersampled(SAMPLES)).reduced(SAMPLES)
    known: list[list[tuple[int, truth.Truth]]] = []
    pictures = []
    for number in still or range(play.frames):
        camera, rng = play.camera(number), np.random.default_rng(number)
        crowd = Crowd([a.body for a in actors], [a.vertices(number) for a in actors])
        picture, seen = photograph(crowd, square, play.wide, camera, SAMPLES, rng)
        found = [
            truth.measure(a.body, v, a.places[number], camera, seen, me)
            for me, (a, v) in enumerate(zip(actors, crowd.vertices, strict=True))
        ]
        known.append([(me + 1, t) for me, t in enumerate(found) if t is not None])
        pictures.append(spoilt(picture, play.blur, play.noise, rng))
        if still:
            cv2.imwrite(str(out / f"{name}_{number:03d}.png"), pictures[-1][..., ::-1])
    if not still:
        encode(pictures, out / f"{name}.mp4", play.crf)
        (out / f"{name}.json").write_text(json.dumps(truth.posetrack18(known)) + "\n")
    print(f"{name}: {len(pictures)} frames, {sum(map(len, known))} people in them", flush=True)


def spoilt(
    picture: NDArray[np.uint8], blur: float, noise: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The picture of a cheap camera: blurred by a deviation in pixels, with noise in 8 bit levels."""
    soft = cv2.GaussianBlur(picture, (0, 0), blur) if blur else picture
    return (soft + noise * rng.standard_normal(soft.shape) + 0.5).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
