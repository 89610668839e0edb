"""Worked cases whose numbers the official poseval (HEAD 4258a15, motmetrics 1.4.0) printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from posetrack.evaluation import evaluate_posetrack
from tests.posetrack.evaluation.worlds import Json, file, person, write

Frames = list[list[Json]]
ZERO = (0,)  # without joint 0, the right ankle


def gt(frames: int = 5) -> Frames:
    return [[person(0, 100, 100, score=None), person(1, 300, 100, score=None)] for _ in range(frames)]


def same(change: Callable[[int, int], Json | None] = lambda t, i: {}, frames: int = 5) -> Frames:
    """gt() as predictions; `change(t, i)` gives other keywords for `person`, or None for a missing one."""
    result = []
    for t in range(frames):
        row = []
        for i, cx in enumerate((100, 300)):
            new = change(t, i)
            if new is not None:
                arguments = {"track": i, "cx": cx + new.pop("dx", 0), "cy": 100} | new
                row.append(person(**arguments))
        result.append(row)
    return result


def hide(t: int, i: int) -> Json | None:
    return None if (t, i) == (1, 1) else {"dx": 5}


FAR = person(7, 900, 900, score=0.5)
T3 = same(hide)
T3[2] = [*T3[2], FAR]
T5 = gt()
T5[1] = []
T8 = [[*row, person(2, 102, 100, score=0.3)] for row in same()]
T9 = [[person(i, cx, 100, score=None, without=ZERO) for i, cx in enumerate((100, 300))] for _ in range(5)]
HIDDEN = {t: [[(250, 50), (450, 50), (450, 250), (250, 250)]] for t in range(5)}
T11_GT = [gt(), [[person(0, 100, 100, score=None)] for _ in range(3)]]
T11 = [
    [[person(5, 102, 100), person(6, 304, 100, score=0.8)] for _ in range(5)],
    [[person(5, 120, 100, score=0.95)] for _ in range(3)],
]
T12_GT = [[person(0, 100, 100, score=None)] for _ in range(6)]
T12 = [[person(0, 100, 100)], [person(0, 100, 100)], [], *[[person(4, 100, 100)]] * 3]


@dataclass
class Case:
    """`values`: totals. `ankle`: the values of joint 0, None where undefined."""

    name: str
    truth: list[Frames]
    predictions: list[Frames]
    values: dict[str, float]
    ankle: dict[str, float | None] = field(default_factory=dict)
    regions: Json | None = None
    strict: bool = False


# motp is the mean over matches, motp_poseval what poseval prints today; MOTP sums count RAW rows as well.
CASES = [
    Case("T1 perfect", [gt(4)], [same(frames=4)], {"ap": 100, "mota": 100, "motp": 100, "motp_poseval": 100}),
    Case(
        "T2 ids swapped from frame 2 on: 2 switches of 8 objects (the last frame is not tracked)",
        [gt()], [same(lambda t, i: {"track": 1 - i} if t >= 2 else {})],
        {"ap": 100, "mota": 75, "motp": 100, "precision": 100, "recall": 100},
    ),
    Case(
        "T3 5 px off, one missed, one far off",
        [gt()], [T3],
        {"ap": 90, "precision_ap": 90, "recall_ap": 90, "mota": 75, "motp": 76.8875, "motp_poseval": 53.775,
         "precision": 87.5, "recall": 87.5},
    ),
    Case(
        "T4 nothing predicted in frame 1: one miss and one false positive, not two misses",
        [gt()], [same(lambda t, i: None if t == 1 else {})],
        {"ap": 80, "precision_ap": 100, "recall_ap": 80, "mota": 71.4286, "precision": 85.7143,
         "recall": 85.7143},
    ),
    Case(
        "T4 strict: 2 misses of 10 objects",
        [gt()], [same(lambda t, i: None if t == 1 else {})],
        {"ap": 80, "mota": 80, "precision": 100, "recall": 80}, strict=True,
    ),
    Case(
        "T5 an unlabelled frame: its predictions are free", [T5], [same()],
        {"ap": 100, "precision_ap": 100, "recall_ap": 100, "mota": 100, "precision": 100, "recall": 100},
    ),
    Case(
        "T6 one person 11 px off (0.5085 head sizes), equal scores: AP depends on the order of ties",
        [gt()], [same(lambda t, i: {"dx": 11} if i == 0 else {})],
        {"ap": 33.94, "precision_ap": 50, "recall_ap": 50, "mota": 0, "precision": 50, "recall": 50},
    ),
    Case(
        "T7 only the last frame wrong: AP sees it, MOTA does not",
        [gt()], [same(lambda t, i: {"dx": 60} if t == 4 else {})], {"ap": 64, "mota": 100},
    ),
    Case(
        "T7 strict: 2 misses and 2 false positives of 10 objects",
        [gt()], [same(lambda t, i: {"dx": 60} if t == 4 else {})], {"ap": 64, "mota": 60}, strict=True,
    ),
    Case(
        "T8 a second pose on person 0",
        [gt()], [T8],
        {"ap": 100, "precision_ap": 200 / 3, "mota": 50, "precision": 200 / 3, "recall": 100, "motp": 100,
         "motp_poseval": 95.3775},
    ),
    Case(
        "T9 joint 0 predicted but never annotated: undefined, out of the mean, but MOTP 0 is in it",
        [T9], [same()], {"ap": 100, "mota": 100, "motp": 93.3333, "precision_ap": 93.3333},
        {"ap": None, "mota": None, "motp": 0, "precision_ap": 0, "precision": 0, "hota": None, "idf1": None},
    ),
    Case(
        "T9 joint 0 neither annotated nor predicted: AP 0 in the mean",
        [T9], [same(lambda t, i: {"without": ZERO})], {"ap": 93.3333, "mota": 100},
        {"ap": 0, "mota": None, "motp": 0, "precision": None},
    ),
    Case(
        "T9 joint 0 annotated but never predicted",
        [gt()], [same(lambda t, i: {"without": ZERO})], {"ap": 93.3333, "mota": 93.3333},
        {"ap": 0, "mota": 0, "precision": None, "recall": 0, "hota": 0, "idf1": 0},
    ),
    Case(
        "T10 an ignore region hides person 1, predicted 40 px off",
        [gt()], [same(lambda t, i: {"dx": 40} if i == 1 else {})], {"ap": 100, "mota": 100}, regions=HIDDEN,
    ),
    Case(
        "T10 the same without the region (AP depends on the order of ties)",
        [gt()], [same(lambda t, i: {"dx": 40} if i == 1 else {})], {"ap": 25, "mota": 0},
    ),
    Case(
        "T11 two sequences with the same ids",
        T11_GT, T11,
        {"ap": 59.1716, "mota": 60, "motp": 86.1325, "motp_poseval": 72.265, "precision": 80, "recall": 80},
    ),
    Case(
        "T12 lost for a frame, found with a new id: 1 miss + 1 false positive + 1 switch of 5 objects",
        [T12_GT], [T12], {"ap": 83.3333, "mota": 40, "precision": 80, "recall": 80},
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_worked_case(case: Case, tmp_path: Path) -> None:
    names = [f"{i:06d}_mpii_test" for i in range(1, 9)]
    truth = [file(frames, name, case.regions) for frames, name in zip(case.truth, names, strict=False)]
    answers = [file(frames, name) for frames, name in zip(case.predictions, names, strict=False)]
    report = evaluate_posetrack(
        write(tmp_path / "gt", truth), write(tmp_path / "pred", answers), strict=case.strict
    ).to_json()
    totals = {metric: report[metric]["total"] for metric in case.values}
    # fractions are known to the digits printed here, whole numbers exactly
    assert totals == pytest.approx(case.values, abs=6e-3 if "order of ties" in case.name else 6e-5)
    whole = {metric: value for metric, value in case.values.items() if value == int(value)}
    assert {metric: totals[metric] for metric in whole} == pytest.approx(whole, abs=1e-9)
    assert {metric: report[metric]["right_ankle"] for metric in case.ankle} == pytest.approx(
        case.ankle, abs=1e-9
    )
