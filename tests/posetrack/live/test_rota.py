"""Turns at the networks."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from posetrack.live.rota import Rota, RotaClosedError


def test_owners_take_turns_and_keep_their_own_order() -> None:
    rota, begin, order = Rota(), threading.Event(), []
    first = rota.submit("door", lambda: begin.wait())
    jobs = [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("c", 1), ("b", 2)]
    futures = [rota.submit(owner, lambda job=(owner, n): order.append(job)) for owner, n in jobs]
    begin.set()
    for future in [first, *futures]:
        future.result()
    assert order == [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2), ("a", 3)]
    rota.close()


def test_an_error_goes_to_whoever_asked_and_the_thread_goes_on() -> None:
    rota = Rota()
    with pytest.raises(ZeroDivisionError):
        rota.submit("a", lambda: 1 // 0).result()
    assert rota.submit("a", lambda: 5).result() == 5
    rota.close()


def test_what_somebody_left_waiting_is_cancelled() -> None:
    rota, begin = Rota(), threading.Event()
    rota.submit("door", lambda: begin.wait())
    gone, stays = rota.submit("gone", lambda: 1), rota.submit("stays", lambda: 2)
    rota.forget("gone")
    begin.set()
    with pytest.raises(CancelledError):
        gone.result()
    assert stays.result() == 2
    rota.close()
    with pytest.raises(RotaClosedError):
        rota.submit("late", lambda: 3)
