"""Weights in eight bits: rounded by at most half a step, and back through the common reader."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from posetrack import models, zoo
from posetrack.commands.convert import convert_checkpoint as convert
from posetrack.errors import PoseTrackError
from posetrack.zoo.int8 import STEP, pack, unpack


def test_each_channel_has_its_own_step():
    kernel = torch.tensor([[1.27, 0.5, -0.004], [0.0, 0.0, 0.0], [-254.0, 1.0, 127.0]]).view(3, 3, 1, 1)
    packed = pack({"conv.weight": kernel})
    assert packed["conv.weight"].dtype == torch.int8
    # steps 0.01, 0 and 2: 1.27 -> 127; a channel of zeros stays zeros; 1.0 is half a step, ties go to even
    assert packed["conv.weight"].flatten(1).tolist() == [[127, 50, 0], [0, 0, 0], [-127, 0, 64]]
    torch.testing.assert_close(packed["conv.weight" + STEP], torch.tensor([0.01, 0.0, 2.0]))
    back = unpack(packed)["conv.weight"].flatten(1)
    torch.testing.assert_close(back, torch.tensor([[1.27, 0.5, 0], [0, 0, 0], [-254, 0, 128.0]]))


def test_a_converted_file_still_says_how_it_is_used(tmp_path):
    network = models.create("hrnet_light", 17)
    facts = {"model": "hrnet_light", "input_width": "96", "licence": "research only"}
    save_file(network.state_dict(), tmp_path / "source.safetensors", facts)
    convert(tmp_path / "source.safetensors", tmp_path / "small.safetensors", "int8", ["licence=other"])
    kept = zoo.read_metadata(tmp_path / "small.safetensors")
    assert kept.items() >= {**facts, "licence": "other", "source": "source.safetensors"}.items()


def test_a_file_in_eight_bits_is_read_like_any_other(tmp_path):
    torch.manual_seed(0)
    network = models.create("hrnet_light", 17).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    torch.save(network.state_dict(), tmp_path / "source.pth")
    line = convert(tmp_path / "source.pth", tmp_path / "small.safetensors", "int8", ["licence=none"])
    assert "hrnet_light" in line
    assert (tmp_path / "small.safetensors").stat().st_size < 0.3 * (tmp_path / "source.pth").stat().st_size
    stored = load_file(tmp_path / "small.safetensors")
    state = zoo.read_checkpoint(tmp_path / "small.safetensors")
    assert state.keys() == network.state_dict().keys()
    for key, tensor in network.state_dict().items():
        if tensor.ndim == 4:
            step = stored[key + STEP][:, None, None, None]
            assert ((state[key] - tensor).abs() <= step * 0.5001).all()
    zoo.load_into(network, state, "small.safetensors")


def test_nothing_is_overwritten_unasked(tmp_path):
    torch.save(models.create("hrnet_light", 17).state_dict(), tmp_path / "source.pth")
    (tmp_path / "there.safetensors").write_bytes(b"precious")
    with pytest.raises(PoseTrackError, match=r"there\.safetensors exists already: use --overwrite"):
        convert(tmp_path / "source.pth", tmp_path / "there.safetensors")
    with pytest.raises(PoseTrackError, match="--metadata licence: give KEY=VALUE"):
        convert(tmp_path / "source.pth", tmp_path / "new.safetensors", metadata=["licence"])
    assert (tmp_path / "there.safetensors").read_bytes() == b"precious"
    convert(tmp_path / "source.pth", tmp_path / "there.safetensors", overwrite=True)
    assert zoo.read_metadata(tmp_path / "there.safetensors")["source"] == "source.pth"
