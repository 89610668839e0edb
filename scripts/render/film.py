"""A play on film: an H.264 clip and the exact truth about it in PoseTrack18 form.

film(play, library, Path("out/street"), processes=4)      # out/street.mp4, out/street.json
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from posetrack.files import refuse_existing, replacing
from scripts.render import truth
from scripts.render.backdrop import Layers, draw_square
from scripts.render.bodies import Library
from scripts.render.cast import FPS, Actor, rehearse
from scripts.render.picture import Crowd, photograph
from scripts.render.plays import Play

SAMPLES = 2  # per pixel, each way
Shot = tuple[NDArray[np.uint8], list[tuple[int, truth.Truth]]]  # (H, W, 3) RGB; identities


@dataclass(frozen=True, eq=False)
class Set:
    """Everything that a frame is drawn from."""

    play: Play
    actors: list[Actor]
    square: Layers  # as seen by play.wide

    @staticmethod
    def built(play: Play, library: Library) -> Set:
        square = draw_square(play.wide.supersampled(SAMPLES)).reduced(SAMPLES)
        return Set(play, [rehearse(library, part, play.frames) for part in play.people], square)

    def shot(self, number: int) -> Shot:
        """A frame; it depends on the play and the number alone."""
        play, rng = self.play, np.random.default_rng(number)
        camera = play.camera(number)
        crowd = Crowd([a.body for a in self.actors], [a.vertices(number) for a in self.actors])
        picture, seen = photograph(crowd, self.square, play.wide, camera, SAMPLES, rng)
        known = [
            (me + 1, truth.measure(a.body, v, a.places[number], camera, seen, me))
            for me, (a, v) in enumerate(zip(self.actors, crowd.vertices, strict=True))
        ]
        return spoilt(picture, play.blur, play.noise, rng), [
            (track, t) for track, t in known if t is not None
        ]


def spoilt(
    picture: NDArray[np.uint8], blur: float, noise: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The picture of a cheap camera: blurred by a deviation in pixels, with noise in 8 bit levels."""
    soft = cv2.GaussianBlur(picture, (0, 0), blur) if blur else picture
    return (soft + noise * rng.standard_normal(soft.shape) + 0.5).clip(0, 255).astype(np.uint8)


def film(
    play: Play, library: Library, stem: Path, *, processes: int = 1, overwrite: bool = False
) -> tuple[Path, Path]:
    """Write STEM.mp4 and STEM.json, frame by frame.

    Raises:
        PoseTrackError: one of them is there already.
    """
    clip, annotations = stem.with_suffix(".mp4"), stem.with_suffix(".json")
    refuse_existing(clip, annotations, overwrite=overwrite)
    known: list[list[tuple[int, truth.Truth]]] = []

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for picture, people in shots(Set.built(play, library), range(play.frames), processes):
            known.append(people)
            print(f"\r{stem.name}: frame {len(known)} of {play.frames}", end="", flush=True)
            yield picture
        print()

    with replacing(clip) as temporary:
        encode(pictures(), temporary, play)
    with replacing(annotations) as temporary:
        temporary.write_text(json.dumps(truth.posetrack18(known), separators=(",", ":")) + "\n")
    return clip, annotations


def shots(stage: Set, numbers: Iterable[int], processes: int) -> Iterator[Shot]:
    """Frames in order, drawn side by side."""
    if processes == 1:
        yield from map(stage.shot, numbers)
        return
    spawn = multiprocessing.get_context("spawn")  # OpenCV's threads do not outlive a fork
    with spawn.Pool(processes, _begin, (stage,)) as pool:
        yield from pool.imap(_shot, numbers)


_stage: Set | None = None  # of a worker process


def _begin(stage: Set) -> None:
    global _stage
    cv2.setNumThreads(1)
    _stage = stage


def _shot(number: int) -> Shot:
    assert _stage is not None
    return _stage.shot(number)


def encode(pictures: Iterable[NDArray[np.uint8]], path: Path, play: Play) -> None:
    """H.264 in MP4, 4:2:0, playable everywhere."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(FPS), options={"crf": str(play.crf), "preset": "slow"}
        )
        (stream.width, stream.height), stream.pix_fmt = play.size, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
