"""RAFT and PTLFlow with random weights: what goes in, what comes out, and that a batch changes nothing.

How well published weights follow motion is not tested here, they are not part of the repository; what
surrounds a network is tested against known motion in test_accuracy.py.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from flow import create
from flow.field import DenseMotion
from flow.network import NetworkFlow
from flow.ptlflow_models import PtlFlow, published_checkpoints
from flow.raft import RaftFlow

Image = NDArray[np.uint8]
POINTS = np.array([[20, 30], [70.5, 64.2], [120, 90]], np.float32)


def noise(count: int, size: tuple[int, int] = (150, 100), seed: int = 0) -> list[Image]:
    """Frames alike enough to be one scene: the same picture with a little noise."""
    rng = np.random.default_rng(seed)
    base = np.kron(rng.integers(40, 200, (20, 20, 3)), np.ones((10, 10, 1), int))[: size[1], : size[0]]
    return [(base + rng.integers(-20, 21, base.shape)).astype(np.uint8) for _ in range(count)]


def fields(flow: NetworkFlow, pieces: list[list[Image]]) -> list[NDArray[np.float32]]:
    flow.reset()
    motions = [motion for piece in pieces for motion in flow(piece)]
    return [motion.field for motion in motions if isinstance(motion, DenseMotion)]


@pytest.fixture(scope="module")
def no_network() -> Iterator[None]:
    """Any connection fails the test."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the network was touched")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        yield


# --- what surrounds a network -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "multiple", "scale", "seen"),
    [
        ((150, 100), 8, None, (128, 152)),
        ((150, 100), 1, None, (128, 150)),
        ((150, 100), 64, None, (128, 192)),
        ((256, 200), 8, 0.5, (128, 128)),
        ((1280, 720), 8, None, (360, 640)),
        ((1280, 720), 64, None, (384, 640)),
    ],
)
def test_padding_and_scale(
    size: tuple[int, int], multiple: int, scale: float | None, seen: tuple[int, int]
) -> None:
    """The network sees a padded working copy; its flow is cropped and given back in pixels of the picture."""
    inputs: list[torch.Tensor] = []

    def columns(images: torch.Tensor) -> torch.Tensor:
        """Flow x / 10 in working pixels."""
        inputs.append(images)
        B, _, _, h, w = images.shape
        x = torch.arange(w).expand(B, h, w) / 10
        return torch.stack([x, torch.zeros_like(x)], dim=1)

    frames = [np.full((size[1], size[0], 3), (255, 51, 0), np.uint8)] * 2
    motion = NetworkFlow(columns, multiple=multiple, scale=scale)(frames)[1]
    assert inputs[0].shape == (1, 2, 3, *seen)
    assert torch.allclose(inputs[0], torch.tensor([1.0, 0.2, 0.0]).view(3, 1, 1))  # RGB 0..1, edges repeated
    point = np.array([[size[0] / 2 - 0.5, 40]], np.float32)
    s = 0.5 if scale or size[0] > 640 else 1.0
    working_x = size[0] / 2 * s - 0.5
    np.testing.assert_allclose(motion.move(point)[0][0], [point[0, 0] + working_x / 10 / s, 40], rtol=1e-5)


