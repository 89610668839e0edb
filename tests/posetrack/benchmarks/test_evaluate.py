"""Benchmarks on data sets in dots, whose poses the colour network finds: from files to the metric."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import loadmat

from posetrack.benchmarks.evaluate import BENCHMARKS, BenchmarkResult, Options
from posetrack.benchmarks.predict import PYRAMID, find_people, read_ahead
from posetrack.errors import InputError, PoseTrackError
from posetrack.results.annotations import read_annotations
from posetrack.results.formats import to_2017
from posetrack.skeletons import COCO17, MPII16, POSETRACK18
from tests.posetrack.benchmarks.dots import (
    BOX,
    body,
    colour_estimator,
    detections,
    write_coco,
    write_json,
    write_mpii,
    write_picture,
    write_posetrack,
)
from tests.posetrack.datasets.mpii_files import someone, write_mat

torch.set_num_threads(1)


def coco(root: Path, **options: object) -> BenchmarkResult:
    return BENCHMARKS["coco"](colour_estimator(COCO17), root, Options(**options))  # type: ignore[arg-type]


def test_coco_with_labelled_boxes(tmp_path: Path) -> None:
    write_coco(tmp_path)
    outcome = coco(tmp_path)
    assert (outcome.metrics["AP"], outcome.metrics["AR"]) == pytest.approx((100, 100))
    assert (outcome.people, outcome.pictures, outcome.lost) == (3, 2, {})
    assert [entry["image_id"] for entry in outcome.results] == [1, 1, 2]
    first = np.array(outcome.results[0]["keypoints"]).reshape(17, 3)
    assert min(np.abs(first[:, :2] - body(x, y)).max() for x, y in ((20, 30), (200, 50))) < 2.5


def test_coco_scores_are_box_times_joints_and_duplicates_go(tmp_path: Path) -> None:
    """Two boxes of the person at (20, 30); ranked before the others, the second would be a false pose.

    Without suppression the order is right, false, right, right: precision 1 up to recall 1/3, then 3/4.
    """
    write_coco(tmp_path)
    boxes = detections(
        tmp_path / "b.json", (1, 20, 30, 0.9), (1, 20, 31, 0.8), (1, 200, 50, 0.7), (2, 100, 60, 0.6)
    )
    outcome = coco(tmp_path, boxes=boxes)
    assert outcome.metrics["AP"] == pytest.approx(100)
    assert len(outcome.results) == 3
    joints = np.array(outcome.results[0]["keypoints"]).reshape(17, 3)[:, 2]
    assert (joints > 0.2).all()
    assert outcome.results[0]["score"] == pytest.approx(0.9 * joints.mean(), rel=1e-5)
    everybody = coco(tmp_path, boxes=boxes, oks_threshold=1.0)
    assert len(everybody.results) == 4
    assert everybody.metrics["AP"] == pytest.approx((34 * 100 + 67 * 75) / 101)
    assert len(coco(tmp_path, boxes=boxes, soft=True).results) == 4  # nobody goes among so few
    assert len(coco(tmp_path, boxes=boxes, box_score=0.65).results) == 2


def test_a_ghost_in_a_picture_without_people_counts(tmp_path: Path) -> None:
    write_coco(tmp_path)
    boxes = [(1, 20, 30, 0.9), (1, 200, 50, 0.7), (2, 100, 60, 0.6)]
    alone = coco(tmp_path, boxes=detections(tmp_path / "a.json", *boxes))
    assert alone.metrics["AP"] == pytest.approx(100)
    (tmp_path / "val2017" / "3.jpg").write_bytes((tmp_path / "val2017" / "2.jpg").read_bytes())
    ghost = coco(tmp_path, boxes=detections(tmp_path / "b.json", *boxes, (3, 100, 60, 1.0)))
    assert ghost.metrics["AP"] == pytest.approx(75)


@pytest.mark.parametrize("how", ["missing", "broken"])
def test_lost_pictures_cost_only_their_people(tmp_path: Path, how: str) -> None:
    write_coco(tmp_path)
    picture = tmp_path / "val2017" / "1.jpg"
    if how == "missing":
        picture.unlink()
    else:
        picture.write_bytes(b"no picture")
    outcome = coco(tmp_path)
    assert outcome.metrics["AP"] == pytest.approx(100)
    assert list(outcome.lost) == ["1.jpg"]
    assert str(picture) in outcome.lost["1.jpg"]


def test_a_network_of_other_joints_is_converted(tmp_path: Path) -> None:
    """13 joints of PoseTrack mean the same as COCO's and have the same slots, so their colours are right."""
    write_coco(tmp_path)
    outcome = BENCHMARKS["coco"](colour_estimator(POSETRACK18), tmp_path, Options())
    joints = np.array(outcome.results[0]["keypoints"]).reshape(17, 3)
    assert joints[1:5].tolist() == np.zeros((4, 3)).tolist()  # PoseTrack has no eyes and does not label ears
    assert outcome.metrics["AP50"] == pytest.approx(100)  # 13 of 17 joints


