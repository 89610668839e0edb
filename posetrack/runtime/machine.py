"""What a measurement was made on."""

from __future__ import annotations

import os
import platform

import torch


def describe_machine(place: str) -> dict[str, str]:
    name = (
        torch.cuda.get_device_name(place)
        if place.startswith("cuda")
        else platform.processor() or platform.machine()
    )
    load_now = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "device": name,
        "threads": str(torch.get_num_threads()),
        "torch": torch.__version__,
        "load before": load_now,  # another busy process makes every CPU figure worse
    }
