"""Table 5 of Simple Baselines on PoseTrack itself: propagation x similarity x memory x matching.

    python -m scripts.table5 --root posetrack18 --settings letter
    python -m scripts.table5 --root posetrack17 --boxes detections.json --json table5.json

Detector, pose network and flow of a preset run once over every sequence; all trackers follow in step, and
only the boxes that each of them carries by flow are looked at again. Scores are those of `posetrack eval`.
`--settings letter` is the paper and nothing else: see `PAPER_LETTER`. (docs/association.md has the same on
simulated detections.)
"""

from __future__ import annotations

import json as json_module
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from posetrack.commands import options
from posetrack.commands.submit import box_source
from posetrack.datasets.posetrack import PoseTrackSequence, posetrack_sequences, split_folders
from posetrack.errors import PoseTrackError
from posetrack.evaluation import evaluate_posetrack
from posetrack.files import refuse_existing, replacing
from posetrack.pipeline import PoseTracker, hide_outside_frame
from posetrack.presets import create_flow, find
from posetrack.progress import progress
from posetrack.sinks import PredictionSink
from posetrack.types import Frame, Tracks
from posetrack.video import prefetch
from scripts.cli import run
from scripts.markdown import table
from trackers.base import Motion
from trackers.flow_tracker import PAPER_LETTER, Between, FlowTracker, FlowTrackerSettings

MEMORIES = (1, 2, 4, 8)  # L_Q
SCORES = ("ap", "mota", "motp", "idf1", "hota")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    propagation: bool
    similarity: str
    memory: int
    matching: str
    settings: FlowTrackerSettings

    @property
    def name(self) -> str:
        """Of its folder of predictions."""
        return f"{'flow' if self.propagation else 'none'}_{self.similarity}_{self.memory}_{self.matching}"


def rows(settings: FlowTrackerSettings, memories: Iterable[int] = MEMORIES) -> list[Row]:
    """Every combination. Without flow in the similarity one frame is remembered, as in the paper."""
    kinds: list[tuple[Literal["iou", "oks", "flow_oks"], int]] = [("iou", 1), ("oks", 1)]
    kinds += [("flow_oks", memory) for memory in memories]
    matchings: tuple[Literal["greedy", "hungarian"], ...] = ("greedy", "hungarian")
    return [
        Row(
            propagate,
            similarity,
            memory,
            matching,
            replace(
                settings,
                propagate=propagate,
                similarity=similarity,
                memory_frames=memory,
                matching=matching,
                direct_flow=settings.direct_flow and similarity == "flow_oks" and memory > 1,
            ),
        )
        for propagate in (False, True)
        for similarity, memory in kinds
        for matching in matchings
    ]


def main(
    *,
    root: Annotated[Path, "folder of PoseTrack 2017, 2018 or 2021 as distributed"],
    split: Annotated[str, "of it"] = "val",
    preset: options.PresetName = "paper",
    settings: Annotated[
        Literal["preset", "letter"], "the preset's thresholds, or the paper's words alone"
    ] = "preset",
    device: options.Device = "auto",
    boxes: Annotated[Path | None, "detections to use instead of the detector: COCO results JSON"] = None,
    weights: options.Weights = None,
    flow: options.Flow = None,
    flow_scale: options.FlowScale = None,
    sequences: Annotated[int | None, "how many sequences, spread over all; default: all"] = None,
    json: Annotated[Path | None, "write all numbers to this file"] = None,
    overwrite: options.Overwrite = False,
) -> int:
    """Table 5 of Simple Baselines on a PoseTrack folder."""
    refuse_existing(json, overwrite=overwrite)
    annotations, images = split_folders(root, split)
    chosen = _spread(posetrack_sequences(annotations, images), sequences)
    system = options.load_tracker(
        preset, device, weights=weights, flow=flow, flow_scale=flow_scale, boxes=boxes
    )
    base = PAPER_LETTER if settings == "letter" else find(preset).tracker
    lines = rows(base)
    between = _between(flow or find(preset).flow, device, flow_scale) if base.direct_flow else None
    trackers = {row.name: FlowTracker(row.settings, between) for row in lines}
    with_boxes = (lambda sequence: system) if boxes is None else box_source(system, boxes)
    with tempfile.TemporaryDirectory(prefix="posetrack-") as place:
        folder = Path(place)
        (folder / "gt").mkdir()
        for number, sequence in enumerate(chosen, 1):
            shutil.copy(sequence.annotation, folder / "gt")
            track_all(
                with_boxes(sequence), trackers, sequence, folder, f"{number}/{len(chosen)} {sequence.name}"
            )
        reports = {name: evaluate_posetrack(folder / "gt", folder / name) for name in trackers}
    scores = {name: {score: report.totals[score] for score in SCORES} for name, report in reports.items()}
    print(table_of(lines, scores))
    if json is not None:
        facts = {
            "root": str(root),
            "split": split,
            "preset": preset,
            "settings": settings,
            "sequences": len(chosen),
        }
        with replacing(json) as temporary:
            temporary.write_text(json_module.dumps({**facts, "rows": scores}, indent=1) + "\n")
    return options.DONE


