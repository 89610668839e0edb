"""The worst frames of rendered clips: what was found, below it the truth in white, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from light.markdown import table
from light.scenes import Clip, Settings, Sight
from posetrack.boxes import iou
from posetrack.drawing.overlay import overlay
from posetrack.skeletons import POSETRACK18
from posetrack.types import Tracks

PANEL = (480, 270)  # pixels of each picture
APART = 30  # frames between two that are shown
NEAR = 0.5  # head heights from a joint's true place
EARS = [POSETRACK18.index(name) for name in ("left_ear", "right_ear")]
HEAD_TOP, NECK = POSETRACK18.index("head_top"), POSETRACK18.index("head_bottom")


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


def faults(clip: Clip, t: int, tracks: Tracks, joint_score: float) -> Faults:
    """Compare a frame with its truth; people are paired by their boxes, the best overlap first."""
    overlap = iou(clip.boxes[t], tracks.poses.boxes.astype(np.float64))
    pairs = []
    while overlap.size and overlap.max() >= 0.5:
        person, row = np.unravel_index(int(overlap.argmax()), overlap.shape)
        pairs.append((int(person), int(row)))
        overlap[person], overlap[:, row] = 0, 0
    wrong = 0
    for person, row in pairs:
        true = clip.joints[t][person]
        head = max(float(np.linalg.norm(true[HEAD_TOP, :2] - true[NECK, :2])), 4.0)
        off = np.linalg.norm(tracks.poses.keypoints[row] - true[:, :2], axis=1) > NEAR * head
        shown = tracks.poses.keypoint_scores[row] >= joint_score
        off[EARS] = False
        wrong += int((off & shown & (true[:, 2] > 0)).sum())
    return Faults(len(clip.boxes[t]) - len(pairs), len(tracks) - len(pairs), wrong)


def failures(sights: Sequence[Sight], settings: Settings, path: Path, per_clip: int = 2) -> str:
    """Draw the worst frames of every clip into one picture; says which they are, as Markdown."""
    rows: list[list[NDArray[np.uint8]]] = []
    listed: list[list[object]] = []
    for sight in sights:
        answer = sight.follow(settings)
        found = [faults(sight.clip, t, tracks, settings.joint_score) for t, tracks in enumerate(answer)]
        chosen = worst([f.weight for f in found], per_clip, APART)
        rows.append([drawn(sight.clip, t, answer[t], found[t], settings.joint_score) for t in chosen])
        listed += [[sight.clip.name, t, found[t].missed, found[t].invented, found[t].joints] for t in chosen]
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    cv2.imwrite(str(path), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])
    return table(["clip", "frame", "people missed", "invented", "visible joints wrong"], listed)


def worst(weights: Sequence[float], count: int, apart: int) -> list[int]:
    """Places of the greatest values, at least so far from each other."""
    left = np.array(weights, float)
    chosen = []
    for _ in range(count):
        place = int(left.argmax())
        if left[place] <= 0:  # nothing is wrong, or near one that is shown
            break
        chosen.append(place)
        left[max(0, place - apart + 1) : place + apart] = -np.inf
    return sorted(chosen)


def drawn(clip: Clip, t: int, tracks: Tracks, what: Faults, joint_score: float) -> NDArray[np.uint8]:
    """What was found, and below it the truth in white, both enlarged to where the people are."""
    image = clip.frames[t].image
    found = overlay(image, tracks, joint_threshold=joint_score, boxes=True)
    left, top, right, bottom = window(
        np.concatenate([clip.boxes[t], tracks.poses.boxes]), image.shape[1], image.shape[0]
    )
    panels = [
        cv2.resize(picture[top:bottom, left:right], PANEL, interpolation=cv2.INTER_CUBIC)
        for picture in (found, image)
    ]
    scale = np.array(PANEL) / (right - left, bottom - top)
    for person in clip.joints[t]:
        places = np.rint((person[:, :2] - (left, top)) * scale).astype(int)
        for a, b in POSETRACK18.edges:
            if a not in EARS and b not in EARS and (person[[a, b], :2] != 0).all():
                cv2.line(panels[1], tuple(places[a]), tuple(places[b]), (255, 255, 255), 2, cv2.LINE_AA)
    text = f"{clip.name}, frame {t}: {what}"
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(panels[0], text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, cv2.LINE_AA)
    return np.asarray(np.concatenate(panels), np.uint8)


def window(boxes: NDArray[np.floating], width: int, height: int) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of the smallest part of a picture of PANEL's proportions with all boxes and a margin."""
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    middle, (w, h) = (low + high) / 2, (high - low) * 1.15
    aspect = PANEL[0] / PANEL[1]
    w = min(max(w, h * aspect, 32), width, height * aspect)
    h = w / aspect
    x, y = np.clip(middle - (w / 2, h / 2), 0, (width - w, height - h))
    return int(x), int(y), int(x + w), int(y + h)
