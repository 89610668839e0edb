"""`posetrack evaluate` as users run it: an untrained network on miniature data sets, and wrong requests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import loadmat

from posetrack import cli, models
from posetrack.skeletons import COCO17, MPII16, POSETRACK18, Skeleton
from posetrack.training.export import half_precision, write
from tests.posetrack.benchmarks.dots import (
    detections,
    write_coco,
    write_json,
    write_mpii,
    write_picture,
    write_posetrack,
)

torch.set_num_threads(1)
SETTINGS = {
    "data", "split", "weights", "model", "input_size", "skeleton", "device", "boxes", "box_score", "flip",
    "decoder", "pyramid", "oks_nms", "soft_nms", "people", "pictures", "lost", "metrics", "seconds",
}  # fmt: skip


def weights_file(path: Path, skeleton: Skeleton, **facts: str) -> Path:
    torch.manual_seed(0)
    network = models.create("hrnet_light", len(skeleton))
    usage = {"model": "hrnet_light", "skeleton": skeleton.name, "sigma": "1.5"}
    write(half_precision(network), path, usage | {"input_width": "64", "input_height": "64"} | facts)
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All data sets, and a network for each of their skeletons."""
    root = tmp_path_factory.mktemp("world")
    write_coco(root / "coco")
    write_mpii(root / "mpii")
    write_posetrack(root / "posetrack18")
    for name, skeleton in (("coco", COCO17), ("mpii", MPII16), ("posetrack18", POSETRACK18)):
        weights_file(root / f"{name}.safetensors", skeleton)
    torch.save(models.create("hrnet_light", 17).state_dict(), root / "silent.pth")
    weights_file(root / "wrong.safetensors", COCO17, model="hrnet_w32")
    return root


def run(world: Path, data: str, *more: str, weights: str | None = None) -> int:
    file = str(world / (weights or f"{data}.safetensors"))
    arguments = [
        "evaluate",
        "--data",
        data,
        "--root",
        str(world / data),
        "--weights",
        file,
        "--device",
        "cpu",
        *more,
    ]
    return cli.main(arguments)


METRICS = {
    "coco": {"AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL"},
    "mpii": {"Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "joints",
             "Mean@0.1 (official, 0.11)", "Mean@0.1 (true)"},
    "posetrack18": {"sequences", "labelled_frames", "ap", "precision_ap", "recall_ap"},
}  # fmt: skip


