"""`posetrack doctor`: looks at this installation by using it, and says for each fault what to do."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from posetrack.commands import options
from posetrack.errors import PoseTrackError

PARITY = 0.02  # a heatmap's peak is about 1; devices may differ by this much in it


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    subject: str
    good: bool
    text: str
    needed: bool = True  # the light preset does not run without it


def doctor() -> int:
    """Look at this installation: packages, devices, codecs, weights. Says what is missing and what to do."""
    return options.DONE if examine() else options.SOME_FAILED


def examine() -> bool:
    """Print every finding; True if the light preset can run here."""
    healthy = True
    for finding in findings():
        mark = "ok  " if finding.good else "FAIL" if finding.needed else "--  "
        print(f"{mark} {finding.subject}: {finding.text}")
        healthy &= finding.good or not finding.needed
    return healthy


def findings() -> Iterator[Finding]:
    yield Finding(
        "machine", True, f"{platform.platform()}, Python {platform.python_version()}, {_cores()} cores"
    )
    yield from _packages()
    for subject, check, needed in CHECKS:
        with _caught(subject, needed) as caught:
            caught.append(Finding(subject, True, check(), needed))
        yield from caught
    yield from _presets()


@contextmanager
def _caught(subject: str, needed: bool) -> Iterator[list[Finding]]:
    """A check that fails is a finding, whatever it failed with: that is what the doctor is for."""
    found: list[Finding] = []
    try:
        yield found
    except Exception as error:
        kind = "" if isinstance(error, PoseTrackError) else f"{type(error).__name__}: "
        found.append(Finding(subject, False, kind + str(error).split("\n")[0], needed))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _packages() -> Iterator[Finding]:
    needed = ("torch", "torchvision", "opencv-python", "numpy", "scipy", "av", "safetensors", "rich")
    optional = {
        "openvino": "openvino",  # wherever there is a wheel
        "ptlflow": "'posetrack[flow]'",
        "starlette": "'posetrack[live]'",
        "ray": "'posetrack[cluster]'",
        "pyarrow": "'posetrack[parquet]'",
        "matplotlib": "'posetrack[plots]'",
        "tensorboard": "'posetrack[train]'",
    }
    for name in (*needed, *optional):
        try:
            yield Finding(name, True, version(name))
        except PackageNotFoundError:
            remedy = f"not installed: pip install {optional.get(name, name)}"
            yield Finding(name, False, remedy, name in needed)


def _device() -> str:
    import torch

    if not torch.cuda.is_available():
        return f"CPU with {torch.get_num_threads()} threads; no CUDA GPU"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"CUDA {torch.version.cuda}: {', '.join(names)}"


def _light_preset() -> str:
    import numpy as np

    from posetrack.presets import load
    from posetrack.types import Frame

    frames = (Frame(np.full((240, 320, 3), 90, np.uint8), i, i / 25) for i in range(2))
    people = [len(t) for t in load("light", device="cpu").track(frames)]
    return f"loads and runs ({len(people)} frames)"


def _video() -> str:
    import numpy as np

    from posetrack.types import Frame
    from posetrack.video import VideoWriter, open_video

    with TemporaryDirectory() as folder:
        import cv2

        for i in range(3):
            cv2.imwrite(str(Path(folder, f"{i}.png")), np.full((64, 96, 3), 80 * i, np.uint8))
        path = Path(folder, "clip.mp4")
        with open_video(folder) as pictures, VideoWriter(path, pictures) as writer:
            frames: list[Frame] = list(pictures)
            for frame in frames:
                writer.write(frame.image, frame.time)
        with open_video(path) as clip:
            count = sum(1 for _ in clip)
    if count != 3:
        raise PoseTrackError(f"wrote 3 frames and read {count} back")
    return "H.264 written and read back"


def _accelerator_parity() -> str:
    """The same crops through the light network on the CPU and on the accelerator."""
    import torch

    from posetrack.pose.networks import load_network

    place = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else ""
    if not place:
        return "no accelerator to compare with the CPU"
    network, settings = load_network("light")
    crops = torch.rand(
        4, 3, settings.input_size[1], settings.input_size[0], generator=torch.Generator().manual_seed(0)
    )
    with torch.inference_mode():
        here = network.eval()(crops)
        there = network.to(place)(crops.to(place)).cpu()
    difference = float((here - there).abs().max() / here.abs().max())
    if difference > PARITY:
        raise PoseTrackError(
            f"heatmaps on {place} differ from the CPU's by {difference:.1%}: use --device cpu"
        )
    return f"{place} agrees with the CPU to {difference:.1e}"


CHECKS: tuple[tuple[str, Callable[[], str], bool], ...] = (
    ("device", _device, True),
    ("video", _video, True),
    ("preset light", _light_preset, True),
    ("accelerator", _accelerator_parity, False),
)


def _presets() -> Iterator[Finding]:
    from posetrack import zoo
    from posetrack.presets import PRESETS, weights_of

    for name in PRESETS:
        for weight in weights_of(name):
            with _caught(f"preset {name}, {weight}", needed=False) as caught:
                caught.append(
                    Finding(f"preset {name}", True, f"{weight} at {zoo.weights(weight)}", needed=False)
                )
            yield from caught
