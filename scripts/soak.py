"""Hostile inputs by the thousand through the command line: counts how each of them ends.

    python -m scripts.soak                                         # the campaign: hours; also `make soak`
    python -m scripts.soak --media 100 --documents 100 --kills 4 --disks 10 --frames 0 --seed 7

Media are written with known frames, then damaged by a seeded random: bytes flipped, cut, doubled, swapped,
joined. Many go into one `posetrack track`; if that dies, the input that it was at is blamed and the rest goes
on. Documents (tracks, boxes, annotations, weights) and full disks go through `posetrack.cli.main` in a
process that lives on. Kills hit processes of their own at random frames.

What may come out: `done`; `told` (done, and a line says what is missing, exit 1); `refused` (one line). What
may not: `traceback`, `signal`, `hang`, `broken` (outputs that do not fit together, or do not play), `silent`
(something that FFmpeg can decode is missing without a word). Bad inputs are kept in --keep.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

from scripts.hostile import inputs, judge, watch, worker

GOOD = ("done", "told", "refused")
BAD = ("traceback", "signal", "hang", "broken", "silent")
BATCH = 100  # inputs of one `posetrack track`


@dataclass
class Campaign:
    """Outcomes so far, by kind of input."""

    folder: Path
    keep: Path | None
    patience: float  # seconds of work, or of sleep, without a word that are a hang
    table: dict[str, Counter[str]] = field(default_factory=dict)

    def count(self, kind: str, outcome: str, why: str = "", path: Path | None = None) -> None:
        self.table.setdefault(kind, Counter())[outcome] += 1
        if outcome in BAD:
            print(f"{kind}: {outcome}: {path.name if path else ''} {why.strip()[-300:]}", flush=True)
            if self.keep and path:
                self.keep.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if path.is_dir() else shutil.copy
                copy(path, self.keep / f"{outcome}_{path.name}")

    def markdown(self) -> str:
        heads = ["input", "tried", *GOOD, *BAD]
        rows = [[k, str(c.total()), *(str(c[o] or "") for o in GOOD + BAD)] for k, c in self.table.items()]
        return "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, number in (
        ("media", 1000),
        ("documents", 1000),
        ("kills", 100),
        ("disks", 100),
        ("frames", 20_000),
    ):
        parser.add_argument(f"--{name}", type=int, default=number, metavar="N", help=f"default: {number}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--patience", type=float, default=30.0, help="see scripts/hostile/watch.py")
    parser.add_argument("--keep", type=Path, help="folder for inputs that ended badly")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        campaign = Campaign(Path(name), given.keep, given.patience)
        media(campaign, given.media, random.Random(f"media {given.seed}"))
        documents(campaign, given.documents, random.Random(f"documents {given.seed}"))
        disks(campaign, given.disks, random.Random(f"disks {given.seed}"))
        kills(campaign, given.kills, random.Random(f"kills {given.seed}"))
        if given.frames:
            long(campaign, given.frames)
        print(campaign.markdown())
        sys.exit(any(counts[bad] for counts in campaign.table.values() for bad in BAD))


def media(campaign: Campaign, count: int, rng: random.Random) -> None:
    """Damaged media through real processes, many in each."""
    seeds = inputs.write_media(campaign.folder / "media seeds")
    for start in range(0, count, BATCH):
        batch = [
            inputs.mutate_file(rng.choice(seeds), campaign.folder / f"m{n:05d}", rng)
            for n in range(start, min(start + BATCH, count))
        ]
        left = list(batch)
        while left:
            out = campaign.folder / "out"
            ran = run_batch(left, out, campaign.patience)
            for path in left[: ran.reached]:
                outcome, why = judge.media(path, out, ran.words(path))
                campaign.count(f"media {path.suffix[1:]}", outcome, why, path)
            if ran.ended is not None and ran.reached < len(left):
                guilty = left[ran.reached]
                campaign.count(f"media {guilty.suffix[1:]}", ran.ended, ran.err, guilty)
                left = left[ran.reached + 1 :]
            else:
                left = []
            shutil.rmtree(out, ignore_errors=True)
        for path in batch:
            path.unlink()


@dataclass
class Ran:
    """What a process said, and how far it came."""

    lines: list[str]
    err: str
    reached: int  # inputs that it is done with
    ended: str | None  # one of BAD where it did not end by itself

    def words(self, path: Path) -> list[str]:
        return [line for line in self.lines if path.name in line]


def run_batch(paths: list[Path], out: Path, patience: float) -> Ran:
    """`posetrack track` on all; stopped when it says nothing for too long while its outputs stand still."""
    words = [
        sys.executable,
        "-u",
        "-m",
        "posetrack",
        "track",
        *map(str, paths),
        "--out",
        str(out),
        "--overwrite",
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment())
    assert process.stdout is not None
    said: queue.Queue[bytes | None] = queue.Queue()
    threading.Thread(target=pump, args=(process.stdout, said), daemon=True).start()
    lines: list[str] = []
    ended = None
    try:
        while (line := watch.word(said, process.pid, patience)) is not None:
            lines.append(line.decode(errors="replace"))
    except watch.HangError:
        ended = "hang"
        process.kill()
    code = process.wait()
    told = [any(path.name in line for line in lines) for path in paths]
    reached = max((n + 1 for n, was in enumerate(told) if was), default=0)
    if ended is None and code < 0:
        ended = "signal"
    elif ended is None and any(line.startswith("Traceback") for line in lines):
        ended = "traceback"
    return Ran(lines, "".join(lines[-3:]), reached, ended)


def pump(stream: IO[bytes], into: queue.Queue[bytes | None]) -> None:
    for line in stream:
        into.put(line)
    into.put(None)


class Worker:
    """A process in which `posetrack.cli.main` runs command after command; started again when one kills it."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._said: queue.Queue[bytes | None] = queue.Queue()

    def run(self, words: list[str], limit: int | None = None) -> tuple[str | None, int, str]:
        """(one of BAD or None, exit code, what it said); with `limit`, no file may have more bytes."""
        process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(json.dumps({"words": words, "limit": limit}).encode() + b"\n")
        process.stdin.flush()
        try:
            line = watch.word(self._said, process.pid, self._patience)
        except watch.HangError:
            self.close()
            return "hang", 0, ""
        if line is None:
            code = process.wait()
            self.close()
            return "signal" if code < 0 else "traceback", code, ""
        answer = json.loads(line)
        return ("traceback" if answer["traceback"] else None), answer["code"], answer["said"]

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        self._said = queue.Queue()
        words = [sys.executable, "-m", "scripts.hostile.worker"]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
        )
        assert self._process.stdout is not None
        threading.Thread(target=pump, args=(self._process.stdout, self._said), daemon=True).start()
        return self._process


