"""What is compared works in turns, and all of it counts."""

import time

from posetrack.benchmarks.speed import _in_turns


def test_works_in_turns_are_each_done_to_their_end() -> None:
    order = []

    def work(name, count, pause):
        for i in range(count):
            order.append(name)
            time.sleep(pause)
            yield f"{name}{i}"

    results, spent = _in_turns([work("a", 5, 0.01), work("b", 3, 0.0)], turn=2)

    assert results == [["a0", "a1", "a2", "a3", "a4"], ["b0", "b1", "b2"]]
    assert "".join(order) == "aabbaaba"
    assert spent[0][0] >= 0.05  # what it slept
    assert len(spent) == 2
