"""Files that hold no weights, or not all of them, are refused in one line."""

from __future__ import annotations

import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from posetrack.errors import PoseTrackError
from posetrack.zoo import read_checkpoint

from .checkpoints import State, assert_one_line, tiny

REFUSED = {
    "missing": (None, "no such file"),
    "empty": (b"", "empty file"),
    "text": (b"epoch 1, loss 0.5\n" * 20, "not a weights file (it begins with b'epoch 1, loss 0."),
    "web page": (b"\n<!DOCTYPE html><html><title>Sign in</title></html>", "a web page saved under this name"),
    "zip of something else": (b"PK\x05\x06" + bytes(18), "not a weights file"),
    "a pickle that torch did not write": (pickle.dumps({"conv1.weight": [0.0]}), "a plain pickle"),
    "a pickle of nothing": (b"\x80\x02.", "damaged or cut off"),
    "a pickle that asks for room for 2**28 objects": (b"\x80\x02}r\0\0\0\x10.", "a plain pickle"),
    "a pickle that claims 2 GB of bytes": (b"\x80\x03B\xff\xff\xff\x7f.", "damaged or cut off"),
    "json": (b'{"weights": "elsewhere"}', "not a weights file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_hold_no_weights(case: str, tmp_path: Path) -> None:
    content, reason = REFUSED[case]
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PoseTrackError) as refusal:
        read_checkpoint(path)
    assert_one_line(refusal.value, str(path), reason)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoseTrackError, match="not a file"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [{"epoch": 3}, [1, 2], {"state_dict": {}}, 5])
def test_a_checkpoint_without_weights(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(PoseTrackError, match=r"no network weights in this file; save model\.state_dict\(\)"):
        read_checkpoint(tmp_path / "weights.pth")


def test_a_pickled_network_is_named_as_such(tmp_path: Path) -> None:
    torch.save(tiny(), tmp_path / "model.pth")
    with pytest.raises(PoseTrackError, match=r"no network weights .* kind posetrack\.models\.hrnet\.Basic"):
        read_checkpoint(tmp_path / "model.pth")


def write(state: State, kind: str, path: Path) -> bytes:
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_cut_off_anywhere_is_refused_in_one_line(
    share: float, kind: str, state: State, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    whole = write(state, kind, path)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(PoseTrackError) as refusal:
        read_checkpoint(path)
    assert_one_line(refusal.value, str(path))


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_with_a_changed_byte_is_read_or_refused(
    data: st.DataObject, kind: str, state: State, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    content = bytearray(write({"weight": torch.arange(6.0), "number": torch.tensor(3)}, kind, path))
    # Legacy storage keys vary in length, so the file's own length must not steer the draw.
    place = data.draw(st.integers(0, 10**6)) % len(content)
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = read_checkpoint(path)
    except PoseTrackError as refusal:
        assert_one_line(refusal, str(path))
    else:
        assert all(isinstance(tensor, Tensor) for tensor in found.values())


def test_a_name_of_100_000_letters_is_read_at_once_and_shown_in_part(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02c" + b"x" * 100_000 + b"\n" + b"y" * 100_000 + b"\n.")
    with pytest.raises(PoseTrackError) as refusal:
        read_checkpoint(path)
    assert_one_line(
        refusal.value, str(path), "no network weights in this file; it holds objects of the kind xxx"
    )
    assert len(str(refusal.value)) < 400 + len(str(path))


def test_compressed_objects_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"]" * 10**7 + b".")
    assert path.stat().st_size < 20_000
    with pytest.raises(PoseTrackError, match=r"compressed data\.pkl"):
        read_checkpoint(path)


class _Storages(pickle.Pickler):
    """Writes a complex number n as a storage of n floats."""

    def persistent_id(self, content: Any) -> Any:
        if isinstance(content, complex):
            return ("storage", torch.FloatStorage, str(content), "cpu", int(content.real), None)
        return None


def _hundred_storages(path: Path) -> None:
    """Each as large as the file, without their bytes."""
    with path.open("wb") as file:
        for head in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(head, file, protocol=2)
        _Storages(file, protocol=2).dump([complex(250_000 + n) for n in range(100)])
        file.write(bytes(1_000_000))


def _compressed_byte_order(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"N.", zipfile.ZIP_STORED)
        archive.writestr("a/byteorder", bytes(50_000_000))


def _byte_array(path: Path) -> None:
    path.write_bytes(b"\x80\x05\x96" + (2**28).to_bytes(8, "little") + b".")


@pytest.mark.parametrize(
    ("bomb", "reason"),
    [
        (_hundred_storages, "storage larger than the file"),
        (_compressed_byte_order, "compressed byteorder"),
        (_byte_array, "150"),
    ],
)
def test_no_file_takes_more_memory_than_it_has_bytes(
    bomb: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    bomb(path)
    tracemalloc.start()
    with pytest.raises(PoseTrackError, match=rf"damaged or cut off \({reason}\)"):
        read_checkpoint(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20_000_000
