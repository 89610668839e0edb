"""OpenVINO changes the speed of a network and nothing else."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from posetrack import models
from posetrack.detectors.light import LightNetwork, Trunk
from posetrack.models.compiled import CompiledNetwork, for_cpu, planned_batch
from posetrack.models.fuse import for_inference

pytest.importorskip("openvino")


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


def pictures(batch: int, height: int = 64, width: int = 96) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(batch))


def compiled(network: nn.Module, half: bool = False) -> CompiledNetwork:
    made = for_cpu(network, pictures(1), half)
    assert made is not None
    return made


@torch.inference_mode()
def difference(one: nn.Module, other: nn.Module, images: torch.Tensor) -> float:
    """The largest of all numbers that come out, as a share of the largest number."""
    pairs = [(a, b) if isinstance(a, list) else ([a], [b]) for a, b in [(one(images), other(images))]]
    return max(
        float((x - y).abs().max() / y.abs().max()) for a, b in pairs for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("name", ["hrnet_light", "hrnet_w32", "simple_baseline_r50", "detector"])
def test_a_compiled_network_puts_out_the_same(name: str) -> None:
    plain = network(name)
    exact, rough = compiled(plain), compiled(plain, half=True)
    for batch in (1, 3, 5):  # the last is filled up to 6
        assert difference(exact, plain, pictures(batch)) < 1e-4
        assert difference(rough, plain, pictures(batch)) < 0.1


def test_any_order_of_the_pixels_and_any_size_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = network("hrnet_light")
    fast = compiled(plain)
    sizes = [(64, 96), (96, 64), (64, 64), (32, 64), (64, 32), (64, 96)]
    monkeypatch.setattr("posetrack.models.compiled.SIZES_KEPT", 4)
    for height, width in sizes:
        images = pictures(2, height, width)
        assert difference(fast, plain, images) < 1e-4
        assert difference(fast, plain, images.contiguous(memory_format=torch.channels_last)) < 1e-4
    assert list(fast._requests) == sizes[-4:]


def test_what_comes_out_stays_when_the_network_runs_again() -> None:
    fast = compiled(network("hrnet_light"))
    first = fast(pictures(2))
    kept = first.clone()
    fast(pictures(2) + 1)
    assert torch.equal(first, kept)


def test_batches_have_few_sizes() -> None:
    sizes = [planned_batch(size) for size in range(1, 65)]
    assert sorted(set(sizes)) == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]
    assert all(size <= planned < 1.5 * size for size, planned in enumerate(sizes, 1))


def test_threads_that_share_a_network_get_their_own_results() -> None:
    fast = compiled(network("hrnet_light"))
    inputs = [pictures(2), pictures(2) + 1]
    expected = [fast(images) for images in inputs]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(fast, inputs * 30))
    assert all(torch.equal(one, expected[i % 2]) for i, one in enumerate(found))


class Odd(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(images).real


class Smooth(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return F.interpolate(images, scale_factor=2.0, mode="bilinear")


class Choosing(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images if images.sum() > 0 else -images


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Odd(), "rfft"),
        (Smooth(), "nearest"),
        (Choosing(), "control flow"),
        (nn.Sequential(nn.Conv2d(3, 6, 3, groups=3)), "in groups"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_network_beyond_it_is_left_to_torch_in_one_line(
    layer: nn.Module, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert for_cpu(layer, pictures(1), half=False) is None
    (record,) = caplog.records
    assert reason in record.getMessage()


def test_without_openvino_torch_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posetrack.models.compiled.find_spec", lambda _: None)
    assert for_cpu(nn.Conv2d(3, 3, 1), pictures(1), half=False) is None


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
from posetrack.models.compiled import CompiledNetwork
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
