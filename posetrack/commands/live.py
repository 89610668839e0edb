"""`posetrack live`: a camera, a stream or the browser's own camera, tracked as it happens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from posetrack.errors import PoseTrackError


def live(
    source: Annotated[str | None, "camera number or name, stream address or file; default: camera 0"] = None,
    *,
    serve: Annotated[bool, "a web page: visitors' own cameras and, where given, the source"] = False,
    host: Annotated[str, "address to listen on; others than this machine need the token then"] = "127.0.0.1",
    port: Annotated[int, "port of the page"] = 8000,
    token: Annotated[str | None, "access token; default: none on this machine, else a new one"] = None,
    tls_cert: Annotated[Path | None, "certificate (PEM), for https"] = None,
    tls_key: Annotated[Path | None, "its key (PEM)"] = None,
    max_clients: Annotated[int, "visitors at once"] = 8,
    preset: Annotated[str, "settings and models: light, realtime or paper"] = "light",
    device: Annotated[str, "auto, cpu, cuda or cuda:N"] = "auto",
    detect_every: Annotated[str, "frames from one detection to the next, or auto: as time allows"] = "auto",
) -> int:
    """Track people as it happens: a window, or a web page with --serve."""
    from posetrack.live.hub import Hub
    from posetrack.live.serve import Address
    from posetrack.live.serve import serve as serve_page
    from posetrack.presets import load

    address = Address(host, port, token, tls_cert, tls_key)
    hub = Hub(
        lambda name: load(name, device),
        preset,
        [preset] if preset == "light" else [preset, "light"],
        _every(detect_every),
        max_clients,
    )
    serve_page(hub, address)
    return 0


def _every(words: str) -> int | None:
    if words == "auto":
        return None
    if words.isdecimal() and int(words) >= 1:
        return int(words)
    raise PoseTrackError(f"--detect-every {words}: give a number from 1 up, or auto")
