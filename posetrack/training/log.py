"""What a run tells while it goes on: log.jsonl, a line for every few steps and every validation.

The same is in curves for TensorBoard, with pictures of predictions: tensorboard --logdir FOLDER.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class RunLog:
    """The log and the curves of a run, written by the first process alone."""

    def __init__(self, folder: Path, step: int = 0) -> None:
        """`step`: where the run goes on; what was logged beyond it will be done again."""
        from torch.utils.tensorboard import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "log.jsonl"
        if self._log.exists():
            lines = [line for line in self._log.read_text().splitlines() if _step(line) <= step]
            self._log.write_text("".join(line + "\n" for line in lines))
        self._curves = SummaryWriter(str(folder), purge_step=step + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        line = json.dumps({"step": step, "time": round(time.time(), 1), **values})
        print(line, flush=True)
        with self._without_room():
            with self._log.open("a") as log:
                log.write(line + "\n")
            for name, value in values.items():
                self._curves.add_scalar(name, value, step)

    def show(self, step: int, name: str, picture: NDArray[np.uint8]) -> None:
        """A picture (H, W, 3) RGB in TensorBoard."""
        with self._without_room():
            self._curves.add_image(name, picture, step, dataformats="HWC")
            self._curves.flush()

    def close(self) -> None:
        with self._without_room():
            self._curves.close()

    @contextmanager
    def _without_room(self) -> Iterator[None]:
        """A full disk costs curves, never the run."""
        try:
            yield
        except OSError as error:
            print(f"{self._log.parent}: no more curves ({error.strerror or error})", flush=True)


def _step(line: str) -> float:
    """Of a line of the log; infinite for one that was cut off."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
