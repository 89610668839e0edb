"""Tiny PoseTrack files: the persons of the worked cases, and random videos full of trouble."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from posetrack.skeletons import POSETRACK17

J = 15
Json = dict[str, Any]
CATEGORIES = [
    {"supercategory": "person", "id": 1, "name": "person", "keypoints": list(POSETRACK17.keypoints)}
]


def person(
    track: int, cx: float, cy: float, *, score: float | None = 0.9, without: tuple[int, ...] = ()
) -> Json:
    """Joint j at (cx + 3j, cy + 2j); head box 20 x 30, so a match may be 10.8167 px off."""
    keypoints: list[float] = []
    for j in range(J):
        keypoints += [0, 0, 0] if j in without else [cx + 3 * j, cy + 2 * j, 1]
    body: Json = {"track_id": track, "keypoints": keypoints, "bbox_head": [cx - 10, cy - 60, 20, 30]}
    return body | ({} if score is None else {"scores": [score] * J})


def file(frames: list[list[Json]], name: str = "000001_mpii_test", regions: Json | None = None) -> Json:
    """A 2018 file; `regions`: frame -> polygons, each a list of (x, y)."""
    sequence = int(name[:6])
    images, annotations = [], []
    for t, people in enumerate(frames):
        polygons = (regions or {}).get(t, [])
        images.append(
            {
                "file_name": f"images/val/{name}/{t:06d}.jpg",
                "id": 10**10 + sequence * 10**4 + t,
                "is_labeled": bool(people),
                "ignore_regions_x": [[x for x, _ in polygon] for polygon in polygons],
                "ignore_regions_y": [[y for _, y in polygon] for polygon in polygons],
            }
        )
        annotations += [{**p, "image_id": images[-1]["id"], "category_id": 1} for p in people]
    return {"images": images, "annotations": annotations, "categories": CATEGORIES}


def write(folder: Path, files: list[Json]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, content in enumerate(files):
        (folder / f"{index:06d}.json").write_text(json.dumps(content))
    return folder


def random_world(seed: int, *, frames: int = 9, videos: int = 2) -> tuple[list[Json], list[Json]]:
    """Ground truth and predictions with everything that can go wrong: crowds that overlap, missing people,
    joints and scores, id changes, duplicates, ghosts, equal distances, empty frames, ignore regions."""
    rng = np.random.default_rng(seed)
    truths, answers = [], []
    for video in range(videos):
        n = int(rng.integers(1, 5))
        start = rng.uniform(60, 140, (n, 2)).round(1)
        speed = rng.normal(0, 4, (n, 2))
        track = rng.permutation(20)[:n]
        ids = rng.permutation(30)[:n]
        truth: list[list[Json]] = []
        answer: list[list[Json]] = []
        regions = {}
        for t in range(frames):
            if t and rng.random() < 0.25 and n > 1:  # two people change ids, or one gets a new one
                a, b = rng.permutation(n)[:2]
                ids[a], ids[b] = ids[b], ids[a]
            if t and rng.random() < 0.2:
                ids[rng.integers(n)] = 30 + t
            labelled = rng.random() > 0.1
            people, found = [], []
            for i in range(n):
                cx, cy = start[i] + t * speed[i]
                if rng.random() > 0.1:
                    hidden = tuple(np.flatnonzero(rng.random(J) < 0.15))
                    people.append(person(int(track[i]), cx, cy, score=None, without=hidden))
                if rng.random() > 0.15:
                    found.append(_guess(rng, int(ids[i]), cx, cy, float(rng.integers(1, 5)) / 4))
                if rng.random() < 0.15:  # the same person twice
                    found.append(_guess(rng, 60 + i, cx + rng.choice([0, 2, -2]), cy, 0.4))
            if rng.random() < 0.1:
                found.append(_guess(rng, 80 + t, *rng.uniform(0, 300, 2), 0.3))
            if rng.random() < 0.1:
                found = []
            if rng.random() < 0.3:
                x, y = rng.uniform(60, 140, 2)
                regions[t] = [[(x, y), (x + 60, y), (x + 60, y + 50), (x, y + 50)], [(0, 0), (9, 0), (0, 9)]]
            truth.append(people if labelled else [])
            answer.append([found[i] for i in rng.permutation(len(found))])
        if not any(truth[:-1]):
            truth[0] = [person(1, 100, 100, score=None)]
            truth[1] = [person(1, 100, 100, score=None)]
        name = f"{video + 1:06d}_mpii_test"
        truths.append(file(truth, name, regions))
        answers.append(file(answer, name))
    return truths, answers


def _guess(rng: np.random.Generator, track: int, cx: float, cy: float, score: float) -> Json:
    guess = person(track, cx, cy, score=None if rng.random() < 0.05 else score)
    triples = np.array(guess["keypoints"], float).reshape(J, 3)
    triples[:, :2] += rng.normal(0, rng.choice([0, 3, 8]), (J, 2))
    triples[rng.random(J) < 0.1] = 0
    guess["keypoints"] = triples.ravel().tolist()
    return guess
