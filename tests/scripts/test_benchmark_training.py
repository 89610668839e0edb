"""What the training benchmark measures and how it computes its shares; the times themselves are free."""

from __future__ import annotations

import pytest
import torch

from posetrack.models.costs import measure
from scripts.benchmark_training import (
    Case,
    Clock,
    Training,
    Variant,
    benchmark,
    largest_batch,
    line,
    variants,
)

CPU = torch.device("cpu")
SMALL = Case("hrnet_light", 64, 32, cpu_batch=2, cuda_batch=2)


def test_every_switch_alone_and_all_together() -> None:
    assert [v.name for v in variants(compiled=False)] == [
        "base", "channels-last", "bf16", "channels-last + bf16",
    ]  # fmt: skip
    assert [v.name for v in variants(compiled=True)][4:] == ["compile", "channels-last + bf16 + compile"]


def test_rows() -> None:
    rows = benchmark(SMALL, [Variant(), Variant(True, True)], rounds=1, steps=1, clock=Clock(CPU), batch=2)
    operations = 2 * 3 * measure("hrnet_light", 64, 32).multiply_adds  # forward, and twice that backward
    assert [row["variant"] for row in rows] == ["base", "channels-last + bf16"]
    assert rows[0]["ratio"] == 1
    assert rows[1]["ratio"] == pytest.approx(rows[1]["images_per_s"] / rows[0]["images_per_s"])
    for row in rows:
        assert row["tflops"] == pytest.approx(operations * row["images_per_s"] / 1e12)
        assert row["matmul_share"] == pytest.approx(row["tflops"] / row["matmul_tflops"])
        assert line(row).startswith(f"| hrnet_light | 64x32 | 2 | {row['variant']} |")


@pytest.mark.parametrize("variant", [Variant(), Variant(channels_last=True, bf16=True)], ids=lambda v: v.name)
def test_a_step_trains_the_network(variant: Variant) -> None:
    training = Training(SMALL, variant, batch=2, device=CPU)
    before = [p.detach().clone() for p in training.network.parameters()]
    training.step()
    after = list(training.network.parameters())
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(p.dtype == torch.float32 and p.grad is None for p in after)
    convolution = training.network.conv2.weight
    assert convolution.is_contiguous(memory_format=torch.channels_last) == variant.channels_last


def test_the_batch_is_halved_until_it_fits() -> None:
    tried = []

    def work(batch: int) -> list[dict[str, int]]:
        tried.append(batch)
        if batch > 3:
            raise torch.OutOfMemoryError
        return [{"batch": batch}]

    assert largest_batch(16, work) == [{"batch": 2}]
    assert tried == [16, 8, 4, 2]


def test_a_single_picture_that_does_not_fit_is_an_error() -> None:
    def work(batch: int) -> list[dict[str, int]]:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        largest_batch(2, work)