def test_mpii(tmp_path: Path) -> None:
    write_mpii(tmp_path)
    estimator = colour_estimator(MPII16, aspect=1.0)
    outcome = BENCHMARKS["mpii"](estimator, tmp_path, Options())
    assert outcome.metrics["Mean"] == 100
    assert [entry["image"] for entry in outcome.results] == ["0.jpg", "1.jpg"]
    found = np.array(outcome.results[0]["keypoints"])[:, :2]
    # Both files count from 1; a pixel forgotten on one side would show in the mean of 16 joints.
    assert np.abs((found - body(20, 30, 16)).mean(axis=0)).max() < 0.6
    (tmp_path / "images" / "0.jpg").unlink()
    outcome = BENCHMARKS["mpii"](estimator, tmp_path, Options())
    assert (outcome.metrics["Mean"], list(outcome.lost)) == (100, ["0.jpg"])
    with pytest.raises(PoseTrackError, match=r"--boxes x: mpii is defined on its labelled people"):
        BENCHMARKS["mpii"](estimator, tmp_path, Options(boxes=Path("x")))
    entries = json.loads((tmp_path / "annot" / "valid.json").read_text())
    (tmp_path / "annot" / "valid.json").write_text(json.dumps(entries[:1]))
    with pytest.raises(PoseTrackError, match=r"lists 1 people, gt_valid.mat 2"):
        BENCHMARKS["mpii"](estimator, tmp_path, Options())


@pytest.mark.parametrize("pyramid", [(1.0,), PYRAMID])
def test_mpii_test_set_in_the_form_of_the_benchmark(tmp_path: Path, pyramid: tuple[float, ...]) -> None:
    """Whoever the benchmark asks for, found from place and scale alone; by the mean of six sizes, too."""
    bodies = [body(20, 30, 16), body(150, 60, 16)]
    write_picture(tmp_path / "images" / "both.jpg", *bodies)
    people = [someone(*(points.mean(axis=0) + 1), 0.5) for points in bodies]
    write_mat(tmp_path, [("both.jpg", people, False), ("gone.jpg", people[:1], False)], {0: [2, 1], 1: [1]})
    outcome = BENCHMARKS["mpii"](
        colour_estimator(MPII16, aspect=1.0, pyramid=pyramid), tmp_path, Options(split="test")
    )
    assert (outcome.people, outcome.pictures, list(outcome.lost)) == (3, 2, ["gone.jpg"])
    pred = loadmat(io.BytesIO(outcome.results), struct_as_record=False, squeeze_me=True)["pred"]
    for person, points in zip(pred[0].annorect, bodies, strict=True):
        joints = np.array([(joint.x, joint.y) for joint in person.annopoints.point])
        assert np.abs(joints - 1 - points).max() < 2.5
    assert not hasattr(pred[1].annorect, "annopoints")  # its picture is lost


def test_posetrack(tmp_path: Path) -> None:
    write_posetrack(tmp_path)
    outcome = BENCHMARKS["posetrack18"](colour_estimator(POSETRACK18), tmp_path, Options())
    assert outcome.metrics["ap"]["total"] == pytest.approx(100)
    assert (outcome.metrics["sequences"], outcome.metrics["labelled_frames"]) == (1, 2)
    assert (outcome.people, outcome.pictures) == (3, 2)  # nothing of the frame that is not labelled
    assert len(outcome.results["000001_mpii_test.json"]["annotations"]) == 3


def test_posetrack_with_detections(tmp_path: Path) -> None:
    """A duplicate goes. Ears are never reported: their zeros must not make people alike (2 of 17 joints)."""
    write_posetrack(tmp_path)
    first = 10**10 + 10**4
    boxes = [(first, 20, 30, 0.9), (first, 20, 31, 0.8), (first, 200, 50, 0.7), (first + 2, 24, 32, 1.0)]
    found = detections(tmp_path / "b.json", *boxes)
    options = Options(boxes=found, oks_threshold=0.1)
    outcome = BENCHMARKS["posetrack18"](colour_estimator(POSETRACK18), tmp_path, options)
    assert outcome.people == 3  # the last box is in a frame without labels
    assert len(outcome.results["000001_mpii_test.json"]["annotations"]) == 2
    assert outcome.metrics["ap"]["nose"] == pytest.approx(100 * 2 / 3)  # the second frame has no box


