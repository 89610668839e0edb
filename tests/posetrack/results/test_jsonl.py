"""tracks.jsonl: the format to the letter, the way back, and files that are not as they should be."""

from __future__ import annotations

import json
import resource
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posetrack.errors import InputError, PoseTrackError
from posetrack.results.jsonl import Header, JsonlWriter, read_jsonl, unfinished
from posetrack.skeletons import COCO17, POSETRACK17, POSETRACK18, Skeleton
from posetrack.types import Poses, Tracks

PAIR = Skeleton("pair", ("head_top", "tail"), ((0, 1),), (0.079, 0.079))
HEADER = Header(
    "clip.mp4", 1280, 720, 30_000 / 1001, PAIR, "light", {"pose": "narrow", "flow": "lucas_kanade"}
)


def tracks(index: int = 0, time: float = 0.0, skeleton: Skeleton = PAIR, people: int = 1) -> Tracks:
    joints = np.arange(people * len(skeleton) * 2).reshape(people, len(skeleton), 2) + 0.12345
    scores = np.full((people, len(skeleton)), 0.1)
    boxes = np.tile([1.0, 2.004, 30.006, 40.5], (people, 1))
    poses = Poses(joints, scores, boxes, np.full(people, 0.93), skeleton)
    return Tracks(poses, np.arange(people) + 1, [n % 2 == 1 for n in range(people)], index, time, (1280, 720))


def write(path: Path, *frames: Tracks, header: Header = HEADER) -> Path:
    with JsonlWriter(path, header) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def test_the_format_to_the_letter(tmp_path: Path) -> None:
    path = write(
        tmp_path / "clip.jsonl", tracks(0), tracks(1, 1001 / 30_000, people=0), tracks(2, 0.1, people=2)
    )
    lines = path.read_text().splitlines()
    assert lines[0] == (
        '{"format": "posetrack.tracks", "version": 1, "source": "clip.mp4", "width": 1280, "height": 720, '
        '"fps": 29.97003, "skeleton": {"name": "pair", "keypoints": ["head_top", "tail"], '
        '"edges": [[0, 1]]}, "preset": "light", "models": {"pose": "narrow", "flow": "lucas_kanade"}}'
    )
    assert lines[1] == (
        '{"frame": 0, "time": 0.0, "people": [{"id": 1, "score": 0.93, "box": [1.0, 2.0, 30.01, 40.5], '
        '"keypoints": [[0.12, 1.12, 0.1], [2.12, 3.12, 0.1]], "propagated": false}]}'
    )
    assert lines[2] == '{"frame": 1, "time": 0.033367, "people": []}'
    assert [p["propagated"] for p in json.loads(lines[3])["people"]] == [False, True]
    assert path.read_text().endswith("}\n")


@st.composite
def videos(draw: st.DrawFn) -> tuple[Header, list[Tracks]]:
    skeleton = draw(st.sampled_from([COCO17, POSETRACK17, POSETRACK18, PAIR]))
    K, size = len(skeleton), (draw(st.integers(1, 8000)), draw(st.integers(1, 8000)))
    models = {"pose": draw(st.text(max_size=8))}
    header = Header(draw(st.text(max_size=8)), *size, draw(st.floats(0.1, 240)), skeleton, "light", models)
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    frames = []
    for index in sorted(draw(st.sets(st.integers(0, 10**6), max_size=3))):
        n = draw(st.integers(0, 3))
        ids = draw(st.lists(st.integers(1, 2**40), min_size=n, max_size=n, unique=True))
        joints, boxes = random.uniform(-500, 4000, (n, K, 2)), random.uniform(-500, 4000, (n, 4))
        poses = Poses(joints, random.random((n, K)), boxes, random.random(n), skeleton)
        frames.append(Tracks(poses, ids, random.random(n) < 0.5, index, draw(st.floats(0, 1e5)), size))
    return header, frames


@given(videos())
@settings(max_examples=30, deadline=None)
def test_there_and_back(video: tuple[Header, list[Tracks]]) -> None:
    """What comes back is what went in, as exactly as the file is written."""
    header, frames = video
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "t.jsonl", *frames, header=header)
        file = read_jsonl(path)
        again = write(Path(folder) / "again.jsonl", *file.tracks, header=file.header)
        assert again.read_text() == path.read_text()  # a second passage changes nothing
    assert (file.header.source, file.header.skeleton, file.header.models) == (
        header.source, header.skeleton, header.models,
    )  # fmt: skip
    assert file.header.fps == pytest.approx(header.fps, abs=1e-6)
    assert not file.broken_off
    for was, now in zip(frames, file.tracks, strict=True):
        assert (now.index, now.size) == (was.index, was.size)
        assert now.time == pytest.approx(was.time, abs=5.1e-7)
        assert now.ids.tolist() == was.ids.tolist()
        assert now.propagated.tolist() == was.propagated.tolist()
        assert now.poses.keypoints == pytest.approx(was.poses.keypoints, abs=0.0055)
        assert now.poses.boxes == pytest.approx(was.poses.boxes, abs=0.0055)
        assert now.poses.keypoint_scores == pytest.approx(was.poses.keypoint_scores, abs=5.1e-5)
        assert now.poses.scores == pytest.approx(was.poses.scores, abs=5.1e-5)


