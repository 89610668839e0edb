"""Whether bfloat16 is worth its rounding on a device.

>>> dtype = torch.bfloat16 if multiplies_bfloat16(device) else torch.float32
"""

from __future__ import annotations

import torch


def multiplies_bfloat16(device: torch.device | str) -> bool:
    """True where the hardware has instructions for it; elsewhere it is emulated, slower than float32."""
    kind = torch.device(device).type
    if kind == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
