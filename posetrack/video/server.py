"""Does a web server send parts of files? FFmpeg needs that for most containers, and does not tell."""

from __future__ import annotations

import urllib.error
import urllib.request

_TIMEOUT = 5.0  # seconds


def serves_ranges(url: str) -> bool:
    """False where a web server answers a request for one byte with all of them; True where nobody knows."""
    if not url.lower().startswith(("http://", "https://")):
        return True
    try:
        request = urllib.request.Request(url, headers={"Range": "bytes=0-0"})
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            return bool(answer.status != 200)
    except (OSError, ValueError, urllib.error.URLError):
        return True
