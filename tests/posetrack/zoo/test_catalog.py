"""The list of published files agrees with itself, with our own parts and with torchvision."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from posetrack import models
from posetrack.datasets.names import TRAINING, seen_in_training
from posetrack.errors import PoseTrackError
from posetrack.presets import PRESETS
from posetrack.skeletons import SKELETONS
from posetrack.zoo import bundled, read_metadata
from posetrack.zoo.catalog import CATALOG, Weights, find

ENTRIES = list(CATALOG.values())


def test_names_files_and_digests_are_distinct() -> None:
    assert (
        len({entry.file_name for entry in ENTRIES})
        == len({entry.digest for entry in ENTRIES})
        == len(ENTRIES)
    )
    assert all(re.fullmatch("sha256:[0-9a-f]{8}", entry.digest) for entry in ENTRIES)
    assert all(entry.url.startswith("https://") and entry.licence for entry in ENTRIES)
    # The publishers' own: mmpose, torchvision and ptlflow put the digest before the date or the ending.
    assert all(re.search(f"-{e.digest[7:]}(_[0-9]{{8}})?[.](pth|ckpt)$", e.url) for e in ENTRIES)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.kind == "pose"], ids=lambda e: e.name)
def test_pose_entries_describe_a_network_of_ours(entry: Weights) -> None:
    known = models.names()
    assert entry.network in known
    assert entry.skeleton in SKELETONS
    assert entry.input_size is not None
    height, width = entry.input_size
    assert f"_{height}x{width}" in entry.name
    assert f"{height}x{width}" in entry.file_name
    assert height % 32 == width % 32 == 0
    assert entry.sigma == (3.0 if height == 384 else 2.0)
    assert (entry.decoding in entry.file_name) == (entry.decoding != "quarter")
    assert entry.score is not None


def test_detectors_are_torchvisions_own_files() -> None:
    from torchvision.models import get_model_weights

    for entry in ENTRIES:
        if entry.kind == "detector" or entry.url.startswith("https://download.pytorch.org"):
            published = {weights.url: weights.meta for weights in get_model_weights(entry.network)}
            assert entry.url in published
            if entry.kind == "detector":
                assert entry.score is not None
                assert published[entry.url]["_metrics"]["COCO-val2017"]["box_map"] == entry.score.value


def test_what_the_presets_need_is_listed() -> None:
    for preset in PRESETS.values():
        for name in (preset.detector, preset.pose):
            assert name == "light" or name in CATALOG
        if preset.flow.startswith("ptlflow:"):
            assert preset.flow in CATALOG


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("hrnet_w48_posetrack_384x288", "did you mean hrnet_w48_posetrack18_384x288"),
        ("yolo", r"\d+ are listed in .*catalog\.py, such as raft_small, .*, hrnet_w32_coco_256x192$"),
    ],
)
def test_an_unknown_name_gets_a_hint(name: str, hint: str) -> None:
    with pytest.raises(PoseTrackError, match=f"no weights named '{name}'; {hint}"):
        find(name)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("hrnet_w48_coco_384x288_udp", {("coco", "train")}),
        (
            "hrnet_w48_posetrack18_384x288",
            {(name, "train") for name in ("coco", "posetrack17", "posetrack18")},
        ),
        ("hrnet_w32_mpii_256x256", {("mpii", "train")}),
        ("hrnet_w32_c_imagenet", {("imagenet", "train")}),
        ("raft_large", set()),
    ],
)
def test_entries_say_which_scores_are_no_news(name: str, seen: set[tuple[str, str]]) -> None:
    """Pose networks begin with ImageNet's weights, but have no classes to be measured there."""
    sets = ["coco", "mpii", "posetrack17", "posetrack18"] + ["imagenet"] * name.endswith("_imagenet")
    trained_on = find(name).trained_on
    found = {(d, s) for d in sets for s in ("train", "val") if seen_in_training(trained_on, d, s)}
    assert trained_on
    assert found == seen


def test_everyday_photos_are_of_coco_and_mpii() -> None:
    shipped = read_metadata(bundled("light_pose"))["trained_on"]
    assert "some of which may be in coco val" in seen_in_training(shipped, "coco", "val")
    assert seen_in_training(shipped, "posetrack18", "val") == ""
    assert "some everyday photos may be" in seen_in_training(TRAINING["coco"], "everyday", "val")


def test_scores_read_as_sentences() -> None:
    entry = find("hrnet_w48_posetrack18_384x288")
    assert str(entry.score) == "77.8 mAP on PoseTrack18 val, Cascade R-CNN X101 boxes"


def test_importing_the_packages_does_not_import_torch() -> None:
    code = "import sys, posetrack.zoo.download, posetrack.models; print({'torch', 'ssl'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
