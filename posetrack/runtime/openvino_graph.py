"""A network of `posetrack.models` in OpenVINO's operations, one by one.

The network runs once, and each operation of Torch that it calls is put down as one of OpenVINO's. Only this
thread sees that, so networks may run in others. Not by OpenVINO's converter, which reports its use to Google
unless told not to, as even `import openvino` does: here it is imported without its telemetry.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_TELEMETRY = "openvino_telemetry"
_theirs = sys.modules.get(_TELEMETRY)
sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # its import fails, and OpenVINO does without
try:
    from openvino import Core, Model, Node
    from openvino import opset13 as ops
finally:
    del sys.modules[_TELEMETRY]
    if _theirs is not None:
        sys.modules[_TELEMETRY] = _theirs

aten = torch.ops.aten


@cache  # The first one of a process takes over the stack that signal handlers run on. When a second one of
# several goes, it gives back what the first one had, which is there no more: the next signal is a crash.
def core() -> Core:
    """The one of this process."""
    one = Core()
    # A forked process lacks OpenVINO's threads, for which its end would wait: there the core never goes.
    os.register_at_fork(after_in_child=lambda: ctypes.pythonapi.Py_IncRef(ctypes.py_object(one)))
    return one


def translate(network: nn.Module, example: Tensor) -> tuple[Model, bool]:
    """A network that takes one batch of pictures, its batch normalisation folded.

    Args:
        example: (1, 3, H, W) float32. What the network does must not depend on its values or its size.

    Returns:
        A model from (B, H, W, 3) float32 to what the network puts out, and whether that is a list.

    Raises:
        NotImplementedError: the network does something that has no translation here.
    """
    # Not in inference mode, where some operations come as one that are several.
    with torch.inference_mode(False), torch.no_grad():
        example = example.clone()
        record = _Record(example)
        with record:
            put_out = network(example)
    several = isinstance(put_out, list | tuple)
    outputs = [record.node_of(tensor) for tensor in (put_out if several else [put_out])]
    return Model(outputs, [record.pixels]), several


class _Record(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Knows for each tensor the node that makes it."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pixels = ops.parameter([-1, -1, -1, 3], np.float32)
        self._made: dict[int, tuple[Tensor, Node]] = {}  # tensors are kept, so that no other has their id
        self._set(images, ops.transpose(self.pixels, np.array([0, 3, 1, 2])))

    def _set(self, tensor: Tensor, node: Node) -> None:
        self._made[id(tensor)] = (tensor, node)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """To skip it Torch would import it, which takes seconds."""
        return False

    def node_of(self, tensor: Any) -> Node:
        if not isinstance(tensor, Tensor) or id(tensor) not in self._made:
            raise NotImplementedError(
                f"no translation of networks that put out a {type(tensor).__name__} of another kind"
            )
        return self._made[id(tensor)][1]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        translation = OPERATIONS.get(func)
        if translation is None:
            raise NotImplementedError(f"no translation of {func}")
        result = func(*args, **(kwargs or {}))
        node = translation(*(self._value(argument) for argument in args), **(kwargs or {}))
        # An operation in place gives the tensor that it changed, whose node is now another.
        self._set(result[0] if isinstance(result, tuple) else result, node)
        return result

    def _value(self, argument: Any) -> Any:
        """Nodes for tensors; those that nothing has made are weights."""
        if isinstance(argument, Tensor):
            if id(argument) in self._made:
                return self._made[id(argument)][1]
            return ops.constant(_numbers(argument))
        if isinstance(argument, list | tuple) and any(isinstance(part, Tensor) for part in argument):
            return [self._value(part) for part in argument]
        return argument


def _numbers(values: Tensor) -> NDArray[np.float32]:
    if not values.is_floating_point():
        raise NotImplementedError(f"no translation of {values.dtype}")
    return values.detach().float().numpy()


def _convolution(
    x: Node,
    weight: Node,
    bias: Node | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Node:
    if groups != 1:
        raise NotImplementedError("no translation of convolutions in groups")
    pads = list(padding)
    if transposed:
        y = ops.convolution_backprop_data(
            x,
            weight,
            strides=list(stride),
            pads_begin=pads,
            pads_end=pads,
            dilations=list(dilation),
            output_padding=list(output_padding),
        )
    else:
        y = ops.convolution(x, weight, list(stride), pads, pads, list(dilation))
    return y if bias is None else ops.add(y, ops.reshape(bias, np.array([1, -1, 1, 1]), False))


def _enlarge(x: Node, up: float | None, across: float | None, mode: str, coordinates: str) -> Node:
    if up is None or across is None:
        raise NotImplementedError("no translation of enlarging to a size, but by a factor")
    return ops.interpolate(
        x,
        ops.constant(np.array([up, across], np.float32)),
        mode=mode,
        shape_calculation_mode="scales",
        coordinate_transformation_mode=coordinates,
        nearest_mode="floor",
        axes=ops.constant(np.array([2, 3])),
    )


def _nearest(x: Node, size: Sequence[int], up: float | None = None, across: float | None = None) -> Node:
    return _enlarge(x, up, across, "nearest", "asymmetric")


def _bilinear(
    x: Node, size: Sequence[int], align_corners: bool, up: float | None = None, across: float | None = None
) -> Node:
    return _enlarge(x, up, across, "linear_onnx", "align_corners" if align_corners else "half_pixel")


def _max_pool(
    x: Node,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    ceil_mode: bool = False,
) -> Node:
    if ceil_mode:
        raise NotImplementedError("no translation of pooling that rounds sizes up")
    pads = list(padding)
    return ops.max_pool(x, list(stride), list(dilation), pads, pads, list(kernel)).output(0)


def _of_two(operation: Callable[[Any, Any], Node]) -> Callable[..., Node]:
    def node(x: Any, y: Any, alpha: float = 1) -> Node:
        if alpha != 1:
            raise NotImplementedError("no translation of sums with a factor")
        return operation(_constant(x), _constant(y))

    return node


def _constant(value: Any) -> Any:
    return ops.constant(np.float32(value)) if isinstance(value, int | float) else value


_add, _subtract, _multiply = _of_two(ops.add), _of_two(ops.subtract), _of_two(ops.multiply)
OPERATIONS: dict[Any, Callable[..., Node]] = {
    aten.convolution.default: _convolution,
    aten.relu.default: ops.relu,
    aten.relu_.default: ops.relu,
    aten.max_pool2d_with_indices.default: _max_pool,
    aten.upsample_nearest2d.default: _nearest,
    aten.upsample_bilinear2d.default: _bilinear,
    aten.cat.default: lambda parts, dim=0: ops.concat(parts, dim),
    aten.add.Tensor: _add,
    aten.add_.Tensor: _add,
    aten.sub.Tensor: _subtract,
    aten.mul.Tensor: _multiply,
}