def test_joints_without_a_place_are_zero_and_other_gaps_are_refused(tmp_path: Path) -> None:
    good = tracks()
    good.poses.keypoints[0, 0, 0] = np.nan
    good.poses.keypoint_scores[0, 1] = np.inf
    (frame,) = read_jsonl(write(tmp_path / "a.jsonl", good)).tracks
    assert not frame.poses.keypoints.any()
    assert not frame.poses.keypoint_scores.any()
    bad = tracks()
    bad.poses.boxes[0, 0] = np.nan
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path / "b.jsonl", bad)
    assert not (tmp_path / "b.jsonl").exists()  # failed at its first frame


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    """Flow that goes astray and a file name that is not UTF-8 may not cost the whole file."""
    astray = tracks()
    astray.poses.keypoints[0, 0] = 3e8
    astray.poses.boxes[0] = -3e8, 0, 3e8, 10
    file = read_jsonl(write(tmp_path / "a.jsonl", astray, header=replace(HEADER, source="caf\udce9.mp4")))
    assert file.header.source == "caf?.mp4"
    assert file.tracks[0].poses.keypoint_scores[0].tolist() == pytest.approx([0, 0.1])
    assert file.tracks[0].poses.boxes[0].tolist() == [-1e6, 0, 1e6, 10]


def test_another_skeleton_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tracks with the skeleton coco17 in a file of pair"):
        write(tmp_path / "a.jsonl", tracks(skeleton=COCO17))


def test_every_line_is_there_as_soon_as_it_is_written(tmp_path: Path) -> None:
    with JsonlWriter(tmp_path / "a.jsonl", HEADER) as writer:
        for index in range(3):
            assert len(read_jsonl(tmp_path / "a.jsonl").tracks) == index
            writer.write(tracks(index))


@pytest.mark.parametrize(
    ("frames", "error", "kept"),
    [(0, RuntimeError, False), (1, RuntimeError, True), (0, KeyboardInterrupt, True)],
)
def test_a_run_that_fails_before_its_first_frame_leaves_no_file(
    frames: int, error: type[BaseException], kept: bool, tmp_path: Path
) -> None:
    """What it wrote would only ask for --overwrite next time; frames that it did finish are kept."""

    def run() -> None:
        with JsonlWriter(tmp_path / "a.jsonl", HEADER) as writer:
            for index in range(frames):
                writer.write(tracks(index))
            raise error

    with pytest.raises(error):
        run()
    assert (tmp_path / "a.jsonl").exists() == kept


