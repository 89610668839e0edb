"""Weights of a network of a few kilobytes."""

from __future__ import annotations

import pytest
import torch

from .checkpoints import State, tiny


@pytest.fixture(scope="session")
def state() -> State:
    """Official keys, of a network of a few kilobytes."""
    torch.manual_seed(0)
    return {key: torch.randn(tensor.shape).to(tensor.dtype) for key, tensor in tiny().state_dict().items()}
