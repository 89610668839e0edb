"""`posetrack train` as users run it, on data sets in their official form."""

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace

import av
import numpy as np
import pytest
import torch

import posetrack
from posetrack import cli, zoo
from posetrack.datasets.everyday import read_everyday_people
from posetrack.datasets.lspet import read_lspet
from posetrack.models.classifier import W18_SMALL_V1, HRNetClassifier
from posetrack.models.hrnet import HRNet
from posetrack.skeletons import COCO17
from posetrack.training import sources
from posetrack.training.recipe import Source
from posetrack.training.recipes import LIGHT, LIGHT_DETECTOR, RECIPES
from posetrack.training.tasks.teacher_joints import Opinions, write_opinions
from tests.posetrack.training import runs
from tests.posetrack.training.miniature import write_everyday, write_miniature, write_rendered
from tests.posetrack.training.runs import logged
from tests.posetrack.training.stick_people import (
    stick_people,
    write_jpegs,
    write_stick_ai_challenger,
    write_stick_coco,
)


@pytest.fixture(autouse=True)
def recipes(monkeypatch):
    monkeypatch.setattr("posetrack.training.recipes.RECIPES", dict(RECIPES))
    yield
    torch.set_flush_denormal(False)


def train(recipe, *words, **changes):
    """The exit code of a recipe made as small as a test needs."""
    from posetrack.training import recipes

    recipes.RECIPES[recipe.name] = replace(recipe, **changes)
    words = [str(word) for word in words]
    return cli.main(["train", "--recipe", recipe.name, "--device", "cpu", "--log-steps", "1", *words])


COCO = replace(runs.TINY, data=(Source("coco"),), epochs=1)


