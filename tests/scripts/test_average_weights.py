"""Averages of weights: the arithmetic, the metadata, and files that do not fit together."""

import torch

from posetrack import zoo
from posetrack.training.export import write
from scripts import average_weights
from scripts.cli import run

FACTS = {"model": "hrnet_light", "calibration": "{}", "pck": "{}", "pictures": "20"}


def weights(path, value, steps, wide=2):
    state = {
        "conv.weight": torch.full((wide, 3), value, dtype=torch.float16),
        "bn.num_batches_tracked": torch.tensor(steps),
    }
    write(state, path, FACTS | {"pictures": str(steps)})
    return path


def test_the_mean_takes_the_second_files_facts_without_its_calibration(tmp_path):
    first, second = weights(tmp_path / "a.safetensors", 1.0, 10), weights(tmp_path / "b.safetensors", 3.0, 20)
    average_weights.average(first, second, share=0.25, out=tmp_path / "mean.safetensors")
    state = zoo.read_checkpoint(tmp_path / "mean.safetensors")
    assert state["conv.weight"].dtype == torch.float16
    assert (state["conv.weight"] == 1.5).all()
    assert state["bn.num_batches_tracked"] == 20
    assert zoo.read_metadata(tmp_path / "mean.safetensors") == {"model": "hrnet_light", "pictures": "20"}


def test_weights_of_other_networks_are_refused_in_one_line(tmp_path, monkeypatch, capsys):
    first = weights(tmp_path / "a.safetensors", 1.0, 10)
    second = weights(tmp_path / "b.safetensors", 3.0, 20, wide=4)
    out = tmp_path / "mean.safetensors"
    monkeypatch.setattr("sys.argv", ["average_weights.py", str(first), str(second), "--out", str(out)])
    assert run("average_weights", "", {"average": average_weights.average}) == 2
    assert capsys.readouterr().err.endswith("weights of different networks: give two of one\n")
    assert not out.exists()