@pytest.mark.parametrize(("folder", "key"), [("000001_mpii", "image_id"), ("clip", "file_name")])
def test_posetrack_2017_with_detections(tmp_path: Path, folder: str, key: str) -> None:
    """Its files have no image ids: boxes are found by those of 2018's names, or by sequence and frame."""
    annotation = write_posetrack(tmp_path)
    old = to_2017(read_annotations(annotation)).model_dump(exclude_unset=True)
    for number, frame in enumerate(old["annolist"]):
        frame["image"][0]["name"] = f"images/bonn_5sec/{folder}/{number + 1:08d}.jpg"
    write_json(annotation, old)
    place = tmp_path / "images" / "bonn_5sec" / folder
    place.mkdir(parents=True)
    for picture in (tmp_path / "images" / "val" / annotation.stem).iterdir():
        picture.rename(place / f"{int(picture.stem) + 1:08d}.jpg")
    keys = [10**10 + 10**4 + n if key == "image_id" else f"{folder}/{n:08d}.jpg" for n in (1, 2, 3)]
    boxes = [(keys[0], 20, 30), (keys[0], 200, 50), (keys[1], 22, 31), (keys[2], 24, 32)]
    entries = [{key: k, "category_id": 1, "bbox": [x, y, *BOX], "score": 0.9} for k, x, y in boxes]
    options = Options(boxes=write_json(tmp_path / "b.json", entries))
    outcome = BENCHMARKS["posetrack17"](colour_estimator(POSETRACK18), tmp_path, options)
    assert (outcome.people, outcome.metrics["ap"]["total"]) == (3, pytest.approx(100))
    entries = [{**entry, key: 5 if key == "image_id" else "other/00000001.jpg"} for entry in entries]
    with pytest.raises(PoseTrackError, match=r"c\.json has no box for any labelled frame"):
        BENCHMARKS["posetrack17"](
            colour_estimator(POSETRACK18), tmp_path, Options(boxes=write_json(tmp_path / "c.json", entries))
        )


def test_posetrack_frames_without_picture_do_not_count(tmp_path: Path) -> None:
    write_posetrack(tmp_path)
    write_posetrack(tmp_path, "000002_mpii_test")
    for frame in (0, 1):
        (tmp_path / f"images/val/000002_mpii_test/{frame:06d}.jpg").unlink()
    (tmp_path / "images/val/000001_mpii_test/000001.jpg").write_bytes(b"")
    outcome = BENCHMARKS["posetrack18"](colour_estimator(POSETRACK18), tmp_path, Options())
    assert len(outcome.lost) == 3
    assert outcome.metrics["ap"]["total"] == pytest.approx(100)
    assert (outcome.metrics["sequences"], outcome.metrics["labelled_frames"]) == (1, 1)


def test_posetrack_of_2017(tmp_path: Path) -> None:
    from posetrack.results.annotations import read_annotations, write_annotations
    from posetrack.results.formats import to_2017

    path = write_posetrack(tmp_path)
    write_annotations(to_2017(read_annotations(path)), path)
    outcome = BENCHMARKS["posetrack17"](colour_estimator(POSETRACK18), tmp_path, Options())
    assert outcome.metrics["ap"]["total"] == pytest.approx(100)
    assert "annolist" in outcome.results["000001_mpii_test.json"]


def test_people_come_out_in_their_order_whatever_the_pictures(tmp_path: Path) -> None:
    """Boxes of two pictures mixed, in batches of two people."""
    write_coco(tmp_path)
    estimator = colour_estimator(COCO17, max_crops=2)
    places = [("2.jpg", 100, 60), ("1.jpg", 200, 50), ("2.jpg", 100, 60), ("1.jpg", 20, 30)]
    boxes = np.array([[x, y, x + BOX[0], y + BOX[1]] for _, x, y in places], np.float32)
    reads: list[str] = []

    def picture(name: str) -> np.ndarray:
        from posetrack.datasets.pictures import read_picture

        reads.append(name)
        return read_picture(tmp_path / "val2017" / name)

    seen = find_people(estimator, [name for name, _, _ in places], boxes, np.ones(4, np.float32), picture)
    for points, (_, x, y) in zip(seen.poses.keypoints, places, strict=True):
        assert np.abs(points - body(x, y)).max() < 2.5
    assert sorted(reads) == ["1.jpg", "2.jpg"]  # each once
    # 80 x 100 grown to 80 x 106.7 (aspect 0.75), times 1.25 on both sides
    assert seen.areas == pytest.approx(np.full(4, 80 * 80 / 0.75 * 1.25**2))
    with pytest.raises(PoseTrackError, match="no box to look at"):
        find_people(estimator, [], boxes[:0], np.ones(0, np.float32), picture)


def test_all_pictures_lost_is_an_error(tmp_path: Path) -> None:
    write_coco(tmp_path)
    for path in (tmp_path / "val2017").iterdir():
        path.unlink()
    with pytest.raises(PoseTrackError, match=r"all 2 pictures are lost: .*1\.jpg: cannot be read"):
        coco(tmp_path)


def test_read_ahead_keeps_the_order_and_hands_on_what_failed() -> None:
    def read(n: int) -> int:
        if n % 7 == 3:
            raise InputError(f"no {n}")
        return n * n

    results = list(read_ahead(range(40), read, workers=3))
    assert [n for n, _ in results] == list(range(40))
    for n, result in results:
        assert str(result) == f"no {n}" if n % 7 == 3 else result == n * n

    def fail(n: int) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(read_ahead(range(40), fail))
