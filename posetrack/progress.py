"""Progress of a long run: a live bar in a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_EVERY = 10.0  # seconds between plain lines


class Report(Protocol):
    def __call__(self, done: int, people: int) -> None:
        """`done` frames so far, `people` in the newest one."""
        ...


@contextmanager
def progress(name: str, total: int | None) -> Iterator[Report]:
    """Shows frames/s, people in view and time left on standard error."""
    with _bar(name, total) if sys.stderr.isatty() else _lines(name, total) as report:
        yield report


@contextmanager
def _bar(name: str, total: int | None) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),  # a name may hold [brackets]
        BarColumn(),
        TextColumn(f"{{task.completed}}{f'/{total}' if total else ''} frames"),
        TextColumn("{task.fields[rate]:.1f} frames/s"),
        TextColumn("{task.fields[people]} people"),
        TimeRemainingColumn(),
    )
    start = time.perf_counter()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=total, rate=0.0, people=0)

        def report(done: int, people: int) -> None:
            bar.update(task, completed=done, rate=done / (time.perf_counter() - start), people=people)

        yield report


@contextmanager
def _lines(name: str, total: int | None) -> Iterator[Report]:
    start = last = time.perf_counter()

    def report(done: int, people: int) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last < LINE_EVERY:
            return
        last = now
        rate = done / (now - start)
        of = f"/{total}" if total else ""
        left = f", {max(total - done, 0) / rate:.0f} s left" if total else ""
        print(
            f"{name}: {done}{of} frames, {rate:.1f} frames/s, {people} people{left}",
            file=sys.stderr,
            flush=True,
        )

    yield report


@contextmanager
def download_progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """Bytes so far of each file: a bar in a terminal, a line per tenth of the file elsewhere."""
    if not sys.stderr.isatty():
        shown: dict[str, int] = {}

        def line(name: str, done: int, total: int | None) -> None:
            tenth = 10 * done // total if total else done // 50_000_000
            if shown.get(name) != tenth:
                shown[name] = tenth
                of = f" of {total / 1e6:.1f}" if total else ""
                print(f"{name}: {done / 1e6:.1f}{of} MB", file=sys.stderr, flush=True)

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def bar(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield bar
