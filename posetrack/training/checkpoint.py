"""The state of a run in a file, last.pt: for --resume and, through posetrack.zoo, for inference."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

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
