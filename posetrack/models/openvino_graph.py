"""A network of `posetrack.models` in OpenVINO's operations, one by one.

Not by OpenVINO's converter, which reports its use to Google unless told not to, as even `import openvino`
does: here it is imported without its telemetry.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, fx, nn

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


@cache  # The first one of a process takes over the stack that signal handlers run on. When a second one of
# several goes, it gives back what the first one had, which is there no more: the next signal is a crash.
def core() -> Core:
    """The one of this process."""
    return Core()


def translate(network: nn.Module) -> Model:
    """A network that takes one batch of pictures, its batch normalisation folded.

    Returns:
        A model from (B, H, W, 3) float32 to what the network puts out.

    Raises:
        NotImplementedError: the network does something that has no translation here.
        TraceError: what it does depends on the values of the pictures.
    """
    traced = fx.symbolic_trace(network)
    modules = dict(traced.named_modules())
    values: dict[fx.Node, Any] = {}
    pixels = ops.parameter([-1, -1, -1, 3], np.float32)

    def value(argument: Any) -> Any:
        return fx.node.map_arg(argument, values.__getitem__)

    for node in traced.graph.nodes:
        arguments, named = value(node.args), value(node.kwargs)
        if node.op == "placeholder":
            values[node] = ops.transpose(pixels, np.array([0, 3, 1, 2]))
        elif node.op == "call_module":
            module = modules[node.target]
            values[node] = _translation(MODULES, type(module))(module, *arguments)
        elif node.op in ("call_function", "call_method"):
            values[node] = _translation(FUNCTIONS, node.target)(*arguments, **named)
        elif node.op == "output":
            outputs = arguments[0]
            return Model(list(outputs) if isinstance(outputs, list | tuple) else [outputs], [pixels])
    raise NotImplementedError("a network that puts nothing out")


def _translation(table: dict[Any, Callable[..., Node]], what: Any) -> Callable[..., Node]:
    if what not in table:
        raise NotImplementedError(f"no translation of {getattr(what, '__name__', what)}")
    return table[what]


def _convolution(module: nn.Conv2d, x: Node) -> Node:
    _plain(module)
    pads = list(module.padding)
    y = ops.convolution(
        x, ops.constant(_numbers(module.weight)), list(module.stride), pads, pads, list(module.dilation)
    )
    return _with_bias(y, module.bias)


def _transposed_convolution(module: nn.ConvTranspose2d, x: Node) -> Node:
    _plain(module)
    y = ops.convolution_backprop_data(
        x,
        ops.constant(_numbers(module.weight)),
        strides=list(module.stride),
        pads_begin=list(module.padding),
        pads_end=list(module.padding),
        dilations=list(module.dilation),
        output_padding=list(module.output_padding),
    )
    return _with_bias(y, module.bias)


def _plain(module: nn.Conv2d | nn.ConvTranspose2d) -> None:
    if module.groups != 1 or isinstance(module.padding, str) or module.padding_mode != "zeros":
        raise NotImplementedError("no translation of convolutions in groups or with other padding than zeros")


def _with_bias(y: Node, bias: Tensor | None) -> Node:
    return y if bias is None else ops.add(y, ops.constant(_numbers(bias).reshape(1, -1, 1, 1)))


def _numbers(values: Tensor) -> NDArray[np.float32]:
    return values.detach().float().numpy()


def _enlarge(x: Node, size: None = None, scale_factor: Any = None, mode: str = "nearest", **_: Any) -> Node:
    if mode != "nearest" or not isinstance(scale_factor, int | float):
        raise NotImplementedError("no translation of enlarging but by a nearest neighbour and one factor")
    return ops.interpolate(
        x,
        ops.constant(np.array([scale_factor, scale_factor], np.float32)),
        mode="nearest",
        shape_calculation_mode="scales",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
        axes=ops.constant(np.array([2, 3])),
    )


def _max_pool(x: Node, kernel: int, stride: int, padding: int, **_: Any) -> Node:
    pads = [padding, padding]
    return ops.max_pool(x, [stride, stride], [1, 1], pads, pads, [kernel, kernel]).output(0)


def _number(value: Any) -> Any:
    return ops.constant(np.float32(value)) if isinstance(value, int | float) else value


MODULES: dict[Any, Callable[..., Node]] = {
    nn.Conv2d: _convolution,
    nn.ConvTranspose2d: _transposed_convolution,
    nn.Identity: lambda module, x: x,
    nn.ReLU: lambda module, x: ops.relu(x),
    nn.Upsample: lambda module, x: _enlarge(x, scale_factor=module.scale_factor, mode=module.mode),
    nn.MaxPool2d: lambda module, x: _max_pool(x, module.kernel_size, module.stride, module.padding),
}
FUNCTIONS: dict[Any, Callable[..., Node]] = {
    F.relu: lambda x, inplace=False: ops.relu(x),
    F.max_pool2d: _max_pool,
    F.interpolate: _enlarge,
    torch.cat: lambda parts, dim: ops.concat(parts, dim),
    operator.add: lambda x, y: ops.add(_number(x), _number(y)),
    operator.sub: lambda x, y: ops.subtract(_number(x), _number(y)),
    operator.mul: lambda x, y: ops.multiply(_number(x), _number(y)),
    "add_": lambda x, y: ops.add(_number(x), _number(y)),
    "to": lambda x, dtype: x,  # all of it is of one precision
}
