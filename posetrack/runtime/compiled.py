"""A network compiled for the CPU by OpenVINO, which plans all of its operations once.

Torch plans every convolution anew in every call, and lays out its weights again; for a network of a hundred
small ones that is most of the time.

>>> network = for_inference(network, "cpu")
>>> network = for_cpu(network, example, half=True) or network
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from posetrack.runtime.process import claim_process

if TYPE_CHECKING:
    from openvino import InferRequest

log = logging.getLogger(__name__)

SIZES_KEPT = 26  # input sizes that stay compiled at once: all that photos of any shape need, and a video one


_wanted = ContextVar("OpenVINO is wanted", default=True)


@contextmanager
def without_openvino() -> Iterator[None]:
    """Networks that are made ready in here are left to Torch: to compare."""
    before = _wanted.set(False)
    try:
        yield
    finally:
        _wanted.reset(before)


def for_cpu(network: nn.Module, example: Tensor, half: bool) -> CompiledNetwork | None:
    """The network compiled, or None where that cannot be: no OpenVINO here, or a network beyond it.

    Args:
        network: takes one batch of pictures; in evaluation mode, its batch normalisation folded.
        example: (1, 3, H, W), an input to try it with.
        half: multiply in bfloat16; what goes in and comes out stays float32.
    """
    if not _wanted.get() or find_spec("openvino") is None:
        return None
    try:
        compiled = CompiledNetwork(network, example, half)
        compiled(example)
    except (ImportError, NotImplementedError, RuntimeError) as error:  # the last from OpenVINO
        reason = str(error).split("\n")[0]
        log.warning("OpenVINO cannot run %s, Torch does: %s", type(network).__name__, reason)
        return None
    return compiled


class CompiledNetwork:
    """A function of one picture, of any size. A copy is compiled anew.

    One at a time, so that what comes out does not depend on the pictures beside it: a graph for batches
    rounds otherwise for another size, and is at most 7 % faster on one or two cores.
    """

    def __init__(self, network: nn.Module, example: Tensor, half: bool) -> None:
        """The same arguments, and the same errors, as `openvino_graph.translate`; `half` as in `for_cpu`."""
        from posetrack.runtime.openvino_graph import translate

        self._arguments = network, example, half
        self._model, self._several = translate(network, example)
        self._precision = "bf16" if half else "f32"
        self._requests: dict[tuple[int, int, int], InferRequest] = {}
        self._lock = threading.Lock()  # a request that two threads share gives one the other's results

    def __reduce__(self) -> tuple[type[CompiledNetwork], tuple[nn.Module, Tensor, bool]]:
        return CompiledNetwork, self._arguments

    def __call__(self, image: Tensor) -> Any:
        """(1, 3, H, W) float32, at best in channels-last order, to float32: a tensor, or a list of them."""
        claim_process()
        H, W = image.shape[2:]
        pixels = image.permute(0, 2, 3, 1).contiguous()  # (1, H, W, 3), a copy only of another order
        with self._lock:
            results = self._request(H, W, torch.get_num_threads()).infer([pixels.numpy()], share_inputs=True)
            tensors = [torch.from_numpy(array) for array in results.to_tuple()]
        return tensors if self._several else tensors[0]

    def _request(self, height: int, width: int, threads: int) -> InferRequest:
        """Compiled when such an input, or number of threads, is first seen; the longest unused goes."""
        key = height, width, threads
        if key in self._requests:
            self._requests[key] = self._requests.pop(key)  # now the last used
        else:
            from posetrack.runtime.openvino_graph import core

            if len(self._requests) == SIZES_KEPT:
                del self._requests[next(iter(self._requests))]
            self._model.reshape([1, height, width, 3])
            settings = {
                "INFERENCE_PRECISION_HINT": self._precision,
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "ENABLE_CPU_PINNING": False,  # processes of one thread would all be pinned to the first core
            }
            compiled = core().compile_model(self._model, "CPU", settings)
            self._requests[key] = compiled.create_infer_request()
        return self._requests[key]
