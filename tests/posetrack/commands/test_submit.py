"""`posetrack submit` on a small PoseTrack folder that the test makes from the demo clip's first frames."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from posetrack import zoo
from posetrack.cli import main
from posetrack.results.formats import category
from posetrack.video import open_video

DEMO = Path(__file__).parents[3] / "posetrack" / "demo" / "demo.mp4"
SEQUENCES = ("000001_mpii_test", "000002_mpii_test")
FRAMES = 4


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences of four frames, the second without people to see."""
    root = tmp_path_factory.mktemp("posetrack")
    with open_video(DEMO) as video:
        pictures = [frame.image for frame, _ in zip(video, range(FRAMES), strict=False)]
    (root / "annotations").mkdir()
    for number, name in enumerate(SEQUENCES, 1):
        folder = root / "images" / "val" / name
        folder.mkdir(parents=True)
        images = []
        for i, picture in enumerate(pictures):
            picture = picture if number == 1 else np.full_like(picture, 90)
            cv2.imwrite(str(folder / f"{i:06d}.jpg"), picture[..., ::-1])
            images.append(
                {
                    "file_name": f"images/val/{name}/{i:06d}.jpg", "id": 10**10 + number * 10**4 + i,
                    "frame_id": 10**10 + number * 10**4 + i, "vid_id": f"{number:06d}", "nframes": FRAMES,
                    "is_labeled": i < FRAMES - 1,
                }
            )  # fmt: skip
        content = {"images": images, "annotations": [], "categories": [category()]}
        (root / "annotations" / f"{name}.json").write_text(json.dumps(content))
    return root


def words(root: Path, out: Path, *more: str) -> list[str]:
    return [
        "submit", "--annotations", str(root / "annotations"), "--images", str(root), "--out", str(out),
        "--preset", "light", *more,
    ]  # fmt: skip


def test_every_sequence_and_frame_is_answered_and_zipped(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pred"
    assert main(words(dataset, out, "--zip", "--batch-size", "3")) == 0
    answers = {name: json.loads((out / f"{name}.json").read_text()) for name in SEQUENCES}
    for name, answer in answers.items():
        asked = json.loads((dataset / "annotations" / f"{name}.json").read_text())["images"]
        assert [i["file_name"] for i in answer["images"]] == [i["file_name"] for i in asked]
        assert [i["id"] for i in answer["images"]] == [i["id"] for i in asked]
    assert answers[SEQUENCES[0]]["annotations"]
    assert answers[SEQUENCES[1]]["annotations"] == []
    with zipfile.ZipFile(tmp_path / "pred.zip") as archive:
        assert archive.namelist() == [f"{name}.json" for name in SEQUENCES]
    assert main(["submit", "--check", str(out), "--annotations", str(dataset / "annotations")]) == 0
    assert "no problems" in capsys.readouterr().out


def test_finished_sequences_are_kept(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pred"
    out.mkdir()
    (out / f"{SEQUENCES[0]}.json").write_text("finished before")
    assert main(words(dataset, out)) == 0
    assert "1 sequences tracked, 1 kept from before, 0 failed" in capsys.readouterr().out
    assert (out / f"{SEQUENCES[0]}.json").read_text() == "finished before"
    assert main(["submit", "--check", str(out)]) == 1  # and the check says that it is not one


def test_processes_and_shards_write_the_same_files(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def files(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.glob("*.json")}

    one, many = tmp_path / "one", tmp_path / "many"
    assert main(words(dataset, one)) == 0
    assert main(words(dataset, many, "--shard", "2/2")) == 0
    assert "1 done, 0 kept from before, 0 failed" in capsys.readouterr().out
    assert main(words(dataset, many, "--jobs", "2", "--zip")) == 0
    assert "1 done, 1 kept from before, 0 failed" in capsys.readouterr().out
    assert set(files(one)) == {f"{name}.json" for name in SEQUENCES}
    assert files(one) == files(many)
    with zipfile.ZipFile(tmp_path / "many.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files(one)
    assert main(["status", str(many)]) == 0
    assert main(words(dataset, one, "--jobs", "2")) == 2  # nobody knows which settings those are of
    assert "000001_mpii_test.json exists already" in capsys.readouterr().err


def test_boxes_keyed_by_image_id(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Only frame 1 of the first sequence has a box; the second sequence's ids are other ones.
    box = {"image_id": 10**10 + 10**4 + 1, "bbox": [30, 200, 200, 400], "score": 0.9, "category_id": 1}
    (tmp_path / "boxes.json").write_text(json.dumps([box]))
    out = tmp_path / "pred"
    own = tmp_path / "mine.safetensors"
    own.write_bytes(zoo.bundled("light_pose").read_bytes())
    assert main(words(dataset, out, "--boxes", str(tmp_path / "boxes.json"), "--weights", str(own))) == 0
    assert (
        f"{SEQUENCES[1]}: {tmp_path}/boxes.json has no box for any of its images" in capsys.readouterr().err
    )
    answer = json.loads((out / f"{SEQUENCES[0]}.json").read_text())
    frames = {person["image_id"] for person in answer["annotations"]}
    assert min(frames, default=box["image_id"]) == box["image_id"]  # nobody before
    assert json.loads((out / f"{SEQUENCES[1]}.json").read_text())["annotations"] == []


def test_missing_images_stop_it_before_it_begins(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    shutil.copytree(dataset, root)
    (root / "images" / "val" / SEQUENCES[1] / "000002.jpg").unlink()
    assert main(words(root, tmp_path / "pred")) == 2
    assert "000002.jpg" in capsys.readouterr().err
    assert list((tmp_path / "pred").iterdir()) == []


def test_annotations_are_never_replaced_by_predictions(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(dataset / "annotations", tmp_path / "annotations")
    before = (tmp_path / "annotations" / f"{SEQUENCES[0]}.json").read_bytes()
    ask = ["submit", "--images", str(dataset), "--preset", "light", "--overwrite"]
    folder = str(tmp_path / "annotations")
    assert main([*ask, "--annotations", folder, "--out", folder]) == 2
    assert "choose another folder" in capsys.readouterr().err
    assert (tmp_path / "annotations" / f"{SEQUENCES[0]}.json").read_bytes() == before


def test_a_zip_that_is_there_stops_it_before_it_begins(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pred").mkdir()
    monkeypatch.chdir(tmp_path / "pred")  # "." has no name to put .zip behind
    (tmp_path / "pred.zip").write_text("mine")
    assert main(words(dataset, Path(), "--zip")) == 2
    assert "pred.zip exists already" in capsys.readouterr().err
    assert (tmp_path / "pred.zip").read_text() == "mine"
    assert list((tmp_path / "pred").iterdir()) == []
    assert main(words(dataset, Path(), "--zip", "--overwrite")) == 0
    assert zipfile.is_zipfile(tmp_path / "pred.zip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pred", "pred.zip"]


def test_the_demo_can_be_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = DEMO.with_name("demo_truth.json")
    for folder in ("gt", "pred"):
        (tmp_path / folder).mkdir()
        shutil.copy(truth, tmp_path / folder / "demo.json")
    scores = tmp_path / "scores.json"
    done = main(
        ["eval", "--gt", str(tmp_path / "gt"), "--pred", str(tmp_path / "pred"), "--json", str(scores)]
    )
    assert done == 0
    assert "Total" in capsys.readouterr().out
    assert json.loads(scores.read_text())["mota"]["total"] == pytest.approx(100)


def test_flags_that_belong_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "--out", "x"]) == 2
    assert "--annotations" in capsys.readouterr().err
