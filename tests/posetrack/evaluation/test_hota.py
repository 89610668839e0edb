"""HOTA against numbers worked out by hand, and against the definition written as plain loops."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from posetrack.evaluation import evaluate_posetrack
from posetrack.evaluation.hota import ALPHAS, hota_scores
from posetrack.evaluation.quirks import Quirks
from tests.posetrack.evaluation import poseval_reference as reference
from tests.posetrack.evaluation.worlds import J, Json, file, person, random_world, write


def video(ids: list[int], dx: float = 0) -> tuple[Json, Json]:
    """One person, and a prediction with the given id in every frame; 0 for a frame without."""
    truth = [[person(1, 100, 100, score=None)] for _ in ids]
    return file(truth), file([[person(i, 100 + dx, 100)] if i else [] for i in ids])


@dataclass
class Case:
    name: str
    ids: list[int]
    dx: float
    deta: float
    assa: float
    fraga: float


# One person of T frames, followed by tracks of n_i frames: AssA = sum n_i^2 / T / sum n_i.
CASES = [
    Case("perfect", [1, 1, 1, 1], 0, 1, 1, 1),
    Case("half missed", [1, 1, 0, 0], 0, 1 / 2, 1 / 2, 1 / 2),
    Case("another id half-way", [1, 1, 2, 2], 0, 1, 1 / 2, 1 / 2),
    Case("two ids in turns: associated as well, in stretches of one frame", [1, 2, 1, 2], 0, 1, 1 / 2, 1 / 4),
    Case("a gap does not break a stretch", [1, 0, 1, 1], 0, 3 / 4, 3 / 4, 3 / 4),
    Case("5 px off: similarity 1 - 0.2311 / 0.5001, right at 10 of 19 thresholds", [1, 1], 5, *[10 / 19] * 3),
    Case("11 px off: out of reach", [1, 1], 11, 0, 0, 0),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_by_hand(case: Case, tmp_path: Path) -> None:
    truth, answer = video(case.ids, case.dx)
    report = evaluate_posetrack(write(tmp_path / "gt", [truth]), write(tmp_path / "p", [answer]))
    thresholds = 10 / 19 if case.dx == 5 else 1  # the values are the same at every threshold in reach
    deta, assa, fraga = case.deta / thresholds, case.assa / thresholds, case.fraga / thresholds
    expected = {
        "deta": case.deta, "assa": case.assa, "fraga": case.fraga,
        "hota": thresholds * (deta * assa) ** 0.5,
        "fa_hota": thresholds * (deta * (assa * fraga) ** 0.5) ** 0.5,
    }  # fmt: skip
    assert {name: report.totals[name] / 100 for name in expected} == pytest.approx(expected, abs=1e-12)


def brute_force(videos: list[tuple[Json, Json]], protocol: int) -> dict[str, np.ndarray]:
    """The definition, one threshold, joint and frame at a time; (19, 15) each."""
    counts = {name: np.zeros((19, J)) for name in ("tp", "fn", "fp", "ass", "frag")}
    shared: list[list[Match]] = [[] for _ in range(19 * J)]
    lengths: list[dict[tuple[str, object], int]] = [defaultdict(int) for _ in range(J)]
    for v, (truth, answer) in enumerate(videos):
        persons = {p["track_id"]: p.get("person_id") for p in truth["annotations"]}
        own: list[list[Match]] = [[] for _ in range(19 * J)]
        own_lengths: list[dict[tuple[str, object], int]] = [defaultdict(int) for _ in range(J)]
        for annotated, predicted in reference.load(truth, answer):
            for j in range(J):
                gs, ps = ([p for p in poses if valid(p, j)] for poses in (annotated, predicted))
                for side, poses in (("g", gs), ("p", ps)):
                    for pose in poses:
                        own_lengths[j][side, pose["id"]] += 1
                        person_id = persons.get(pose["id"]) if side == "g" else None
                        lengths[j][side, (v, pose["id"]) if person_id is None else person_id] += 1
                table = np.array([[similarity(g, p, j) for p in ps] for g in gs]).reshape(len(gs), len(ps))
                for a, alpha in enumerate(ALPHAS):
                    gain = table if protocol == 1 else (table >= alpha) * 1000 + table
                    pairs = [(g, p) for g, p in best(gain) if table[g, p] >= alpha - 1e-15]
                    counts["tp"][a, j] += len(pairs)
                    counts["fn"][a, j] += len(gs) - len(pairs)
                    counts["fp"][a, j] += len(ps) - len(pairs)
                    for g, p in pairs:
                        person_id = persons[gs[g]["id"]]
                        own[a * J + j].append((gs[g]["id"], ps[p]["id"]))
                        name = (v, gs[g]["id"]) if person_id is None else person_id
                        shared[a * J + j].append((name, (v, ps[p]["id"])))
        if protocol == 1:
            add_association(counts, own, own_lengths)
    if protocol == 2:
        add_association(counts, shared, lengths)
    one = np.maximum(counts["tp"], 1)
    deta = counts["tp"] / np.maximum(counts["tp"] + counts["fn"] + counts["fp"], 1)
    assa, fraga = counts["ass"] / one, counts["frag"] / one
    return {"hota": (deta * assa) ** 0.5, "deta": deta, "assa": assa, "fraga": fraga}


Match = tuple[object, object]


def add_association(
    counts: dict[str, np.ndarray], matches: list[list[Match]], lengths: list[dict[tuple[str, object], int]]
) -> None:
    for index, found in enumerate(matches):
        a, j = divmod(index, J)
        last: dict[object, object] = {}
        stretch: dict[Match, list[int]] = defaultdict(list)
        for g, p in found:  # in the order of frames
            if last.get(g) != p:
                stretch[g, p].append(0)
            last[g] = p
            stretch[g, p][-1] += 1
        for (g, p), parts in stretch.items():
            union = lengths[j]["g", g] + lengths[j]["p", p] - sum(parts)
            counts["ass"][a, j] += sum(parts) ** 2 / union
            counts["frag"][a, j] += sum(n**2 for n in parts) / union


def valid(pose: Json, j: int) -> bool:
    if j not in pose["joints"]:
        return False
    x, y, score = pose["joints"][j]
    return x > 0 and y > 0 and (score > 0 or score == -9999)


def similarity(g: Json, p: Json, j: int) -> float:
    offset = np.subtract(g["joints"][j][:2], p["joints"][j][:2])
    return max(0.0, 1 - float(np.sqrt((offset**2).sum())) / g["head"] / 0.5001)


def best(gain: np.ndarray) -> list[tuple[int, int]]:
    """The assignment of most total gain, by trying all."""
    rows, columns = gain.shape
    if rows > columns:
        return [(r, c) for c, r in best(gain.T)]
    tries = permutations(range(columns), rows)
    return list(enumerate(max(tries, key=lambda chosen: sum(gain[r, c] for r, c in enumerate(chosen)))))


def untied(seed: int) -> tuple[list[Json], list[Json]]:
    """A random world whose predictions never coincide, as equal gains may be matched either way."""
    truths, answers = random_world(seed, frames=6, videos=2)
    rng = np.random.default_rng(seed)
    for answer in answers:
        for p in answer["annotations"]:
            there = np.repeat(np.array(p["keypoints"]).reshape(J, 3).any(axis=1), 3) * np.tile([1, 1, 0], J)
            p["keypoints"] = (np.array(p["keypoints"]) + rng.normal(0, 0.5, 3 * J) * there).tolist()
    return truths, answers


@pytest.mark.parametrize("seed", range(3))
def test_protocol_1_is_the_definition(seed: int, tmp_path: Path) -> None:
    truths, answers = untied(seed)
    report = evaluate_posetrack(write(tmp_path / "gt", truths), write(tmp_path / "p", answers))
    expected = brute_force(list(zip(truths, answers, strict=True)), protocol=1)
    for name, values in expected.items():
        np.testing.assert_allclose(report.scores[name], 100 * values.mean(axis=0), atol=1e-9, err_msg=name)
    assert report.hota_across is None


@pytest.mark.parametrize("seed", range(3, 5))
def test_protocol_2_associates_people_over_all_videos(seed: int, tmp_path: Path) -> None:
    truths, answers = untied(seed)
    for truth in truths:
        for p in truth["annotations"]:
            p["person_id"] = 500 + p["track_id"] % 3  # some people come back in the other video
            p["track_id"] = p["track_id"] % 3
        unique = {(p["image_id"], p["track_id"]): p for p in truth["annotations"]}
        truth["annotations"] = list(unique.values())
    report = evaluate_posetrack(write(tmp_path / "gt", truths), write(tmp_path / "p", answers))
    assert report.hota_across is not None
    ours = vars(hota_scores(report.hota_across))
    expected = brute_force(list(zip(truths, answers, strict=True)), protocol=2)
    for name, values in expected.items():
        np.testing.assert_allclose(ours[name], 100 * values.mean(axis=0), atol=1e-9, err_msg=name)
    assert ours["assa"].mean() < report.totals["assa"]  # whoever comes back under a new id was not recognised


def test_protocol_2_prefers_more_matches_at_every_threshold(tmp_path: Path) -> None:
    """On a line, in head sizes: guess q at -0.25, person a at 0, guess p at 0.05, person b at 0.3.

    Similarity a-p 0.9, a-q and b-p 0.5: most in total are a-q and b-p, right at 10 thresholds. At the 8 from
    0.55 to 0.9 protocol 2 takes a-p instead: DetA 1 / 3 there.
    """
    head = 0.6 * (20**2 + 30**2) ** 0.5
    a, b, p, q = (100 + head * place for place in (0, 0.3, 0.05, -0.25))
    truth = file([[person(0, a, 100, score=None), person(1, b, 100, score=None)]])
    for someone in truth["annotations"]:
        someone["person_id"] = someone["track_id"]
    answer = file([[person(0, p, 100), person(1, q, 100)]])
    report = evaluate_posetrack(write(tmp_path / "gt", [truth]), write(tmp_path / "p", [answer]))
    assert report.hota_across is not None
    assert report.totals["deta"] == pytest.approx(100 * 10 / 19)
    assert hota_scores(report.hota_across).deta.mean() == pytest.approx(100 * (10 + 8 / 3) / 19)


def test_frames_count_by_their_flag(tmp_path: Path) -> None:
    """Unlike poseval, which goes by whether poses are listed."""
    truth, answer = video([1, 1, 9, 1])
    truth["images"][2]["is_labeled"] = False
    report = evaluate_posetrack(write(tmp_path / "gt", [truth]), write(tmp_path / "p", [answer]), strict=True)
    assert report.totals["hota"] == pytest.approx(100)
    assert report.totals["idf1"] == pytest.approx(75)


def test_joints_at_the_border_and_without_score_are_not_joints(tmp_path: Path) -> None:
    truth, answer = video([1, 1])
    for p in answer["annotations"]:
        p["scores"] = [0.0] * 5 + [0.9] * 10  # five joints that are not there
    report = evaluate_posetrack(write(tmp_path / "gt", [truth]), write(tmp_path / "p", [answer]))
    np.testing.assert_allclose(report.scores["hota"], [0.0] * 5 + [100.0] * 10, atol=1e-9)


def test_the_kit_counts_the_whole_sequence_for_an_empty_frame(tmp_path: Path) -> None:
    """Frame 2 of 4 has no prediction: 1 miss by definition, 4 by the kit; DetA 3 / 4 or 3 / 7."""
    folders = [
        write(tmp_path / name, [content]) for name, content in zip("gp", video([1, 1, 0, 1]), strict=True)
    ]
    assert evaluate_posetrack(*folders).totals["deta"] == pytest.approx(75)
    kit = evaluate_posetrack(*folders, quirks=Quirks(kit_empty_frames=True))
    assert kit.totals["deta"] == pytest.approx(300 / 7)
