"""Training scenes for a person detector: whole photos, mosaics of many, people pasted into other places.

Photos of one person become what a video shows: several people, small, cut off by borders and by each other,
in front of places without people.

    >>> scenes = Scenes(pictures, backgrounds, seed=1)
    >>> scene = scenes.draw(width=416, height=256)
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from posetrack.datasets.boxes import BoxData, Floats, Image, Picture, soften
from posetrack.datasets.concatenate import draw_scales
from posetrack.training.examples.boxed import BoxedImage, compose, covered, cropped, mirrored
from posetrack.training.examples.examples import Batch, Example, Examples
from posetrack.training.recipe import Recipe, Stage

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

    def draw(self, width: int, height: int) -> BoxedImage:
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
        return BoxedImage(self.degraded(scene.image), scene.boxes, scene.soft)

    def photo(self) -> Picture:
        """A photo with people, by weight."""
        n = int(np.searchsorted(self.cumulative, self.random.random()))
        return self.pictures[min(n, len(self.pictures) - 1)]

    def place(self) -> Picture:
        """A photo of a place."""
        return self.backgrounds[int(self.random.integers(len(self.backgrounds)))]

    def whole(self, width: int, height: int) -> BoxedImage:
        """One photo as large as it fits, or larger; what it leaves free is grey or another place."""
        picture = self.photo() if self.random.random() < 0.85 else self.place()
        h, w = picture.image.shape[:2]
        scale = min(width / w, height / h) * float(np.exp(self.random.uniform(-0.5, 0.45)))
        scale = min(scale, 2.0)
        canvas = np.full((height, width, 3), self.random.integers(0, 255, 3), np.uint8)
        parts: list[BoxedImage] = []
        if self.random.random() < 0.7:
            parts.append(self.tile(self.place(), width, height, 0.0))
            canvas[:] = parts[0].image
        tile = self.tile(picture, min(width, round(w * scale)), min(height, round(h * scale)), scale)
        x = int(self.random.integers(width - tile.image.shape[1] + 1))
        y = int(self.random.integers(height - tile.image.shape[0] + 1))
        return compose(canvas, [*((p, 0, 0) for p in parts), (tile, x, y)])

    def mosaic(self, width: int, height: int) -> BoxedImage:
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

    def pasted(self, width: int, height: int) -> BoxedImage:
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

    def person(self, tall: float) -> BoxedImage | None:
        """Somebody with their surroundings, `tall` pixels high; None where nobody is there for sure."""
        picture = self.photo()
        good = np.flatnonzero(soften(picture.scores) > 0.5)
        if not len(good):
            return None
        box = picture.boxes[self.random.choice(good)]
        return self.cut_out(picture, box, min(tall / max(float(box[3] - box[1]), 1.0), 2.0))

    def thing(self, tall: float) -> BoxedImage | None:
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

    def with_clutter(self, scene: BoxedImage) -> BoxedImage:
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
        return BoxedImage(image, scene.boxes, scene.soft)

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

    def cut_out(self, picture: Picture, box: Floats, scale: float) -> BoxedImage:
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

    def tile(self, picture: Picture, width: int, height: int, scale: float) -> BoxedImage:
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
