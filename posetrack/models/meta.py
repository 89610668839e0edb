"""Networks without values, on torch's meta device: to be filled from a file, or only to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class _Skip(TorchFunctionMode):
    """Calls of some functions give their first argument back and do nothing else."""

    def skips(self, function: Callable[..., Any]) -> bool:
        raise NotImplementedError

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if self.skips(function):
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)


class SkipInit(_Skip):
    """No initial values are drawn, which costs a second for HRNet-W48: they would be overwritten."""

    def skips(self, function: Callable[..., Any]) -> bool:
        drawing = function in (Tensor.normal_, Tensor.uniform_)
        return drawing or getattr(function, "__module__", None) == "torch.nn.init"


class SkipBatchNorm(_Skip):
    """No batch normalisation, which changes no shape and takes nearly all the time of a meta forward."""

    def skips(self, function: Callable[..., Any]) -> bool:
        return function is F.batch_norm
