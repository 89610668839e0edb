"""Decoding of heatmaps made by hand."""

import math

import cv2
import numpy as np
import pytest
import torch

from posetrack.pose.heatmap import decode_dark, decode_quarter, merge_flipped, softmax_heatmaps, zoomed
from posetrack.skeletons import COCO17, POSETRACK18


def heatmap(values: dict[tuple[int, int], float], w: int = 8, h: int = 10) -> torch.Tensor:
    """(1, 1, h, w), zero but for values at (x, y)."""
    maps = torch.zeros(1, 1, h, w)
    for (x, y), value in values.items():
        maps[0, 0, y, x] = value
    return maps


def gaussian(x: float, y: float, sigma: float, w: int = 48, h: int = 64) -> torch.Tensor:
    columns, rows = torch.arange(w), torch.arange(h)[:, None]
    return torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).view(1, 1, h, w)


@pytest.mark.parametrize(
    ("name", "maps", "point", "score"),
    [
        ("moves towards the higher neighbour", {(3, 4): 1, (4, 4): 0.5, (3, 3): 0.2}, (3.25, 3.75), 1),
        ("equal neighbours: stays", {(3, 4): 1, (2, 4): 0.5, (4, 4): 0.5}, (3, 4), 1),
        ("column 1 is not moved, the official 1 < px", {(1, 4): 1, (2, 4): 0.5, (1, 5): 0.3}, (1, 4), 1),
        ("column w - 2 is moved", {(6, 4): 1, (5, 4): 0.5}, (5.75, 4), 1),
        ("last column is not moved", {(7, 4): 1, (6, 4): 0.5}, (7, 4), 1),
        ("row h - 1 is not moved", {(4, 9): 1, (3, 9): 0.5}, (4, 9), 1),
        ("nothing positive: the point (0, 0)", {(4, 4): 0.0}, (0, 0), 0),
    ],
)
def test_quarter(
    name: str, maps: dict[tuple[int, int], float], point: tuple[float, float], score: float
) -> None:
    points, scores = decode_quarter(heatmap(maps))
    assert points[0, 0].tolist() == pytest.approx(point)
    assert scores.item() == pytest.approx(score)


def test_negative_map_gives_the_origin_and_its_peak() -> None:
    points, scores = decode_quarter(torch.full((1, 1, 6, 6), -0.5))
    assert points[0, 0].tolist() == [0, 0]
    assert scores.item() == -0.5


@pytest.mark.parametrize("sigma", [2.0, 3.0])
@pytest.mark.parametrize(("x", "y"), [(20.0, 30.0), (20.3, 30.45), (19.6, 29.8), (24.49, 33.51)])
def test_dark_finds_the_centre_of_a_gaussian(x: float, y: float, sigma: float) -> None:
    points, scores = decode_dark(gaussian(x, y, sigma), sigma)
    np.testing.assert_allclose(points[0, 0], [x, y], atol=0.02)
    assert scores.item() == pytest.approx(gaussian(x, y, sigma).max().item())
    quarter, _ = decode_quarter(gaussian(x, y, sigma))
    assert np.abs(quarter[0, 0].numpy() - [x, y]).max() <= 0.3  # the coarser method, for comparison