def documents(campaign: Campaign, count: int, rng: random.Random) -> None:
    """Damaged documents of every kind, each through the command that reads it."""
    makers: list[Callable[[Path, random.Random], inputs.Document]] = inputs.document_kinds(
        campaign.folder / "document seeds"
    )
    worker = Worker(campaign.patience)
    for number in range(count):
        folder = campaign.folder / f"d{number:05d}"
        folder.mkdir()
        document = makers[number % len(makers)](folder, rng)
        bad, code, said = worker.run(document.words)
        outcome, why = (bad, said) if bad else judge.command(code, said, folder)
        campaign.count(document.kind, outcome, why, document.path)
        shutil.rmtree(folder)
    worker.close()


def disks(campaign: Campaign, count: int, rng: random.Random) -> None:
    """A disk that is full at a random byte: one line, and what is there can be read."""
    source = inputs.write_media(campaign.folder / "disk seeds")[0]
    worker = Worker(campaign.patience)
    for _ in range(count):
        out = campaign.folder / "full"
        words = ["track", str(source), "--out", str(out)]
        bad, code, said = worker.run(words, limit=int(2 ** rng.uniform(0, 15)))
        outcome, why = (bad, said) if bad else judge.command(code, said, out)
        if not bad and (broken := judge.outputs(out, source.stem)):
            outcome, why = "broken", broken
        campaign.count("full disk", outcome, why)
        shutil.rmtree(out, ignore_errors=True)
    worker.close()


def kills(campaign: Campaign, count: int, rng: random.Random) -> None:
    """SIGKILL and SIGTERM at random moments of a run, most of them while it tracks."""
    source = inputs.write_long(campaign.folder / "killed.mp4", 400) if count else Path()
    forks = multiprocessing.get_context("forkserver")  # which has imported what takes seconds to import
    forks.set_forkserver_preload(
        ["posetrack.presets", "posetrack.sinks", "posetrack.video.container", "openvino"]
    )
    for number in range(count):
        sent = (signal.SIGKILL, signal.SIGTERM)[number % 2]
        out, heard = campaign.folder / "killed", campaign.folder / "killed.txt"
        process = forks.Process(target=worker.alone, args=(["track", str(source), "--out", str(out)], heard))
        process.start()
        try:
            send(sent, process, out / "killed.jsonl", rng, campaign.patience)
            campaign.count(sent.name, *ended(sent, process.exitcode, heard.read_text(), out))
        except watch.HangError:
            process.kill()
            campaign.count(sent.name, "hang")
        process.join()
        shutil.rmtree(out, ignore_errors=True)


def send(
    sent: signal.Signals, process: BaseProcess, lines: Path, rng: random.Random, patience: float
) -> None:
    """Wait for a random frame, send the signal, wait for the end."""
    frames, pid = rng.choice([0, 1, 2, 5, 20, 50, 100, 200]), process.pid or 0
    watch.until(lambda: written(lines) > frames or not process.is_alive(), pid, patience)
    time.sleep(rng.uniform(0, 0.1))
    if process.is_alive():
        os.kill(pid, sent)
    watch.until(lambda: not process.is_alive(), pid, patience)


def written(lines: Path) -> int:
    return lines.read_bytes().count(b"\n") if lines.exists() else 0


def ended(sent: signal.Signals, code: int | None, said: str, out: Path) -> tuple[str, str]:
    """The outcome of a run that was sent a signal, and why."""
    if "Traceback" in said:
        return "traceback", said
    if code not in ((-9, 0) if sent == signal.SIGKILL else (143, 0)):
        return "signal", f"exit code {code}"
    broken = judge.outputs(out, "killed")
    return "broken" if broken else "done", broken


def long(campaign: Campaign, frames: int) -> None:
    """Many frames: all come out."""
    source, out = inputs.write_long(campaign.folder / "long.mp4", frames), campaign.folder / "long"
    words = [sys.executable, "-m", "posetrack", "track", str(source), "--out", str(out)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), check=False)
    broken = judge.outputs(out, "long", frames)
    outcome = "traceback" if "Traceback" in done.stderr else "broken" if broken else "done"
    campaign.count(f"{frames} frames", outcome, broken or done.stderr)


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}


if __name__ == "__main__":
    main()
