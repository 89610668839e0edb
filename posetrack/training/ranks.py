"""The processes of one training, as torchrun starts them, and what they tell each other.

ranks = Ranks.join("cuda")      # alone, where no torchrun is
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from posetrack.runtime.device import find_device


@dataclass(frozen=True)
class Ranks:
    """This process among `size`."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009  # a constant

    @classmethod
    def join(cls, device: str = "auto") -> Ranks:
        """Meet the other processes that torchrun has started, if it has.

        Args:
            device: "auto", "cpu", "cuda" or "cuda:N"; several processes take one GPU each.
        """
        place, size = find_device(device), int(os.environ.get("WORLD_SIZE", 1))
        if size == 1:
            return cls(device=torch.device(place))
        if place == "cuda":
            place = f"cuda:{os.environ['LOCAL_RANK']}"
            torch.cuda.set_device(place)
        # Small things, such as a signal, go over the CPUs, so that no GPU is waited for.
        dist.init_process_group("cpu:gloo,cuda:nccl" if place.startswith("cuda") else "gloo")
        return cls(dist.get_rank(), size, torch.device(place))

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def leave(self) -> None:
        if self.size > 1:
            dist.barrier()  # nobody leaves before the first one has written its files
            dist.destroy_process_group()

    def sum(self, value: Tensor) -> Tensor:
        """Over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def max(self, *values: float) -> list[float]:
        """The greatest of all processes, of each value."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return [float(value) for value in tensor]

    def gather(self, part: Any) -> list[Any]:
        """What every process has, in their order."""
        if self.size == 1:
            return [part]
        parts = [None] * self.size
        dist.all_gather_object(parts, part)
        return parts

    def share_buffers(self, network: nn.Module) -> None:
        """Give everybody the first process's batch-norm statistics, where each has its own."""
        if self.size > 1:
            for buffer in network.buffers():
                dist.broadcast(buffer, 0)


def is_first_process() -> bool:
    """Whether this is the process that speaks, also before it has met the others."""
    return os.environ.get("RANK", "0") == "0"
