"""The window on a display that only the test sees: what it shows, and what keys do."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from posetrack.drawing.strokes import colour_of
from posetrack.live.display import why_no_window
from posetrack.results.jsonl import read_jsonl
from scripts.media import write_video
from tests.posetrack.live.serving import PATIENCE, wait_for
from tests.posetrack.live.stubs import block

SCREEN = (800, 500)
GRAB = """
import sys, av
with av.open(sys.argv[1], format="x11grab", options={"video_size": sys.argv[2]}) as screen:
    picture = next(screen.decode(video=0)).to_ndarray(format="rgb24")
sys.stdout.buffer.write(picture.tobytes())
"""


class Display:
    """An Xvfb: pictures of it, and keys pressed on it."""

    def __init__(self) -> None:
        libraries = [ctypes.util.find_library(name) for name in ("X11", "Xtst")]
        if not shutil.which("Xvfb") or None in libraries:
            pytest.skip("Xvfb is not installed: apt-get install xvfb")
        out, into = os.pipe()
        size = f"{SCREEN[0]}x{SCREEN[1]}x24"
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(into), "-screen", "0", size, "-nolisten", "tcp"],
            pass_fds=[into],
            stderr=subprocess.DEVNULL,
        )
        os.close(into)
        with os.fdopen(out) as told:
            self.name = f":{told.readline().strip()}"
        self._x11, self._test = (ctypes.CDLL(library) for library in libraries)
        self._x11.XOpenDisplay.restype = ctypes.c_void_p
        self._ignore = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda *_: 0)
        self._x11.XSetErrorHandler(self._ignore)  # Xlib's own ends the process
        self._display = ctypes.c_void_p(self._x11.XOpenDisplay(self.name.encode()))
        self._x11.XDefaultRootWindow.restype = ctypes.c_ulong

    def picture(self) -> NDArray[np.uint8]:
        """(H, W, 3) RGB; black where it cannot be taken just now.

        By a process of its own: FFmpeg's screen grabber has crashed in this one.
        """
        taken = subprocess.run(
            [sys.executable, "-c", GRAB, self.name, f"{SCREEN[0]}x{SCREEN[1]}"], capture_output=True
        ).stdout
        shape = (SCREEN[1], SCREEN[0], 3)
        whole = len(taken) == np.prod(shape)
        return np.frombuffer(taken, np.uint8).reshape(shape) if whole else np.zeros(shape, np.uint8)

    def press(self, key: str) -> None:
        """On the window that was opened last; there is no window manager to give it the focus."""
        root = ctypes.c_ulong(self._x11.XDefaultRootWindow(self._display))
        above, parent, count = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_uint()
        children = ctypes.POINTER(ctypes.c_ulong)()
        self._x11.XQueryTree(self._display, root, *map(ctypes.byref, (above, parent, children, count)))
        for n in range(count.value):  # hidden ones refuse it
            self._x11.XSetInputFocus(self._display, ctypes.c_ulong(children[n]), 2, 0)
        code = self._x11.XKeysymToKeycode(self._display, ctypes.c_ulong(ord(key)))
        for down in (1, 0):
            self._test.XTestFakeKeyEvent(self._display, code, down, ctypes.c_ulong(0))
        self._x11.XSync(self._display, 0)

    def close(self) -> None:
        self._x11.XCloseDisplay(self._display)
        self._server.terminate()
        self._server.wait()


@pytest.fixture(scope="module")
def display() -> Iterator[Display]:
    shown = Display()
    yield shown
    shown.close()


def test_the_window_shows_skeletons_records_and_closes_by_keys(display: Display, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", [block(20 + n % 60) for n in range(900)], fps=10)
    folder = tmp_path / "recordings"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.posetrack.live.window_child", str(clip), str(folder)],
        env=os.environ | {"DISPLAY": display.name},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: shows(display, lambda image: near(image, colour_of(1)) > 50))  # a skeleton
        pressing(display, "r", lambda: any(folder.glob("*.mp4")) if folder.exists() else False)
        pressing(display, "r", lambda: frames_in(folder) > 0)
        pressing(display, " ", lambda: still(display))
        display.press("q")
        assert child.communicate(timeout=PATIENCE)[0].strip().isdecimal()
        assert child.returncode == 0
    finally:
        child.kill()


def shows(display: Display, what: Callable[[NDArray[np.uint8]], bool]) -> bool:
    return what(display.picture())


def near(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    """How many pixels have about that colour."""
    return int((np.abs(image.astype(int) - colour).max(axis=2) < 25).sum())


def pressing(display: Display, key: str, then: Callable[[], bool]) -> None:
    """Press until it is heeded: Qt loses keys that come while it takes the focus."""
    for _ in range(6):
        display.press(key)
        try:
            wait_for(then, patience=10)
        except AssertionError:
            continue
        return
    raise AssertionError(f"the key {key!r} changed nothing")


def frames_in(folder: Path) -> int:
    return sum(len(read_jsonl(path).tracks) for path in folder.glob("*.jsonl"))


def still(display: Display) -> bool:
    first, second = display.picture(), display.picture()
    return bool((first == second).all())


def test_why_there_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert why_no_window() == "this machine has no display"
    monkeypatch.setenv("DISPLAY", ":12345")  # Qt would end this process
    assert why_no_window() == "the display :12345 does not open windows"


def test_where_there_is_a_display_windows_work(display: Display, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", display.name)
    assert why_no_window() is None
