"""What people look like: builds, clothes and colours, chosen by hand or at random."""

from __future__ import annotations

import numpy as np

from scripts.render.assets import Floats
from scripts.render.bodies import Appearance

KINDS = (
    "caucasian-male-young", "caucasian-female-young", "asian-male-young", "asian-female-young",
    "african-male-young", "african-female-young", "caucasian-male-old", "caucasian-female-old",
    "caucasian-male-child", "caucasian-female-child",
)  # fmt: skip
SUITS = {
    "male": ("male_casualsuit02", "male_casualsuit04", "male_worksuit01"),
    "female": ("female_casualsuit01", "female_elegantsuit01", "female_sportsuit01"),
}
HAIR = {"male": ("short02", "short04", "afro01"), "female": ("bob02", "ponytail01", "afro01", "short04")}
SKIN = {"caucasian": (0.80, 0.62, 0.52), "asian": (0.78, 0.61, 0.48), "african": (0.46, 0.33, 0.26)}


def shape_of(kind: str, **amounts: float) -> dict[str, float]:
    """Targets of a build: race, sex and age, and how far it is heavy, light, strong, tall or short."""
    _, sex, age = kind.split("-")
    shape = {kind: 1.0, f"universal-{sex}-{age}-averagemuscle-averageweight": 1.0}
    for name, amount in amounts.items():
        prefix = "" if name.endswith("height") else "universal-"
        build = {
            "light": "averagemuscle-minweight", "heavy": "averagemuscle-maxweight",
            "strong": "maxmuscle-averageweight", "maxheight": "averagemuscle-averageweight-maxheight",
            "minheight": "averagemuscle-averageweight-minheight",
        }[name]  # fmt: skip
        shape[f"{prefix}{sex}-{age}-{build}"] = amount
    return shape


def random_appearance(rng: np.random.Generator) -> Appearance:
    """Anybody, in any clothes."""
    kind = str(rng.choice(KINDS))
    race, sex, age = kind.split("-")
    builds = ("light", "heavy", "strong", "maxheight", "minheight") if age == "young" else ()
    amounts = {str(b): float(rng.uniform(0.2, 0.9)) for b in rng.permutation(builds)[: rng.integers(0, 3)]}
    tone = np.array(SKIN[race]) * np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.03, 3))
    grey = rng.uniform(0.3, 0.8) if age == "old" else rng.uniform(0.04, 0.3)
    colours = {
        "skin": tone.clip(0.1, 0.95),
        "hair": (grey * np.array([1, rng.uniform(0.7, 1), rng.uniform(0.45, 1)])).clip(0.03, 0.9),
        "eye": rng.uniform(0.1, 0.4, 3),
        **{part: _cloth(rng) for part in ("upper", "lower", "shoe", "sock", "upper_second", "lower_second")},
    }
    patterns = {
        "upper": str(rng.choice(["plain", "plain", "stripes", "check"])),
        "lower": str(rng.choice(["plain", "plain", "denim", "check"])),
    }
    return Appearance(
        shape_of(kind, **amounts),
        str(rng.choice(SUITS[sex])),
        str(rng.choice(["shoes01", "shoes02"])),
        str(rng.choice(HAIR[sex])),
        {part: (float(r), float(g), float(b)) for part, (r, g, b) in colours.items()},
        patterns,
        seed=int(rng.integers(1000)),
    )


def _cloth(rng: np.random.Generator) -> Floats:
    """sRGB; greys as often as colours."""
    value = rng.uniform(0.05, 0.95)
    if rng.random() < 0.5:
        return np.asarray((value + rng.normal(0, 0.02, 3)).clip(0.02, 0.98))
    colour = np.abs((rng.random() * 6 + np.array([0, 4, 2])) % 6 - 3) - 1  # the hue circle
    return np.asarray((value * (1 + rng.uniform(0.2, 0.9) * (colour.clip(0, 1) - 1))).clip(0.02, 0.98))


def dressed(
    kind: str, suit: str, shoes: str, hair: str, tones: str, upper: str, lower: str, seed: int, **shape: float
) -> Appearance:
    """Colours as hexadecimal sRGB; tones: skin, hair and shoe."""
    colours = {"eye": (0.25, 0.2, 0.15), "sock": (0.6, 0.6, 0.6)}
    for part, code in zip(
        ("skin", "hair", "shoe", "upper", "lower"), (*tones.split(), upper, lower), strict=True
    ):
        red, green, blue = (int(code[k : k + 2], 16) / 255 for k in (0, 2, 4))
        colours[part] = (red, green, blue)
    return Appearance(shape_of(kind, **shape), suit, shoes, hair, colours, seed=seed)


BOY = dressed("caucasian-male-child", "male_casualsuit04", "shoes01", "short02",
             "d9a98c 5a3b22 e0e0e0", "c23b30", "34404f", 11)  # fmt: skip
GIRL = dressed("caucasian-female-child", "female_sportsuit01", "shoes02", "ponytail01",
              "e0b59a a8814d 404040", "3f7f5a", "22252c", 12)  # fmt: skip
OLD_MAN = dressed("caucasian-male-old", "male_casualsuit02", "shoes01", "short04",
                 "cfa089 b8b4ae 3a2c22", "8a7f6c", "5d574c", 13)  # fmt: skip
OLD_WOMAN = dressed("caucasian-female-old", "female_casualsuit01", "shoes02", "bob02",
                   "d6ad95 c9c5c0 503a30", "6b4b78", "2d2d33", 14)  # fmt: skip
ASIAN_MAN = dressed("asian-male-young", "male_casualsuit04", "shoes02", "short02",
                   "c79a76 14110f e8e8e6", "2c2f36", "8c8471", 15, strong=0.3)  # fmt: skip
ASIAN_WOMAN = dressed("asian-female-young", "female_sportsuit01", "shoes01", "ponytail01",
                     "caa07c 1a1412 d0d0d0", "d8d3c8", "3a5a84", 16, light=0.4)  # fmt: skip
AFRICAN_MAN = dressed("african-male-young", "male_worksuit01", "shoes01", "afro01",
                     "6b4a38 0f0c0a 7a4b28", "cfa93a", "30343c", 17, maxheight=0.5)  # fmt: skip
AFRICAN_WOMAN = dressed("african-female-young", "female_elegantsuit01", "shoes02", "afro01",
                       "7d5843 120d0b 1c1c1e", "a33b52", "ded9d0", 18, heavy=0.3)  # fmt: skip
