"""COCO AP of worlds whose AP is known, and the OKS of pycocotools against ours."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posetrack.errors import PoseTrackError
from posetrack.evaluation.coco import evaluate_coco, result_entries
from posetrack.skeletons import COCO17
from trackers.similarity import oks

BODY = np.random.default_rng(3).uniform(0, 100, (17, 2)).round(1)
MEDIUM, LARGE = 50.0**2, 120.0**2  # areas


def body(x: float) -> NDArray[np.float64]:
    return BODY + np.array([x, 0])


def truth_of(people: list[tuple[int, float, float]], images: int = 3, crowd: int = 0) -> dict[str, Any]:
    """People as (image, x of the body, area); the last `crowd` of them are crowds."""
    annotations = []
    for number, (image, x, area) in enumerate(people):
        triples = np.column_stack([body(x), np.full(17, 2)])
        annotations.append(
            {
                "id": number + 1,
                "image_id": image,
                "category_id": 1,
                "keypoints": triples.ravel().tolist(),
                "num_keypoints": 17,
                "area": area,
                "bbox": [x, 0, 100, 100],
                "iscrowd": int(number >= len(people) - crowd),
            }
        )
    listed = [{"id": n, "file_name": f"{n}.jpg", "width": 640, "height": 480} for n in range(images)]
    return {"images": listed, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}


def found(image: int, x: float, score: float) -> dict[str, Any]:
    return result_entries(image, body(x)[None], np.ones((1, 17)), np.array([score]))[0]


def oks_at(shift: float, area: float) -> float:
    return float(np.exp(-(shift**2) / (2 * area * (2 * COCO17.sigmas) ** 2)).mean())


@dataclass(frozen=True)
class Case:
    name: str
    people: list[tuple[int, float, float]]
    results: list[dict[str, Any]]
    expected: dict[str, float | None]
    images: list[int] | None = None
    extra: dict[str, int] = field(default_factory=dict)


TWO = [(0, 0.0, LARGE), (1, 0.0, LARGE)]
CASES = [
    Case(
        "everybody found: 100, and no medium people",
        TWO,
        [found(0, 0, 0.9), found(1, 0, 0.8)],
        {"AP": 100, "AP50": 100, "AP75": 100, "APM": None, "APL": 100, "AR": 100, "ARM": None},
    ),
    # Recall ends at 0.5: 51 of the 101 recall levels 0, 0.01 ... 1 are reached.
    Case("one of two missed", TWO, [found(0, 0, 0.9)], {"AP": 100 * 51 / 101, "AR": 50}),
    Case("nothing found", TWO, [], {"AP": 0, "AR": 0, "APL": 0}),
    # OKS 0.719 passes 0.50 to 0.70, five of ten thresholds.
    Case("all joints 10 px off", TWO[:1], [found(0, 10, 0.9)], {"AP": 50, "AP50": 100, "AP75": 0, "AR": 50}),
    Case("a better scored ghost halves precision", TWO[:1], [found(0, 300, 0.9), found(0, 0, 0.8)],
         {"AP": 50}),
    Case("a worse scored ghost costs nothing", TWO[:1], [found(0, 300, 0.7), found(0, 0, 0.8)], {"AP": 100}),
    Case("a ghost in a picture without people counts", TWO,
         [found(0, 0, 0.8), found(1, 0, 0.8), found(2, 0, 1)], {"AP": 200 / 3}),
    Case(
        "unless that picture is left out",
        TWO,
        [found(0, 0, 0.8), found(1, 0, 0.8), found(2, 0, 1)],
        {"AP": 100},
        images=[0, 1],
    ),
    Case(
        "medium and large people apart",
        [(0, 0.0, MEDIUM), (1, 0.0, LARGE)],
        [found(1, 0, 0.9)],
        {"APM": 0, "APL": 100, "ARM": 0, "ARL": 100, "AP": 100 * 51 / 101},
    ),
    Case("a crowd is neither wanted nor false", TWO, [found(0, 0, 0.8), found(1, 0, 0.9)],
         {"AP": 100}, extra={"crowd": 1}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_known_worlds(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluate_coco(truth_of(case.people, **case.extra), case.results, case.images).to_json()
    for name, value in case.expected.items():
        assert report[name] == (None if value is None else pytest.approx(value, abs=1e-6)), name
    assert capsys.readouterr().out == ""  # pycocotools prints every step


def test_the_shift_of_the_table_is_between_two_thresholds() -> None:
    assert oks_at(10, LARGE) == pytest.approx(0.7187, abs=5e-5)


def test_oks_is_that_of_pycocotools() -> None:
    rng = np.random.default_rng(0)
    truth = truth_of([(0, 0.0, LARGE), (0, 20.0, MEDIUM)])
    for person in truth["annotations"]:
        person["keypoints"] = [
            0 if i % 3 == 2 and rng.random() < 0.3 else v for i, v in enumerate(person["keypoints"])
        ]
    results = [found(0, x, 1 - n / 10) for n, x in enumerate(rng.uniform(-30, 30, 4))]
    wanted = COCO()
    wanted.dataset = truth
    wanted.createIndex()
    evaluator = COCOeval(wanted, wanted.loadRes(results), "keypoints")
    evaluator.evaluate()
    theirs = evaluator.ious[0, 1]  # (4 results by score, 2 people)

    labels = np.array([p["keypoints"] for p in truth["annotations"]]).reshape(2, 17, 3)
    points = np.array([r["keypoints"] for r in results]).reshape(4, 17, 3)
    areas = np.array([p["area"] for p in truth["annotations"]])
    for person in range(2):  # COCO takes the area of the labelled person alone
        area = areas[person : person + 1]
        valid = labels[person : person + 1, :, 2] > 0
        ours = oks(points[..., :2], labels[person : person + 1, :, :2], np.ones((4, 17), bool), valid,
                   np.repeat(area, 4), area, COCO17.sigmas)  # fmt: skip
        np.testing.assert_allclose(theirs[:, person], ours[:, 0], rtol=1e-12)


def test_files_and_fields_that_are_missing(tmp_path: Path) -> None:
    """num_keypoints, iscrowd and area may be missing, as in files of other makers."""
    truth = truth_of(TWO)
    for person in truth["annotations"]:
        for name in ("num_keypoints", "iscrowd", "area", "id"):
            del person[name]
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(truth))
    assert evaluate_coco(path, [found(0, 0, 0.9), found(1, 0, 0.9)]).ap == pytest.approx(100)


SHORT = found(0, 0, 1) | {"keypoints": [0.0] * 48}
INSTANCES = truth_of(TWO) | {"annotations": [{"bbox": [0, 0, 1, 1]}]}


@pytest.mark.parametrize(
    ("content", "results", "message"),
    [
        (None, [], "cannot be read: No such file"),
        ("{", [], "not JSON"),
        ("[]", [], "no COCO annotation file, which has the lists images, annotations, categories"),
        (truth_of(TWO), [found(9, 0, 1)], "result 0: no picture 9 in the annotations"),
        (truth_of(TWO), [SHORT], "result 0: 48 numbers in keypoints, expected 51"),
        (INSTANCES, [], "annotation 0 has 0 joints; coco17 has 17"),
    ],
    ids=["no file", "no JSON", "another JSON", "another split", "another skeleton", "no keypoints"],
)
def test_refused(tmp_path: Path, content: Any, results: list[dict[str, Any]], message: str) -> None:
    path = tmp_path / "truth.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(PoseTrackError, match=message) as caught:
        evaluate_coco(path, results)
    assert "\n" not in str(caught.value)
