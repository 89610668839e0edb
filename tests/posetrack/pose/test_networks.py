"""Weights whose metadata say something else than how their network is to be used: one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from posetrack.errors import PoseTrackError
from posetrack.pose.networks import load_network
from posetrack.zoo import bundled, read_metadata

NESTED = "[" * 100_000


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("input_width", "abc", "say input_width is 'abc', expected a number from 32 to 2048"),
        ("input_height", "1" + "0" * 5000, "expected a number from 32 to 2048"),
        ("input_width", "200", ": both must be multiples of 32"),
        ("sigma", "nan", "say sigma is 'nan', expected a number from 0.1 to 100"),
        ("decoding", "argmax", "its metadata say decoding is 'argmax', expected quarter, dark, udp"),
        ("heatmap", "abc", "its metadata say heatmap is 'abc', expected gaussian, softmax"),
        ("unlabelled", "left_ear,tail", "its metadata say unlabelled is 'tail', expected nose, "),
        ("skeleton", "octopus", "for the skeleton 'octopus', which is none of "),
        ("model", "hrnet_" + "9" * 5000, "there is no network 'hrnet_999"),
        ("model", "hrnet:" + NESTED, "describes no network"),
        ("model", 'hrnet:{"width": 16, "modules": [1, 1, 1000000000]}', "expected 0 to 64"),
        ("calibration", NESTED, "export the weights again"),
        ("calibration", '{"slope": 1' + "0" * 400 + ', "shift": 0}', "export the weights again"),
    ],
)
def test_metadata_that_say_something_else(key: str, value: str, reason: str, tmp_path: Path) -> None:
    shipped, path = bundled("light_pose"), tmp_path / "weights.safetensors"
    save_file(load_file(shipped), path, {**read_metadata(shipped), key: value})
    with pytest.raises(PoseTrackError) as refusal:
        load_network("light", path)
    line = str(refusal.value)
    assert reason in line
    assert "\n" not in line
    assert len(line) < 500 + len(str(path))


@pytest.mark.parametrize(
    ("facts", "decoder"),
    [({}, "dark"), ({"heatmap": "gaussian"}, "quarter"), ({"heatmap": "gaussian", "decoding": "udp"}, "udp")],
    ids=["softmax", "official targets", "said"],
)
def test_heatmaps_are_read_as_the_file_says(facts: dict[str, str], decoder: str, tmp_path: Path) -> None:
    shipped, path = bundled("light_pose"), tmp_path / "weights.safetensors"
    save_file(load_file(shipped), path, {**read_metadata(shipped), **facts})
    assert load_network("light", path)[1].decoder == decoder
    assert load_network("light", path, decoder="quarter")[1].decoder == "quarter"
