"""Networks of any shape by a name that weights can carry: 'hrnet:{"width": 32, "exchange": "final"}'."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import partial
from typing import Any

from torch import nn

from posetrack.errors import PoseTrackError
from posetrack.models.hrnet import HRNet, HRNetConfig
from posetrack.models.simple_baseline import SimpleBaseline, SimpleBaselineConfig

Shape = HRNetConfig | SimpleBaselineConfig

_FAMILIES: dict[str, tuple[Callable[..., Any], Callable[..., nn.Module]]] = {
    "hrnet": (HRNetConfig, HRNet),
    "simple_baseline": (SimpleBaselineConfig, SimpleBaseline),
}


def name_of(shape: Shape) -> str:
    """The name under which `models.create` makes networks of this shape."""
    family = next(name for name, (config, _) in _FAMILIES.items() if isinstance(shape, config))  # type: ignore[arg-type]
    values = {f.name: getattr(shape, f.name) for f in fields(shape)}
    changed = {
        f.name: values[f.name] for f in fields(shape) if f.default is MISSING or values[f.name] != f.default
    }
    return f"{family}:{json.dumps(changed)}"


def is_shape(name: str) -> bool:
    return name.partition(":")[0] in _FAMILIES and ":" in name


def builder(name: str) -> Callable[[int], nn.Module]:
    """From a number of keypoints to a network of the named shape.

    Raises:
        PoseTrackError: what follows the colon does not describe a network.
    """
    family, _, text = name.partition(":")
    config, network = _FAMILIES[family]
    try:
        values = json.loads(text)
        shape = config(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise PoseTrackError(
            f"'{name}' describes no network ({error}): give the fields of {config.__name__}"
        ) from error
    return partial(network, shape)
