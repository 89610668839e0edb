"""One colour for a person everywhere: in the overlay, its trails and the plots."""

from __future__ import annotations

import colorsys
from functools import lru_cache

Colour = tuple[int, int, int]  # RGB

# Okabe and Ito's colours for all kinds of colour vision, lifted to stand out in moving pictures.
PALETTE: tuple[Colour, ...] = (
    (86, 190, 255), (255, 165, 20), (30, 205, 145), (240, 110, 180), (250, 235, 70),
    (245, 95, 40), (60, 120, 245), (190, 240, 90), (170, 110, 250), (235, 235, 240),
)  # fmt: skip
_GOLDEN = 0.618_034


@lru_cache(maxsize=4096)
def colour_of(identity: int) -> Colour:
    """The colour of an identity: the palette first, then hues a golden section apart, three brightnesses."""
    if 1 <= identity <= len(PALETTE):
        return PALETTE[identity - 1]
    lightness = (0.62, 0.47, 0.76)[identity % 3]
    red, green, blue = colorsys.hls_to_rgb(identity * _GOLDEN % 1.0, lightness, 0.85)
    return round(255 * red), round(255 * green), round(255 * blue)
