"""What a run leaves in its folder: checkpoints, whole or not at all, curves, pictures and a log.

last.pt         the state of the run, for --resume and, through posetrack.zoo, for inference
log.jsonl       a line for every few steps and every validation
events...       the same for TensorBoard, and pictures of predictions: tensorboard --logdir FOLDER
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from posetrack.errors import PoseTrackError

CHECKPOINT = "last.pt"


def save(state: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint whole or not at all: the one that was there stays until the new one is on the disk.

    Raises:
        OSError: no space, or no right to write.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, RuntimeError):  # torch's zip writer, closing after an error of the file
            raise (
                error.__context__ if isinstance(error.__context__, OSError) else OSError(str(error))
            ) from None
        raise


def read(path: Path, description: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpoint of a run that was described in the same way.

    Raises:
        PoseTrackError: damaged, no checkpoint of ours, or of another run; the message names the differences.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = json.loads(state["run"])
    except Exception as error:  # a damaged file can fail in any way
        reason = str(error).partition("\n")[0]
        raise PoseTrackError(
            f"{path}: no checkpoint of a training, or damaged ({reason}): choose another --run folder"
        ) from error
    wanted = json.loads(json.dumps(description))  # tuples become lists, as in the file
    if found != wanted:
        differences = [
            f"{key} {found.get(key)} instead of {wanted.get(key)}"
            for key in {**found, **wanted}
            if found.get(key) != wanted.get(key)
        ]
        raise PoseTrackError(
            f"{path} belongs to the recipe {found.get('name')}, with {'; '.join(differences)}: "
            "resume with that one, or choose another --run folder"
        )
    return state


class Record:
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
