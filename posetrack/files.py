"""Files that are there whole or not at all, and that one run at a time writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from posetrack.errors import InputError, PoseTrackError

_LONGEST = 255  # bytes of a name that file systems take


def refuse_existing(*paths: Path | None, overwrite: bool) -> None:
    """Raises InputError for the first path that is there already, unless it may be overwritten.

    Devices and pipes never may.
    """
    for path in paths:
        if path is None or not path.exists():
            continue
        if not path.is_file() and not path.is_dir():
            raise InputError(
                f"{path} is a device or a pipe: name a file, which is put there when it is whole"
            )
        if not overwrite:
            raise InputError(f"{path} exists already: use --overwrite to replace it, or another name")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, else vanishes.

    What a link points to is replaced, not the link.
    """
    path = Path(path)
    refuse_existing(path, overwrite=True)
    target = Path(os.path.realpath(path))
    temporary = beside(target, f".{os.getpid()}-{os.urandom(4).hex()}.part")  # containers share process ids
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(target)
    except OSError as error:
        raise PoseTrackError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def locked(path: str | Path, *, wait: bool = False) -> Iterator[None]:
    """Nobody else who asks for it may write `path` in this block; a run that is killed lets go of it.

    The lock is the system's, on a hidden file beside `path` that is there only while it is held. Where the
    file system knows no locks, nothing is locked.

    Raises:
        InputError: somebody else has it, unless we `wait` for that one to end.
        PoseTrackError: the folder cannot be written.
    """
    path = Path(path)
    name = beside(path, ".lock")
    try:
        file = _lock(name, wait)
    except BlockingIOError:
        raise InputError(
            f"another run is writing {path}: wait for it, or choose another folder by --out"
        ) from None
    except OSError as error:
        raise PoseTrackError(f"cannot write {path}: {error.strerror}; choose another folder") from error
    try:
        yield
    finally:
        with suppress(OSError):
            name.unlink()  # while it is ours: `_lock` looks whether its file is still there
        os.close(file)


def beside(path: Path, ending: str) -> Path:
    """A hidden name in the same folder, short enough for any file system."""
    room = _LONGEST - len(ending.encode()) - 1
    kept = os.fsdecode(os.fsencode(path.name)[:room])
    return path.with_name(f".{kept}{ending}")


def _lock(name: Path, wait: bool) -> int:
    """The open file of a lock that is ours. Raises BlockingIOError where it is somebody else's."""
    try:
        import fcntl
    except ImportError:  # Windows lets one run at a time write a file, anyway
        name.parent.mkdir(parents=True, exist_ok=True)
        return os.open(name, os.O_CREAT | os.O_WRONLY)
    while True:
        name.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666)
        except FileNotFoundError:
            continue  # somebody took the empty folder away
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(file)
            raise
        except OSError:
            return file
        try:
            if os.path.samestat(os.fstat(file), os.stat(name)):
                return file
        except FileNotFoundError:
            pass
        os.close(file)  # whoever had it removed it meanwhile: try the new one
