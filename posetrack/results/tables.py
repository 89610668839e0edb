"""Tracks as one flat table, a row for each person of each frame: CSV and Parquet.

Columns: frame, time (seconds), id, score, propagated, x1, y1, x2, y2 (the box, pixels), then for each joint
NAME_x, NAME_y (pixels) and NAME_score. A joint without position has an empty x and y and score 0. Frames
without people have no row.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from posetrack.files import replacing
from posetrack.results.numbers import decimals, placed
from posetrack.skeletons import Skeleton
from posetrack.types import Tracks

_PERSON = ("frame", "time", "id", "score", "propagated", "x1", "y1", "x2", "y2")
_ROWS_AT_ONCE = 20_000


def columns(skeleton: Skeleton) -> list[str]:
    """The names of the columns."""
    return [*_PERSON, *(f"{joint}_{part}" for joint in skeleton.keypoints for part in ("x", "y", "score"))]


def rows(tracks: Iterable[Tracks]) -> Iterator[list[Any]]:
    """The rows of the table; None is an empty cell."""
    for t in tracks:
        scores = t.poses.keypoint_scores
        there = placed(t.poses.keypoints, scores)
        triples = np.concatenate([t.poses.keypoints, np.where(there, scores, 0)[..., None]], axis=2)
        joints = decimals(triples).reshape(triples.shape).astype(object)
        joints[..., :2][~there] = None
        numbers = decimals(np.column_stack([t.poses.scores, t.poses.boxes])).reshape(len(t), 5).tolist()
        for n, (score, *box) in enumerate(numbers):
            person = [t.index, t.time, int(t.ids[n]), score, bool(t.propagated[n]), *box]
            yield [*person, *joints[n].ravel().tolist()]


def export_csv(
    tracks: Iterable[Tracks],
    path: str | Path,
    *,
    skeleton: Skeleton,
    source: str = "",
) -> None:
    """Write the table as CSV: a header line, commas, empty cells where there is no joint."""
    with replacing(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns(skeleton))
        for row in rows(tracks):
            row[4] = int(row[4])
            writer.writerow(row)


def export_parquet(
    tracks: Iterable[Tracks],
    path: str | Path,
    *,
    skeleton: Skeleton,
    source: str = "",
) -> None:
    """Write the table as Parquet, in pieces, so that memory stays flat; metadata: skeleton and source."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"frame": pa.int64(), "time": pa.float64(), "id": pa.int64(), "propagated": pa.bool_()}
    about = {
        "source": source,
        "skeleton": json.dumps(
            {"name": skeleton.name, "keypoints": skeleton.keypoints, "edges": skeleton.edges}
        ),
    }
    schema = pa.schema([(name, kinds.get(name, pa.float32())) for name in columns(skeleton)], metadata=about)
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        waiting: list[list[Any]] = []
        for row in rows(tracks):
            waiting.append(row)
            if len(waiting) == _ROWS_AT_ONCE:
                writer.write_table(_table(pa, waiting, schema))
                waiting = []
        if waiting:
            writer.write_table(_table(pa, waiting, schema))


def _table(pa: Any, waiting: list[list[Any]], schema: Any) -> Any:
    cells = zip(*waiting, strict=True)
    return pa.table(
        [pa.array(column, kind.type) for column, kind in zip(cells, schema, strict=True)], schema=schema
    )