def test_a_disk_that_is_full_is_one_line(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def run() -> None:
        with JsonlWriter(tmp_path / "a.jsonl", HEADER) as writer:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
            for index in range(9):
                writer.write(tracks(index))

    try:
        with pytest.raises(PoseTrackError, match=r"^cannot write .*a\.jsonl: File too large; is there room"):
            run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_header_names_what_is_not_finished(tmp_path: Path) -> None:
    """So that a run which was broken off can be told from one that is whole, and done again."""
    path = tmp_path / "a.jsonl"
    with JsonlWriter(path, HEADER, unfinished=[".jsonl", ".mp4"]) as writer:
        writer.write(tracks(0))
        assert unfinished(path) == [".jsonl", ".mp4"]
        assert read_jsonl(path).broken_off == "the run that wrote it was broken off"
    plain = write(tmp_path / "plain.jsonl", tracks(0)).read_text().splitlines()
    assert [line.rstrip() for line in path.read_text().splitlines()] == plain
    assert (unfinished(path), read_jsonl(path).broken_off) == ([], "")
    for text in ("", "mine", "{}", '{"format": "posetrack.tracks", "unfinished": [".mp4"]}'):
        path.write_text(text)
        assert unfinished(path) == []
    assert unfinished(tmp_path / "absent.jsonl") == []


def test_a_file_may_be_cut_off_anywhere_after_its_header(tmp_path: Path) -> None:
    data = write(tmp_path / "a.jsonl", tracks(0), tracks(1, people=0), tracks(2)).read_bytes()
    lines = data.split(b"\n")
    ends = np.cumsum([len(line) + 1 for line in lines])  # just behind each line break
    broken = tmp_path / "broken.jsonl"
    for length in sorted({*range(ends[0] - 1, len(data), 5), *(ends[:-1] - 1), *ends[:-1]}):
        broken.write_bytes(data[:length])
        file = read_jsonl(broken)
        whole = sum(length >= end - 1 for end in ends[:-1]) - 1  # a line needs all but its break
        assert len(file.tracks) == whole
        assert bool(file.broken_off) == (length not in ends and length + 1 not in ends)


def header_with(**fields: Any) -> str:
    return json.dumps(HEADER.to_dict() | fields) + "\n"


TOO_LARGE = "Input should be less than or equal to 1000000, got "
ONE = {"id": 1, "score": 1, "box": [0, 0, 1, 1], "keypoints": [[0, 0, 1]] * 2, "propagated": False}
EMPTY_LINE = '{"frame": 0, "time": 0, "people": []}\n'


def frame(**fields: Any) -> str:
    return header_with() + json.dumps({"frame": 0, "time": 0, "people": []} | fields) + "\n"


def person(**fields: Any) -> str:
    return frame(people=[ONE | fields])


STRANGE_EDGE = {"name": "x", "keypoints": ["a"], "edges": [[0, 1]]}
STRANGE_ORDER = {"name": "coco17", "keypoints": ["a"], "edges": []}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no tracks: it is empty"),
        (header_with()[:50], "holds no tracks: its first line is cut off"),
        (
            "some notes\n",
            "line 1: Invalid JSON: expected value at column 1; is this a tracks.jsonl of posetr",
        ),
        ("[1, 2]\n", "line 1: Input should be an object, got [1, 2]; is this a tracks.jsonl of posetrack?"),
        (header_with(format="other"), "line 1: format: Input should be 'posetrack.tracks', got 'other'"),
        (header_with(version=2), "line 1: version: Input should be 1, got 2"),
        (header_with(width=0), "line 1: width: Input should be greater than or equal to 1, got 0"),
        (header_with(width=float("inf")), "line 1: width: Input should be a valid integer, got inf"),
        (header_with(fps=10**400), "line 1: fps: Input should be"),
        (header_with(source="\ud800"), "line 1: Invalid JSON: "),
        (header_with(skeleton=STRANGE_EDGE), "line 1: an edge of x leads to no keypoint"),
        (
            header_with(skeleton=STRANGE_ORDER),
            "line 1: the keypoints of coco17 are not in the order that it has",
        ),
        (header_with() + "{\n" + EMPTY_LINE, "line 2: Invalid JSON: EOF while parsing an object at column 1"),
        (header_with() + '{"frame": 0, "time": 0}\n', "line 2: people: Field required; is this"),
        (header_with() + "[" * 100_000 + "\n", "line 2: Invalid JSON: recursion limit exceeded at column 2"),
        (frame(frame=-1), "line 2: frame: Input should be greater than or equal to 0, got -1"),
        (frame(frame=10**12), "line 2: frame: Input should be less than 10000000, got 1000000000000"),
        (frame(time=float("inf")), "line 2: time: Input should be a finite number, got inf"),
        (header_with() + EMPTY_LINE * 2, "line 3: frame 0 comes after frame 0"),
        (person(keypoints=[[0, 0, 1]]), "line 2: people[0].keypoints: 1 joints, pair has 2"),
        (person(keypoints=[[0, 0, 1], [0]]), "line 2: people[0].keypoints[1]: List should have at least 3"),
        (
            person(keypoints=[[0, 0, 1], [0, 1e308, 1]]),
            f"line 2: people[0].keypoints[1][1]: {TOO_LARGE}1e+308",
        ),
        (
            person(box=[0, 0, 1, float("nan")]),
            "line 2: people[0].box[3]: Input should be a finite number, got n",
        ),
        (person(box=[0, 10**400, 1, 1]), "line 2: people[0].box[1]: Input should be"),
        (person(box=[0, 0, 1, 1e9]), f"line 2: people[0].box[3]: {TOO_LARGE}1000000000.0"),
        (person(score="high"), "line 2: people[0].score: Input should be a valid number, got 'high'"),
        (person(score="x" * 9999), "line 2: people[0].score: Input should be a valid number, got 'xxx"),
        (person(id=0), "line 2: people[0].id: Input should be greater than or equal to 1, got 0"),
        (person(id=1.5), "line 2: people[0].id: Input should be a valid integer, got 1.5"),
        (person(id=10**30), "line 2: people[0].id: Input should be"),
        (person(id=2**63), "line 2: people[0].id: Input should be"),
        (person(propagated=3), "line 2: people[0].propagated: Input should be a valid boolean, got 3"),
        (frame(people=[ONE, ONE]), "line 2: people[0].id: 1 is used twice in this frame"),
        (frame(people=[0] * 10_001), "line 2: people: List should have at most 10000 items"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(InputError) as caught:
        read_jsonl(tmp_path / "a.jsonl")
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'a.jsonl'} {why}")
    assert "\n" not in said
    assert len(said) < len(str(tmp_path)) + 300  # however long the value is


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.jsonl: cannot be read: No such file .*; check the path$"):
        read_jsonl(tmp_path / "absent.jsonl")
    (tmp_path / "file").touch()
    with pytest.raises(PoseTrackError, match=r"^cannot write .*a\.jsonl: .+; choose another folder$"):
        JsonlWriter(tmp_path / "file" / "a.jsonl", HEADER)
    with pytest.raises(PoseTrackError, match=r"file exists already: use --overwrite to replace it, or"):
        JsonlWriter(tmp_path / "file", HEADER)
    JsonlWriter(tmp_path / "file", HEADER, overwrite=True).close()
    assert read_jsonl(tmp_path / "file").header == replace(HEADER, fps=29.97003)
