"""What is computed from measured numbers, by hand."""

from __future__ import annotations

from scripts.benchmark_scale import DRAWING, STARTS, VARIANTS, cpu_ms, hours_table, throughput_table

# 200 frames in all, 100 where it is only drawn. A start takes 2 s of the processor, so two processes have 4.
NAMES = [*VARIANTS, DRAWING, *STARTS]
WALL = [(50.0, 40.0), (40.0, 40.0), (25.0, 20.0), (5.0, 5.0), (3.0, 3.0), (2.0, 2.0)]  # of two rounds
CPU = [22.0, 26.0, 24.0, 3.0, 2.0, 2.0]
MEASURED = {
    "runs": {n: [{"wall": w, "cpu": c} for w in walls] for n, walls, c in zip(NAMES, WALL, CPU, strict=True)},
    "read": 20_000.0,
    "written": 30_000.0,
}


def test_processor_time_of_a_frame_is_without_the_start() -> None:
    assert [cpu_ms(MEASURED, name) for name in [*VARIANTS, DRAWING]] == [100, 120, 100, 10]


def test_variants_are_compared_within_a_round() -> None:
    rows = throughput_table(MEASURED).splitlines()
    assert rows[4] == "| two processes, one thread each | 8.9 | 2.00 (2.00 to 2.00) | 100 |"
    assert rows[3] == "| one process, two threads | 5.0 | 1.12 (1.00 to 1.25) | 120 |"


def test_a_thousand_hours() -> None:
    """90,000 frames an hour at 0.1 s are 2.5 core hours; 2500 in all are 52 days of two cores."""
    text = hours_table(MEASURED)
    assert "2500 core hours, 1 hour takes a core 2.5 h" in text
    assert "Joining the pieces of one hour takes one core 0.2 h" in text
    assert "50 kB are read and written for a frame: a shared folder of 125 MB/s feeds 125 machines" in text
    assert "| 1 | 52.1 days | 57.3 days | 1.0 |" in text
    assert text.endswith("| 1024 | 2.5 h | 1.3 h | 1024.0 |")
