"""Published weights on this machine: where they lie, and how they get there. Only `fetch` uses the network.

>>> fetch(["hrnet_w48_posetrack18_384x288"])
>>> weights("hrnet_w48_posetrack18_384x288")
PosixPath('/home/me/.cache/posetrack/hrnet_w48_posetrack18_384x288-5fd6d3ff_20211130.pth')
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from posetrack.errors import PoseTrackError
from posetrack.zoo import catalog

if TYPE_CHECKING:
    from http.client import HTTPResponse

Progress = Callable[[str, int, int | None], None]  # (file name, bytes so far, bytes in all if known)

BUNDLED = Path(__file__).parent / "bundled"
TIMEOUT = 30.0  # seconds without a byte
RETRIES = 3  # connections in a row that bring nothing new
PAUSE = 2.0  # seconds before another try; grows with every failure
CHUNK = 1 << 18
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EISDIR)


def home() -> Path:
    """Where fetched weights lie: $POSETRACK_HOME, else the platform's cache folder.

    Raises:
        PoseTrackError: the system knows no home folder, of this user or of the one in $POSETRACK_HOME.
    """
    chosen = os.environ.get("POSETRACK_HOME", "")
    try:
        return Path(chosen).expanduser() if chosen else _cache() / "posetrack"
    except RuntimeError as error:  # pathlib's, for users that the system does not know
        what = f"POSETRACK_HOME is '{chosen[:200]}'" if chosen else "this user has none"
        raise PoseTrackError(
            f"there is no such home folder: {what}; set POSETRACK_HOME to a folder"
        ) from error


def _cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def weights(name: str) -> Path:
    """The file of published weights, which must be here already: this never touches the network.

    Raises:
        PoseTrackError: no such name, or not fetched yet; the message says how to get it.
    """
    entry = catalog.find(name)
    path = home() / entry.file_name
    if not path.is_file():
        raise PoseTrackError(
            f"the weights '{name}' are missing: expected {path}; run `posetrack fetch {name}`, "
            f"or put the file there from {entry.url}"
        )
    return path


def bundled(name: str) -> Path:
    """The file of weights that ship inside the package.

    Raises:
        PoseTrackError: none of that name.
    """
    path = BUNDLED / f"{name.removesuffix('.safetensors')}.safetensors"
    if not path.is_file():
        present = ", ".join(sorted(p.stem for p in BUNDLED.glob("*.safetensors"))) or "nothing"
        raise PoseTrackError(f"no bundled weights '{name}': expected {path}; the package holds {present}")
    return path


def fetch(names: Sequence[str], progress: Progress | None = None) -> list[Path]:
    """Download weights by name and check them; what is here and whole already is left as it is.

    An interrupted download goes on where it stopped, also in a later run.

    Raises:
        PoseTrackError: unknown name, no connection, wrong content, no space. What arrived stays.
    """
    entries = [catalog.find(name) for name in names]  # a wrong name shows before the first byte
    paths = []
    for entry in entries:
        path = home() / entry.file_name
        if not (path.is_file() and _digest(path, entry.digest).startswith(entry.digest)):
            download(entry.url, path, entry.digest, progress)
        paths.append(path)
    return paths


def download(url: str, path: Path, digest: str, progress: Progress | None = None) -> None:
    """Get one file into `path`, which appears only when it is whole.

    Args:
        digest: "sha256:" or "md5:" and the hex digits, or as many leading ones as are known.

    Raises:
        PoseTrackError: as for `fetch`.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        continued = _length(part) > 0
        _receive_all(url, part, path, progress)
        found = _digest(part, digest)
        if continued and not found.startswith(digest):  # the old beginning may be of another file
            part.unlink()
            _receive_all(url, part, path, progress)
            found = _digest(part, digest)
        if not found.startswith(digest):
            part.unlink()
            raise PoseTrackError(
                f"{url}: not the published content ({found[:15]}…, expected {digest[:15]}…), deleted; "
                f"the file at this address may have changed, or a proxy answered in its place"
            )
        part.replace(path)
    except OSError as error:
        reason = "no space left on the disk" if error.errno == errno.ENOSPC else error.strerror
        raise PoseTrackError(
            f"cannot write {part}: {reason}; set POSETRACK_HOME to another folder"
        ) from error


def _receive_all(url: str, part: Path, path: Path, progress: Progress | None) -> None:
    """Connect as often as it takes, as long as every few connections bring something new."""
    from http.client import HTTPException
    from urllib.error import HTTPError

    failures = 0
    while True:
        before = _length(part)
        try:
            _receive(url, part, lambda done, total: progress(path.name, done, total) if progress else None)
            return
        except HTTPError as error:
            if error.code == 416:  # nothing left to send; whether the part is right, its digest tells
                return
            if error.code < 500 and error.code != 429:
                raise PoseTrackError(f"{url}: the server answers {error.code} {error.reason}") from error
            reason = f"the server answers {error.code} {error.reason}"
        except (OSError, HTTPException) as error:  # URLError, ssl.SSLError and timeouts are OSErrors
            if getattr(error, "errno", None) in DISK:
                raise
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        failures = 0 if _length(part) > before else failures + 1
        if failures >= RETRIES:
            onward = f" to go on from byte {_length(part)}" if _length(part) else ""
            raise PoseTrackError(
                f"cannot download {url}: {reason}; run the command again{onward}, "
                f"or put the file at {path} yourself"
            )
        time.sleep(PAUSE * failures)


def _receive(url: str, part: Path, report: Callable[[int, int | None], None]) -> None:
    """One connection: add to the part what is missing, or start it anew if the server cannot."""
    from urllib.request import Request, urlopen

    start = _length(part)
    headers = {"User-Agent": "posetrack"} | ({"Range": f"bytes={start}-"} if start else {})
    response: HTTPResponse
    with urlopen(Request(url, headers=headers), timeout=TIMEOUT) as response:
        ranged = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        done = start if response.status == 206 and ranged else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        if total is not None and total - done > shutil.disk_usage(part.parent).free:
            raise OSError(errno.ENOSPC, "no space")
        with part.open("ab" if done else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                report(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"the connection broke after {done} of {total} bytes")


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _digest(path: Path, like: str) -> str:
    """The file's digest, of the kind of another."""
    kind = like.partition(":")[0]
    with path.open("rb") as file:
        return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"