@pytest.mark.parametrize("data", METRICS)
def test_json_and_poses(world: Path, tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(world, data, "--json", str(tmp_path / "m.json"), "--save", str(tmp_path / "poses")) == 0
    summary = json.loads((tmp_path / "m.json").read_text())
    assert set(summary) == SETTINGS
    assert set(summary["metrics"]) == METRICS[data]
    assert (summary["data"], summary["flip"], summary["decoder"]) == (data, True, "quarter")
    assert (summary["people"], summary["pictures"]) == ((3, 2) if data != "mpii" else (2, 2))
    if data == "posetrack18":
        saved = json.loads((tmp_path / "poses" / "000001_mpii_test.json").read_text())["annotations"]
    else:
        saved = json.loads((tmp_path / "poses").read_text())
    assert 0 < len(saved) <= summary["people"]  # poses of an untrained network may be alike
    text = capsys.readouterr().out
    assert text.startswith(f"{data}: 2 pictures in")
    assert len(text.splitlines()) == 4  # and an empty line, names, numbers


def test_choices_reach_the_network(world: Path, tmp_path: Path) -> None:
    boxes = detections(tmp_path / "b.json", (1, 20, 30, 0.9), (2, 100, 60, 0.3))
    more = ("--boxes", str(boxes), "--box-score", "0.5", "--no-flip", "--decoder", "dark", "--oks-nms", "1")
    assert run(world, "coco", *more, "--json", str(tmp_path / "m.json")) == 0
    summary = json.loads((tmp_path / "m.json").read_text())
    assert (summary["people"], summary["flip"], summary["decoder"], summary["oks_nms"]) == (
        1,
        False,
        "dark",
        1.0,
    )


def test_a_test_set_without_labels_gives_results_for_the_server(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_coco(tmp_path / "coco")
    document = json.loads((tmp_path / "coco/annotations/person_keypoints_val2017.json").read_text())
    (tmp_path / "coco/annotations/image_info_test-dev2017.json").write_text(
        json.dumps({"images": document["images"]})
    )
    (tmp_path / "coco" / "val2017").rename(tmp_path / "coco" / "test2017")
    boxes = detections(tmp_path / "b.json", (1, 20, 30, 0.9), (2, 100, 60, 0.8))
    saved = tmp_path / "person_keypoints_test-dev2017_mine_results.json"
    arguments = ["evaluate", "--data", "coco", "--root", str(tmp_path / "coco"), "--device", "cpu"]
    arguments += ["--split", "test-dev", "--weights", str(world / "coco.safetensors"), "--save", str(saved)]
    assert cli.main(arguments) == 2
    assert "--split test-dev has no" in capsys.readouterr().err
    assert cli.main([*arguments, "--boxes", str(boxes)]) == 0
    assert "send them to COCO's server" in capsys.readouterr().out
    results = json.loads(saved.read_text())
    assert [entry["image_id"] for entry in results] == [1, 2]
    assert {len(entry["keypoints"]) for entry in results} == {51}


def test_mpii_test_set_gives_a_mat(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads((world / "mpii" / "annot" / "valid.json").read_text())
    people = [{key: person[key] for key in ("image", "center", "scale")} for person in listed]
    write_json(tmp_path / "mpii" / "annot" / "test.json", people)
    (tmp_path / "mpii" / "images").symlink_to(world / "mpii" / "images")
    arguments = ["evaluate", "--data", "mpii", "--root", str(tmp_path / "mpii"), "--split", "test"]
    arguments += [
        "--device",
        "cpu",
        "--weights",
        str(world / "mpii.safetensors"),
        "--json",
        str(tmp_path / "m.json"),
    ]
    assert cli.main([*arguments, "--pyramid", "--save", str(tmp_path / "pred.mat")]) == 0
    assert "2 poses, no labels to measure them by" in capsys.readouterr().out
    assert loadmat(tmp_path / "pred.mat")["preds"].shape == (2, 16, 2)
    assert json.loads((tmp_path / "m.json").read_text())["pyramid"] is True


def test_lost_pictures_are_named_and_counted(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_coco(tmp_path / "coco")
    (tmp_path / "coco" / "val2017" / "2.jpg").unlink()
    weights = str(world / "coco.safetensors")
    root, out = str(tmp_path / "coco"), str(tmp_path / "m.json")
    arguments = ["--data", "coco", "--root", root, "--weights", weights, "--json", out, "--device", "cpu"]
    assert cli.main(["evaluate", *arguments]) == 1
    captured = capsys.readouterr()
    assert "1 pictures are lost" in captured.err
    assert "2.jpg: cannot be read" in captured.err
    assert captured.out.startswith("coco: 2 pictures")
    assert len(json.loads(Path(out).read_text())["lost"]) == 1


def test_scores_on_training_pictures_are_named_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for a network of ours that learned from the split, none for another split."""
    write_coco(tmp_path / "coco")
    (tmp_path / "coco" / "val2017").rename(tmp_path / "coco" / "train2017")
    annotations = tmp_path / "coco" / "annotations"
    (annotations / "person_keypoints_val2017.json").rename(annotations / "person_keypoints_train2017.json")
    file = weights_file(
        tmp_path / "coco.safetensors", COCO17, trained_on="COCO train2017 and rendered people"
    )
    assert run(tmp_path, "coco", "--split", "train") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"warning: {file}: the weights were trained on COCO train2017: that says little of new pictures"
    )
    (tmp_path / "coco" / "train2017").rename(tmp_path / "coco" / "val2017")
    (annotations / "person_keypoints_train2017.json").rename(annotations / "person_keypoints_val2017.json")
    assert run(tmp_path, "coco") == 0
    assert capsys.readouterr().err == ""


WIDE = ("--model", "hrnet_w48_coco_256x192")
REFUSED = [
    ("no", (), "no.safetensors: no such file"),
    ("wrong", (), "this looks like hrnet_light with 17 keypoints, but hrnet_w32 with 17"),
    ("silent.pth", (), "does not say for which joints and input size it is: add --model"),
    ("silent.pth", WIDE, "this looks like hrnet_light with 17 keypoints, but hrnet_w48 with 17"),
    ("silent.pth", ("--model", "hrnet_w49"), "there are no weights named 'hrnet_w49'"),
    ("coco", WIDE, "says that it is of hrnet_light"),
    ("coco", ("--root", "nowhere"), "nowhere/annotations/person_keypoints_val2017.json: cannot be read"),
    ("coco", ("--boxes", "no.json"), "no.json: cannot be read"),
    ("coco", ("--oks-nms", "90"), "--oks-nms 90.0: an OKS is from 0 to 1"),
    ("coco", ("--data", "mpii", "--boxes", "b.json"), "--boxes b.json: mpii is defined on its labelled"),
    ("coco", ("--data", "mpii", "--split", "train"), "--split train: mpii is measured on val or test"),
    ("coco", ("--data", "mpii", "--root", "nowhere"), "gt_valid.mat is no readable .mat file"),
    ("coco", ("--data", "posetrack18", "--root", "nowhere"), "nowhere: no annotations of the split 'val'"),
    ("coco", ("--data", "lspet", "--root", "nowhere"), "lspet_val.json: cannot be read"),
    ("coco", ("--data", "imagenet"), "'hrnet_light' is no ImageNet classifier"),
    ("coco", ("--data", "imagenet", "--save", "x"), "leave them out for imagenet"),
    ("silent.pth", ("--data", "imagenet"), "does not say what network it is of: add --model"),
    ("coco", ("--device", "cuda:77"), "device 'cuda:77' asked for"),
]


@pytest.mark.parametrize(
    ("weights", "more", "message"), REFUSED, ids=[" ".join((w, *m)) for w, m, _ in REFUSED]
)
def test_wrong_requests_are_one_line(
    world: Path, weights: str, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = weights if "." in weights else f"{weights}.safetensors"
    assert run(world, "coco", *more, weights=file) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("posetrack: ")
    assert error.count("\n") == 1


def test_imagenet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 1000 classes two have a picture, and one of them another that does not decode."""
    network = models.create("hrnet_w18_small_v1_c")
    torch.save({"state_dict": network.state_dict()}, tmp_path / "c.pth")
    places = [tmp_path / "val" / f"n{n:08d}" for n in range(1000)]
    for place in places:
        place.mkdir(parents=True)
    write_picture(places[3] / "a.JPEG", np.full((1, 2), 50.0))
    write_picture(places[999] / "b.JPEG", np.full((1, 2), 80.0))
    (places[999] / "c.JPEG").write_bytes(b"no picture")
    given = {"data": "imagenet", "root": tmp_path, "weights": tmp_path / "c.pth", "device": "cpu",
             "model": "hrnet_w18_small_v1_c", "json": tmp_path / "m.json"}  # fmt: skip
    words = [text for name, value in given.items() for text in (f"--{name}", str(value))]
    assert cli.main(["evaluate", *words]) == 1
    captured = capsys.readouterr()
    assert "c.JPEG: does not decode" in captured.err
    assert captured.out.startswith("imagenet: 2 pictures in")
    summary = json.loads((tmp_path / "m.json").read_text())
    assert set(summary) == {
        "data",
        "split",
        "weights",
        "model",
        "device",
        "pictures",
        "lost",
        "metrics",
        "seconds",
    }
    assert summary["metrics"].keys() == {"pictures", "top1", "top5"}


def test_results_that_cannot_be_written(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = write_json(tmp_path / "file", {}) / "m.json"
    assert run(world, "mpii", "--json", str(blocked)) == 2
    assert f"posetrack: {blocked}: cannot be written" in capsys.readouterr().err


def test_files_that_are_there_stay(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = write_json(tmp_path / "m.json", {"old": True})
    assert run(world, "mpii", "--json", str(there)) == 2
    assert f"{there} exists already" in capsys.readouterr().err
    assert json.loads(there.read_text()) == {"old": True}
    assert run(world, "mpii", "--json", str(there), "--overwrite") == 0
    assert "metrics" in json.loads(there.read_text())
