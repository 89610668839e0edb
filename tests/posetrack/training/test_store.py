"""Files in parts, and states in them: whatever a kill leaves, the last whole state is read."""

import os

import pytest
import torch

from posetrack.errors import PoseTrackError
from posetrack.training.parts import join, missing, read_part, write_parts
from posetrack.training.store import OneFile, SmallFiles


@pytest.mark.parametrize(("length", "count"), [(0, 1), (908, 1), (909, 2), (2400, 4)])
def test_parts_are_small_and_make_the_file_again(tmp_path, length, count):
    content = os.urandom(length)
    paths = write_parts(
        content, tmp_path, "piece", largest=1000
    )  # of these, 24 for the first line and 68 for each part
    assert [path.name for path in paths] == [f"piece-{i}" for i in range(count)]
    assert sorted(tmp_path.iterdir()) == paths
    assert max(path.stat().st_size for path in paths) <= 1000
    parts = [read_part(path) for path in reversed(paths)]
    assert not missing(parts)
    assert join(parts) == content


def test_a_part_knows_what_is_missing_and_whether_it_is_whole(tmp_path):
    paths = write_parts(os.urandom(2400), tmp_path, "piece", largest=1000)
    assert missing([read_part(paths[2])]) == [0, 1, 3]
    paths[0].write_bytes(paths[0].read_bytes()[:-1])
    with pytest.raises(PoseTrackError, match="piece-0 is damaged or cut off"):
        read_part(paths[0])
    paths[1].write_bytes(b"text")
    with pytest.raises(PoseTrackError, match="piece-1 is no part of a file"):
        read_part(paths[1])
    with pytest.raises(PoseTrackError, match="no-such cannot be read"):
        read_part(tmp_path / "no-such")


def test_parts_too_small_for_their_first_line(tmp_path):
    with pytest.raises(ValueError, match="too small"):
        write_parts(bytes(1000), tmp_path, "piece", largest=50)


@pytest.fixture(params=["one file", "small files"])
def store(request, tmp_path):
    if request.param == "one file":
        return OneFile(tmp_path / "run" / "last.pt")
    return SmallFiles(tmp_path / "run", "pose", largest=10_000)


def state(number):
    return {"weights": torch.full((5000,), float(number)), "pictures": number}


def test_the_last_state_is_read(store):
    assert store.read("cpu") is None
    for number in (1, 2, 3):
        store.write(state(number))
    found = store.read("cpu")
    assert found["pictures"] == 3
    assert torch.equal(found["weights"], state(3)["weights"])


def test_small_files_of_one_state_only(tmp_path):
    store = SmallFiles(tmp_path, "pose", largest=10_000)
    SmallFiles(tmp_path, "detector", largest=10_000).write(state(7))
    for number in (1, 2):
        store.write(state(number))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"{name}-{part}" for name in ("detector-000001", "pose-000002") for part in (0, 1, 2)]
    assert all(path.stat().st_size <= 10_000 for path in tmp_path.iterdir())


@pytest.mark.parametrize("parts", [0, 1, 2])
def test_killed_while_it_writes(tmp_path, monkeypatch, parts):
    store = SmallFiles(tmp_path, "pose", largest=10_000)
    store.write(state(1))
    replaced, replace = [], os.replace

    def killed(*paths):
        if len(replaced) == parts:
            raise KeyboardInterrupt
        replaced.append(paths)
        replace(*paths)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        store.write(state(2))
    monkeypatch.undo()
    again = SmallFiles(tmp_path, "pose", largest=10_000)
    assert again.read("cpu")["pictures"] == 1
    again.write(state(3))
    assert again.read("cpu")["pictures"] == 3
    assert len(list(tmp_path.iterdir())) == 3  # nothing half done is left


def test_killed_while_it_removes_the_earlier_state(tmp_path):
    store = SmallFiles(tmp_path, "pose", largest=10_000)
    store.write(state(1))
    earlier = {path: path.read_bytes() for path in tmp_path.iterdir()}
    store.write(state(2))
    path, content = earlier.popitem()
    path.write_bytes(content)
    assert store.read("cpu")["pictures"] == 2


def test_parts_that_are_not_all_there(tmp_path):
    store = SmallFiles(tmp_path, "pose", largest=10_000)
    store.write(state(1))
    (tmp_path / "pose-000001-1").unlink()
    with pytest.raises(PoseTrackError, match="not all there: bring all, or remove them"):
        store.read("cpu")
