"""What an evaluation found: numbers per joint and in total, per sequence, as text, JSON and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from posetrack.evaluation.ap import Curve, Detected, ap_scores, curves
from posetrack.evaluation.hota import HotaCounts, hota_scores
from posetrack.evaluation.mot import MotCounts, mot_scores
from posetrack.evaluation.numbers import cell, or_none, ruled
from posetrack.evaluation.people import JOINTS, Floats
from posetrack.evaluation.quirks import Quirks
from posetrack.evaluation.timeline import Timeline

# The columns of the papers. Left and right count once each; Head is head_top, head_bottom and nose.
PARTS: dict[str, tuple[str, ...]] = {
    "Head": ("head_top", "head_bottom", "nose"),
    "Shou": ("right_shoulder", "left_shoulder"),
    "Elb": ("right_elbow", "left_elbow"),
    "Wri": ("right_wrist", "left_wrist"),
    "Hip": ("right_hip", "left_hip"),
    "Knee": ("right_knee", "left_knee"),
    "Ankl": ("right_ankle", "left_ankle"),
}
METRICS = (
    "ap", "precision_ap", "recall_ap", "mota", "motp", "motp_poseval", "precision", "recall", "hota", "idf1",
)  # fmt: skip
HOTA_PARTS = ("deta", "assa", "fraga", "fa_hota")


@dataclass(frozen=True, eq=False)
class SequenceResult:
    """Everything counted in one video; results of several videos add up to the report's."""

    name: str
    detected: Detected
    mot: MotCounts
    hota: HotaCounts
    timeline: Timeline


@dataclass(frozen=True, eq=False)
class PoseTrackReport:
    """The result of `evaluate_posetrack`. All metrics are percentages; NaN (null in JSON) is undefined."""

    sequences: tuple[SequenceResult, ...]
    quirks: Quirks
    hota_across: HotaCounts | None = None  # protocol 2; None where the ground truth has no person_id
    warnings: tuple[str, ...] = ()

    @cached_property
    def scores(self) -> dict[str, Floats]:
        """Every metric, (15,) in poseval's joint order (`people.JOINTS`)."""
        return _scores(self.sequences, self.quirks)

    @cached_property
    def totals(self) -> dict[str, float]:
        """Every metric's mean over the joints for which it is defined."""
        return {name: mean(values) for name, values in self.scores.items()}

    @cached_property
    def by_sequence(self) -> dict[str, dict[str, float]]:
        """The totals of every sequence on its own."""
        return {
            s.name: {name: mean(values) for name, values in _scores([s], self.quirks).items()}
            for s in self.sequences
        }

    @property
    def labelled_frames(self) -> int:
        return sum(s.detected.frames for s in self.sequences)

    def curves(self) -> list[Curve]:
        """Precision over recall of every joint."""
        return curves(Detected.concatenate([s.detected for s in self.sequences]))

    def to_json(self) -> dict[str, Any]:
        """The promised form (DESIGN section 5)."""
        result: dict[str, Any] = {"sequences": len(self.sequences), "labelled_frames": self.labelled_frames}
        return result | {name: _named(self.scores[name]) for name in METRICS}

    def table(self) -> str:
        """The papers' table: a column for each body part and the total; below it what has no parts."""
        rows = [["", *PARTS, "Total"]]
        for title, metric in (("AP", "ap"), ("MOTA", "mota"), ("HOTA", "hota"), ("IDF1", "idf1")):
            rows.append([title, *map(cell, part_means(self.scores[metric])), cell(self.totals[metric])])
        poses = sum(len(s.timeline.truth) for s in self.sequences)
        head = f"{len(self.sequences)} sequences, {self.labelled_frames} labelled frames, {poses} poses"
        total = {name: cell(value) for name, value in self.totals.items()}
        lines = [
            f"AP        precision {total['precision_ap']}   recall {total['recall_ap']}",
            f"Tracking  precision {total['precision']}   recall {total['recall']}   MOTP {total['motp']}"
            f"   (poseval with today's motmetrics: {total['motp_poseval']})",
            f"HOTA      {_hota_line(total)}",
        ]
        if self.hota_across is not None:
            across = {
                name: cell(mean(values)) for name, values in vars(hota_scores(self.hota_across)).items()
            }
            lines.append(f"HOTA across sequences (protocol 2): {across['hota']}   {_hota_line(across)}")
        return "\n".join([head, "", *ruled(rows), "", *lines])

    def sequence_table(self) -> str:
        """One line for each sequence; misses, false positives and switches are sums over the joints."""
        columns = ("ap", "mota", "motp", "precision", "recall", "hota", "idf1")
        head = "Sequence Frames Poses AP MOTA MOTP Prec Rec HOTA IDF1 Miss FP Switch"
        rows = [head.split()]
        for s in self.sequences:
            totals = self.by_sequence[s.name]
            events = [int(counts.sum()) for counts in (s.mot.misses, s.mot.false_positives, s.mot.switches)]
            sizes = [str(s.detected.frames), str(len(s.timeline.truth))]
            rows.append([s.name, *sizes, *(cell(totals[c]) for c in columns), *map(str, events)])
        return "\n".join(ruled(rows))


def _scores(sequences: Sequence[SequenceResult], quirks: Quirks) -> dict[str, Floats]:
    detected = Detected.concatenate([s.detected for s in sequences])
    ap = ap_scores(detected, zero_for_undefined=quirks.zero_for_undefined)
    mot = vars(mot_scores(sum((s.mot for s in sequences), MotCounts.zero()), quirks))
    hota = vars(hota_scores(sum((s.hota for s in sequences), HotaCounts.zero())))
    scores = {"ap": ap.ap, "precision_ap": ap.precision, "recall_ap": ap.recall, **mot, **hota}
    return {name: scores[name] for name in (*METRICS, *HOTA_PARTS)}


def _hota_line(cells: dict[str, str]) -> str:
    titles = zip(("DetA", "AssA", "FragA", "FA-HOTA"), HOTA_PARTS, strict=True)
    return "   ".join(f"{title} {cells[name]}" for title, name in titles)


def mean(values: Floats) -> float:
    """Over the defined values; NaN if there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def part_means(values: Floats) -> list[float]:
    """(15,) joints to the seven of PARTS. A joint that is undefined is left out (poseval prints nan)."""
    return [mean(values[[JOINTS.index(joint) for joint in joints]]) for joints in PARTS.values()]


def _named(values: Floats) -> dict[str, float | None]:
    return {joint: or_none(v) for joint, v in zip(JOINTS, values.tolist(), strict=True)} | {
        "total": or_none(mean(values))
    }
