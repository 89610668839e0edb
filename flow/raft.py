"""Dense flow by RAFT (Teed and Deng, ECCV 2020) from torchvision, small or large.

>>> flow = RaftFlow("raft_small", device="cuda")
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import optical_flow

from flow.network import NetworkFlow, find_device, find_weights

MODELS = {
    "raft_small": (optical_flow.raft_small, optical_flow.Raft_Small_Weights.C_T_V2),
    "raft_large": (optical_flow.raft_large, optical_flow.Raft_Large_Weights.C_T_SKHT_V2),
}


class RaftFlow(NetworkFlow):
    """RAFT with published weights.

    Args:
        model: raft_small or raft_large.
        weights: a local file; None looks in torch's cache. Nothing is downloaded.
        device: where the network runs.
        scale: working size / picture size; None brings the long side to at most 640 pixels.
        check: compute the fields back as well (twice the time), so that occluded points are not visible.
        updates: refinements of the flow; the weights were published with 12.

    Raises:
        FileNotFoundError: the weights are not there; says where to get them and where they belong.
        ValueError: an unknown model, a file that does not hold its weights, a device or scale that cannot be.
    """

    def __init__(
        self,
        model: str = "raft_small",
        *,
        weights: str | Path | None = None,
        device: str | torch.device = "cpu",
        scale: float | None = None,
        check: bool = False,
        updates: int = 12,
    ) -> None:
        if model not in MODELS:
            raise ValueError(f'unknown RAFT "{model}"; choose one of {", ".join(MODELS)}')
        build, published = MODELS[model]
        path = find_weights(published.url, weights, model)
        self._updates = updates
        self._network: nn.Module = build(weights=None, progress=False)
        _load(self._network, path, model)
        self._network.to(find_device(device)).eval()
        super().__init__(self._estimate, multiple=8, device=device, scale=scale, check=check)

    def _estimate(self, images: Tensor) -> Tensor:
        """(B, 2, 3, h, w) RGB 0..1 -> (B, 2, h, w)."""
        first, second = (images * 2 - 1).unbind(dim=1)
        refined: list[Tensor] = self._network(first, second, num_flow_updates=self._updates)
        return refined[-1]


def _load(network: nn.Module, path: Path, model: str) -> None:
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, pickle.UnpicklingError, TypeError, AttributeError, EOFError) as error:
        raise ValueError(
            f"{path} does not hold the weights of {model}: {str(error).splitlines()[0]}"
        ) from None
