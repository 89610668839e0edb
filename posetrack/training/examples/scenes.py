"""Training scenes for a person detector: whole photos, mosaics of many, people pasted into other places.

Photos of one person become what a video shows: several people, small, cut off by borders and by each other,
in front of places without people.

    >>> scenes = Scenes(pictures, backgrounds, seed=1)
    >>> scene = scenes.draw(width=416, height=256)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from posetrack.datasets.boxes import BoxData, Floats, Image, Picture, soften
from posetrack.datasets.concatenate import draw_scales
from posetrack.training.examples.examples import Batch, Example, Examples
from posetrack.training.recipe import Recipe, Stage

MIN_HEIGHT = 9.0  # pixels in the scene; smaller people are neither wanted nor punished
MIN_VISIBLE = 0.3  # share of a box that must remain inside its tile; less is neither wanted nor punished


@dataclass(frozen=True, eq=False)
class Scene:
    """One training picture."""

    image: Image  # (H, W, 3) RGB
    boxes: Floats  # (N, 4) xyxy pixels, inside the picture
    soft: Floats  # (N,) target scores, 0 = ignore: nothing is learned from cells inside


# Width and height of the scenes for an input of 416 pixels, one shape per batch: those of videos, wide and
# upright. For another input they grow or shrink with it, to multiples of 32.
SHAPES = ((416, 256), (416, 320), (320, 416), (352, 352), (448, 256), (256, 416))
SIDE = 416
WHOLE, MOSAICS = 0.5, 0.3  # shares of whole photos and of mosaics; in the rest people are pasted elsewhere


def shape_of(step: int, side: int) -> tuple[int, int]:
    """Width and height of the scenes of a step, for an input whose longer side is `side`."""
    width, height = (32 * round(length * side / SIDE / 32) for length in SHAPES[step % len(SHAPES)])
    return width, height


class SceneExamples(Examples):
    """Scenes, each of many photos that it draws itself: images (H, W, 3) uint8, boxes (N, 4), soft (N,)."""

    def __init__(self, recipe: Recipe, stage: Stage, data: Sequence[BoxData]) -> None:
        self.side = max(stage.size)
        pictures = [picture for part in data for picture in part.pictures]
        shares = [source.share for source in recipe.data[: len(data)]]
        scales = draw_scales([sum(part.weights) for part in data], shares)
        weights = [w * scale for part, scale in zip(data, scales, strict=True) for w in part.weights]
        super().__init__(recipe, weights)
        places = [place for part in data for place in part.places]
        self.scenes = Scenes(pictures, places, recipe.seed, np.array(weights))

    def make(self, index: int, picture: int, rng: np.random.Generator) -> Example:
        self.scenes.random = rng
        scene = self.scenes.draw(*shape_of(picture // self.recipe.batch, self.side))
        return {"images": scene.image, "boxes": scene.boxes, "soft": scene.soft}

    def collate(self, examples: list[Example]) -> Batch:
        """Images (B, H, W, 3), the boxes (M, 4) and scores (M,) of all, and the scene (M,) of each box."""
        counts = [len(example["boxes"]) for example in examples]
        return {
            "images": torch.from_numpy(np.stack([example["images"] for example in examples])),
            "boxes": torch.from_numpy(np.concatenate([example["boxes"] for example in examples])),
            "soft": torch.from_numpy(np.concatenate([example["soft"] for example in examples])),
            "scene": torch.from_numpy(np.repeat(np.arange(len(examples)), counts)),
            "lost": [example["lost"] for example in examples],
        }


class Scenes:
    """An endless source of scenes. Two with the same seed draw the same."""

    def __init__(
        self,
        pictures: Sequence[Picture],
        backgrounds: Sequence[Picture],
        seed: int,
        weights: NDArray[np.floating] | None = None,
    ) -> None:
        """
        Args:
            pictures: photos of people.
            backgrounds: photos mostly without people; they may have boxes too.
            seed: of the random choices.
            weights: (len(pictures),) how often each photo is drawn, in any unit; alike when None.
        """
        self.pictures, self.backgrounds = pictures, backgrounds
        self.random = np.random.default_rng(seed)
        if weights is None:
            weights = np.ones(len(pictures))
        self.cumulative = np.cumsum(weights / np.sum(weights))

    def draw(self, width: int, height: int) -> Scene:
        """A new scene of the given size, with colours, blur and compression of video."""
        kind = self.random.random()
        if kind < WHOLE:
            scene = self.whole(width, height)
        elif kind < WHOLE + MOSAICS:
            scene = self.mosaic(width, height)
        else:
            scene = self.pasted(width, height)
        if self.random.random() < 0.2:
            scene = self.with_clutter(scene)
        if self.random.random() < 0.5:
            scene = mirrored(scene)
        return Scene(self.degraded(scene.image), scene.boxes, scene.soft)

    def photo(self) -> Picture:
        """A photo with people, by weight."""
        n = int(np.searchsorted(self.cumulative, self.random.random()))
        return self.pictures[min(n, len(self.pictures) - 1)]

    def place(self) -> Picture:
        """A photo of a place."""
        return self.backgrounds[int(self.random.integers(len(self.backgrounds)))]

    def whole(self, width: int, height: int) -> Scene:
        """One photo as large as it fits, or larger; what it leaves free is grey or another place."""
        picture = self.photo() if self.random.random() < 0.85 else self.place()
        h, w = picture.image.shape[:2]
        scale = min(width / w, height / h) * float(np.exp(self.random.uniform(-0.5, 0.45)))
        scale = min(scale, 2.0)
        canvas = np.full((height, width, 3), self.random.integers(0, 255, 3), np.uint8)
        parts: list[Scene] = []
        if self.random.random() < 0.7:
            parts.append(self.tile(self.place(), width, height, 0.0))
            canvas[:] = parts[0].image
        tile = self.tile(picture, min(width, round(w * scale)), min(height, round(h * scale)), scale)
        x = int(self.random.integers(width - tile.image.shape[1] + 1))
        y = int(self.random.integers(height - tile.image.shape[0] + 1))
        return compose(canvas, [*((p, 0, 0) for p in parts), (tile, x, y)])

    def mosaic(self, width: int, height: int) -> Scene:
        """The picture cut in two again and again; every piece shows part of a photo."""
        canvas = np.zeros((height, width, 3), np.uint8)
        pieces = [(0, 0, width, height)]
        for _ in range(int(self.random.integers(1, 9))):
            pieces.sort(key=lambda p: p[2] * p[3])
            x, y, w, h = pieces[-1]
            across = w > h if self.random.random() < 0.8 else w <= h
            side = w if across else h
            if side < 112:
                break
            pieces.pop()
            cut = int(side * self.random.uniform(0.35, 0.65))
            if across:
                pieces += [(x, y, cut, h), (x + cut, y, w - cut, h)]
            else:
                pieces += [(x, y, w, cut), (x, y + cut, w, h - cut)]
        tiles = []
        for x, y, w, h in pieces:
            picture = self.photo() if self.random.random() < 0.85 else self.place()
            tiles.append((self.tile(picture, w, h, self.scale_for(picture, 18, 0.9 * h)), x, y))
        return compose(canvas, tiles)

    def pasted(self, width: int, height: int) -> Scene:
        """A place (or a photo) with people and things cut out of other photos, later ones in front.

        The things keep a network from learning that whatever stands out from its surroundings is a person.
        """
        ground = self.place() if self.random.random() < 0.6 else self.photo()
        first = self.tile(ground, width, height, 0.0)
        layers = [(first, 0, 0)]
        canvas = first.image.copy()
        common = float(np.exp(self.random.uniform(np.log(20), np.log(min(220, 0.95 * height)))))
        for _ in range(int(self.random.integers(1, 9))):
            tall = float(np.clip(common * np.exp(self.random.normal(0, 0.25)), 14, 1.1 * height))
            cut = self.thing(tall) if self.random.random() < 0.4 else self.person(tall)
            if cut is None:
                continue
            h, w = cut.image.shape[:2]
            if w > 2 * width:  # somebody of whom only a strip is in view, as wide as a scene is not
                continue
            x, y = (
                int(self.random.integers(-w // 3, width - 2 * w // 3)),
                int(self.random.integers(-h // 4, height - 2 * h // 3)),
            )
            layers.append((cut, x, y))
        return compose(canvas, layers, soft_edge=True)

    def person(self, tall: float) -> Scene | None:
        """Somebody with their surroundings, `tall` pixels high; None where nobody is there for sure."""
        picture = self.photo()
        good = np.flatnonzero(soften(picture.scores) > 0.5)
        if not len(good):
            return None
        box = picture.boxes[self.random.choice(good)]
        return self.cut_out(picture, box, min(tall / max(float(box[3] - box[1]), 1.0), 2.0))

    def thing(self, tall: float) -> Scene | None:
        """Part of a photo without anybody, `tall` pixels high; None where a few tries find none."""
        picture = self.photo() if self.random.random() < 0.6 else self.place()
        h, w = picture.image.shape[:2]
        for _ in range(4):
            part_h = self.random.uniform(0.15, 0.6) * h
            part_w = min(part_h * float(np.exp(self.random.uniform(np.log(0.3), np.log(1.5)))), w)
            x0, y0 = self.random.uniform(0, w - part_w), self.random.uniform(0, h - part_h)
            part = tuple(map(int, (x0, y0, max(x0 + part_w, x0 + 4), max(y0 + part_h, y0 + 4))))
            x0, y0, x1, y1 = part[0], part[1], min(part[2], w), min(part[3], h)
            if not (covered(picture.boxes, (x0, y0, x1, y1)) > 0).any():
                return cropped(picture, x0, y0, x1, y1, min(tall / (y1 - y0), 2.0))
        return None

    def with_clutter(self, scene: Scene) -> Scene:
        """With stands of rods where nobody is.

        Photos of gymnasts teach that whatever spreads limbs is a person; feet of tables and chairs do, too.
        """
        height, width = scene.image.shape[:2]
        image = scene.image.copy()
        for _ in range(int(self.random.integers(1, 4))):
            reach = float(np.exp(self.random.uniform(np.log(8), np.log(0.3 * min(width, height)))))
            x, y = self.random.uniform(0, width), self.random.uniform(0, height)
            space = tuple(map(int, (x - reach, y - reach, x + reach + 1, y + reach + 1)))
            if not (covered(scene.boxes, (space[0], space[1], space[2], space[3])) > 0).any():
                self.stand(image, x, y, reach)
        return Scene(image, scene.boxes, scene.soft)

    def stand(self, image: Image, x: float, y: float, reach: float) -> None:
        """Draw three to six rods that spread from (x, y), seen from any height; often a post and a top."""
        random = self.random
        colour = random.uniform(20, 235) + random.uniform(-25, 25, 3)
        flat, turn = random.uniform(0.2, 1.0), random.uniform(0, np.pi)
        thick = reach * random.uniform(0.04, 0.2)

        def rod(x0: float, y0: float, x1: float, y1: float, width: float) -> None:
            for share, light in ((1.0, random.uniform(0.6, 1.0)), (0.4, random.uniform(0.9, 1.4))):
                shade = tuple(np.clip(colour * light, 0, 255).tolist())
                start, end = (int(16 * x0), int(16 * y0)), (int(16 * x1), int(16 * y1))
                cv2.line(image, start, end, shade, max(1, round(width * share)), cv2.LINE_AA, shift=4)

        legs = int(random.integers(3, 7))
        for angle in turn + 2 * np.pi * (np.arange(legs) + random.uniform(-0.15, 0.15, legs)) / legs:
            far = reach * random.uniform(0.85, 1.0)
            rod(x, y, x + far * np.cos(angle), y + far * flat * np.sin(angle), thick)
        if random.random() < 0.6:
            top = y - reach * random.uniform(0.3, 1.0)
            rod(x, y, x + 0.05 * reach * random.standard_normal(), top, thick * random.uniform(0.5, 1.2))
            if random.random() < 0.5:
                axes = (int(reach * random.uniform(0.4, 1.0)), max(1, int(reach * random.uniform(0.05, 0.3))))
                plate = tuple(random.uniform(20, 250, 3).tolist())
                cv2.ellipse(image, (int(x), int(top)), axes, 0, 0, 360, plate, -1, cv2.LINE_AA)

    def cut_out(self, picture: Picture, box: Floats, scale: float) -> Scene:
        """The surroundings of one box, scaled."""
        h, w = picture.image.shape[:2]
        margin = (
            self.random.uniform(0.03, 0.3, 4) * np.repeat([box[2] - box[0], box[3] - box[1]], 2)[[0, 2, 1, 3]]
        )
        x0, y0 = np.maximum(np.floor(box[:2] - margin[:2]), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(box[2:] + margin[2:]), [w, h]).astype(int)
        return cropped(picture, int(x0), int(y0), int(max(x1, x0 + 2)), int(max(y1, y0 + 2)), scale)

    def scale_for(self, picture: Picture, low: float, high: float) -> float:
        """A scale that makes the surest person `low` to `high` pixels tall, log-uniform; 0 without people."""
        if not len(picture.boxes):
            return 0.0
        box = picture.boxes[np.argmax(picture.scores)]
        tall = np.exp(self.random.uniform(np.log(low), np.log(max(high, low + 1))))
        return min(float(tall / max(box[3] - box[1], 1)), 2.0)

    def tile(self, picture: Picture, width: int, height: int, scale: float) -> Scene:
        """A random part of the picture that fills width × height, enlarged if the scale would leave a gap."""
        h, w = picture.image.shape[:2]
        scale = max(scale, width / w, height / h)
        part_w, part_h = min(width / scale, w), min(height / scale, h)
        x0, y0 = self.random.uniform(0, w - part_w), self.random.uniform(0, h - part_h)
        if len(picture.boxes) and self.random.random() < 0.8:  # keep somebody in view
            box = picture.boxes[self.random.integers(len(picture.boxes))]
            centre = box[:2] + (box[2:] - box[:2]) * self.random.uniform(0.1, 0.9, 2)
            x0 = float(np.clip(centre[0] - part_w * self.random.uniform(0.2, 0.8), 0, w - part_w))
            y0 = float(np.clip(centre[1] - part_h * self.random.uniform(0.2, 0.8), 0, h - part_h))
        x0, y0 = int(x0), int(y0)
        x1, y1 = min(w, x0 + max(2, round(part_w))), min(h, y0 + max(2, round(part_h)))
        return cropped(picture, x0, y0, x1, y1, scale, (width, height))

    def degraded(self, image: Image) -> Image:
        """Light, colour, blur, noise and compression as in videos."""
        random = self.random
        pixels: cv2.typing.MatLike = image
        if random.random() < 0.8:
            gain = random.uniform(0.7, 1.3) * random.uniform(0.9, 1.1, 3)
            gamma, offset = np.exp(random.normal(0, 0.25)), random.uniform(-20, 20)
            ramp = np.linspace(0, 1, 256)[:, None] ** gamma * 255  # (256, 1)
            table = np.clip(ramp * gain + offset, 0, 255).astype(np.uint8)  # (256, 3)
            pixels = cv2.LUT(pixels, table[None])
        if random.random() < 0.3:
            gray = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            share = float(random.uniform(0.3, 1.0))
            pixels = cv2.addWeighted(gray, share, pixels, 1 - share, 0)
        if random.random() < 0.15:
            pixels = cv2.GaussianBlur(pixels, (0, 0), float(random.uniform(0.4, 1.3)))
        elif random.random() < 0.12:
            n = int(random.integers(3, 8))
            kernel = np.zeros((n, n), np.float32)
            cv2.line(kernel, tuple(map(int, random.integers(0, n, 2))), (n // 2, n // 2), 1.0)
            pixels = cv2.filter2D(pixels, -1, kernel / kernel.sum())
        if random.random() < 0.15:
            noise = random.normal(0, random.uniform(2, 10), pixels.shape[:2])[..., None]
            pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
        if random.random() < 0.3:
            pixels = compressed(pixels, quality=int(random.integers(25, 90)))
        return np.ascontiguousarray(pixels, np.uint8)


def compressed(pixels: cv2.typing.MatLike, quality: int) -> cv2.typing.MatLike:
    """As JPEG leaves it."""
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    result = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert result is not None
    return result


def cropped(
    picture: Picture, x0: int, y0: int, x1: int, y1: int, scale: float, size: tuple[int, int] | None = None
) -> Scene:
    """The part of a picture, scaled (to `size` exactly when given). People mostly outside become 'ignore'."""
    part = picture.image[y0:y1, x0:x1]
    w, h = size or (max(2, round((x1 - x0) * scale)), max(2, round((y1 - y0) * scale)))
    method = cv2.INTER_AREA if w < 0.8 * (x1 - x0) else cv2.INTER_LINEAR
    image = np.asarray(cv2.resize(part, (w, h), interpolation=method), np.uint8)
    factor = np.array([w / (x1 - x0), h / (y1 - y0)] * 2, np.float32)
    boxes = (picture.boxes - np.array([x0, y0, x0, y0], np.float32)) * factor
    boxes, soft = clipped(boxes, soften(picture.scores), w, h)
    return Scene(image, boxes, soft)


def clipped(boxes: Floats, soft: Floats, width: int, height: int) -> tuple[Floats, Floats]:
    """Boxes cut to width × height; those mostly outside or tiny become 'ignore', empty ones go."""
    inside = np.clip(boxes, 0, [width, height, width, height]).astype(np.float32)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    left = (inside[:, 2:] - inside[:, :2]).prod(1)
    soft = np.where((left < MIN_VISIBLE * area) | (inside[:, 3] - inside[:, 1] < MIN_HEIGHT), 0, soft)
    keep = left > 1
    return inside[keep], soft[keep].astype(np.float32)


def compose(canvas: Image, layers: Sequence[tuple[Scene, int, int]], soft_edge: bool = False) -> Scene:
    """Tiles drawn over one another at (x, y). People hidden by more than 60 % become 'ignore', by 90 % go."""
    height, width = canvas.shape[:2]
    boxes, soft = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    for tile, x, y in layers:
        h, w = tile.image.shape[:2]
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
        if x1 <= x0 or y1 <= y0:
            continue
        part = tile.image[y0 - y : y1 - y, x0 - x : x1 - x]
        if soft_edge and (w, h) != (width, height):
            alpha = edge_ramp(w, h)[y0 - y : y1 - y, x0 - x : x1 - x, None]  # (h, w, 1)
            part = (part * alpha + canvas[y0:y1, x0:x1] * (1 - alpha)).astype(np.uint8)
        canvas[y0:y1, x0:x1] = part
        if len(boxes):
            hidden = covered(boxes, (x0, y0, x1, y1))
            soft = np.where(hidden > 0.6, 0, soft).astype(np.float32)
            boxes, soft = boxes[hidden < 0.9], soft[hidden < 0.9]
        new, new_soft = clipped(tile.boxes + np.array([x, y, x, y], np.float32), tile.soft, width, height)
        boxes, soft = np.concatenate([boxes, new]), np.concatenate([soft, new_soft])
    return Scene(canvas, boxes, soft)


def covered(boxes: Floats, by: tuple[int, int, int, int]) -> Floats:
    """(N,) share of each box that lies under a rectangle."""
    low, high = np.maximum(boxes[:, :2], by[:2]), np.minimum(boxes[:, 2:], by[2:])
    area: Floats = np.clip(high - low, 0, None).prod(1) / np.maximum(
        (boxes[:, 2:] - boxes[:, :2]).prod(1), 1e-6
    )
    return area


def edge_ramp(width: int, height: int) -> Floats:
    """(height, width) from 0 at the border to 1 over an eighth of the smaller side: no edge to learn from."""
    reach = max(1.0, min(width, height) / 8)
    x = np.minimum(np.arange(width) + 0.5, width - np.arange(width) - 0.5) / reach
    y = np.minimum(np.arange(height) + 0.5, height - np.arange(height) - 0.5) / reach
    ramp: Floats = np.minimum(np.minimum.outer(y, x), 1).astype(np.float32)
    return ramp


def mirrored(scene: Scene) -> Scene:
    """Left and right exchanged."""
    width = scene.image.shape[1]
    boxes = np.stack(
        [width - scene.boxes[:, 2], scene.boxes[:, 1], width - scene.boxes[:, 0], scene.boxes[:, 3]], 1
    )
    return Scene(np.ascontiguousarray(scene.image[:, ::-1]), boxes, scene.soft)
