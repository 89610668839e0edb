"""What every flow promises, whatever the method: borders, lost points, empty input, videos in pieces."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from flow import Flow, create
from flow.dis import DisFlow
from flow.field import DenseMotion, sample
from flow.lucas_kanade import LucasKanadeFlow
from flow.network import NetworkFlow
from flow.scale import WorkingScale
from flow.still import StillFlow

Render = Callable[..., NDArray[np.uint8]]


def shift(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1, 0, x], [0, 1, y]])


def steady(images: torch.Tensor) -> torch.Tensor:
    """A network that sees every pair of frames move by 3, 1."""
    B, _, _, h, w = images.shape
    return torch.tensor([3.0, 1.0]).view(1, 2, 1, 1).expand(B, 2, h, w)


FLOWS: dict[str, Callable[[], Flow]] = {
    "lucas_kanade": LucasKanadeFlow,
    "dis": DisFlow,
    "dis checked": lambda: DisFlow(check=True),
    "network": lambda: NetworkFlow(steady),
    "none": StillFlow,
}
every_flow = pytest.mark.parametrize("build", FLOWS.values(), ids=FLOWS.keys())


@every_flow
def test_shapes_and_types(build: Callable[[], Flow], render: Render) -> None:
    motions = build()([render(), render(matrix=shift(3, 1))])
    for motion in motions:
        for m in (0, 1, 7):
            points, visible = motion.move(np.full((m, 2), 50, np.float32))
            assert points.shape == (m, 2)
            assert points.dtype == np.float32
            assert visible.shape == (m,)
            assert visible.dtype == np.bool_


@every_flow
def test_first_frame_is_a_cut_and_carries_nothing(build: Callable[[], Flow], render: Render) -> None:
    flow, points = build(), np.array([[50, 60], [-5, 3]], np.float32)
    for _ in range(2):  # reset() makes it a new video
        flow.reset()
        first, second = flow([render(), render()])
        assert first.cut
        assert not second.cut
        moved, visible = first.move(points)
        assert not visible.any()
        np.testing.assert_array_equal(moved, points)
    assert flow([]) == []


@every_flow
def test_a_video_in_pieces(build: Callable[[], Flow], render: Render) -> None:
    frames = [render(0, shift(2.0 * t, t)) for t in range(4)] + [render(9), render(9, shift(1, 1))]
    points = np.array([[40.5, 30], [150, 99.25], [301, 200]], np.float32)

    def moves(pieces: list[int]) -> list[tuple[NDArray[np.float32], NDArray[np.bool_], bool]]:
        flow, source = build(), iter(frames)
        motions = [motion for n in pieces for motion in flow(list(islice(source, n)))]
        return [(*motion.move(points), motion.cut) for motion in motions]

    whole = moves([6])
    assert [cut for _, _, cut in whole] == [True, False, False, False, True, False]
    for pieces in ([1, 1, 1, 1, 1, 1], [1, 3, 2], [4, 0, 2]):
        for (a, see_a, cut_a), (b, see_b, cut_b) in zip(whole, moves(pieces), strict=True):
            assert cut_a == cut_b
            np.testing.assert_array_equal(see_a, see_b)
            np.testing.assert_array_equal(a, b)


@every_flow
def test_a_new_size_is_a_cut(build: Callable[[], Flow], render: Render) -> None:
    big, small = render(), np.ascontiguousarray(render()[:120, :160])
    motions = build()([big, big, small, small, big])
    assert [motion.cut for motion in motions] == [True, False, True, False, True]
    moved, visible = motions[3].move(np.array([[80, 60], [200, 60]], np.float32))
    assert visible.tolist() == [True, False]  # 200 is outside now
    assert np.isfinite(moved).all()


@every_flow
@pytest.mark.parametrize("size", [(16, 16), (7, 40), (1, 1), (33, 5)])
def test_tiny_pictures(build: Callable[[], Flow], size: tuple[int, int]) -> None:
    w, h = size
    image = np.random.default_rng(0).integers(0, 256, (h, w, 3), np.uint8)
    moved, _ = build()([image, image])[1].move(np.array([[w / 2, h / 2], [0, 0]], np.float32))
    assert np.isfinite(moved).all()


@every_flow
def test_outside_and_impossible_points(build: Callable[[], Flow], render: Render) -> None:
    motion = build()([render(), render(matrix=shift(3, 1))])[1]
    goal = motion.move(np.array([[100, 100]], np.float32))[0] - 100
    points = np.array(
        [[-20, 100], [1000, 40], [100, -0.6], [1e9, -1e9], [np.nan, 5], [np.inf, 5]], np.float32
    )
    moved, visible = motion.move(np.concatenate([points, np.array([[100, 100]], np.float32)]))
    assert visible.tolist() == [False] * 6 + [True]
    assert np.abs(moved[:3] - points[:3] - goal).max() < 0.5  # carried along with the picture
    assert not np.isfinite(moved[4:6, 0]).any()


@pytest.mark.parametrize("build", [LucasKanadeFlow, DisFlow, lambda: LucasKanadeFlow(0.5)])
def test_leaving_the_picture(build: Callable[[], Flow], render: Render) -> None:
    motion = build()([render(), render(matrix=shift(12, 0))])[1]
    points = np.array([[310, 60], [312, 120], [200, 60], [220, 120], [200, 180]], np.float32)
    moved, visible = motion.move(points)
    assert visible.tolist() == [False, False, True, True, True]
    assert np.abs(moved - points - [12, 0]).max() < 2


@pytest.mark.parametrize("build", [LucasKanadeFlow, DisFlow], ids=["lucas_kanade", "dis"])
def test_points_at_the_border_are_carried(build: Callable[[], Flow], render: Render) -> None:
    motion = build()([render(), render(matrix=shift(2, -1))])[1]
    points = np.array([[0, 120], [317, 120], [160, 1], [160, 239], [0, 239]], np.float32)
    moved, visible = motion.move(points)
    assert visible.sum() >= 4
    assert np.abs(moved - points - [2, -1]).max() < 1


def covered(render: Render) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A square of another texture, 80 px wide, moves 24 px to the right over a standing background."""
    frames = []
    for x in (100, 124):
        frame = render(0).copy()
        frame[80:160, x : x + 80] = render(1)[:80, :80]
        frames.append(frame)
    return frames[0], frames[1]