def test_on_a_cpu_every_pair_has_its_own_forward() -> None:
    sizes: list[int] = []

    def count(images: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        return torch.zeros(len(images), 2, *images.shape[-2:])

    flow = NetworkFlow(count)
    flow(noise(5))
    flow([*noise(2), *noise(3, (60, 80))])  # the size changes: two pairs before, two after
    assert sizes == [1] * 8


def test_unknown_device() -> None:
    for name in ("abacus", "cuda:7"):
        with pytest.raises(ValueError, match=rf'flow cannot run on "{name}" \(.+\); choose a device'):
            NetworkFlow(lambda images: images[:, 0, :2], device=name)


# --- RAFT -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def raft_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("raft") / "raft_small.pth"
    torch.save(raft_small(weights=None).state_dict(), path)
    return path


@pytest.mark.usefixtures("no_network")
def test_raft_is_torchvision_raft(raft_file: Path) -> None:
    """On a size that needs no padding the field is what the model itself gives for RGB in -1..1."""
    from torchvision.models.optical_flow import raft_small

    model = raft_small(weights=None).eval()
    model.load_state_dict(torch.load(raft_file, weights_only=True))
    first, second = noise(2, (136, 128), seed=3)
    pair = [torch.from_numpy(image).permute(2, 0, 1)[None] / 127.5 - 1 for image in (first, second)]
    with torch.inference_mode():
        expected = model(*pair, num_flow_updates=2)[-1][0].permute(1, 2, 0).numpy()
    found = fields(RaftFlow("raft_small", weights=raft_file, updates=2), [[first, second]])
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.usefixtures("no_network")
def test_raft_batches(raft_file: Path) -> None:
    flow, (a, b, c) = RaftFlow("raft_small", weights=raft_file, updates=2), noise(3)
    batch, single = fields(flow, [[a, b, c]]), fields(flow, [[a], [b], [c]])
    assert [field.shape for field in batch] == [(100, 150, 2)] * 2
    for x, y in zip(batch, single, strict=True):
        np.testing.assert_array_equal(x, y)


def test_raft_refuses_other_files(raft_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not hold the weights of raft_large: "):
        create("raft_large", weights=raft_file)
    text = tmp_path / "notes.pth"
    text.write_text("not a checkpoint")
    with pytest.raises(ValueError, match=r"notes\.pth does not hold the weights of raft_small: ") as error:
        create("raft_small", weights=text)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match='unknown RAFT "raft_tiny"; choose one of raft_small, raft_large'):
        RaftFlow("raft_tiny")


# --- PTLFlow (slow to import: everything uses one small model) --------------------------------------------


@pytest.fixture(scope="module")
def ptlflow_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert list(published_checkpoints("raft_small")) == ["things"]  # imports ptlflow without its warnings
    import ptlflow

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("ptlflow") / "mine.ckpt"
    torch.save({"state_dict": ptlflow.get_model("raft_small").state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def ptl_raft(ptlflow_file: Path, no_network: None) -> PtlFlow:
    flow = create(f"ptlflow:raft_small/{ptlflow_file}")
    assert isinstance(flow, PtlFlow)
    flow._network.iters = 2  # of 32: nothing here depends on how far it refines
    return flow


def test_ptlflow_batches_and_shapes(ptl_raft: PtlFlow) -> None:
    a, b, c = noise(3)
    batch, single = fields(ptl_raft, [[a, b, c]]), fields(ptl_raft, [[a], [b], [c]])
    assert [field.shape for field in batch] == [(100, 150, 2)] * 2
    for x, y in zip(batch, single, strict=True):
        np.testing.assert_array_equal(x, y)
    motion = ptl_raft([a])[0]
    moved, visible = motion.move(POINTS)
    assert moved.shape == (3, 2)
    assert visible.shape == (3,)


def test_ptlflow_gets_bgr(ptl_raft: PtlFlow) -> None:
    """PTLFlow is handed BGR, and RAFT's first layer, which was trained on RGB, then sees RGB again."""
    given: list[torch.Tensor] = []
    first_layer: list[torch.Tensor] = []
    network = ptl_raft._network
    hooks = [
        network.register_forward_pre_hook(lambda _, args: given.append(args[0]["images"])),
        network.cnet.conv1.register_forward_pre_hook(lambda _, args: first_layer.append(args[0])),
    ]
    try:
        red = np.full((128, 128, 3), (255, 102, 0), np.uint8)
        ptl_raft.reset()
        ptl_raft([red, red])
    finally:
        for hook in hooks:
            hook.remove()
    assert torch.allclose(given[0], torch.tensor([0.0, 0.4, 1.0]).view(3, 1, 1))  # B, G, R
    assert torch.allclose(first_layer[0], torch.tensor([1.0, -0.2, -1.0]).view(3, 1, 1), atol=1e-6)


def test_ptlflow_flow_direction(ptl_raft: PtlFlow) -> None:
    """The pair goes in as (before, after): the reverse order gives another field."""
    a, b = noise(2)
    (forth,), (back,) = fields(ptl_raft, [[a, b]]), fields(ptl_raft, [[b, a]])
    with torch.inference_mode():
        images = [torch.from_numpy(x[..., ::-1].copy()).permute(2, 0, 1) / 255 for x in (a, b)]
        pair = torch.nn.functional.pad(torch.stack(images), (0, 0, 0, 28), mode="replicate")[None]
        expected = ptl_raft._network({"images": pair})["flows"][0, 0, :, :100].permute(1, 2, 0).numpy()
    tolerance = 1e-3 * float(np.abs(expected).max())
    np.testing.assert_allclose(forth, expected, rtol=1e-3, atol=tolerance)
    assert np.abs(back - expected).max() > tolerance


@pytest.mark.usefixtures("no_network", "ptlflow_file")
@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        (
            "ptlflow:flownet2/things",
            FileNotFoundError,
            ["flownet2-things-d63b53a7.ckpt", "https://", "posetrack fetch"],
        ),
        ("ptlflow:raft_small/nowhere.ckpt", FileNotFoundError, ['"raft_small"', "nowhere.ckpt", "things"]),
        ("ptlflow:raft_small/thinks", ValueError, ['no checkpoint "thinks"', "things"]),
        ("ptlflow:raft_small", ValueError, ["needs a checkpoint", "things"]),
        ("ptlflow:flownet3/things", ValueError, ['no model "flownet3"', "flownet2", "flownets"]),
        ("ptlflow:", ValueError, ['no model ""', "flownet2"]),
    ],
)
def test_ptlflow_names_that_cannot_be(
    spec: str,
    error: type[Exception],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(error) as raised:
        create(spec)
    text = str(raised.value)
    assert all(word in text for word in words)
    assert "\n" not in text
    assert len(text) < 400
    assert ("research only" in caplog.text) == ("flownet2/things" in spec)


@pytest.mark.usefixtures("no_network")
def test_ptlflow_refuses_files_of_other_models(ptlflow_file: Path, raft_file: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.ckpt"
    text.write_text("not a checkpoint")
    for model, path in (("rapidflow_it1", ptlflow_file), ("raft_small", raft_file), ("raft_small", text)):
        with pytest.raises(ValueError, match=f'does not hold a checkpoint of "{model}": ') as error:
            create(f"ptlflow:{model}", weights=path)
        assert "\n" not in str(error.value)


@pytest.mark.usefixtures("no_network")
def test_ptlflow_checkpoint_in_the_cache_is_found(
    ptlflow_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "raft_small-things-b7d9f997.ckpt").symlink_to(ptlflow_file)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert isinstance(create("ptlflow:raft_small/things"), PtlFlow)


@pytest.mark.usefixtures("no_network")
def test_ptlflow_published_checkpoint_given_as_a_file(ptlflow_file: Path) -> None:
    """As the presets do: the name says which checkpoint, weights where its file is."""
    assert isinstance(create("ptlflow:raft_small/things", weights=ptlflow_file), PtlFlow)
    with pytest.raises(FileNotFoundError, match=r"no weights of ptlflow:raft_small/things at gone\.ckpt"):
        create("ptlflow:raft_small/things", weights="gone.ckpt")


def test_noncommercial_models_on_request(ptlflow_file: Path) -> None:
    """Allowed, the refusal becomes the next question: where is the checkpoint?"""
    with pytest.raises(ValueError, match='"pwcnet" needs a checkpoint'):
        create("ptlflow:pwcnet", allow_noncommercial=True)
