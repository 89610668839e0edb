"""Trainings from start to weights: sharing between processes, kills, full disks, wrong requests."""

import json
import os
import resource
import signal
from dataclasses import replace

import av
import numpy as np
import pytest
import torch

import posetrack
from posetrack import models, zoo
from posetrack.datasets.people import PoseData
from posetrack.datasets.pictures import Folder, read_picture
from posetrack.errors import PoseTrackError
from posetrack.models.classifier import W18_SMALL_V1, HRNetClassifier
from posetrack.models.hrnet import HRNet
from posetrack.models.shapes import name_of
from posetrack.pose.crop import normalise
from posetrack.skeletons import COCO17
from posetrack.training.data import middle_part, read_image_folder
from posetrack.training.light_pose import initialise
from posetrack.training.recipes import RECIPES
from tests.posetrack.training import runs
from tests.posetrack.training.runs import logged
from tests.posetrack.training.stick_people import (
    stick_people,
    write_jpegs,
    write_stick_ai_challenger,
    write_stick_coco,
)

EMA = replace(runs.TINY, name="averaged", ema_decay=0.9)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing disturbed: 4 steps of 4 pictures, 2.5 epochs of 6 people."""
    folder = tmp_path_factory.mktemp("whole")
    runs.call(runs.run, folder, EMA)
    return folder


def killed_in_the_second_epoch(folder):
    """Kills itself after the checkpoint of step 2 and the work of step 3, in the midst of an epoch."""
    from posetrack.training.module import Training

    step = Training.training_step

    def step_then_die(self, batch, index):
        step(self, batch, index)
        if self.step == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    Training.training_step = step_then_die
    runs.run(folder, EMA, save_steps=2)


def test_killed_and_resumed_gives_bitwise_the_same(whole, tmp_path):
    process = runs.start(killed_in_the_second_epoch, tmp_path)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert runs.checkpoint(tmp_path)["step"] == 2  # 8 pictures: epoch 1 is over, epoch 2 is not
    runs.call(runs.run, tmp_path, EMA, 6, True)
    assert runs.same(*(runs.checkpoint(folder) for folder in (whole, tmp_path)))
    assert len(runs.tensors(runs.checkpoint(whole))) > 300  # weights, their average, the optimiser's moments
    assert logged(whole, "loss") == logged(tmp_path, "loss")
    assert (whole / "averaged.safetensors").read_bytes() == (tmp_path / "averaged.safetensors").read_bytes()


def killed_before_the_export(folder, init):
    """The weights are saved at the end of the last step; the process dies before they are exported."""
    from posetrack.training import export

    export.trained = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
    runs.run(folder, EMA, init=init)


def test_the_exported_file_knows_its_data_its_results_and_its_beginning(whole, tmp_path):
    begin = whole / "averaged.safetensors"
    process = runs.start(killed_before_the_export, tmp_path, begin)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    runs.call(runs.run, tmp_path, EMA, 6, True)  # nothing to train is left, and --init is not given again
    facts = zoo.read_metadata(tmp_path / "averaged.safetensors")
    assert json.loads(facts["validation"]) == {"pck_sticks": logged(tmp_path, "pck_sticks")[-1]}
    assert facts["unlabelled"] == "left_ear,right_ear"  # stick people in PoseTrack's joints have none
    assert facts["licence"] == "trained on photos for research use only"
    assert facts["began_with"] == "averaged.safetensors, trained on Leeds Sports Pose Extended, images 1-9000"


# Momentum keeps rounding as small as it is; Adam divides a gradient of rounding alone by its own size.
SGD = replace(runs.TINY, name="shared", optimiser="sgd", learning_rate=0.01, he_draw=True, epochs=2)


def one_picture_with_other_labels():
    """Four people who look the same but differ in labelled joints: parts of a batch weigh differently."""
    data = stick_people(1)
    (person,) = data.people
    labels = [person.labelled & (np.arange(17) % (n + 1) == 0) for n in range(4)]
    return replace(data, people=[replace(person, labelled=labelled) for labelled in labels])


def two_ways(folder, options):
    """Other pictures for every process, squared error; then the same picture, in parts, cross-entropy."""
    runs.run(folder / "pictures", SGD, people=8)
    entropy = replace(
        SGD, loss="cross_entropy", targets="unbiased", geometry=runs.STILL,
        width=128, height=128,  # smaller ones' lowest map has next to no variance, which enlarges rounding
    )  # fmt: skip
    runs.run(folder / "labels", entropy, data=one_picture_with_other_labels(), **options)


def test_two_processes_do_what_one_does(tmp_path):
    torch.manual_seed(SGD.seed)
    network = models.create(name_of(SGD.network), 17)
    initialise(network)
    begun = network.state_dict()
    runs.call(two_ways, tmp_path / "one", {})
    runs.call(two_ways, tmp_path / "two", {"accumulate": 2}, ranks=2)
    for part in ("pictures", "labels"):
        one, two = (tmp_path / ranks / part for ranks in ("one", "two"))
        assert logged(one, "loss") == pytest.approx(logged(two, "loss"), rel=1e-5)
        assert len(set(logged(one, "loss"))) == (4 if part == "pictures" else 2)
        if part == "pictures":  # else the statistics, which validation goes by, differ: see below
            assert logged(one, "pck_sticks") == logged(two, "pck_sticks")
        expected, found = (runs.checkpoint(folder)["network"] for folder in (one, two))
        for name, value in expected.items():
            if part == "labels" and name.endswith(("running_mean", "running_var", "num_batches_tracked")):
                continue  # batch-norm counts every part of a batch
            change = (value - begun[name]).float().norm().clamp(min=1e-5)
            assert (found[name] - value).float().norm() / change < 1e-2, name


def refused(folder, calls):
    """What `train` says to each of several requests."""
    from posetrack.training.run import train

    messages = []
    for recipe, data, more in calls:
        with pytest.raises(PoseTrackError) as caught:
            train(recipe, data, [], folder, **more)
        messages.append(str(caught.value))
    (folder / "messages.json").write_text(json.dumps(messages))


def test_wrong_requests_are_refused_in_one_line(whole):
    data = stick_people(6)
    before = (whole / "last.pt").read_bytes()
    wrong = [
        (EMA, data, {}),
        (replace(EMA, name="other", epochs=9), data, {"resume": True}),
        (EMA, stick_people(7), {"resume": True}),
        (replace(EMA, batch=3), data, {"resume": True}),
        (EMA, stick_people(2, COCO17), {}),
    ]
    runs.call(refused, whole, wrong)
    messages = json.loads((whole / "messages.json").read_text())
    assert messages[0] == f"{whole} holds a run already: add --resume, or choose another --run folder"
    assert messages[1].startswith(
        f"{whole}/last.pt belongs to the recipe averaged, with name averaged instead of"
    )
    assert "epochs 2.5 instead of 9" in messages[1]
    assert "examples 6 instead of 7" in messages[2]
    assert "batch 4 instead of 3" in messages[3]
    assert "joints of coco17" in messages[4]
    assert all("\n" not in message for message in messages)
    assert (whole / "last.pt").read_bytes() == before


def with_little_room(folder):
    """One step and its checkpoint; then no file may become as large as that any more."""
    recipe = replace(EMA, epochs=2)  # 3 steps
    runs.run(folder, recipe, stop_at=1, held_out=False)
    size = (folder / "last.pt").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, size - 1))
    with pytest.raises(PoseTrackError, match=r"last\.pt: cannot be written .*make room.*--resume"):
        runs.run(folder, recipe, resume=True, save_steps=1, held_out=False)


def test_without_room_the_last_checkpoint_and_the_run_stay(tmp_path):
    runs.call(with_little_room, tmp_path)
    assert runs.checkpoint(tmp_path)["step"] == 1
    assert not list(tmp_path.glob("*.tmp"))
    assert len(logged(tmp_path, "loss")) == 3  # it went on to its end
    assert (tmp_path / "averaged.safetensors").exists()  # smaller than a checkpoint


def curves_and_lost_pictures(folder):
    """Eight people by heart, of whose pictures one does not decode; in bfloat16."""
    data = stick_people(8, side=64)
    write_jpegs(data, folder / "pictures")
    (folder / "pictures/000003.jpg").write_bytes(b"no picture")
    lazy = PoseData("sticks", data.skeleton, data.people, Folder(folder / "pictures", data.pictures))
    recipe = replace(
        runs.TINY, network=runs.NARROW, width=64, height=64, loss="cross_entropy", targets="unbiased",
        he_draw=True, geometry=runs.STILL, epochs=70, batch=8, learning_rate=1e-2, milestones=None,
        ema_decay=0.8,
    )  # fmt: skip
    options = {"precision": "bf16", "validate_epochs": 70}
    runs.run(folder, recipe, data=lazy, **options)


def test_it_learns_by_heart_names_what_it_lost_and_draws(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = runs.call(curves_and_lost_pictures, tmp_path)
    lost = [line for line in out.splitlines() if line.startswith("left out: ")]
    assert len(lost) == 1  # though drawn in each of 70 epochs, and once more for validation
    assert "000003.jpg: 10 bytes that do not decode" in lost[0]
    assert logged(tmp_path, "pck_sticks")[-1] > 95
    curves = EventAccumulator(str(tmp_path)).Reload()
    assert {"loss", "learning_rate", "pck_sticks"} <= set(curves.Tags()["scalars"])
    assert [event.step for event in curves.Scalars("loss")] == list(range(1, 71))
    (picture,) = curves.Images("predictions/sticks")
    assert (picture.width, picture.height) == (8 * 64, 64)


def classifier(folder):
    """Four classes of one colour each, with a network of the published shape."""
    write_classes(folder / "data")
    recipe = replace(
        RECIPES["imagenet_w32_c"], network="hrnet_w18_small_v1_c", width=32, height=32, epochs=3, batch=8,
        learning_rate=0.01, milestones=(),
    )  # fmt: skip
    data, held_out = (read_image_folder(folder / "data", split) for split in ("train", "val"))
    from posetrack.training.module import Options
    from posetrack.training.run import train

    train(recipe, data, held_out, folder / "run", options=Options("cpu", log_steps=1))


def write_classes(root):
    for split, count in (("train", 8), ("val", 2)):
        for label, colour in enumerate([(220, 40, 30), (30, 220, 40), (40, 30, 220), (230, 230, 230)]):
            data = stick_people(count, side=64, seed=label)
            tinted = {
                n: (0.3 * p + 0.7 * np.array(colour)).astype(np.uint8) for n, p in data.pictures.items()
            }
            write_jpegs(replace(data, pictures=tinted), root / split / f"n0{label}")


def test_a_classifier_learns_and_begins_a_pose_network(tmp_path):
    runs.call(classifier, tmp_path)
    losses = logged(tmp_path / "run", "loss")
    assert min(losses[-4:]) < 0.7 * losses[0]
    path = tmp_path / "run/imagenet_w32_c.safetensors"
    assert logged(tmp_path / "run", "top1")[-1] == accuracy(path, tmp_path / "data")
    assert logged(tmp_path / "run", "top5")[-1] == 100  # there are four
    assert zoo.read_metadata(path)["model"] == "hrnet_w18_small_v1_c"
    network, state = HRNet(W18_SMALL_V1, 17), zoo.read_checkpoint(path)
    assert zoo.init_from_imagenet(network, state) == ["final_layer.weight", "final_layer.bias"]
    torch.testing.assert_close(network.conv1.weight, state["conv1.weight"])


def accuracy(weights, root):
    """Percent of the validation pictures, whole, that the exported network takes for what they are."""
    network = HRNetClassifier(W18_SMALL_V1, classes=4).eval()
    network.load_state_dict(zoo.read_checkpoint(weights), strict=False)
    data = read_image_folder(root, "val")
    crops = np.stack([middle_part(read_picture(path), (32, 32)) for path, _ in data.pictures])
    with torch.inference_mode():
        found = network(normalise(torch.from_numpy(crops))).argmax(dim=1).tolist()
    return 100 * np.mean([a == b for a, (_, b) in zip(found, data.pictures, strict=True)])


def test_the_command_trains_and_the_tracker_takes_its_weights(tmp_path):
    write_stick_coco(tmp_path / "coco")
    request = f"--recipe tiny --data {tmp_path}/coco --run {tmp_path}/run --threads 1 --accelerator cpu"
    out = runs.call(runs.command, request.split())
    assert "coco train: 1 left out" in out
    assert "000007.jpg: missing" in out
    assert logged(tmp_path / "run", "pck_coco_val")  # at the end of the epoch
    weights = tmp_path / "run/tiny.safetensors"
    assert f"weights: {weights}" in out
    write_clip(tmp_path / "clip.mp4", stick_people(1, COCO17, side=128).pictures["000000.jpg"])
    outcome = posetrack.track_video(tmp_path / "clip.mp4", tmp_path / "out", weights=weights)
    lines = (tmp_path / "out/clip.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["skeleton"]["name"] == "coco17"
    assert len(lines) == 1 + 3, outcome


def test_two_sets_train_together(tmp_path):
    """Eight people of COCO and four of AI Challenger, everybody once an epoch: three steps of four."""
    write_stick_coco(tmp_path / "coco")
    write_stick_ai_challenger(tmp_path / "more")
    request = f"--recipe tiny --data {tmp_path}/coco {tmp_path}/more --run {tmp_path}/run --accelerator cpu"
    out = runs.call(runs.command, request.split(), "coco+ai_challenger")
    assert "coco train: 1 left out" in out
    assert "ai_challenger train: 1 left out" in out
    assert "human2 of 000000.jpg: no labelled joint that COCO has" in out
    assert runs.checkpoint(tmp_path / "run")["step"] == 3  # 7 + 4 people
    assert logged(tmp_path / "run", "pck_coco_val")
    facts = zoo.read_metadata(tmp_path / "run/tiny.safetensors")
    assert facts["skeleton"] == "coco17"
    assert facts["trained_on"] == "COCO train2017 and AI Challenger human keypoints, training split"
    assert "unlabelled" not in facts  # COCO has the joints that AI Challenger lacks


def test_every_set_needs_its_folder(tmp_path):
    request = f"--recipe tiny --data {tmp_path} --run {tmp_path}/run".split()
    process = runs.start(runs.command, request, "coco+ai_challenger", output=tmp_path / "said")
    process.join()
    assert process.exitcode == 1
    assert (tmp_path / "said").read_text() == (
        "train.py: --data names 1 folders, but the recipe tiny learns from coco and ai_challenger: "
        "give one for each, in this order\n"
    )


def write_clip(path, picture):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = len(picture)
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