COVERED = np.array([[190, 100], [192, 120], [194, 140]], np.float32)  # in front of the square: hidden by it
ON_SQUARE = np.array([[120, 120], [140, 100], [160, 140]], np.float32)
BACKGROUND = np.array([[230, 90], [230, 120], [230, 150], [60, 60], [60, 180], [250, 200]], np.float32)


@pytest.mark.parametrize(
    "build", [LucasKanadeFlow, lambda: DisFlow("medium", check=True)], ids=["lucas_kanade", "dis checked"]
)
def test_occluded_points_are_not_visible(build: Callable[[], Flow], render: Render) -> None:
    motion = build()(list(covered(render)))[1]
    points = np.concatenate([COVERED, ON_SQUARE, BACKGROUND])
    moved, visible = motion.move(points)
    assert visible.tolist() == [False] * 3 + [True] * 9
    assert np.abs(moved[3:6] - ON_SQUARE - [24, 0]).max() < 0.5
    assert np.abs(moved[6:] - BACKGROUND).max() < 0.5


def test_dis_without_check_does_not_see_occlusion(render: Render) -> None:
    _, visible = DisFlow("medium")(list(covered(render)))[1].move(COVERED)
    assert visible.all()


def test_a_lost_point_goes_with_its_visible_neighbours(render: Render) -> None:
    """Noise that differs in the two frames cannot be tracked; everything around it moves by 6, 4."""
    first, second = render(), render(matrix=shift(6, 4))
    rng = np.random.default_rng(0)
    first[100:140, 140:180] = rng.integers(0, 256, (40, 40, 3))
    second[104:144, 146:186] = rng.integers(0, 256, (40, 40, 3))
    around = np.array([[110, 90], [110, 150], [210, 90], [210, 150]], np.float32)
    moved, visible = LucasKanadeFlow()([first, second])[1].move(np.array([[160, 120], *around], np.float32))
    assert visible.tolist() == [False, True, True, True, True]
    assert np.abs(moved[0] - [166, 124]).max() < 3
    assert np.abs(moved[1:] - around - [6, 4]).max() < 0.2


@pytest.mark.parametrize(("width", "x", "y"), [(30, 20, 10), (80, 40, -15)], ids=["arm", "body"])
def test_fast_body_parts(width: int, x: int, y: int, render: Render) -> None:
    """At 720p a textured bar moves over a standing background; the joints along its middle are followed."""
    background = np.kron(render(0), np.ones((3, 4, 1), np.uint8))  # 1280 x 720
    frames = [background.copy(), background.copy()]
    frames[0][300:440, 500 : 500 + width] = render(1)[:140, :width]
    frames[1][300 + y : 440 + y, 500 + x : 500 + x + width] = render(1)[:140, :width]
    joints = np.array([[500 + width / 2, 330], [500 + width / 2, 370], [500 + width / 2, 410]], np.float32)
    moved, visible = LucasKanadeFlow()(frames)[1].move(joints)
    assert visible.all()
    assert np.abs(moved - joints - [x, y]).max() < 0.2


def test_dense_motion_samples_between_pixels() -> None:
    """Field x + 10 y on 3 x 2 working pixels of a 6 x 4 picture, worked out by hand."""
    field = np.zeros((2, 3, 2), np.float32)
    field[..., 0] = np.array([[0, 1, 2], [10, 11, 12]])
    np.testing.assert_allclose(
        sample(field, np.array([[0.5, 0.5], [2, 1], [9, -9]], np.float32))[:, 0], [5.5, 12, 2]
    )
    motion = DenseMotion(field / 10, WorkingScale((6, 4), (3, 2)))
    # picture (2.5, 1.5) is working (1, 0.5): shift 0.6 working pixels, 1.2 of the picture
    moved, visible = motion.move(np.array([[2.5, 1.5], [5, 3]], np.float32))
    np.testing.assert_allclose(moved, [[3.7, 1.5], [5 + 2.4, 3]], atol=1e-6)
    assert visible.tolist() == [True, False]


def test_none_keeps_everything_where_it_is(render: Render) -> None:
    points = np.array([[3, 4], [400, 4]], np.float32)
    moved, visible = StillFlow()([render(), render(matrix=shift(30, 9))])[1].move(points)
    np.testing.assert_array_equal(moved, points)
    assert visible.tolist() == [True, False]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 5), np.uint8),
        np.zeros((4, 5, 4), np.uint8),
        np.zeros((4, 5, 3)),
        np.zeros((0, 5, 3), np.uint8),
    ],
)
def test_wrong_images(image: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"needs images \(H, W, 3\) of uint8, got"):
        create("lucas_kanade")([image])
