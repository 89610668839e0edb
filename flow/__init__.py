"""Optical flow for trackers: how did the points of the frame before move into this one?

>>> source = flow.create("lucas_kanade")
>>> for motion in source(images):                      # one per image, the first one is a cut
...     points, visible = motion.move(points)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flow.base import Flow, Motion

__all__ = ["Flow", "Motion", "create"]


def create(
    spec: str,
    *,
    device: str = "cpu",
    weights: str | Path | None = None,
    scale: float | None = None,
    allow_noncommercial: bool = False,
) -> Flow:
    """A flow by name.

    Args:
        spec: lucas_kanade, dis, dis:ultrafast, dis:fast, dis:medium, raft_small, raft_large,
            ptlflow:MODEL/CHECKPOINT (a published name such as flownet2/things, or a file), none (no motion).
        device: where a network runs; the others run on the CPU.
        weights: a local file for a network; None looks in torch's cache. Nothing is downloaded.
        scale: working size / picture size; None brings the long side to at most 640 pixels.
        allow_noncommercial: accept PTLFlow models whose licence allows research only.

    Raises:
        FileNotFoundError: weights that are not there; says where to get them and where they belong.
        ValueError: an unknown name, a device, scale or file that cannot be.
    """
    name, _, variant = spec.partition(":")
    if name not in FLOWS:
        raise ValueError(f'unknown flow "{spec}"; choose one of: {SPECS}')
    asked = _Asked(variant, device, weights, scale, allow_noncommercial)
    if variant and name not in ("dis", "ptlflow"):
        raise ValueError(f'"{name}" has no variants, but "{spec}" was asked for; choose "{name}"')
    if weights is not None and name in ("lucas_kanade", "dis", "none"):
        raise ValueError(f'"{name}" takes no weights, but {weights} was given')
    return FLOWS[name](asked)


@dataclass(frozen=True)
class _Asked:
    variant: str
    device: str
    weights: str | Path | None
    scale: float | None
    allow_noncommercial: bool


def _lucas_kanade(asked: _Asked) -> Flow:
    from flow.lucas_kanade import LucasKanadeFlow

    return LucasKanadeFlow(asked.scale)


def _dis(asked: _Asked) -> Flow:
    from flow.dis import DisFlow

    return DisFlow(asked.variant or "fast", scale=asked.scale)


def _raft(model: str) -> Callable[[_Asked], Flow]:
    def build(asked: _Asked) -> Flow:
        from flow.raft import RaftFlow

        return RaftFlow(model, weights=asked.weights, device=asked.device, scale=asked.scale)

    return build


def _ptlflow(asked: _Asked) -> Flow:
    from flow.ptlflow_models import PtlFlow

    model, _, checkpoint = asked.variant.partition("/")
    return PtlFlow(
        model,
        checkpoint or asked.weights,
        weights=asked.weights,
        device=asked.device,
        scale=asked.scale,
        allow_noncommercial=asked.allow_noncommercial,
    )


def _none(asked: _Asked) -> Flow:
    from flow.still import StillFlow

    return StillFlow()


FLOWS: dict[str, Callable[[_Asked], Flow]] = {
    "lucas_kanade": _lucas_kanade,
    "dis": _dis,
    "raft_small": _raft("raft_small"),
    "raft_large": _raft("raft_large"),
    "ptlflow": _ptlflow,
    "none": _none,
}
SPECS = "lucas_kanade, dis[:ultrafast|fast|medium], raft_small, raft_large, ptlflow:MODEL/CHECKPOINT, none"
