"""A step of training recorded once as a CUDA graph: a small network's many kernels start as one.

    gradients = recorded(step, batch)  # `step` on batches of this one's shapes
    loss = gradients(batch)

A narrow HRNet starts some 1,500 short kernels per step; told one by one by Python they keep a large GPU
waiting. Every number that may change between the steps must come in through the tensors.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[..., Tensor]
WARM_UP = 3  # steps before the recording, in which libraries choose their algorithms


def recorded(step: Step, *tensors: Tensor) -> Step:
    """`step` as a graph that runs on copies of the tensors it is given, and overwrites its last result.

    Args:
        step: from CUDA tensors to one, without a wait for the device; run WARM_UP times before, too.
        tensors: as those of every later call in shape, type and device.
    """
    inputs = [tensor.clone() for tensor in tensors]
    here, beside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(here)
    with torch.cuda.stream(beside):
        for _ in range(WARM_UP):
            step(*inputs)
    here.wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    # Other threads, such as DataLoader's that pins batches, may go on with theirs.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = step(*inputs)

    def replay(*tensors: Tensor) -> Tensor:
        for place, tensor in zip(inputs, tensors, strict=True):
            place.copy_(tensor, non_blocking=True)
        graph.replay()
        return result

    return replay