def follow_all(
    system: PoseTracker, trackers: Mapping[str, FlowTracker], frames: Iterable[Frame]
) -> Iterator[tuple[Frame, dict[str, Tracks]]]:
    """Every frame with what each tracker makes of the same motion, detections and poses."""
    system.flow.reset()
    for tracker in trackers.values():
        tracker.reset()
    for frame in frames:
        (motion,) = system.flow([frame.image])
        (seen,) = system.detector([frame])
        (poses,) = system.estimator([frame], [seen])
        again = partial(system.estimator.estimate_frame, frame)
        found = {name: t.update(frame, motion, seen, poses, again) for name, t in trackers.items()}
        if system.hide_outside_frame:
            found = {name: hide_outside_frame(tracks) for name, tracks in found.items()}
        yield frame, found


def track_all(
    system: PoseTracker,
    trackers: Mapping[str, FlowTracker],
    sequence: PoseTrackSequence,
    folder: Path,
    title: str,
) -> None:
    """A prediction file of one sequence in a folder for each tracker."""
    with ExitStack() as stack:
        sinks = {
            name: stack.enter_context(
                PredictionSink(folder / name / f"{sequence.name}.json", sequence.annotation, system)
            )
            for name in trackers
        }
        report = stack.enter_context(progress(title, len(sequence)))
        for frame, found in follow_all(system, trackers, prefetch(sequence.frames(), 8)):
            for name, tracks in found.items():
                sinks[name].write(frame, tracks)
            report(frame.index + 1, max(map(len, found.values())))


def table_of(lines: Iterable[Row], scores: Mapping[str, Mapping[str, float]]) -> str:
    """Markdown, in percent."""
    cells: list[list[Any]] = []
    for row in lines:
        kind = {"iou": "box IoU", "oks": "OKS", "flow_oks": "flow OKS"}[row.similarity]
        direct = " (direct)" if row.settings.direct_flow else ""
        values = [scores[row.name][score] for score in SCORES]
        cells.append(["yes" if row.propagation else "no", kind + direct, row.memory, row.matching, *values])
    head = "joint propagation | similarity | L_Q: | matching | mAP: | MOTA: | MOTP: | IDF1: | HOTA:"
    return table(head, cells)


def _between(name: str, device: str, scale: float | None) -> Between:
    """Flow from any picture to any other, by an instance of its own: the system's keeps its last frame."""
    from posetrack.runtime.device import find_device

    flow = create_flow(name, find_device(device), scale)

    def between(old: NDArray[np.uint8], new: NDArray[np.uint8]) -> Motion:
        flow.reset()
        return flow([old, new])[1]

    return between


def _spread(sequences: list[PoseTrackSequence], count: int | None) -> list[PoseTrackSequence]:
    if count is None or count >= len(sequences):
        return sequences
    if count < 1:
        raise PoseTrackError(f"--sequences {count}: give 1 or more")
    return [sequences[i] for i in np.linspace(0, len(sequences) - 1, count).round().astype(int)]


if __name__ == "__main__":
    sys.exit(run("table5", __doc__, {"table5": main}))
