"""Weights into a network: all of them or none, with every difference named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from posetrack.errors import PoseTrackError, shortened

# The parts that the pose networks and the ImageNet classifiers share. `final_layer` is in both and means
# another thing in each, so taking every key that exists would not do.
TRUNK = frozenset(
    ("conv1", "bn1", "conv2", "bn2", "layer1", "layer2", "layer3", "layer4",
     "transition1", "stage2", "transition2", "stage3", "transition3", "stage4")
)  # fmt: skip

_COUNTER = ".num_batches_tracked"


class MismatchError(PoseTrackError):
    """Weights that do not fit the network, with all differences."""

    def __init__(
        self,
        source: str,
        model: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        missing: Sequence[str],
        unexpected: Sequence[str],
        misshapen: Sequence[str],
    ) -> None:
        self.missing, self.unexpected, self.misshapen = tuple(missing), tuple(unexpected), tuple(misshapen)
        shapes = [f"{k} {list(state[k].shape)} instead of {list(model[k].shape)}" for k in misshapen]
        # Of another network every key differs; a few examples do.
        limit = 10 if describe(state) == describe(model) else 3
        kinds = {"of another shape": shapes, "missing": missing, "unexpected": unexpected}
        differences = "; ".join(_some(keys, what, limit) for what, keys in kinds.items() if keys)
        super().__init__(f"{source}: {_hint(model, state)}. Keys {differences}")


def load_into(model: nn.Module, state: Mapping[str, Tensor], source: str = "the weights") -> None:
    """Give the network these weights, converted to its precision. Refuses anything that does not fit exactly.

    A network made by `models.create(..., empty=True)` takes the tensors as its own, without a copy. The
    step counters of batch normalisation (num_batches_tracked) may be missing, as in files from before
    torch 0.4.1, or left over, as in torchvision's frozen detectors: inference does not use them.

    Args:
        source: the file or name, for the message.

    Raises:
        MismatchError: naming the missing, unexpected and wrongly shaped keys.
    """
    own = model.state_dict()
    missing = [key for key in own if key not in state and not key.endswith(_COUNTER)]
    unexpected = [key for key in state if key not in own and not key.endswith(_COUNTER)]
    misshapen = [key for key in own if key in state and state[key].shape != own[key].shape]
    if missing or unexpected or misshapen:
        raise MismatchError(source, own, state, missing, unexpected, misshapen)
    broken = [key for key in own if key in state and not bool(torch.isfinite(state[key]).all())]
    if broken:
        raise PoseTrackError(
            f"{source}: {len(broken)} tensors hold NaN or infinity, first {broken[0]}: take an earlier file"
        )
    _fill(model, own, state)


def init_from_imagenet(
    model: nn.Module, state: Mapping[str, Tensor], source: str = "the weights"
) -> list[str]:
    """Start a pose network from an ImageNet classifier: HRNet-W*-C, or a ResNet for SimpleBaseline.

    Only the trunk is taken; the classifier's own `final_layer` and what it puts out beyond the pose
    network's branches are left aside.

    Returns:
        The keys of the network that keep their initial values: those of its head.

    Raises:
        MismatchError: the trunk of the file is not the trunk of the network.
    """
    own = {key: tensor for key, tensor in model.state_dict().items() if key.partition(".")[0] in TRUNK}
    missing = [key for key in own if key not in state and not key.endswith(_COUNTER)]
    misshapen = [key for key in own if key in state and state[key].shape != own[key].shape]
    if missing or misshapen:
        raise MismatchError(source, own, state, missing, [], misshapen)
    _fill(model, own, {key: state[key] for key in own if key in state})
    return [key for key in model.state_dict() if key not in own]


def describe(state: Mapping[str, Tensor]) -> str:
    """What network these weights are of, for messages: 'hrnet_w32 with 17 keypoints'; '' if none of ours."""
    head = state.get("final_layer.weight", state.get("heads.0.weight"))
    keypoints = f" with {len(head)} keypoints" if head is not None else ""
    if "transition1.0.0.weight" in state:
        return _describe_hrnet(state) + keypoints
    depth = {6: 50, 23: 101, 36: 152}.get(_count(state, "layer3.{}.conv1.weight"))
    if depth and "deconv_layers.0.weight" in state:
        return f"simple_baseline_r{depth}{keypoints}"
    if depth and "fc.weight" in state:
        return f"the ImageNet classifier ResNet-{depth}"
    if depth and "final_layer.weight" in state:
        return f"{'cpn' if 'merge.conv1.weight' in state else 'dilated'}_r{depth}{keypoints}"
    if "heads.0.weight" in state:
        return f"hourglass_{_count(state, 'heads.{}.weight')}{keypoints}"
    return ""


def _describe_hrnet(state: Mapping[str, Tensor]) -> str:
    width = len(state["transition1.0.0.weight"])
    blocks = _count(state, "stage2.0.branches.0.{}.conv1.weight")
    modules = tuple(_count(state, f"stage{s}.{{}}.branches.0.0.conv1.weight") for s in (2, 3, 4))
    classifier = "classifier.weight" in state
    if (blocks, modules) == (4, (1, 4, 3)):
        return f"the ImageNet classifier hrnet_w{width}_c" if classifier else f"hrnet_w{width}"
    if (width, blocks, modules) == (16, 2, (1, 2, 2)):
        return "hrnet_light"
    return f"an HRNet of width {width} with {blocks} blocks and {modules} modules"


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    count = 0
    while pattern.format(count) in state:
        count += 1
    return count


def _hint(model: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str:
    found, wanted = describe(state), describe(model)
    if found == wanted:
        return f"does not fit {wanted or 'the network'}"
    hint = f"this looks like {found or 'another network'}, but {wanted or 'another one'} is asked for"
    if "classifier" in found and "classifier" not in wanted:
        hint += " (a classifier can only initialise training)"
    return hint


def _some(items: Sequence[str], what: str, limit: int) -> str:
    """'missing: 12 (a, b, c, and 9 more)'."""
    more = f", and {len(items) - limit} more" if len(items) > limit else ""
    return f"{what}: {len(items)} ({', '.join(map(shortened, items[:limit]))}{more})"


def _fill(model: nn.Module, own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    if not any(tensor.is_meta for tensor in own.values()):
        model.load_state_dict(state, strict=False)
        return
    tensors = {
        key: state[key].to(tensor.dtype) if key in state else torch.zeros(tensor.shape, dtype=tensor.dtype)
        for key, tensor in own.items()
    }
    model.load_state_dict(tensors, strict=False, assign=True)
