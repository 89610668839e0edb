"""What `posetrack export --to` offers: functions (tracks, path, *, skeleton, source) by name."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Protocol

from posetrack.results.coco import export_coco, export_coco_dataset
from posetrack.results.mot import export_mot
from posetrack.results.posetrack import export_posetrack
from posetrack.results.tables import export_csv, export_parquet
from posetrack.skeletons import Skeleton
from posetrack.types import Tracks


class Export(Protocol):
    """Writes a whole video; the file is there complete or not at all."""

    def __call__(
        self,
        tracks: Iterable[Tracks],
        path: str | Path,
        *,
        skeleton: Skeleton,
        source: str = ...,
    ) -> None: ...


EXPORTS: dict[str, Export] = {
    "posetrack18": export_posetrack,
    "posetrack17": partial(export_posetrack, year=2017),
    "coco": export_coco,
    "coco-dataset": export_coco_dataset,
    "mot": export_mot,
    "csv": export_csv,
    "parquet": export_parquet,
}
