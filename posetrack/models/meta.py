"""Networks without values, on torch's meta device: to be filled from a file, or only to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Undrawn(TorchFunctionMode):
    """Skips the drawing of initial values, which costs a second for HRNet-W48 and would be overwritten."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        drawing = function in (Tensor.normal_, Tensor.uniform_)
        if drawing or getattr(function, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)


class Unnormalised(TorchFunctionMode):
    """Skips batch normalisation, which changes no shape and takes nearly all the time of a meta forward."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return args[0] if function is F.batch_norm else function(*args, **(kwargs or {}))
