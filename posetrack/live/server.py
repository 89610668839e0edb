"""The web page and its sockets: visitors' cameras, the server's own source, joints for other programs."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from posetrack.drawing.strokes import PALETTE
from posetrack.live import protocol
from posetrack.live.guard import Guard
from posetrack.live.hub import Hub
from posetrack.live.visitor import Visitor
from posetrack.presets import joint_score_of

STATIC = files("posetrack.live") / "static"


def create_app(hub: Hub, *, token: str | None = None, secure: bool = False) -> Guard:
    """The ASGI application.

    Args:
        token: what everybody must know; None answers only to names of this machine.
        secure: whether it is served over TLS.
    """
    page = (STATIC / "index.html").read_text()
    locked = (STATIC / "locked.html").read_text()

    async def index(request: Request) -> Response:
        return Response(page, media_type="text/html")

    async def hello(request: Request) -> Response:
        return JSONResponse(_hello(hub))

    async def visit(socket: WebSocket) -> None:
        await socket.accept()
        with hub.place() as free:
            if free:
                await Visitor(socket, hub).serve()
            else:
                await socket.close(protocol.FULL, f"all {hub.max_clients} places are taken")

    routes = [
        Route("/", index),
        Route("/hello", hello),
        WebSocketRoute("/visit", visit),
        Mount("/static", StaticFiles(directory=str(STATIC))),
    ]
    return Guard(Starlette(routes=routes), token, secure, locked)


def _hello(hub: Hub) -> dict[str, Any]:
    """What the page must know before it begins."""
    skeleton = hub.skeleton
    return {
        "credit": protocol.CREDIT,
        "max_pixels": protocol.MAX_PIXELS,
        "skeleton": {
            "keypoints": list(skeleton.keypoints),
            "edges": [list(edge) for edge in skeleton.edges],
            "sides": list(skeleton.sides()),
        },
        "palette": [list(colour) for colour in PALETTE],
        "preset": hub.preset,
        "presets": list(hub.presets),
        "min_joint_score": joint_score_of(hub.preset),
        "recording": hub.record is not None,
        "sources": [],
    }
