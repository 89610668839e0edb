"""A visitor's own camera: pictures come up the WebSocket, tracks go down, two pictures on the way at most."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from contextlib import suppress
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from posetrack.errors import PoseTrackError
from posetrack.live import protocol
from posetrack.live.hub import Hub
from posetrack.live.protocol import BadPictureError
from posetrack.live.session import Session
from posetrack.types import Tracks

IDLE = 30.0  # seconds without a word after which a visitor makes room
_MOST_ANSWERS = 16  # that may wait for a receiver who does not read


class Visitor:
    """One connection, from its acceptance to its end."""

    def __init__(self, socket: WebSocket, hub: Hub) -> None:
        self._socket, self._hub = socket, hub
        self._session: tuple[str, Session] | None = None  # of a preset
        self._preset = hub.preset
        self._recorder = hub.recorder("browser")
        self._on_the_way = 0
        self._answers: set[asyncio.Task[None]] = set()
        self._pictures: asyncio.Queue[bytes] = asyncio.Queue()
        self._start = time.monotonic()

    async def serve(self) -> None:
        """Talk until either end has enough."""
        worker = asyncio.create_task(self._work())
        try:
            await self._listen()
        except WebSocketDisconnect:
            pass
        finally:
            worker.cancel()
            for answer in self._answers:
                answer.cancel()
            self._hub.rota.forget(self)
            if self._recorder:
                await anyio.to_thread.run_sync(self._recorder.stop)

    async def _listen(self) -> None:
        while True:
            try:
                message = await asyncio.wait_for(self._socket.receive(), IDLE)
            except TimeoutError:
                return await self._end(1001, "no picture for half a minute")
            if message["type"] == "websocket.disconnect":
                return None
            if (picture := message.get("bytes")) is not None:
                self._on_the_way += 1
                if self._on_the_way > protocol.CREDIT or len(self._answers) > _MOST_ANSWERS:
                    return await self._end(protocol.OVERRUN, "more pictures than there is credit for")
                self._pictures.put_nowait(picture)
            elif not await self._command(message.get("text") or ""):
                return await self._end(protocol.OVERRUN, "a message that is not understood")

    async def _command(self, text: str) -> bool:
        """Do what a text message asks for; False where it makes no sense."""
        try:
            words = json.loads(text)
            kind = words["type"]
            if kind == "settings" and words["preset"] in self._hub.presets:
                self._preset = words["preset"]
                return True
            if kind == "record":
                self._keep(asyncio.create_task(self._record(bool(words["on"]))))
                return True
        except (ValueError, KeyError, TypeError):
            return False
        return False

    async def _record(self, on: bool) -> None:
        message: dict[str, Any] = {"type": "recording", "on": False, "files": []}
        if self._recorder is None:
            message["why"] = "this server keeps no recordings"
        elif on:
            try:
                system = await asyncio.wrap_future(
                    self._hub.rota.submit(self, lambda: self._hub.system(self._preset))
                )
                self._recorder.start(system)
                message["on"] = True
            except PoseTrackError as error:
                message["why"] = str(error)
        else:
            message["files"] = protocol.files_message(await anyio.to_thread.run_sync(self._recorder.stop))
            if self._recorder.warnings:
                message["why"] = self._recorder.warnings.pop()
        await self._send(message, credit=False)

    async def _work(self) -> None:
        """Decode in order; the picture after is decoded while the networks look at this one."""
        while True:
            message = await self._pictures.get()
            arrived = time.monotonic()
            number = -1
            try:
                number, moment, data = protocol.unpack(message)
                image = await anyio.to_thread.run_sync(protocol.decode_jpeg, data)
            except BadPictureError as error:
                self._say({"type": "bad", "number": number, "why": str(error)}, credit=True)
                continue
            job = self._hub.rota.submit(self, partial(self._look, image, arrived))
            answer = asyncio.create_task(self._answer(number, moment, arrived, asyncio.wrap_future(job)))
            self._keep(answer)

    def _look(self, image: protocol.Image, arrived: float) -> tuple[Tracks, float, float]:
        """In the networks' thread: the tracks, and when work on them began and ended."""
        began = time.monotonic()
        preset = self._preset
        before, self._session = self._session, None  # after an error the next picture begins anew
        if before is None or before[0] != preset:
            before = preset, Session(self._hub.system(preset), self._hub.detect_every)
        frame, tracks = before[1].step(image, arrived - self._start)
        self._session = before
        if self._recorder:
            self._recorder.write(frame, tracks)
        return tracks, began, time.monotonic()

    async def _answer(
        self,
        number: int,
        moment: float,
        arrived: float,
        job: asyncio.Future[tuple[Tracks, float, float]],
    ) -> None:
        try:
            tracks, began, ended = await job
        except Exception as error:
            known = isinstance(error, PoseTrackError)
            if not known:
                traceback.print_exception(error)
            why = str(error) if known else "the server failed on this picture; its terminal says why"
            await self._send({"type": "bad", "number": number, "why": why}, credit=True)
            return
        waited, took = 1000 * (began - arrived), 1000 * (ended - began)
        message = protocol.tracks_message(
            tracks, number=number, moment=moment, waited=round(waited, 1), took=round(took, 1)
        )
        await self._send(message, credit=True)

    def _say(self, message: dict[str, Any], *, credit: bool = False) -> None:
        self._keep(asyncio.create_task(self._send(message, credit=credit)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _send(self, message: dict[str, Any], *, credit: bool) -> None:
        if credit:
            self._on_the_way -= 1
        if self._socket.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect):  # gone meanwhile: the loop that receives sees it, too
                await self._socket.send_text(json.dumps(message, separators=(",", ":")))

    async def _end(self, code: int, why: str) -> None:
        await self._socket.close(code, why)