@pytest.mark.parametrize(("sigma", "size"), [(1.75, 9), (2.0, 11), (3.0, 17)])
def test_dark_reads_what_its_authors_read_from_the_whole_blurred_map(sigma: float, size: int) -> None:
    """Theirs, in OpenCV's words: blur the map between zeros, scale it to its old peak, one Newton step."""
    maps = heatmaps_with_noise()
    deviation = 0.3 * ((size - 1) * 0.5 - 1) + 0.8  # what OpenCV takes by itself for sizes above 9
    points, scores = decode_dark(maps, sigma)
    for map_, point, score in zip(maps[0].numpy(), points[0].numpy(), scores[0].numpy(), strict=True):
        y, x = np.unravel_index(map_.argmax(), map_.shape)
        blurred = cv2.GaussianBlur(map_, (size, size), deviation, borderType=cv2.BORDER_CONSTANT)
        log = np.log(np.maximum(blurred * map_.max() / blurred.max(), 1e-10))
        assert score == map_[y, x]
        if not (1 < x < map_.shape[1] - 2 and 1 < y < map_.shape[0] - 2):
            assert point.tolist() == [x, y]
            continue
        dx, dy = (log[y, x + 1] - log[y, x - 1]) / 2, (log[y + 1, x] - log[y - 1, x]) / 2
        dxx = (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4
        dyy = (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4
        dxy = (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]) / 4
        step = -np.linalg.solve([[dxx, dxy], [dxy, dyy]], [dx, dy])
        np.testing.assert_allclose(point, [x + step[0], y + step[1]], atol=1e-3)


@pytest.mark.parametrize("sigma", [1.75, 2.0, 3.0])
def test_what_is_read_of_a_person_does_not_depend_on_the_others(sigma: float) -> None:
    logits = torch.randn(19, 17, 64, 48, generator=torch.Generator().manual_seed(4))
    together = decode_dark(softmax_heatmaps(logits, sigma), sigma)
    for start, stop in [(0, 1), (3, 8), (8, 19), (18, 19)]:
        some = decode_dark(softmax_heatmaps(logits[start:stop], sigma), sigma)
        assert torch.equal(some[0], together[0][start:stop])
        assert torch.equal(some[1], together[1][start:stop])


def test_dark_is_as_exact_under_autocast() -> None:
    plain, _ = decode_dark(heatmaps_with_noise(), 2.0)
    with torch.autocast("cpu", torch.bfloat16):
        cast, _ = decode_dark(heatmaps_with_noise(), 2.0)
    assert torch.equal(cast, plain)


def heatmaps_with_noise() -> torch.Tensor:
    """(1, 7, 64, 48): Gaussians within, near the borders and in the corners, with a little noise."""
    places = [(20.3, 30.4), (2.2, 30.0), (45.1, 33.0), (20.0, 2.4), (24.0, 61.2), (3.1, 3.2), (46.8, 62.9)]
    noise = 0.02 * torch.rand(1, 7, 64, 48, generator=torch.Generator().manual_seed(3))
    return torch.cat([gaussian(x, y, 2.0) for x, y in places], 1) + noise


def test_dark_at_the_border_stays_on_the_pixel() -> None:
    points, _ = decode_dark(gaussian(1, 62, 2.0), 2.0)
    assert points[0, 0].tolist() == [1, 62]


@pytest.mark.parametrize("skeleton", [COCO17, POSETRACK18], ids=lambda s: s.name)
def test_flip_merge_restores_sides_and_shifts(skeleton) -> None:  # type: ignore[no-untyped-def]
    order = torch.from_numpy(skeleton.flip_order)
    left, right = skeleton.index("left_wrist"), skeleton.index("right_wrist")
    plain, mirrored = torch.zeros(1, 17, 4, 6), torch.zeros(1, 17, 4, 6)
    plain[0, left, 2, 4] = 1
    mirrored[0, right, 2, 2] = (
        1  # mirrored picture: the left wrist looks like a right one, at 5 - 4 = 1, one pixel off
    )
    merged = merge_flipped(plain, mirrored, order)
    assert merged[0, left, 2, 4] == 1
    assert merged.sum() == 1


def test_flip_merge_twice_is_the_identity() -> None:
    maps = torch.rand(2, 17, 5, 7)
    order = torch.from_numpy(POSETRACK18.flip_order)
    mirrored = maps.flip(3)[:, order]
    torch.testing.assert_close(merge_flipped(maps, mirrored, order, shift=False), maps)


def test_flip_shift_keeps_column_0() -> None:
    back = torch.arange(4.0).view(1, 1, 1, 4)
    merged = merge_flipped(torch.zeros(1, 1, 1, 4), back.flip(3), torch.tensor([0]))
    assert (merged * 2).flatten().tolist() == [0, 0, 1, 2]


def test_posetrack_head_joints_are_no_mirror_pair() -> None:
    assert POSETRACK18.flip_pairs == ((3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
    assert COCO17.flip_pairs == ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))


@pytest.mark.parametrize("udp", [False, True])
@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_maps_of_another_size_of_crop_are_laid_over_the_crop(factor: float, udp: bool) -> None:
    """Every pixel says where in the picture it lies, which bilinear sampling keeps; no map, no value."""
    w, h = 48, 64
    # In pixels of the crop's own maps; UDP's crops have their middle half a pixel before the others'.
    x, y = ((torch.arange(n) - (n - udp) / 2) * factor + (n - udp) / 2 for n in (w, h))
    larger = torch.stack([x.expand(h, w), y[:, None].expand(h, w)])[None]
    zoomed_maps = zoomed(larger, factor, udp)[0]
    columns, rows = torch.arange(w).expand(h, w), torch.arange(h)[:, None].expand(h, w)
    known = (columns >= x[0]) & (columns <= x[-1]) & (rows >= y[0]) & (rows <= y[-1])
    torch.testing.assert_close(zoomed_maps[:, known], torch.stack([columns, rows]).float()[:, known])
    assert known.float().mean() == pytest.approx(min(1, factor**2), abs=0.03)
    beyond = (columns < x[0] - 1) | (columns > x[-1] + 1)
    assert not zoomed_maps[:, beyond].any()


def test_softmax_of_a_certain_joint_peaks_at_one() -> None:
    sigma = 2.0
    target = gaussian(20, 30, sigma)
    logits = (target / target.sum()).clamp_min(1e-30).log()
    assert softmax_heatmaps(logits, sigma).max().item() == pytest.approx(1, abs=0.01)
    flat = softmax_heatmaps(torch.zeros(1, 1, 64, 48), sigma)
    assert flat.max().item() == pytest.approx(2 * math.pi * 4 / (64 * 48))
