"""Weights go in whole or not at all, and a refusal says what differs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from posetrack import models
from posetrack.errors import PoseTrackError
from posetrack.models.classifier import HRNetClassifier
from posetrack.models.hrnet import LIGHT, HRNet, HRNetConfig
from posetrack.models.meta import SkipInit
from posetrack.zoo import MismatchError, init_from_imagenet, load_into
from posetrack.zoo.loading import describe

State = dict[str, Tensor]

TINY = HRNetConfig(width=4, modules=(1, 1, 1), blocks=1, stem=8, bottleneck=4, bottlenecks=1)


def random_state(network: nn.Module) -> State:
    torch.manual_seed(0)
    return {k: torch.randn(t.shape) if t.is_floating_point() else t for k, t in network.state_dict().items()}


def empty_state(name: str, keypoints: int = 17) -> State:
    return models.create(name, keypoints, empty=True).state_dict()


def test_every_tensor_arrives() -> None:
    state, network = random_state(HRNet(TINY, 3)), HRNet(TINY, 3)
    load_into(network, state)
    assert all(torch.equal(tensor, state[key]) for key, tensor in network.state_dict().items())


def test_half_precision_is_converted_and_the_source_stays_apart() -> None:
    state, network = random_state(HRNet(TINY, 3)), HRNet(TINY, 3)
    half = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in state.items()}
    load_into(network, half)
    assert network.conv1.weight.dtype == torch.float32
    assert torch.equal(network.conv1.weight, half["conv1.weight"].float())
    network.conv1.weight.data.zero_()
    assert half["conv1.weight"].any()


def test_an_empty_network_computes_what_a_drawn_one_does() -> None:
    state = random_state(models.create("hrnet_light"))
    for key, tensor in state.items():
        if tensor.is_floating_point():
            tensor.mul_(0.1).add_(1.0 if key.endswith("running_var") else 0.0)
    del state["stage2.0.branches.0.0.bn1.num_batches_tracked"]  # a file from before torch 0.4.1
    drawn, empty = models.create("hrnet_light").eval(), models.create("hrnet_light", empty=True).eval()
    load_into(drawn, state)
    load_into(empty, state)
    image = torch.randn(1, 3, 64, 64)
    heatmaps = drawn(image)
    assert heatmaps.std() > 0
    assert torch.equal(heatmaps, empty(image))
    assert all(parameter.requires_grad for parameter in empty.parameters())
    assert empty.stage2[0].branches[0][0].bn1.num_batches_tracked == 0


def test_counters_that_the_network_does_not_have_are_passed_over() -> None:
    """Torchvision's detectors freeze batch normalisation, their files still count its steps."""
    network = nn.Linear(1, 1)
    load_into(
        network,
        {"weight": torch.ones(1, 1), "bias": torch.ones(1), "bn1.num_batches_tracked": torch.ones(())},
    )
    assert network(torch.tensor([2.0])).item() == 3


def test_networks_that_are_not_ours() -> None:
    with pytest.raises(
        PoseTrackError, match=r"^det\.pth: does not fit the network\. Keys missing: 1 \(bias\)$"
    ):
        load_into(nn.Linear(1, 1), {"weight": torch.ones(1, 1)}, "det.pth")
    with pytest.raises(
        PoseTrackError, match="looks like hrnet_light with 17 keypoints, but another one is asked"
    ):
        load_into(nn.Linear(1, 1), empty_state("hrnet_light"))


def without(key: str) -> Callable[[State], State]:
    return lambda state: {k: t for k, t in state.items() if k != key}


@pytest.mark.parametrize(
    ("change", "missing", "unexpected", "misshapen"),
    [
        (without("bn1.bias"), ["bn1.bias"], [], []),
        (lambda s: s | {"head.fc.weight": torch.zeros(2)}, [], ["head.fc.weight"], []),
        (lambda s: s | {"bn1.bias": torch.zeros(9)}, [], [], ["bn1.bias"]),
        (
            lambda s: (
                without("conv1.weight")(s) | {"conv_1.weight": torch.zeros(1), "bn2.bias": torch.zeros(1)}
            ),
            ["conv1.weight"],
            ["conv_1.weight"],
            ["bn2.bias"],
        ),
    ],
    ids=["missing", "unexpected", "another shape", "all three"],
)
def test_a_misfit_changes_nothing_and_names_the_keys(
    change: Callable[[State], State], missing: list[str], unexpected: list[str], misshapen: list[str]
) -> None:
    network = HRNet(TINY, 3)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(MismatchError, match=r"^best\.pth: ") as refusal:
        load_into(network, change(random_state(network)), source="best.pth")
    error = refusal.value
    assert (error.missing, error.unexpected, error.misshapen) == (
        tuple(missing),
        tuple(unexpected),
        tuple(misshapen),
    )
    assert all(key in str(error) for key in missing + unexpected + misshapen)
    assert "\n" not in str(error)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("file", "wanted", "said"),
    [
        (
            ("hrnet_w32", 17),
            ("hrnet_w48", 17),
            "looks like hrnet_w32 with 17 keypoints, but hrnet_w48 with 17",
        ),
        (
            ("hrnet_w32", 16),
            ("hrnet_w32", 17),
            "looks like hrnet_w32 with 16 keypoints, but hrnet_w32 with 17",
        ),
        (
            ("hrnet_w32_c", 17),
            ("hrnet_w32", 17),
            "ImageNet classifier hrnet_w32_c, but hrnet_w32 with 17 keypoints is asked for (a classifier",
        ),
        (
            ("simple_baseline_r50", 17),
            ("simple_baseline_r101", 17),
            "looks like simple_baseline_r50 with 17 keypoints, but simple_baseline_r101",
        ),
        (
            ("hrnet_light", 17),
            ("simple_baseline_r50", 17),
            "looks like hrnet_light with 17 keypoints, but simple",
        ),
    ],
)
def test_a_checkpoint_of_another_network_is_recognised(
    file: tuple[str, int], wanted: tuple[str, int], said: str
) -> None:
    with pytest.raises(PoseTrackError, match=re.escape(said)):
        load_into(models.create(*wanted, empty=True), empty_state(*file))


