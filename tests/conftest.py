"""What every test finds as it should be."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest

# A shell starts what runs in its background with Ctrl-C ignored, and the tests' children would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """Trainings flush denormal numbers to zero, for speed; a test that runs one must not leave it so."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)
