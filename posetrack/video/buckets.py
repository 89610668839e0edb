"""Videos in S3, GCS and the like: FFmpeg reads them by byte ranges through an address that fsspec signs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from posetrack.errors import InputError, PoseTrackError

_SCHEMES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"}
_SIGNED = 7 * 24 * 3600  # seconds that an address serves; S3 gives no longer


def in_bucket(text: str) -> bool:
    return text.partition("://")[0].lower() in _SCHEMES


def open_address(url: str) -> tuple[Any, str]:
    """fsspec's file system for an address, and the path in it.

    Raises:
        PoseTrackError: fsspec, or its part for this kind of store, is not installed.
    """
    try:
        from fsspec.core import url_to_fs

        files, path = url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise PoseTrackError(
            f"{url}: {first_line(error)}; s3:// needs pip install 'posetrack[cluster]', "
            "others their fsspec package"
        ) from error
    return files, str(path)


def signed(url: str) -> str:
    """An https address under which anybody can read the object for a week.

    Raises:
        InputError: this kind of store, or these credentials, cannot sign.
    """
    files, path = open_address(url)
    try:
        return str(files.sign(path, expiration=_SIGNED))
    except Exception as error:  # each kind of store has its own
        raise InputError(f"cannot read {url}: {first_line(error)}; check the credentials") from error


def objects(url: str) -> list[tuple[str, int, str]]:
    """Address, bytes and ETag of an object, or of all that a glob matches.

    Raises:
        InputError: there is none, or no right to look.
    """
    files, path = open_address(url)
    scheme = urlsplit(url).scheme
    try:
        found = files.glob(path, detail=True) if "*" in path else {path: files.info(path)}
    except Exception as error:
        raise InputError(f"cannot read {url}: {first_line(error)}; check address and credentials") from error
    if not found:
        raise InputError(f"nothing matches {url}; check the address")
    return [
        (f"{scheme}://{name}", int(entry["size"]), str(entry.get("ETag") or entry.get("etag") or ""))
        for name, entry in sorted(found.items())
        if entry["type"] == "file"
    ]


def first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