def test_long_lists_are_counted_and_cut() -> None:
    state = empty_state("hrnet_w32")
    for key in [key for key in state if key.startswith("stage4.2.branches.3")]:
        del state[key]
    with pytest.raises(MismatchError, match=r"fit hrnet_w32 .* missing: 40 \(stage4\.2\.b.*, and 30 more\)$"):
        load_into(models.create("hrnet_w32", empty=True), state)


def test_of_another_network_a_few_keys_are_enough() -> None:
    with pytest.raises(
        MismatchError, match=r"missing: 1462 \(conv1\.weight, .*, and 1459 more\)$"
    ) as refusal:
        load_into(models.create("hrnet_w32", empty=True), {})
    assert len(refusal.value.missing) == 1754 - 292  # the counters may be missing
    assert "another network" in str(refusal.value)


def test_other_networks_are_described_by_what_they_are() -> None:
    with torch.device("meta"), SkipInit():
        wide = HRNet(replace(LIGHT, width=20), 14).state_dict()
    assert describe(wide) == "an HRNet of width 20 with 2 blocks and (1, 2, 2) modules with 14 keypoints"


# --- from ImageNet -----------------------------------------------------------------------------------


def test_a_pose_network_starts_from_a_classifier() -> None:
    """final_layer is another thing in each of them; exchanges towards branches 1 to 3 are left aside."""
    classifier = random_state(HRNetClassifier(TINY))
    network = HRNet(TINY, 3)
    head = network.final_layer.weight.clone()
    assert init_from_imagenet(network, classifier) == ["final_layer.weight", "final_layer.bias"]
    assert torch.equal(network.final_layer.weight, head)
    for key, tensor in network.state_dict().items():
        assert key.startswith("final_layer") or torch.equal(tensor, classifier[key])
    assert "stage4.0.fuse_layers.1.0.0.0.weight" in classifier  # which the pose network does not have


CHANGES = [{"exchange": "final"}, {"exchange": "across"}, {"heatmap_branch": 3}, {"all_heatmaps": True}]


@pytest.mark.parametrize("change", CHANGES)
def test_the_ablations_start_from_the_same_classifier(change: dict[str, object]) -> None:
    classifier = random_state(HRNetClassifier(TINY))
    network = HRNet(replace(TINY, **change), 3)
    init_from_imagenet(network, classifier)
    own = network.state_dict()
    assert torch.equal(own["conv1.weight"], classifier["conv1.weight"])
    for key in own:
        assert key.startswith("final_layer") or torch.equal(own[key], classifier[key])


def test_simple_baseline_starts_from_a_resnet() -> None:
    network = models.create("simple_baseline_r50", empty=True)
    trunk = {
        k: torch.full(t.shape, 0.5)
        for k, t in network.state_dict().items()
        if k.startswith(("conv1", "bn1", "layer"))
    }
    kept = init_from_imagenet(
        network, trunk | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    )
    assert {key.split(".")[0] for key in kept} == {"deconv_layers", "final_layer"}
    assert network.layer4[2].conv3.weight.unique().tolist() == [0.5]


def test_a_classifier_of_another_width_is_refused() -> None:
    with pytest.raises(
        MismatchError, match=r"classifier hrnet_w48_c, .*of another shape: \d+ \(transition1\.0\.0\.w"
    ):
        init_from_imagenet(models.create("hrnet_w32", empty=True), empty_state("hrnet_w48_c"))


def test_a_resnet_is_no_start_for_hrnet() -> None:
    with pytest.raises(MismatchError, match="simple_baseline_r50"):
        init_from_imagenet(models.create("hrnet_w32", empty=True), empty_state("simple_baseline_r50"))
