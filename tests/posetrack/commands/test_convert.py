"""Any checkpoint as safetensors, in 16 bits if wanted, and back through the common reader."""

import pytest
import torch
from safetensors.torch import save_file

from posetrack import models, zoo
from posetrack.commands.convert import convert_checkpoint as convert
from posetrack.errors import PoseTrackError


def test_a_converted_file_still_says_how_it_is_used(tmp_path):
    network = models.create("hrnet_light", 17)
    facts = {"model": "hrnet_light", "input_width": "96", "licence": "research only"}
    save_file(network.state_dict(), tmp_path / "source.safetensors", facts)
    convert(tmp_path / "source.safetensors", tmp_path / "small.safetensors", True, ["licence=other"])
    kept = zoo.read_metadata(tmp_path / "small.safetensors")
    assert kept.items() >= {**facts, "licence": "other", "source": "source.safetensors"}.items()


def test_a_file_in_16_bits_is_read_like_any_other(tmp_path):
    network = models.create("hrnet_light", 17).eval()
    torch.save(network.state_dict(), tmp_path / "source.pth")
    line = convert(tmp_path / "source.pth", tmp_path / "small.safetensors", half=True)
    assert "hrnet_light" in line
    state = zoo.read_checkpoint(tmp_path / "small.safetensors")
    assert state.keys() == network.state_dict().keys()
    for key, tensor in network.state_dict().items():
        assert torch.equal(state[key], tensor.half() if tensor.is_floating_point() else tensor)
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
