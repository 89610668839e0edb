"""One simulated run of detector, pose network and flow over an annotated video.

    world = World(video, PAPER, seed=0)
    world.seen[t], world.found[t]     what the detector finds in frame t, and the poses there
    world.look(t, boxes)              what the pose network sees in any other boxes
    world.motion(t)                   the flow from frame t - 1

T frames, P people, K joints; errors are drawn on construction, so every tracker meets the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posetrack.boxes import iou, nms
from posetrack.pose.estimator import person_scores
from posetrack.skeletons import POSETRACK18
from posetrack.types import Detections, Poses
from scripts.association.noise import Noise, episodes, lasting
from scripts.association.videos import BACKGROUND, CELL, SIZE, Bools, Floats, K, Video

NOSE, NECK, HEAD_TOP = (POSETRACK18.index(name) for name in ("nose", "head_bottom", "head_top"))
EARS = [POSETRACK18.index(name) for name in ("left_ear", "right_ear")]
ARMS, LEGS = (
    [pair for pair in POSETRACK18.flip_pairs if POSETRACK18.keypoints[pair[0]].split("_")[1] in names]
    for names in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
)
# How often each joint is grossly wrong against the mean: wrists and ankles are the hard ones.
HARD = np.array(
    [
        {"wrist": 1.7, "ankle": 1.5, "knee": 1.0, "elbow": 1.1, "hip": 0.9, "shoulder": 0.6}.get(name, 0.4)
        for name in (keypoint.split("_")[-1] for keypoint in POSETRACK18.keypoints)
    ]
)
SIGHT = 0.3  # IoU with a person's body from which a box shows the person
SPREAD = POSETRACK18.sigmas / POSETRACK18.sigmas[POSETRACK18.index("left_shoulder")]


class World:
    """Everything that can be seen of one video in one simulated run."""

    def __init__(self, video: Video, noise: Noise, seed: int) -> None:
        self.video, self.noise = video, noise
        self._seed = seed
        rng = np.random.default_rng([seed, int(video.name[:6])])
        hidden = video.occluded.sum(2) / np.maximum(video.known.sum(2), 1)  # (T, P)
        with np.errstate(invalid="ignore"):
            step = np.linalg.norm(np.diff(video.points, axis=0), axis=-1)  # (T - 1, P, K)
            both = video.known[1:] & video.known[:-1]
            moved = np.where(both, step, 0).sum(2) / np.maximum(both.sum(2), 1) / video.head[1:]
        self._hidden = hidden
        self._fast = np.nan_to_num(
            np.concatenate([np.zeros_like(moved[:1]), moved])
        )  # (T, P) heads per frame
        self._see_poses(rng)
        self._add_things(rng)
        self._detect(rng)
        self._flow_errors(rng)

    # ---- the pose network

    def _see_poses(self, rng: np.random.Generator) -> None:
        """Points, scores and bodies of the real people."""
        video, noise = self.video, self.noise
        T, P, _ = video.known.shape
        points, known = video.points.copy(), video.known.copy()
        head = np.nan_to_num(video.head, nan=1)[..., None, None]  # (T, P, 1, 1)
        both = known[..., NECK] & known[..., HEAD_TOP]  # the data have no nose: a pose network shows one
        points[..., NOSE, :] = 0.6 * points[..., NECK, :] + 0.4 * points[..., HEAD_TOP, :]
        known[..., NOSE] = both
        occluded = video.occluded.copy()
        occluded[..., NOSE] = occluded[..., HEAD_TOP]

        blur = 1 + self._fast[..., None]
        share = np.where(occluded, noise.gross_occluded, noise.gross * blur) * HARD
        wrong = episodes(rng, share, 2)
        error = lasting(rng, (T, P, K, 2), 0.6) * (noise.jitter * SPREAD * blur * (1 + occluded))[..., None]
        places = points + error * head
        places = np.where(wrong[..., None], self._wrong_places(rng, points, known), places)
        for limbs in (ARMS, LEGS):
            swapped = episodes(rng, np.full((T, P), noise.swapped), 3)
            for a, b in limbs:
                pair = places[..., [a, b], :]
                places[..., [a, b], :] = np.where(swapped[..., None, None], pair[..., ::-1, :], pair)
        mean = noise.joint_score - 0.25 * occluded - 0.25 * wrong
        scores = mean + noise.score_noise * lasting(rng, (T, P, K), 0.5)
        # What is not annotated mostly lies outside the picture: a weak guess somewhere in the box
        guess = video.boxes[..., None, :2] + rng.random((T, P, K, 2)) * (
            video.boxes[..., None, 2:] - video.boxes[..., None, :2]
        )
        places = np.where(known[..., None], places, guess)
        scores = np.where(known, scores, 0.1 + 0.1 * rng.standard_normal((T, P, K)))
        scores[..., EARS] = 0
        self._points = np.nan_to_num(places).astype(np.float32)
        self._scores = np.clip(scores, 0, 1).astype(np.float32)
        self._boxes = video.boxes
        self._weight = (1 - 0.5 * self._hidden).astype(np.float32)
        self._again = (
            0.5 * noise.jitter * SPREAD[:, None] * head * rng.standard_normal((T, P, K, 2))
        ).astype(np.float32)

    def _wrong_places(self, rng: np.random.Generator, points: Floats, known: Bools) -> Floats:
        """(T, P, K, 2) where a grossly wrong joint goes: the other side's, a neighbour's, anywhere near."""
        T, P, _ = known.shape
        head = np.nan_to_num(self.video.head, nan=1)[..., None, None]
        places = points + 1.2 * head * lasting(rng, (T, P, K, 2), 0.8)
        kind = np.tile(rng.random((1, P, K)), (T, 1, 1))
        other_side = points[..., POSETRACK18.flip_order, :]
        flip = (kind < 0.35) & known[..., POSETRACK18.flip_order] & (POSETRACK18.flip_order != np.arange(K))
        places = np.where(flip[..., None], other_side, places)
        for t in range(T):
            boxes = np.nan_to_num(self.video.boxes[t], nan=-9)
            overlap = iou(boxes, boxes) * self.video.present[t]
            np.fill_diagonal(overlap, 0)
            neighbour = overlap.argmax(1)
            near = (overlap.max(1) > 0.05)[:, None] & known[t][neighbour] & (kind[t] > 0.5)
            places[t] = np.where(near[..., None], points[t][neighbour], places[t])
        return places.astype(np.float32)

    # ---- things taken for people

    def _add_things(self, rng: np.random.Generator) -> None:
        """Append people who are not there: some stay through the video, some flash up once."""
        noise, T = self.noise, len(self.video)
        lasting_ones, flashes = rng.poisson(noise.false_people), rng.poisson(noise.flashes * T)
        F = lasting_ones + flashes
        shapes = np.argwhere(self.video.present)
        model = shapes[rng.integers(len(shapes), size=F)]
        points = self._points[model[:, 0], model[:, 1]]  # (F, K, 2)
        box = self.video.boxes[model[:, 0], model[:, 1]]
        shift = rng.uniform((0, 0), SIZE, (F, 2)) - (box[:, :2] + box[:, 2:]) / 2
        head = self.video.head[model[:, 0], model[:, 1]]
        wobble = 0.4 * head[:, None, None] * lasting(rng, (T, F, K, 2), 0.5)
        places = (points + shift[:, None])[None] + wobble
        scores = (
            0.5 * (noise.joint_score + noise.ghost_score)
            - 0.1
            + noise.score_noise * lasting(rng, (T, F, K), 0.5)
        )
        scores[..., EARS] = 0
        boxes = np.tile(box + np.tile(shift, 2), (T, 1, 1))
        self._things = np.zeros((T, F), bool)  # looks like a person to the detector
        self._things[:, :lasting_ones] = episodes(rng, np.full((T, lasting_ones), 1 / 3), 6)
        self._things[rng.integers(T, size=flashes), np.arange(lasting_ones, F)] = True
        self._points = np.concatenate([self._points, places], axis=1).astype(np.float32)
        self._scores = np.concatenate([self._scores, np.clip(scores, 0, 1)], axis=1).astype(np.float32)
        self._boxes = np.concatenate([self._boxes, boxes], axis=1).astype(np.float32)
        self._weight = np.concatenate([self._weight, np.full((T, F), 0.5)], axis=1).astype(np.float32)
        again = self._again
        self._again = np.concatenate([again, np.zeros((T, F, K, 2), np.float32)], axis=1)

    # ---- the detector

    def _detect(self, rng: np.random.Generator) -> None:
        """`seen` and `found` of every frame."""
        video, noise = self.video, self.noise
        T, P = video.present.shape
        F = self._things.shape[1]
        share = (
            noise.missed
            + noise.missed_occluded * self._hidden**2
            + noise.missed_fast * np.minimum(self._fast, 1)
        )
        there = np.concatenate(
            [video.present & ~episodes(rng, share, noise.missed_frames), self._things], axis=1
        )
        score = noise.box_score - 0.25 * self._hidden + 0.08 * lasting(rng, (T, P), 0.8)
        false = noise.least_box_score + 0.05 + 0.12 * np.abs(lasting(rng, (T, F), 0.7))
        scores = np.clip(np.concatenate([score, false], axis=1), 0.01, 0.999)
        sides = np.tile(self._boxes[..., 2:] - self._boxes[..., :2], 2)
        boxes = self._boxes + noise.box_jitter * sides * lasting(rng, (T, P + F, 4), 0.5)
        doubled = there & (rng.random((T, P + F)) < noise.doubled)
        shift = rng.choice([-1, 1], (T, P + F, 4)) * rng.uniform(0.05, 0.3, (T, P + F, 1)) * sides
        self.seen: list[Detections] = []
        self.found: list[Poses] = []
        for t in range(T):
            who = np.concatenate([np.flatnonzero(there[t]), np.flatnonzero(doubled[t])])
            first = np.arange(len(who)) < np.count_nonzero(there[t])
            box = np.where(first[:, None], boxes[t, who], boxes[t, who] + shift[t, who])
            value = np.where(first, scores[t, who], scores[t, who] - 0.2)
            rows = np.flatnonzero(value >= noise.least_box_score)
            rows = np.sort(rows[nms(box[rows], value[rows], noise.detector_nms)])
            seen = Detections(box[rows], value[rows])
            self.seen.append(seen)
            self.found.append(self._poses(t, who[rows], seen, again=~first[rows]))

    # ---- what trackers ask for

    def look(self, t: int, boxes: Detections) -> Poses:
        """Poses in boxes that are not the detector's: of the person who fills the box most, if any does."""
        if not len(boxes):
            return Poses.empty(POSETRACK18)
        overlap = iou(boxes.boxes, np.nan_to_num(self._boxes[t], nan=-9)) * self._weight[t]
        who = overlap.argmax(1)
        poses = self._poses(t, who, boxes, again=np.ones(len(who), bool))
        nobody = overlap.max(1) < SIGHT * self._weight[t, who]
        if not nobody.any():
            return poses
        rng = np.random.default_rng([self._seed, int(self.video.name[:6]), t, 1])
        low, high = boxes.boxes[:, None, :2], boxes.boxes[:, None, 2:]
        places = low + rng.random((len(boxes), K, 2)) * (high - low)
        weak = np.clip(self.noise.ghost_score + 0.1 * rng.standard_normal((len(boxes), K)), 0, 1)
        weak[:, EARS] = 0
        points = np.where(nobody[:, None, None], places, poses.keypoints)
        scores = np.where(nobody[:, None], weak, poses.keypoint_scores)
        return Poses(points, scores, boxes.boxes, boxes.scores * person_scores(scores), POSETRACK18)

    def _poses(self, t: int, who: NDArray[np.intp], boxes: Detections, again: Bools) -> Poses:
        """What the network makes of the given people when it looks into the given boxes."""
        points = self._points[t, who] + again[:, None, None] * self._again[t, who]
        scores = self._scores[t, who]
        # Joints outside the crop (the box and a quarter of it) cannot be found
        middle = (boxes.boxes[:, None, :2] + boxes.boxes[:, None, 2:]) / 2
        reach = 0.625 * (boxes.boxes[:, None, 2:] - boxes.boxes[:, None, :2])
        reach[..., 0] = np.maximum(reach[..., 0], 0.75 * reach[..., 1])  # the crop is 3:4
        reach[..., 1] = np.maximum(reach[..., 1], reach[..., 0] / 0.75)
        inside = (np.abs(points - middle) <= reach).all(2)
        points = np.clip(points, middle - reach, middle + reach)
        scores = np.where(inside, scores, 0.25 * scores)
        return Poses(points, scores, boxes.boxes, boxes.scores * person_scores(scores), POSETRACK18)

    def motion(self, t: int) -> WorldMotion:
        return WorldMotion(self, t)

    def _flow_errors(self, rng: np.random.Generator) -> None:
        """(T, P * K) shift of every joint from the frame before as flow sees it, and how it fails."""
        video, noise = self.video, self.noise
        T, P, _ = video.known.shape
        shift = np.zeros((T, P, K, 2), np.float32)
        shift[1:] = np.diff(video.points, axis=0)
        kept = np.zeros((T, P, K), bool)
        kept[1:] = video.known[1:] & video.known[:-1]
        head = np.nan_to_num(np.fmax(video.head, np.roll(video.head, 1, axis=0)), nan=1)[..., None]
        far = np.linalg.norm(shift, axis=-1) / head  # (T, P, K)
        spread = (noise.flow_noise + noise.flow_noise_motion * far) * head
        shift += spread[..., None] * rng.standard_normal(shift.shape)
        fails = rng.random(far.shape) < noise.flow_fails + noise.flow_fails_motion * np.minimum(far, 1)
        shift[fails] = (0.5 * head[..., None] * rng.standard_normal(shift.shape))[fails]
        shift[~kept] = 0
        tells = rng.random(far.shape) < noise.flow_tells
        self.shift = shift.reshape(T, P * K, 2)
        self.followed = (kept & ~(fails & tells)).reshape(T, P * K)


@dataclass(frozen=True, eq=False)
class WorldMotion:
    """Flow from frame t - 1 to frame t: places on a limb move with its joint, others stay and are lost."""

    world: World
    t: int
    resumed: bool = False  # no film goes on after a cut

    @property
    def cut(self) -> bool:
        return self.t == 0

    def move(self, points: Floats) -> tuple[Floats, Bools]:
        if self.cut or not len(points):
            return points, np.zeros(len(points), bool)
        owners = self.world.video.owners[self.t - 1]
        h, w = owners.shape
        cells = np.rint(points / CELL)
        x, y = cells[:, 0], cells[:, 1]
        inside = (x >= 0) & (y >= 0) & (x < w) & (y < h)
        column, row = np.where(inside, x, 0).astype(np.intp), np.where(inside, y, 0).astype(np.intp)
        owner = np.where(inside, owners[row, column], BACKGROUND)
        on_body = owner != BACKGROUND
        moved = points + np.where(on_body[:, None], self.world.shift[self.t, owner], 0)
        return moved.astype(np.float32), on_body & self.world.followed[self.t, owner]
