"""Who looks at the server's own source: the page, programs that want joints, MJPEG for everything else."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import AsyncIterator
from typing import Any

import anyio.to_thread
from starlette.websockets import WebSocket, WebSocketDisconnect

from posetrack.errors import PoseTrackError
from posetrack.live import protocol
from posetrack.live.hub import Hub
from posetrack.live.room import Room

PATIENCE = 0.5  # seconds without a new frame after which watchers hear of the source's state
_LENGTH = struct.Struct("<I")
BOUNDARY = "posetrackframe"


class Watcher:
    """The page of somebody who watches: bare pictures with their joints, which the page draws itself.

    Down: binary, the length of the JSON (4 bytes, little-endian), the JSON, the JPEG; or JSON text.
    Up: `{"type": "ready", "at": ms}` gives credit for one picture more; "record" as in `Visitor`.
    """

    def __init__(self, socket: WebSocket, room: Room, hub: Hub) -> None:
        self._socket, self._room, self._hub = socket, room, hub
        self._credit = asyncio.Semaphore(0)
        self._echo: tuple[float, float] | None = None  # the sender's moment, and when it came
        self._outstanding = 0

    async def serve(self) -> None:
        sender = asyncio.create_task(self._send_all())
        try:
            await self._listen()
        except WebSocketDisconnect:
            pass
        finally:
            sender.cancel()

    async def _listen(self) -> None:
        while True:
            try:
                words = json.loads(await self._socket.receive_text())
                kind, at = words["type"], float(words.get("at", 0))
            except (ValueError, KeyError, TypeError):
                return await self._socket.close(protocol.OVERRUN, "a message that is not understood")
            if kind == "ready":
                if self._outstanding >= protocol.CREDIT:
                    return await self._socket.close(protocol.OVERRUN, "more credit than is allowed")
                self._echo = (at, time.monotonic())
                self._outstanding += 1
                self._credit.release()
            elif kind == "record" and self._room.recorder is not None:
                await self._record(bool(words.get("on")))

    async def _record(self, on: bool) -> None:
        recorder = self._room.recorder
        assert recorder is not None
        files: list[dict[str, Any]] = []
        try:
            if on:
                recorder.start(self._hub.system(self._hub.preset))
            else:
                files = protocol.files_message(await anyio.to_thread.run_sync(recorder.stop))
        except PoseTrackError as error:
            await self._say({"type": "recording", "on": False, "why": str(error), "files": []})
            return
        await self._say({"type": "recording", "on": on, "files": files})

    async def _send_all(self) -> None:
        number = 0
        while True:
            await self._credit.acquire()
            moment = None
            while moment is None:
                number, moment = await self._room.after(number, PATIENCE)
                if moment is None:
                    await self._say({"type": "state", **state_of(self._room)})
            jpeg = await anyio.to_thread.run_sync(moment.jpeg)
            head = json.dumps(
                protocol.tracks_message(moment.tracks, age=round(moment.age, 1), **self._ping())
            ).encode()
            self._outstanding -= 1
            await self._socket.send_bytes(_LENGTH.pack(len(head)) + head + jpeg)

    def _ping(self) -> dict[str, float]:
        """What the page needs to know the way: its own moment, and how long that lay here."""
        if self._echo is None:
            return {}
        at, came = self._echo
        return {"at": at, "held": round(1000 * (time.monotonic() - came), 1)}

    async def _say(self, message: dict[str, Any]) -> None:
        await self._socket.send_text(json.dumps(message))


def state_of(room: Room) -> dict[str, Any]:
    camera = room.camera
    return {
        "source": camera.name,
        "state": "ended" if room.over else camera.state,
        "tries": camera.tries,
        "why": str(room.error or "") or "; ".join(camera.warnings),
    }


async def send_joints(socket: WebSocket, room: Room) -> None:
    """A line of tracks.jsonl for every frame that the subscriber is quick enough for."""
    number = 0
    listening = asyncio.create_task(_until_gone(socket))
    try:
        while not listening.done() and not room.over:
            number, moment = await room.after(number, PATIENCE)
            if moment is not None:
                await socket.send_text(json.dumps(protocol.tracks_message(moment.tracks)))
        if room.over:
            await socket.close(1000, "the source has ended")
    except WebSocketDisconnect:
        pass
    finally:
        listening.cancel()


async def _until_gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def mjpeg(room: Room, hub: Hub) -> AsyncIterator[bytes]:
    """The annotated pictures as multipart/x-mixed-replace; takes a client's place."""
    number = 0
    with hub.place():
        while not room.over:
            number, moment = await room.after(number, PATIENCE)
            if moment is not None:
                data = await anyio.to_thread.run_sync(moment.annotated)
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                yield head.encode() + data + b"\r\n"
