"""Packing and receiving: the same data on the other side, whatever the order, and only what was asked for."""

import json

import pytest

from posetrack.datasets.boxes import tar_members
from posetrack.datasets.lspet import PLACES_HELD_OUT, RENDERED_SHARE, read_lspet, read_scenes
from posetrack.errors import PoseTrackError
from posetrack.training.pieces import pack, receive
from tests.posetrack.training.miniature import write_miniature, write_rendered


@pytest.fixture
def miniature(tmp_path):
    return write_miniature(tmp_path / "data")


def test_pieces_in_any_order_give_the_data_again(miniature, tmp_path):
    lspet, labels = miniature
    pieces = pack(lspet, labels, tmp_path / "pieces", largest=100_000)
    assert len(pieces) > 2
    assert all(piece.stat().st_size <= 100_000 for piece in pieces)
    first, *others = reversed(pieces)
    assert receive(first, tmp_path / "there") == list(range(len(pieces) - 1))
    for piece in [first, *others]:  # one of them twice
        to_come = receive(piece, tmp_path / "there")
    assert to_come == []
    for path in lspet.glob("*.tar"):
        assert (tmp_path / "there" / "lspet" / path.name).read_bytes() == path.read_bytes()
    for path in [*lspet.glob("*.json"), labels / "train.json", labels / "backgrounds.json"]:
        there = tmp_path / "there" / ("lspet" if path.parent == lspet else "boxes") / path.name
        assert json.loads(there.read_text()) == json.loads(path.read_text())
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["boxes", "lspet"]


def test_the_same_data_give_the_same_bytes(miniature, tmp_path):
    once, again = (pack(*miniature, tmp_path / name, largest=100_000) for name in ("once", "again"))
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]


def test_a_limit_takes_so_many_pictures_and_what_is_said_of_them(miniature, tmp_path):
    pack(*miniature, tmp_path / "pieces", largest=100_000)
    (piece,) = pack(*miniature, tmp_path / "pieces", limit=2)
    assert list((tmp_path / "pieces").iterdir()) == [piece]  # none is left of the larger packing
    assert receive(piece, tmp_path / "there") == []
    there = tmp_path / "there"
    counts = {path.name: len(list(tar_members(path))) for path in (there / "lspet").glob("*.tar")}
    assert counts == {"train-00.tar": 2, "train-01.tar": 0, "train-02.tar": 0, "val.tar": 2,
                      "backgrounds.tar": PLACES_HELD_OUT + 2}  # fmt: skip
    data = read_lspet(there / "lspet")  # the first picture nearly repeats one of validation
    assert (len(data.images), len(data.athletes.people), len(data.bystanders.people)) == (1, 2, 1)
    scenes = read_scenes(there / "lspet", there / "boxes", seed=1)
    assert (len(scenes.pictures), len(scenes.backgrounds)) == (2, 2)


def test_rendered_people_travel_with_the_photos(miniature, tmp_path):
    rendered = write_rendered(tmp_path / "rendered", count=4)
    for piece in pack(*miniature, tmp_path / "pieces", rendered=rendered):
        assert receive(piece, tmp_path / "there") == []
    there = tmp_path / "there"
    assert (there / "rendered" / "people.tar").read_bytes() == (rendered / "people.tar").read_bytes()
    data = read_lspet(there / "lspet", there / "rendered")
    drawn = [person.weight for person in data.people if person.image.startswith("r")]
    assert len(drawn) == 4
    assert sum(drawn) == pytest.approx(RENDERED_SHARE * sum(person.weight for person in data.people))

    for piece in pack(*miniature, tmp_path / "few", limit=2, rendered=rendered):
        receive(piece, tmp_path / "less")
    less = tmp_path / "less"
    scenes = read_scenes(less / "lspet", less / "boxes", seed=1, rendered=less / "rendered")
    assert len(scenes.pictures) == 4
    assert scenes.cumulative[[1, 3]] == pytest.approx([1 - RENDERED_SHARE, 1])


def test_pieces_of_another_packing_do_not_count(miniature, tmp_path):
    other = pack(*miniature, tmp_path / "other", limit=3, largest=50_000)
    pieces = pack(*miniature, tmp_path / "pieces", largest=100_000)
    receive(other[1], tmp_path / "there")
    assert receive(pieces[0], tmp_path / "there") == list(range(1, len(pieces)))


def test_damaged_pieces_and_missing_files_are_named(miniature, tmp_path):
    piece = pack(*miniature, tmp_path / "pieces", largest=100_000)[0]
    piece.write_bytes(piece.read_bytes()[:-100])
    with pytest.raises(PoseTrackError, match="piece-0 is damaged or cut off: bring it again"):
        receive(piece, tmp_path / "there")
    (miniature[1] / "train.json").unlink()
    with pytest.raises(PoseTrackError, match=r"labels/train\.json: no such file"):
        pack(*miniature, tmp_path / "pieces")
    with pytest.raises(PoseTrackError, match=r"nowhere/people\.tar, \S+people\.json: no such file"):
        pack(*write_miniature(tmp_path / "more"), tmp_path / "pieces", rendered=tmp_path / "nowhere")
