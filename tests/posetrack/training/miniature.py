"""The data pack's lspet folder and the teacher's soft boxes in miniature: the same files, stick people."""

import io
import json
import tarfile

import cv2
import numpy as np

from posetrack.datasets.everyday import SOURCES, WITH_JOINTS
from posetrack.datasets.lspet import PLACES_HELD_OUT
from posetrack.skeletons import POSETRACK18
from tests.posetrack.training.stick_people import stick_people

SIDE = 64  # pixels of every picture


def write_miniature(root, train=6, val=2, places=3):
    """root/lspet and root/labels; of the places, as many as are held out come on top."""
    lspet, labels = root / "lspet", root / "labels"
    lspet.mkdir(parents=True)
    labels.mkdir()
    data = stick_people(train + val, side=SIDE)
    people = {person.image: person for person in data.people}
    names = list(data.pictures)
    archives = {f"train-{i:02}.tar": names[:train][i::3] for i in range(3)} | {"val.tar": names[train:]}
    for archive, members in archives.items():
        _write_tar(lspet / archive, {name: data.pictures[name] for name in members})
    noise = np.random.default_rng(0).integers(0, 256, (places + PLACES_HELD_OUT, 8, 8, 3), np.uint8)
    backgrounds = {f"place{i:03}.jpg": cv2.resize(n, (SIDE, SIDE)) for i, n in enumerate(noise)}
    _write_tar(lspet / "backgrounds.tar", backgrounds)
    for split, members in (("train", names[:train]), ("val", names[train:])):
        bystanders = members[:1]
        _write_json(lspet / f"lspet_{split}.json", members, people, _keypoints)
        _write_json(lspet / f"other_people_{split}.json", bystanders, people, _keypoints)
        _write_json(labels / f"{split}.json", members, people, lambda person: {"score": 0.9})
    _write_json(labels / "backgrounds.json", list(backgrounds), {}, lambda person: {})
    (lspet / "near_duplicates.json").write_text(json.dumps([{"a": names[0], "b": names[train]}]))
    return lspet, labels


def write_rendered(folder, count=4):
    """What `python -m scripts.render people` writes."""
    folder.mkdir(parents=True)
    data = stick_people(count, side=SIDE, seed=5)
    people = {f"r{person.image}": person for person in data.people}
    _write_tar(folder / "people.tar", {f"r{name}": picture for name, picture in data.pictures.items()})
    _write_json(folder / "people.json", list(people), people, lambda p: _keypoints(p) | {"score": 1.0})
    return folder


def write_everyday(folder):
    """The pack's people folder: a photo of each source, with joints where COCO and MPII have them."""
    folder.mkdir(parents=True)
    data = stick_people(len(SOURCES), side=SIDE, seed=7)
    for source, person in zip(SOURCES, data.people, strict=True):
        keypoints = {
            name: [*person.keypoints[k].tolist(), 2]
            for k, name in enumerate(POSETRACK18.keypoints)
            if person.labelled[k]
        }
        somebody = {"box": person.box.tolist(), "keypoints": keypoints if source in WITH_JOINTS else {}}
        entry = {
            "file": person.image,
            "width": SIDE,
            "height": SIDE,
            "people": [somebody],
            "exhaustive": True,
        }
        (folder / f"{source}_train.json").write_text(json.dumps([entry]))
        _write_tar(folder / f"{source}_train.tar", {person.image: data.pictures[person.image]})
    return folder


def _write_tar(path, pictures):
    with tarfile.open(path, "w") as archive:
        for name, picture in pictures.items():
            data = cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def _write_json(path, names, people, facts):
    images = [{"id": i, "file_name": name, "width": SIDE, "height": SIDE} for i, name in enumerate(names)]
    annotations = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": _bbox(people[name]), **facts(people[name])}
        for i, name in enumerate(names)
        if name in people
    ]
    categories = [{"id": 1, "name": "person", "keypoints": list(POSETRACK18.keypoints)}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(document))


def _bbox(person):
    x0, y0, x1, y1 = person.box.tolist()
    return [x0, y0, x1 - x0, y1 - y0]


def _keypoints(person):
    triples = np.column_stack([person.keypoints, person.labelled])
    return {"keypoints": triples.ravel().tolist()}
