"""Random videos: our numbers are those of the plain loop with motmetrics, event for event."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import motmetrics
import numpy as np
import pandas
import pytest

from posetrack.evaluation import evaluate_posetrack
from posetrack.evaluation.matching import assign, edges, event_rows, link
from posetrack.evaluation.mot import counted_frames
from posetrack.evaluation.people import read_people
from posetrack.evaluation.quirks import POSEVAL, STRICT
from posetrack.evaluation.scene import Scene, make_scene
from posetrack.results.annotations import Annotations18
from tests.posetrack.evaluation import poseval_reference as reference
from tests.posetrack.evaluation.worlds import Json, person, random_world, write

PAIRS = {
    "ap": "ap", "precision_ap": "pre", "recall_ap": "rec", "mota": "mota", "motp": "motp_true",
    "motp_poseval": "motp", "precision": "pre", "recall": "rec", "idf1": "idf1",
}  # fmt: skip
SEEDS = range(10, 17)


@pytest.fixture(autouse=True)
def scipy_solver() -> object:
    """motmetrics takes the first solver it finds; ties are settled alike only by the same one."""
    with motmetrics.lap.set_default_solver("scipy"):
        yield


@pytest.mark.parametrize(("seed", "strict"), [(0, False), (1, True)])
def test_every_metric_equals_the_reference(seed: int, strict: bool, tmp_path: Path) -> None:
    truths, answers = random_world(seed, frames=7, videos=2)
    report = evaluate_posetrack(write(tmp_path / "gt", truths), write(tmp_path / "p", answers), strict=strict)
    videos = [reference.load(t, a) for t, a in zip(truths, answers, strict=True)]
    ap, mot = reference.average_precision(videos), reference.tracking(videos, strict=strict)
    for ours, theirs in PAIRS.items():
        expected = (ap if ours.endswith("ap") else mot)[theirs]
        values = np.append(report.scores[ours], report.totals[ours])
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9, err_msg=ours)


def scene_of(truth: Json, answer: Json) -> Scene:
    frames, people = read_people(Annotations18.model_validate_json(json.dumps(truth)))
    _, found = read_people(Annotations18.model_validate_json(json.dumps(answer)))
    return make_scene("video", frames, people, found)


@cache
def events_of(seed: int, strict: bool) -> list[pandas.DataFrame]:
    """The event table of motmetrics for each joint of the video `random_world(seed)`."""
    (truth,), (answer,) = random_world(seed, frames=12, videos=1)
    accumulators = reference.accumulate(reference.load(truth, answer), strict=strict)
    return [accumulator.events.reset_index() for accumulator in accumulators]


@pytest.mark.parametrize("strict", [False, True], ids=["poseval", "strict"])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_event_equals_motmetrics(seed: int, strict: bool) -> None:
    """MATCH and SWITCH rows by frame, object, track and distance, and the number of rows beyond them."""
    (truth,), (answer,) = random_world(seed, frames=12, videos=1)
    scene = scene_of(truth, answer)
    counts = counted_frames(scene, STRICT if strict else POSEVAL)
    links, order = link(scene, *edges(scene, counts))
    switched, extra = event_rows(links, order)
    frame = (np.cumsum(counts) - 1)[links.frame]
    person = np.unique(scene.truth.ids)[links.truth]
    track = np.unique(scene.predictions.ids)[links.prediction]
    for j, events in enumerate(events_of(seed, strict)):
        rows = events[events.Type.isin(["MATCH", "SWITCH"])]
        expected = sorted(zip(rows.FrameId, rows.OId, rows.HId, rows.Type == "SWITCH", rows.D, strict=True))
        columns = (frame, person, track, switched, links.distance)
        ours = sorted(zip(*(column[links.joint == j] for column in columns), strict=True))
        assert [e[:4] for e in ours] == [e[:4] for e in expected]
        assert [e[4] for e in ours] == pytest.approx([e[4] for e in expected], abs=1e-12)
        assert extra[links.joint == j].sum() == events.Type.isin(["ASCEND", "TRANSFER", "MIGRATE"]).sum()


def test_the_random_worlds_hold_every_kind_of_event() -> None:
    kinds = {kind for seed in SEEDS for events in events_of(seed, False) for kind in events.Type}
    assert kinds == {"RAW", "MATCH", "SWITCH", "MISS", "FP", "TRANSFER", "ASCEND", "MIGRATE"}


def test_ground_truth_with_an_id_twice_in_a_frame_equals_motmetrics() -> None:
    """poseval takes it; the second person of an id switches. (motmetrics fails if a new id is not alone.)"""
    for seed in (40, 45, 50):
        (truth,), (answer,) = random_world(seed, frames=10, videos=1)
        first = truth["images"][0]["id"]
        later = [{**p, "track_id": p["track_id"] % 2} for p in truth["annotations"] if p["image_id"] != first]
        alone = [{**person(i, 100 * i, 100, score=None), "image_id": first} for i in range(2)]
        truth["annotations"] = alone + later
        assert len({(p["image_id"], p["track_id"]) for p in later}) < len(later)
        scene = scene_of(truth, answer)
        links, order = link(scene, *edges(scene, counted_frames(scene, POSEVAL)))
        switched, extra = event_rows(links, order)
        for j, accumulator in enumerate(reference.accumulate(reference.load(truth, answer))):
            here, types = links.joint == j, accumulator.events.Type
            assert switched[here].sum() == (types == "SWITCH").sum()
            assert here.sum() == types.isin(["MATCH", "SWITCH"]).sum()
            assert extra[here].sum() == types.isin(["ASCEND", "TRANSFER", "MIGRATE"]).sum()


def test_assignment_makes_the_most_pairs_first() -> None:
    """Two pairs at 0.85 before one at 0.1; three at 1.47 before the two at 0 that would leave a third out."""
    no = np.nan
    assert assign(np.array([[0.1, 0.4], [0.45, no]])) == [(0, 1), (1, 0)]
    chain = np.array([[0.49, no, no], [0.0, 0.49, no], [no, 0.0, 0.49]])
    assert assign(chain) == [(0, 0), (1, 1), (2, 2)]
    assert assign(np.full((2, 3), no)) == []
