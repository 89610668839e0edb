"""Networks of any shape by a name that weights can carry: 'hrnet:{"width": 32, "exchange": "final"}'."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import partial
from typing import Any

from torch import nn

from posetrack.errors import PoseTrackError, shortened
from posetrack.models.cpn import CPN, CPNConfig
from posetrack.models.dilated import DilatedConfig, DilatedResNet
from posetrack.models.hourglass import Hourglass, HourglassConfig
from posetrack.models.hrnet import HRNet, HRNetConfig
from posetrack.models.simple_baseline import SimpleBaseline, SimpleBaselineConfig

Shape = HRNetConfig | SimpleBaselineConfig | HourglassConfig | CPNConfig | DilatedConfig

_CHANNELS = ("width", "stem", "bottleneck", "deconvolution", "features")
_MOST_CHANNELS, _MOST_BLOCKS = 1024, 64

_FAMILIES: dict[str, tuple[Callable[..., Any], Callable[..., nn.Module]]] = {
    "hrnet": (HRNetConfig, HRNet),
    "simple_baseline": (SimpleBaselineConfig, SimpleBaseline),
    "hourglass": (HourglassConfig, Hourglass),
    "cpn": (CPNConfig, CPN),
    "dilated": (DilatedConfig, DilatedResNet),
}


def name_of(shape: Shape) -> str:
    """The name under which `models.create` makes networks of this shape."""
    family = next(name for name, (config, _) in _FAMILIES.items() if config is type(shape))
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
        _refuse_giants(shape)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise PoseTrackError(
            f"'{shortened(name)}' describes no network ({shortened(str(error))}): "
            f"give the fields of {config.__name__}"
        ) from error
    return partial(network, shape)


def _refuse_giants(shape: Shape) -> None:
    """A file of a hundred bytes may not ask for a network that fills the memory."""
    for field in fields(shape):
        value = getattr(shape, field.name)
        most = _MOST_CHANNELS if field.name in _CHANNELS else _MOST_BLOCKS
        numbers = value if isinstance(value, tuple) else (value,)
        if any(isinstance(number, int | float) and not 0 <= number <= most for number in numbers):
            raise ValueError(f"{field.name} is {value}, expected 0 to {most}")
