"""The map of scores: exact values, order, and what its text must be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.errors import PoseTrackError
from posetrack.runtime.calibration import CEILING, Calibration


@pytest.mark.parametrize(
    ("slope", "shift", "score", "right"),
    [
        (1, 0, 0.3, 0.3),  # changes nothing
        (1, np.log(3), 0.5, 0.75),  # odds of 1 become odds of 3
        (2, 0, 0.75, 0.9),  # odds of 3 become odds of 9
        (0.5, 0, 0.9, 0.75),  # and back
        (2, 5, 0.0, 0.0),  # a joint that is not there stays so
        (1, 0, 1.0, CEILING),
    ],
)
def test_odds(slope, shift, score, right):
    assert Calibration(slope, shift)(np.array([score], np.float32))[0] == pytest.approx(right, rel=1e-6)


@settings(max_examples=30)
@given(st.floats(0.1, 5), st.floats(-5, 5), st.lists(st.floats(0, 1, width=32), min_size=2, max_size=40))
def test_order_and_range_stay_and_alone_is_as_together(slope, shift, scores):
    calibration, raw = Calibration(slope, shift), np.sort(np.array(scores, np.float32))
    after = calibration(raw)
    assert after.dtype == np.float32
    assert ((after >= 0) & (after <= 1)).all()
    assert (np.diff(after) >= 0).all()
    assert [calibration(raw[i : i + 1])[0] for i in range(len(raw))] == after.tolist()


def test_text_there_and_back():
    assert Calibration.read(Calibration(0.81234567, -0.25).text()) == Calibration(0.8123, -0.25)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1, 2]", '{"slope": "steep", "shift": 0}', '{"slope": -1, "shift": 0}']
)
def test_other_texts_are_refused(text):
    with pytest.raises(PoseTrackError, match="calibration"):
        Calibration.read(text)
