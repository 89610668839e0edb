"""Visitors without a browser, for scripts/benchmark_live.py: PORT COUNT PICTURES.npz SECONDS.

They keep to the page's rules (posetrack/live/static/visit.js, pace.js). Prints, for each, a list of when an
answer came and how many ms after its picture was taken.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import numpy as np
from websockets.asyncio.client import connect

from posetrack.live.protocol import CREDIT, HEADER

RATE = 30.0  # pictures per second of each camera


async def visitor(port: int, pictures: list[bytes], seconds: float) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    start = time.monotonic()
    interval, credit, last = 0.0, CREDIT, -1.0

    async def listen() -> None:
        nonlocal interval, credit
        async for words in socket:
            credit += 1
            answer, now = json.loads(words), time.monotonic() - start
            points.append((now, 1000 * now - answer["moment"]))
            waited, took = answer["waited"], answer["took"]
            spare = max(6.0, 0.25 * took)
            slower = min(interval + 0.15 * (waited - spare), took + waited)
            interval = max(interval, slower) if waited > spare else 0.9 * interval

    url = f"ws://127.0.0.1:{port}/visit"
    async with connect(url, origin=f"http://127.0.0.1:{port}", compression=None) as socket:  # type: ignore[arg-type]
        listening = asyncio.create_task(listen())
        number = 0
        while (now := time.monotonic() - start) < seconds:
            if credit and now - last >= interval / 1000:
                credit, last = credit - 1, now
                picture = pictures[int(now * RATE) % len(pictures)]
                await socket.send(HEADER.pack(number, 1000 * now) + picture)
                number += 1
            await asyncio.sleep(1 / RATE - (time.monotonic() - start) % (1 / RATE))  # the next picture
        listening.cancel()
    return points


async def main() -> None:
    port, count, path, seconds = sys.argv[1:]
    with np.load(path) as file:
        pictures = [file[name].tobytes() for name in file.files]
    shift = len(pictures) // int(count)
    visitors = (
        visitor(int(port), pictures[n * shift :] + pictures[: n * shift], float(seconds))
        for n in range(int(count))
    )
    print(json.dumps(await asyncio.gather(*visitors)))


if __name__ == "__main__":
    asyncio.run(main())
