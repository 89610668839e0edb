from __future__ import annotations

import numpy as np
import pytest

from posetrack.datasets.boxes import Floats, Picture
from posetrack.training.examples.boxed import BoxedImage, clipped, compose, covered, cropped, mirrored
from posetrack.training.examples.scenes import Scenes

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def photo(box: tuple[int, int, int, int] | None, ground: tuple[int, int, int] = GREEN) -> Picture:
    """A red person on plain ground."""
    image = np.full((120, 160, 3), ground, np.uint8)
    if box is None:
        return Picture("ground", image, np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    image[box[1] : box[3], box[0] : box[2]] = RED
    return Picture("person", image, np.array([box], np.float32), np.ones(1, np.float32))


def scenes(seed: int = 0) -> Scenes:
    return Scenes([photo((60, 20, 100, 110)), photo((10, 30, 40, 100))], [photo(None, BLUE)], seed)


def red_share(image: np.ndarray, box: Floats) -> float:
    x0, y0, x1, y1 = np.round(box).astype(int)
    part = image[y0:y1, x0:x1].astype(int)
    return float(((part[..., 0] > 128) & (part[..., 1] < 128)).mean())


@pytest.mark.parametrize("kind", ["whole", "mosaic"])
def test_boxes_stay_on_their_people(kind: str) -> None:
    source, people = scenes(), 0
    for _ in range(40):
        scene = getattr(source, kind)(208, 128)
        assert scene.image.shape == (128, 208, 3)
        assert (scene.boxes >= 0).all()
        assert (scene.boxes <= [208, 128, 208, 128]).all()
        covered_red = np.zeros((128, 208), bool)
        for box, soft in zip(scene.boxes, scene.soft, strict=True):
            x0, y0 = np.floor(box[:2]).astype(int)
            x1, y1 = np.ceil(box[2:]).astype(int)
            covered_red[max(y0 - 1, 0) : y1 + 1, max(x0 - 1, 0) : x1 + 1] = True
            if soft > 0:
                people += 1
                assert red_share(scene.image, box) > 0.8
        # and nobody without a box, unless the photo's enlargement blurs the border
        red = (scene.image[..., 0] > 200) & (scene.image[..., 1] < 50)
        assert (red & ~covered_red).mean() < 0.01
    assert people > 20


def test_pasted_people_are_seen_through_soft_edges() -> None:
    source = scenes()
    shares = [
        red_share(scene.image, box)
        for scene in (source.pasted(208, 128) for _ in range(40))
        for box, soft in zip(scene.boxes, scene.soft, strict=True)
        if soft > 0
    ]
    assert len(shares) > 40
    assert np.median(shares) > 0.75  # the rest is hidden by others, by 60 % at most


def test_things_show_nobody() -> None:
    source = scenes()
    found = [thing for thing in (source.thing(20.0) for _ in range(60)) if thing is not None]
    assert len(found) > 30
    for thing in found:
        assert thing.image.shape[0] == 20
        assert not ((thing.image[..., 0] > 128) & (thing.image[..., 1] < 128)).any()  # no red
        assert len(thing.boxes) == 0


def test_stands_are_where_nobody_is() -> None:
    source, drawn = scenes(), 0
    for _ in range(60):
        before = source.whole(208, 128)
        after = source.with_clutter(before)
        changed = (after.image != before.image).any(axis=2)
        drawn += changed.mean() > 0.002
        for x0, y0, x1, y1 in np.round(before.boxes).astype(int):
            assert changed[y0:y1, x0:x1].mean() < 0.02  # a post may graze somebody
        assert after.boxes is before.boxes
    assert drawn > 20


def test_the_seed_decides() -> None:
    a, b, other = (scenes(seed).draw(96, 64) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.boxes, b.boxes)
    assert not np.array_equal(a.image, other.image)


def test_photos_are_drawn_by_weight() -> None:
    pictures = [photo((60, 20, 100, 110)), photo((10, 30, 40, 100))]
    source = Scenes(pictures, [photo(None)], seed=0, weights=np.array([3.0, 1.0]))
    share = np.mean([source.photo() is pictures[0] for _ in range(2000)])
    assert share == pytest.approx(0.75, abs=0.04)


def test_mirrored_twice_is_the_same() -> None:
    scene = BoxedImage(
        np.arange(60, dtype=np.uint8).reshape(4, 5, 3), np.array([[1, 0, 3, 4]], np.float32), np.ones(1)
    )
    once = mirrored(scene)
    assert once.boxes.tolist() == [[2, 0, 4, 4]]
    twice = mirrored(once)
    np.testing.assert_array_equal(twice.image, scene.image)
    assert twice.boxes.tolist() == scene.boxes.tolist()


def test_a_crop_scales_its_boxes() -> None:
    scene = cropped(photo((60, 20, 100, 110)), 40, 0, 120, 120, 0.5)
    assert scene.image.shape == (60, 40, 3)
    assert scene.boxes.tolist() == [[10, 10, 30, 55]]
    assert scene.soft.tolist() == [1]


@pytest.mark.parametrize(
    ("box", "kept", "soft"),
    [
        ([10, 10, 30, 50], [[10, 10, 30, 50]], [1.0]),
        ([-20, 10, 20, 50], [[0, 10, 20, 50]], [1.0]),  # half inside
        ([-30, 10, 10, 50], [[0, 10, 10, 50]], [0.0]),  # a quarter inside: ignored
        ([-30, 10, -5, 50], [], []),  # outside
        ([10, 10, 14, 18], [[10, 10, 14, 18]], [0.0]),  # 8 pixels tall: ignored
    ],
    ids=["inside", "half", "quarter", "outside", "tiny"],
)
def test_clipped(box: list[float], kept: list[list[float]], soft: list[float]) -> None:
    boxes, softs = clipped(np.array([box], np.float32), np.ones(1, np.float32), 64, 64)
    assert boxes.tolist() == kept
    assert softs.tolist() == soft


@pytest.mark.parametrize(
    ("x", "soft"), [(10, [1.0]), (3, [0.0]), (0, [])], ids=["half", "three quarters", "all"]
)
def test_people_behind_a_later_tile(x: int, soft: list[float]) -> None:
    person = BoxedImage(
        np.full((40, 20, 3), 9, np.uint8), np.array([[0, 0, 20, 40]], np.float32), np.ones(1, np.float32)
    )
    front = BoxedImage(
        np.full((40, 20, 3), 5, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    )
    scene = compose(np.zeros((40, 60, 3), np.uint8), [(person, 0, 0), (front, x, 0)])
    assert scene.soft.tolist() == soft
    assert (scene.image[:, x : x + 20] == 5).all()


def test_covered_by_hand() -> None:
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    assert covered(boxes, (5, 0, 25, 5)).tolist() == pytest.approx([0.25, 0.25])


def test_somebody_of_whom_a_wide_strip_is_in_view_does_not_stop_the_drawing() -> None:
    """Scaled to a person's height, an arm of 190 x 6 pixels is wider than any scene."""
    maker = Scenes([photo((0, 40, 190, 46))], [photo(None)], seed=3)
    for _ in range(20):
        scene = maker.pasted(64, 64)
        assert scene.image.shape == (64, 64, 3)
