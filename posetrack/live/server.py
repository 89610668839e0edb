"""The web page and its sockets: visitors' cameras, the server's own source, joints for other programs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from posetrack.drawing.colours import PALETTE
from posetrack.live import protocol
from posetrack.live.guard import Guard
from posetrack.live.hub import Hub
from posetrack.live.room import Room
from posetrack.live.visitor import Visitor
from posetrack.live.watchers import BOUNDARY, Watcher, mjpeg, send_joints

STATIC = files("posetrack.live") / "static"


def create_app(
    hub: Hub, room: Room | None = None, *, token: str | None = None, secure: bool = False
) -> Guard:
    """The ASGI application.

    Args:
        room: the server's own source, where it has one.
        token: what everybody must know; None answers only to names of this machine.
        secure: whether it is served over TLS.
    """
    page = (STATIC / "index.html").read_text()
    locked = (STATIC / "locked.html").read_text()

    async def index(request: Request) -> Response:
        return Response(page, media_type="text/html")

    async def hello(request: Request) -> Response:
        return JSONResponse(_hello(hub, room))

    async def recording(request: Request) -> Response:
        path = hub.recordings.get(request.path_params["name"])
        if path is None or not path.exists():
            return PlainTextResponse("There is no such recording.\n", 404)
        return FileResponse(path, filename=path.name)

    async def stream(request: Request) -> Response:
        if room is None:
            return PlainTextResponse("This server has no source of its own.\n", 404)
        if hub.clients >= hub.max_clients:
            return PlainTextResponse(f"{hub.full}\n", 503)
        media = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        return StreamingResponse(mjpeg(room, hub), media_type=media)

    async def visit(socket: WebSocket) -> None:
        await _admit(socket, hub, lambda: Visitor(socket, hub).serve())

    async def watch(socket: WebSocket) -> None:
        if room is not None:
            await _admit(socket, hub, lambda: Watcher(socket, room, hub).serve())

    async def joints(socket: WebSocket) -> None:
        if room is not None:
            await _admit(socket, hub, lambda: send_joints(socket, room))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if room is not None:
            room.start()
        yield
        if room is not None:
            await anyio.to_thread.run_sync(room.close)
        await anyio.to_thread.run_sync(hub.rota.close)

    routes = [
        Route("/", index),
        Route("/hello", hello),
        Route("/recordings/{name}", recording),
        Route("/stream.mjpg", stream),
        WebSocketRoute("/visit", visit),
        WebSocketRoute("/watch", watch),
        WebSocketRoute("/joints", joints),
        Mount("/static", StaticFiles(directory=str(STATIC))),
    ]
    return Guard(Starlette(routes=routes, lifespan=lifespan), token, secure, locked)


async def _admit(socket: WebSocket, hub: Hub, serve: Callable[[], Awaitable[None]]) -> None:
    """Serve one client more, or say that there is no place."""
    await socket.accept()
    with hub.place() as free:
        if free:
            await serve()
        else:
            await socket.close(protocol.FULL, hub.full)


def _hello(hub: Hub, room: Room | None) -> dict[str, Any]:
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
        "min_joint_score": hub.min_joint_score,
        "recording": hub.record is not None,
        "source": None if room is None else room.camera.name,
    }
