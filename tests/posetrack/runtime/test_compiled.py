"""OpenVINO changes the speed of a network and nothing else."""

from __future__ import annotations

import copy
import logging
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from posetrack import models
from posetrack.detectors.light import LightNetwork, Trunk
from posetrack.runtime.compiled import CompiledNetwork, for_cpu, without_openvino
from posetrack.runtime.folding import for_inference
from tests.waiting import wait_until

HANGS = 1800  # seconds after which a process has not merely a busy machine

pytest.importorskip("openvino")


Function = Callable[[torch.Tensor], Any]


def network(name: str) -> nn.Module:
    """With weights that leave the signal its strength, and running statistics that are not 0 and 1."""
    torch.manual_seed(0)
    made = Trunk(LightNetwork()) if name == "detector" else models.create(name, 17)
    for module in made.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 1.0)
            nn.init.normal_(module.bias, std=0.3)
            assert module.running_mean is not None
            module.running_mean.normal_(std=0.5)
    return for_inference(made)


def picture(seed: int = 1, height: int = 64, width: int = 96) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def compiled(network: nn.Module, half: bool = False) -> CompiledNetwork:
    made = for_cpu(network, picture(), half)
    assert made is not None
    return made


@torch.inference_mode()
def difference(one: Function, other: Function, images: torch.Tensor) -> float:
    """The largest of all numbers that come out, as a share of the largest number."""
    pairs = [(a, b) if isinstance(a, list) else ([a], [b]) for a, b in [(one(images), other(images))]]
    return max(
        float((x - y).abs().max() / y.abs().max()) for a, b in pairs for x, y in zip(a, b, strict=True)
    )


NAMES = [
    "hrnet_light",
    "hrnet_w32",
    "simple_baseline_r50",
    "detector",
    'hourglass:{"stacks": 2, "features": 16, "depth": 3}',
    'cpn:{"blocks": [1, 1, 1, 1], "width": 8, "features": 16}',
    'dilated:{"blocks": [1, 1, 1, 1], "width": 8}',
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.split(":")[0])
def test_a_compiled_network_puts_out_the_same(name: str) -> None:
    plain = network(name)
    exact, rough = compiled(plain), compiled(plain, half=True)
    for seed in (1, 3):
        assert difference(exact, plain, picture(seed)) < 1e-4
        assert difference(rough, plain, picture(seed)) < 0.1


def test_any_order_of_the_pixels_and_any_size_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = network("hrnet_light")
    fast = compiled(plain)
    sizes = [(64, 96), (96, 64), (64, 64), (32, 64), (64, 32), (64, 96)]
    monkeypatch.setattr("posetrack.runtime.compiled.SIZES_KEPT", 4)
    for height, width in sizes:
        images = picture(2, height, width)
        assert difference(fast, plain, images) < 1e-4
        assert difference(fast, plain, images.contiguous(memory_format=torch.channels_last)) < 1e-4
    assert [key[:2] for key in fast._requests] == sizes[-4:]


def test_what_comes_out_stays_when_the_network_runs_again() -> None:
    fast = compiled(network("hrnet_light"))
    first = fast(picture(2))
    kept = first.clone()
    fast(picture(2) + 1)
    assert torch.equal(first, kept)


def test_threads_that_share_a_network_get_their_own_results() -> None:
    fast = compiled(network("hrnet_light"))
    inputs = [picture(2), picture(2) + 1]
    expected = [fast(images) for images in inputs]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(fast, inputs * 30))
    assert all(torch.equal(one, expected[i % 2]) for i, one in enumerate(found))


def test_the_number_of_threads_may_change() -> None:
    fast = compiled(network("hrnet_light"))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 1)
        assert torch.equal(fast(picture()), fast(picture()))
    finally:
        torch.set_num_threads(before)
    assert [threads for _, _, threads in fast._requests] == [before, before + 1]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copy_is_compiled_anew(copied: Callable[[CompiledNetwork], CompiledNetwork]) -> None:
    fast = compiled(network("hrnet_light"))
    other = copied(fast)
    assert other._model is not fast._model
    assert torch.equal(other(picture()), fast(picture()))


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([[[[2.0]], [[0.5]], [[3.0]]]]))

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        shifted = images * self.scale - 0.25
        same = shifted
        shifted.add_(-1.0)
        return [F.relu(same, inplace=True) + shifted + images]


def test_operations_in_place_change_every_name_of_a_tensor() -> None:
    plain = InPlace()
    fast = compiled(plain)
    with torch.no_grad():
        (found,), (expected,) = fast(picture(3)), plain(picture(3))
    assert float(expected.std()) > 0.1
    torch.testing.assert_close(found, expected)


