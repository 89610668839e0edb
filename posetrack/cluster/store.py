"""Where results and marks stand: a folder that all machines share, or a bucket of S3, GCS and the like.

Both give whole files or none. A folder has locks, which the system lets go of when their holder dies; a
bucket has none, and so may see a task done twice, with one and the same result.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from posetrack.errors import InputError, PoseTrackError
from posetrack.files import locked, replacing
from posetrack.video.buckets import first_line, open_address
from posetrack.video.names import is_address

BOARD = ".posetrack"  # folder of the marks
PIECES = f"{BOARD}/pieces"  # of long videos, until they are joined
_TIMES = ("LastModified", "updated", "last_modified", "mtime")  # as S3, GCS, Azure and others call it


class StoreError(PoseTrackError):
    """The place itself fails: a full disk, no network, no rights. No video is to blame."""


class Folder:
    """A folder of this machine, or one that all share."""

    locks = True

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __str__(self) -> str:
        return str(self.path)

    def read(self, name: str) -> bytes | None:
        """None where there is no such file."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {self.path / name}: {error.strerror}") from error

    def write(self, name: str, data: bytes) -> None:
        try:
            with replacing(self.path / name) as temporary:
                temporary.write_bytes(data)
        except PoseTrackError as error:
            raise StoreError(str(error)) from error

    create = write  # only who holds the task's lock creates its marks

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def names(self, folder: str = "") -> dict[str, float]:
        """The files directly there, and when each was written, in seconds by the clock of the store."""
        with suppress(FileNotFoundError), os.scandir(self.path / folder) as entries:
            return {entry.name: entry.stat().st_mtime for entry in entries if entry.is_file()}
        return {}

    def place(self, file: Path, name: str) -> None:
        """Move a finished result in."""
        try:
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            file.replace(self.path / name)
        except OSError as error:
            raise StoreError(f"cannot write {self.path / name}: {error.strerror}") from error

    @contextmanager
    def claim(self, identity: str, wait: bool = False) -> Iterator[bool]:
        """True inside the block for the one process that holds the task; False where another one does."""
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self._board / "lock" / identity, wait=wait))
            except InputError:
                yield False
                return
            yield True

    def running(self) -> int:
        """How many tasks are held by a process now."""
        held = 0
        for path in (self._board / "lock").glob(".*.lock"):
            with self.claim(path.name[1:-5]) as free:
                held += not free
        return held

    @contextmanager
    def workplace(self, identity: str) -> Iterator[Path]:
        """An empty folder for an attempt at a task that we hold; it and what earlier ones left vanish."""
        folder = self._board / "work" / f"{identity}-{socket.gethostname()}-{os.getpid()}"
        self._clear(identity)
        while not folder.is_dir():
            with suppress(FileNotFoundError):  # somebody took the empty folder around it away
                folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            self._clear(identity)

    def tidy(self) -> None:
        """Take away what killed processes left behind, and empty folders."""
        self.running()
        left = {path.name.split("-")[0] for path in (self._board / "work").glob("*-*")}
        left |= {path.name[1:].split(".")[0] for path in self._board.glob("*/.*.part")}
        for identity in left:
            with self.claim(identity) as mine:
                if mine:
                    self._clear(identity)
        for empty in ("lock", "work", "pieces", "."):
            with suppress(OSError):
                (self._board / empty).rmdir()

    @property
    def _board(self) -> Path:
        return self.path / BOARD

    def _clear(self, identity: str) -> None:
        for stale in (self._board / "work").glob(f"{identity}-*"):
            shutil.rmtree(stale, ignore_errors=True)
        for part in self._board.glob(f"*/.{identity}.*.part"):
            part.unlink(missing_ok=True)


class Bucket:
    """A place that fsspec knows: s3://bucket/folder, gs://... Results are made in this machine's TMPDIR."""

    locks = False

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._files, self._root = open_address(self.url)
        mark = hashlib.sha256(f"{self.url} {Path.home()}".encode()).hexdigest()[:8]
        self._scratch = Folder(Path(tempfile.gettempdir(), f"posetrack-{mark}"))
        self.running, self.workplace, self.claim = (
            self._scratch.running, self._scratch.workplace, self._scratch.claim
        )  # fmt: skip

    def __str__(self) -> str:
        return self.url

    def read(self, name: str) -> bytes | None:
        with self._told("read"), suppress(FileNotFoundError):
            return bytes(self._files.cat_file(self._at(name)))
        return None

    def write(self, name: str, data: bytes) -> None:
        with self._told("write"):
            self._files.pipe_file(self._at(name), data)

    def create(self, name: str, data: bytes) -> None:
        """Write where there is nothing yet; what another process wrote stays."""
        with self._told("write"), suppress(FileExistsError):
            self._files.pipe_file(self._at(name), data, mode="create")

    def remove(self, name: str) -> None:
        with self._told("write"), suppress(FileNotFoundError):
            self._files.rm_file(self._at(name))

    def names(self, folder: str = "") -> dict[str, float]:
        with self._told("read"), suppress(FileNotFoundError):
            found = self._files.ls(self._at(folder), detail=True)
            files = (entry for entry in found if entry["type"] == "file")
            return {entry["name"].rsplit("/", 1)[-1]: _written(entry) for entry in files}
        return {}

    def place(self, file: Path, name: str) -> None:
        with self._told("write"):
            self._files.put_file(str(file), self._at(name))

    def tidy(self) -> None:
        self._scratch.tidy()
        with suppress(OSError):
            self._scratch.path.rmdir()

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/")

    @contextmanager
    def _told(self, verb: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each kind of store has its own
            raise StoreError(
                f"cannot {verb} {self.url}: {first_line(error)}; check address, rights and credentials"
            ) from error


Store = Folder | Bucket


def open_store(out: str) -> Store:
    """Where `out` is. Raises PoseTrackError where nothing knows such an address."""
    return Bucket(out) if is_address(out) else Folder(out)


def _written(entry: dict[str, Any]) -> float:
    when = next((entry[name] for name in _TIMES if entry.get(name)), 0.0)
    return float(when.timestamp() if hasattr(when, "timestamp") else when)
