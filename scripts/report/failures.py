"""The worst frames of rendered clips: what was found, below it the truth in white, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import iou
from posetrack.drawing.overlay import overlay
from posetrack.presets import LIGHT
from posetrack.skeletons import POSETRACK18
from posetrack.types import Tracks
from scripts.report.clips import Clip

PANEL = (480, 270)  # pixels of each picture
CAPTION = 22  # pixels of the line above a picture
APART = 30  # frames between two that are shown
NEAR = 0.5  # head heights from a joint's true place
EARS = [POSETRACK18.index(name) for name in ("left_ear", "right_ear")]
HEAD_TOP, NECK = POSETRACK18.index("head_top"), POSETRACK18.index("head_bottom")
Floats = NDArray[np.float64]
Truth = list[tuple[Floats, Floats]]  # per frame: boxes (P, 4) xyxy, joints (P, 17, 3) as annotated


def read_truth(path: Path) -> Truth:
    content = json.loads(path.read_text())
    people: dict[int, list[dict[str, list[float]]]] = {image["id"]: [] for image in content["images"]}
    for person in content["annotations"]:
        people[person["image_id"]].append(person)
    frames = []
    for listed in people.values():
        corners = np.array([p["bbox"] for p in listed], float).reshape(-1, 4)
        boxes = np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], axis=1)
        frames.append((boxes, np.array([p["keypoints"] for p in listed], float).reshape(-1, 17, 3)))
    return frames


@dataclass(frozen=True)
class Faults:
    missed: int  # people
    invented: int  # people
    joints: int  # visible joints of found people in a wrong place

    @property
    def weight(self) -> float:
        return 6 * self.missed + 4 * self.invented + self.joints

    def __str__(self) -> str:
        return f"{self.missed} missed, {self.invented} invented, {self.joints} joints wrong"


def faults(boxes: Floats, joints: Floats, tracks: Tracks) -> Faults:
    """Compare a frame with its truth; people are paired by their boxes, the best overlap first."""
    overlap = iou(boxes, tracks.poses.boxes.astype(np.float64))
    pairs = []
    while overlap.size and overlap.max() >= 0.5:
        person, row = divmod(int(overlap.argmax()), overlap.shape[1])
        pairs.append((person, row))
        overlap[person], overlap[:, row] = 0, 0
    wrong = 0
    for person, row in pairs:
        true = joints[person]
        head = max(float(np.linalg.norm(true[HEAD_TOP, :2] - true[NECK, :2])), 4.0)
        off = np.linalg.norm(tracks.poses.keypoints[row] - true[:, :2], axis=1) > NEAR * head
        shown = tracks.poses.keypoint_scores[row] >= LIGHT.min_joint_score
        off[EARS] = False
        wrong += int((off & shown & (true[:, 2] > 0)).sum())
    return Faults(len(boxes) - len(pairs), len(tracks) - len(pairs), wrong)


def failures(clips: Sequence[Clip], path: Path, per_clip: int = 2) -> None:
    """Draw the worst frames of every clip into one picture."""
    rows: list[NDArray[np.uint8]] = []
    for clip in clips:
        truth, tracks = read_truth(clip.truth), clip.track(LIGHT)
        found = [faults(*known, answer) for known, answer in zip(truth, tracks, strict=True)]
        panels = [
            drawn(clip.frames[t].image, *truth[t], tracks[t], f"{clip.name}, frame {t}: {found[t]}")
            for t in worst([f.weight for f in found], per_clip)
        ]
        blank = np.full_like(panels[0], 255)
        rows.append(np.concatenate([*panels, *[blank] * (per_clip - len(panels))], axis=1))
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])


def worst(weights: Sequence[float], count: int, apart: int = APART) -> list[int]:
    """Places of the greatest values, at least so far from each other."""
    left = np.array(weights, float)
    chosen: list[int] = []
    for _ in range(count):
        place = int(left.argmax())
        if left[place] <= 0 and chosen:  # nothing is wrong, or near one that is shown
            break
        chosen.append(place)
        left[max(0, place - apart + 1) : place + apart] = -np.inf
    return sorted(chosen)


def drawn(
    image: NDArray[np.uint8], boxes: Floats, joints: Floats, tracks: Tracks, caption: str
) -> NDArray[np.uint8]:
    """A caption, what was found, and below it the truth in white, both enlarged to where the people are."""
    found = overlay(image, tracks, joint_threshold=LIGHT.min_joint_score, boxes=True)
    everybody = np.concatenate([boxes, tracks.poses.boxes])
    left, top, right, bottom = window(everybody, image.shape[1], image.shape[0])
    above, below = (
        np.asarray(
            cv2.resize(picture[top:bottom, left:right], PANEL, interpolation=cv2.INTER_CUBIC), np.uint8
        )
        for picture in (found, image)
    )
    scale = np.array(PANEL) / (right - left, bottom - top)
    for person in joints:
        places = np.rint((person[:, :2] - (left, top)) * scale).astype(int)
        for a, b in POSETRACK18.edges:
            if a not in EARS and b not in EARS and (person[[a, b], :2] != 0).all():
                cv2.line(below, tuple(places[a]), tuple(places[b]), (255, 255, 255), 2, cv2.LINE_AA)
    line = np.full((CAPTION, PANEL[0], 3), 255, np.uint8)
    cv2.putText(line, caption, (6, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (31, 41, 51), 1, cv2.LINE_AA)
    return np.concatenate([line, above, below])


def window(boxes: NDArray[np.floating], width: int, height: int) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of the smallest part of a picture of PANEL's proportions with all boxes and a margin."""
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    middle, (w, h) = (low + high) / 2, (high - low) * 1.15
    aspect = PANEL[0] / PANEL[1]
    w = min(max(w, h * aspect, 32), width, height * aspect)
    h = w / aspect
    x, y = np.clip(middle - (w / 2, h / 2), 0, (width - w, height - h))
    return int(x), int(y), int(x + w), int(y + h)
