"""OKS of everyday people, against numbers worked out by hand and pycocotools."""

from __future__ import annotations

import json
import math
import tarfile
from pathlib import Path

import numpy as np
import pytest

from posetrack.benchmarks.everyday import (
    AREA,
    SHARED,
    SLOTS,
    EverydaySet,
    box_report,
    everyday,
    judge,
    kinds_of,
    mean_over_labelled,
    oks,
)
from posetrack.benchmarks.result import Options
from posetrack.datasets.everyday import EverydayPerson, EverydayPhoto
from posetrack.datasets.people import Person
from posetrack.skeletons import COCO17, POSETRACK18
from posetrack.types import Detections
from tests.posetrack.benchmarks.dots import BOX, body, colour_estimator, write_picture
from tests.posetrack.benchmarks.dots import SIZE as PICTURE

K = len(POSETRACK18)
SIZE = (400, 300)  # of the photo, pixels


def person(box, joints=SHARED, image="a"):
    """Joints in the middle of the box."""
    labelled = np.array([name in joints for name in POSETRACK18.keypoints])
    x1, y1, x2, y2 = box
    points = np.full((K, 2), [(x1 + x2) / 2, (y1 + y2) / 2], np.float32) * labelled[:, None]
    return Person(image, np.array(box, np.float32), points, labelled, np.zeros(K, bool))


def joints_of(people):
    return np.stack([p.keypoints[SLOTS] for p in people]).astype(float)


def everyday_set(*people):
    return EverydaySet(people, {}, {"all": np.ones(len(people), bool)})


def test_thirteen_joints_are_shared():
    assert SHARED[:3] == ("nose", "left_shoulder", "right_shoulder")
    assert len(SHARED) == 13


def test_a_nose_that_is_one_kappa_root_area_away_has_oks_of_exp_minus_half():
    somebody = person((100, 100, 200, 200), joints=("nose",))
    away = 2 * 0.026 * math.sqrt(AREA * 100 * 100)
    points = joints_of([somebody]) + np.array([away, 0])
    similarity = oks(points, [somebody])
    assert similarity[0, 0] == pytest.approx(math.exp(-0.5), abs=1e-6)
    assert np.isnan(similarity[0, 1:]).all()
    assert mean_over_labelled(similarity)[0] == pytest.approx(math.exp(-0.5), abs=1e-6)


def test_exact_joints_reach_everything_and_far_ones_nothing():
    people = [person((10, 10, 60, 110)), person((100, 10, 150, 110)), person((10, 10, 60, 90), image="b")]
    exact = joints_of(people)
    scores = np.ones((3, 13))
    assert judge(exact, scores, everyday_set(*people)).coco.ap == pytest.approx(100)
    one_missed = exact.copy()
    one_missed[2] += 500
    scores[2] = 0.5  # the last of three: precision 1 up to a recall of 2/3, that is 67 of 101 steps
    result = judge(one_missed, scores, everyday_set(*people))
    assert result.coco.ap == pytest.approx(100 * 67 / 101, abs=1e-6)
    assert result.by_kind()["all"] == pytest.approx(2 / 3)
    assert result.found()["wrist"] == pytest.approx(100 * 2 / 3)


@pytest.mark.parametrize(
    ("somebody", "others", "kinds"),
    [
        (person((50, 50, 100, 200)), (), {"whole and alone"}),
        (person((50, 50, 100, 200)), ((60, 60, 100, 200),), set()),  # covered by somebody
        (person((50, 50, 100, 200), joints=SHARED[:7]), (), {"1 to 7 joints"}),
        (person((50, 50, 100, 200), joints=("left_ear",)), (), set()),  # none of the 13
        (person((1, 50, 100, 200), joints=SHARED[:8]), (), {"at the edge"}),
        (person((50, 50, 100, 299), joints=SHARED[:8]), (), {"at the edge"}),
        (person((50, 50, 150, 120), joints=SHARED[:8]), (), {"wider than tall"}),
        (person((50, 50, 80, 110), joints=SHARED[:8]), (), {"small"}),
    ],
)
def test_kinds_of_people(somebody, others, kinds):
    found = kinds_of(somebody, SIZE, [np.array(box, np.float32) for box in others])
    assert {kind for kind, member in found.items() if member} == kinds | {"all"}


def write_people(root: Path, source: str, wrong: bool = False) -> None:
    """Two people in dots of COCO's joints in one photo; `wrong` labels are far from the second one's dots."""
    bodies = [body(20, 30), body(200, 50)]
    write_picture(root / "a.png", *bodies)
    people = []
    for n, points in enumerate(bodies):
        x, y = points.min(axis=0) - 10
        shift = 60 if wrong and n else 0
        keypoints = {
            name: [px + shift, py, 2] for name, (px, py) in zip(COCO17.keypoints, points, strict=True)
        }
        people.append({"box": [x, y, x + BOX[0], y + BOX[1]], "keypoints": keypoints})
    entry = {"file": "a.png", "width": PICTURE[0], "height": PICTURE[1], "people": people}
    (root / f"{source}_val.json").write_text(json.dumps([entry]))
    with tarfile.open(root / f"{source}_val.tar", "w") as archive:
        archive.add(root / "a.png", "a.png")


def test_from_files_to_the_numbers(tmp_path: Path) -> None:
    write_people(tmp_path, "coco")
    write_people(tmp_path, "mpii", wrong=True)
    outcome = everyday(colour_estimator(COCO17), tmp_path, Options())
    assert outcome.metrics["coco"]["AP"] == pytest.approx(100)
    assert outcome.metrics["coco"]["kinds"]["whole and alone"]["people"] == 2
    assert outcome.metrics["coco"]["kinds"]["small"] == {"people": 0, "oks": None}
    assert outcome.metrics["mpii"]["kinds"]["all"]["oks"] == pytest.approx(0.5, abs=0.1)
    assert (outcome.people, outcome.pictures) == (4, 2)
    assert "coco, 2 people" in outcome.table


def test_boxes_are_judged_where_everybody_has_one() -> None:
    box = np.array([10, 10, 50, 90], np.float32)
    somebody = EverydayPerson(box, np.zeros((K, 2), np.float32), np.zeros(K, bool))
    nothing = np.zeros((0, 4), np.float32)
    known = EverydayPhoto("coco/a.jpg", SIZE, [somebody], nothing, exhaustive=True)
    unknown = EverydayPhoto("coco/b.jpg", SIZE, [somebody], nothing, exhaustive=False)
    images = dict.fromkeys(("coco/a.jpg", "coco/b.jpg"), np.zeros((300, 400, 3), np.uint8))
    asked = []

    def detector(frames):
        asked.extend(frames)
        return [Detections(box[None], np.ones(1, np.float32)) for _ in frames]

    report = box_report(detector, [known, unknown], images)
    assert report.ap == pytest.approx(100)
    assert len(asked) == 1