def test_it_trains_and_the_tracker_takes_its_weights(tmp_path, capsys):
    write_stick_coco(tmp_path / "coco")
    folder = tmp_path / "run"
    assert train(COCO, "--data", tmp_path / "coco", "--run", folder, "--ohkm") == 0
    out = capsys.readouterr().out
    assert "coco train: 1 left out" in out
    assert "000007.jpg: missing" in out
    assert logged(folder, "pck_coco_val")  # at the end of the epoch
    assert f"weights: {folder}/tiny.safetensors" in out
    write_clip(tmp_path / "clip.mp4", stick_people(1, COCO17, side=128).pictures["000000.jpg"])
    posetrack.track_video(tmp_path / "clip.mp4", tmp_path / "out", weights=folder / "tiny.safetensors")
    lines = (tmp_path / "out/clip.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["skeleton"]["name"] == "coco17"
    assert len(lines) == 1 + 3


def test_two_sets_train_together(tmp_path, capsys):
    """Seven people of COCO and four of AI Challenger, everybody once an epoch: three steps of four."""
    write_stick_coco(tmp_path / "coco")
    write_stick_ai_challenger(tmp_path / "more")
    both, folder = (Source("coco"), Source("ai_challenger")), tmp_path / "run"
    assert train(COCO, "--data", tmp_path / "coco", tmp_path / "more", "--run", folder, data=both) == 0
    out = capsys.readouterr().out
    assert "2 left out" in out
    assert "human2 of 000000.jpg: no labelled joint that COCO has" in out
    assert runs.checkpoint(folder)["step"] == 3
    assert logged(folder, "pck_coco_val")
    facts = zoo.read_metadata(folder / "tiny.safetensors")
    assert facts["skeleton"] == "coco17"
    assert facts["trained_on"] == "COCO train2017 and AI Challenger human keypoints, training split"
    assert "unlabelled" not in facts  # COCO has the joints that AI Challenger lacks


def refused(capsys):
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_wrong_requests_are_one_line(tmp_path, capsys):
    place = ("--data", tmp_path, "--run", tmp_path / "run")
    assert train(COCO, *place, data=(Source("coco"), Source("ai_challenger"))) == 2
    assert "--data names 1 folders, but the recipe tiny learns from coco and ai_challenger" in refused(capsys)
    assert cli.main(["train", "--recipe", "best", "--data", "x", "--run", "y"]) == 2
    assert "unknown recipe 'best': choose one of coco_w32_256x192" in refused(capsys)
    assert train(COCO, *place, "--minutes", 3, "--pictures", 9) == 2
    assert "either --epochs, --pictures or --minutes" in refused(capsys)
    assert train(COCO, *place, init="imagenet") == 2
    assert "the recipe tiny begins with an ImageNet classifier's weights: give" in refused(capsys)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/last.pt").touch()
    assert train(COCO, *place) == 2
    assert "holds a run already: add --resume, or choose another --run folder" in refused(capsys)


def group_of_its_own(words):
    """The command as a cluster runs it: signals go to the process and to all that it has started."""
    os.setpgid(0, 0)
    multiprocessing.set_start_method("fork", force=True)  # of loader workers, as in a process not forked
    return train(COCO, *words, epochs=10**5)


def test_a_signal_to_all_of_its_processes_ends_the_step_and_saves_it(tmp_path):
    write_stick_coco(tmp_path / "coco")
    folder, log = tmp_path / "run", tmp_path / "run/log.jsonl"
    options = ("--workers", "1", "--save-minutes", "99", "--validate-epochs", "100000")
    words = ["--data", tmp_path / "coco", "--run", folder, *options]
    process = runs.start(group_of_its_own, words, output=tmp_path / "said")
    while not (log.exists() and len(log.read_text().splitlines()) > 2):
        assert process.is_alive()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == 143
    step = runs.checkpoint(folder)["step"]
    assert step == len(logged(folder, "loss")) >= 3
    said = (tmp_path / "said").read_text()
    stopped = f"SIGTERM: stopped after step {step} of 175000, saved in {folder}/last.pt"
    assert f"{stopped}; go on with the same command and --resume\n" in said
    assert "Traceback" not in said
    assert not (folder / "tiny.safetensors").exists()


SMALL = {"network": runs.PLAIN, "width": 32, "height": 32, "stages": ()}


def test_the_light_network_learns_from_photos_and_rendered_people(tmp_path):
    """Athletes and a bystander, whose picture nearly repeats a held-out one; everyday and rendered people."""
    lspet, _ = write_miniature(tmp_path)
    people = write_everyday(tmp_path / "people")
    rendered = write_rendered(tmp_path / "rendered")
    folder = tmp_path / "all"
    words = ("--data", lspet, people, rendered, "--pictures", 8, "--batch", 4, "--run", folder)
    assert train(LIGHT, *words, **SMALL) == 0
    facts = zoo.read_metadata(folder / "light.safetensors")
    assert facts["trained_on"].startswith(
        "Leeds Sports Pose Extended, images 1-9000 and 2,974 everyday photos"
    )
    assert facts["trained_on"].endswith("and rendered people")
    assert json.loads(facts["validation"]).keys() == {"pck_lspet", "pck_others"}
    data, _ = sources.read_people(LIGHT, [lspet, people, rendered], tmp_path)
    assert shares(data) == pytest.approx({"lspet": 0.32 / 1.25, "everyday": 0.68 / 1.25, "rendered": 0.2})
    assert len([p for p in data.people if p.image.startswith("everyday/")]) == 2  # who have human joints

    teacher, folder = folder / "light.safetensors", tmp_path / "photos"
    words = ("--data", lspet, "--pictures", 4, "--batch", 4, "--run", folder, "--teacher", teacher)
    assert train(LIGHT, *words, **SMALL) == 0
    assert zoo.read_metadata(folder / "light.safetensors")["trained_on"].endswith("images 1-9000")


def shares(data):
    """Of the draws, of each set."""
    names = [person.image.partition("/")[0] for person in data.people]
    total = sum(person.weight for person in data.people)
    return {
        n: sum(p.weight for p, m in zip(data.people, names, strict=True) if m == n) / total for n in names
    }


def test_joints_that_a_teacher_has_found_ahead_are_learned(tmp_path):
    """It sees all joints of everybody where humans do, and ears, which no human has labelled."""
    lspet, _ = write_miniature(tmp_path)
    people, folder = write_everyday(tmp_path / "people"), tmp_path / "run"
    for data in (read_lspet(lspet), read_everyday_people(people)):
        K = len(data.skeleton)
        points = np.stack([np.where(p.labelled[:, None], p.keypoints, p.box[:2] + 9) for p in data.people])
        told = Opinions(points.astype(np.float32), np.full((len(data.people), K), 0.9, np.float32))
        (folder / "joints").mkdir(parents=True, exist_ok=True)
        write_opinions(folder / f"joints/{data.name}.npz", told)
    two = replace(LIGHT, data=LIGHT.data[:2])
    data, _ = sources.read_people(two, [lspet, people], folder / "joints")
    assert shares(data) == pytest.approx({"lspet": 0.32, "everyday": 0.68})
    assert len([p for p in data.people if p.image.startswith("everyday/")]) == 5
    words = ("--data", lspet, people, "--pictures", 4, "--batch", 4, "--run", folder)
    assert train(LIGHT, *words, **SMALL) == 0
    assert "unlabelled" not in zoo.read_metadata(folder / "light.safetensors")


def test_the_light_detector_learns_from_boxes_beside_the_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("posetrack.training.examples.scenes.SHAPES", ((160, 192),))
    lspet, labels = write_miniature(tmp_path)
    (labels / "train.json").rename(lspet / "person_boxes_train.json")
    (labels / "val.json").rename(lspet / "person_boxes_val.json")
    (labels / "backgrounds.json").rename(lspet / "backgrounds_boxes.json")
    people, folder = write_everyday(tmp_path / "people"), tmp_path / "run"
    words = ("--data", lspet, people, "--run", folder, "--pictures", 4, "--batch", 2)
    assert train(LIGHT_DETECTOR, *words) == 2
    assert f"{folder}/boxes/coco_train.json: no boxes to learn from; give the network" in refused(capsys)
    (folder / "boxes").mkdir(parents=True)
    for path in people.glob("*_train.json"):
        rows = {entry["file"]: [] for entry in json.loads(path.read_text())}
        (folder / "boxes" / path.name).write_text(json.dumps(rows))
    assert train(LIGHT_DETECTOR, *words, width=192, height=192, stages=()) == 0
    assert len(logged(folder, "ap50")) == 1
    assert zoo.read_metadata(folder / "light_detector.safetensors")["model"] == "light_detector"


def write_classes(root):
    for split, count in (("train", 8), ("val", 2)):
        for label, colour in enumerate([(220, 40, 30), (30, 220, 40), (40, 30, 220), (230, 230, 230)]):
            data = stick_people(count, side=64, seed=label)
            tinted = {
                n: (0.3 * p + 0.7 * np.array(colour)).astype(np.uint8) for n, p in data.pictures.items()
            }
            write_jpegs(replace(data, pictures=tinted), root / split / f"n0{label}")


def test_a_classifier_learns_and_begins_a_pose_network(tmp_path):
    write_classes(tmp_path / "data")
    small = {
        "network": "hrnet_w18_small_v1_c", "width": 32, "height": 32, "epochs": 3, "batch": 8,
        "learning_rate": 0.01, "milestones": (),
    }  # fmt: skip
    folder = tmp_path / "run"
    words = ("--data", tmp_path / "data", "--run", folder, "--validate-epochs", 3)
    assert train(RECIPES["imagenet_w32_c"], *words, **small) == 0
    losses = logged(folder, "loss")
    assert min(losses[-4:]) < 0.7 * losses[0]
    path = folder / "imagenet_w32_c.safetensors"
    assert logged(folder, "top1") == [accuracy(path, tmp_path / "data")]
    assert logged(folder, "top5") == [100]  # there are four
    network, state = HRNet(W18_SMALL_V1, 17), zoo.read_checkpoint(path)
    assert zoo.init_from_imagenet(network, state) == ["final_layer.weight", "final_layer.bias"]
    torch.testing.assert_close(network.conv1.weight, state["conv1.weight"])


def accuracy(weights, root):
    """Percent of the validation pictures that the exported network takes for what they are, as the benchmark
    sees them."""
    from posetrack.benchmarks.imagenet import centre_crop
    from posetrack.datasets.imagenet import read_image_folder

    network = HRNetClassifier(W18_SMALL_V1, classes=4).eval()
    network.load_state_dict(zoo.read_checkpoint(weights), strict=False)
    pictures = read_image_folder(root, "val").pictures
    with torch.inference_mode():
        found = network(torch.stack([centre_crop(path, 32) for path, _ in pictures])).argmax(dim=1).tolist()
    return 100 * np.mean([a == b for a, (_, b) in zip(found, pictures, strict=True)])


def write_clip(path, picture):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = len(picture)
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