class Waiting(nn.Module):
    """Stops in the middle until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.may_go = threading.Event(), threading.Event()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.reached.set()
        self.may_go.wait()
        return images + 1


def test_networks_run_in_other_threads_while_one_is_compiled() -> None:
    waiting, plain = Waiting(), network("hrnet_light")
    expected = plain(picture())
    with ThreadPoolExecutor(1) as pool:
        compiling = pool.submit(for_cpu, waiting, picture(), False)
        wait_until(waiting.reached.is_set, lambda: not compiling.done())
        try:
            assert torch.equal(plain(picture()), expected)
        finally:
            waiting.may_go.set()
        assert isinstance(compiling.result(), CompiledNetwork)


class Odd(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(images).real


class Smooth(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return F.interpolate(images, scale_factor=2.0, mode="bicubic")


class Choosing(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images if images.sum() > 0 else -images


class Whole(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.to(torch.int32).float()


class Named(nn.Module):
    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"heatmaps": images}


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Odd(), "fft"),
        (Smooth(), "bicubic"),
        (Choosing(), "sum"),
        (nn.Conv2d(3, 6, 3, groups=3), "in groups"),
        (nn.MaxPool2d(3, 2, ceil_mode=True), "rounds sizes up"),
        (nn.Upsample((20, 20)), "to a size"),
        (Whole(), "to"),
        (Named(), "dict"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_network_beyond_it_is_left_to_torch_in_one_line(
    layer: nn.Module, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert for_cpu(layer, picture(), half=False) is None
    (record,) = caplog.records
    assert reason in record.getMessage()


def test_without_openvino_torch_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posetrack.runtime.compiled.find_spec", lambda _: None)
    assert for_cpu(nn.Conv2d(3, 3, 1), picture(), half=False) is None


def test_networks_made_ready_for_a_comparison_are_left_to_torch() -> None:
    with without_openvino():
        assert for_cpu(nn.Conv2d(3, 3, 1), picture(), half=False) is None
    assert for_cpu(nn.Conv2d(3, 3, 1), picture(), half=False) is not None


# OpenVINO's tools report their use to Google; no CI variable, for which they would make an exception.
OFFLINE = """
import os, sys
for name in ("CI", "TF_BUILD", "JENKINS_URL"):
    os.environ.pop(name, None)
def listen(event, arguments):
    if event.startswith(("socket.", "urllib", "http")) or event in ("subprocess.Popen", "os.posix_spawn"):
        raise SystemExit(f"{event} {arguments}")
import torch
sys.addaudithook(listen)
from posetrack.presets import load
from posetrack.runtime.compiled import CompiledNetwork
tracker = load("light", device="cpu")
assert isinstance(tracker.estimator.network, CompiledNetwork)
assert isinstance(tracker.detector.trunk, CompiledNetwork)
assert "openvino" in sys.modules
assert not any(name.startswith("openvino_telemetry") for name in sys.modules)
print("quiet")
"""


def test_nothing_is_sent_anywhere() -> None:
    done = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("quiet", 0), done.stderr


FORKED = """
import os, sys
import torch
from posetrack.runtime.compiled import for_cpu
fast = for_cpu(torch.nn.Conv2d(3, 3, 1), torch.zeros(1, 3, 64, 64), False)
fast(torch.zeros(1, 3, 64, 64))
if (child := os.fork()) == 0:
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

# A child of a process that has tracked: with the parent's system, or one of its own.
FORKED_AND_TRACKING = """
import os, sys
import numpy as np
import posetrack
from posetrack.types import Frame
frames = [Frame(np.full((96, 128, 3), 90, np.uint8), i, i / 25) for i in range(2)]
system = posetrack.load("light", device="cpu")
print(len(list(system.track(frames))), flush=True)
for again in (lambda: system, lambda: posetrack.load("light", device="cpu")):
    if (child := os.fork()) == 0:
        try:
            list(again().track(frames))
        except posetrack.PoseTrackError as error:
            print("spawn" in str(error), flush=True)
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_a_forked_process_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, check=False, timeout=HANGS
    )
    assert (done.stdout.strip(), done.returncode) == ("7", 0), done.stderr


def test_a_forked_process_may_not_track_when_its_parent_has() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED_AND_TRACKING],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS,
    )
    assert (done.stdout.split(), done.returncode) == (["2", "True", "7", "True", "7"], 0), done.stderr
