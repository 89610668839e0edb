"""Pictures that look a little like photos, made on the spot: people of limbs before textured backgrounds."""

import cv2
import numpy as np

from posetrack.datasets.ai_challenger import JOINTS
from posetrack.datasets.people import Person, PoseData
from posetrack.skeletons import COCO17, POSETRACK18
from tests.posetrack.datasets.worlds import write_ai_challenger, write_coco

# Joints of somebody who stands, in units of the body's height, before the limbs are turned at random.
STANDING = {
    "nose": (0, 0.08), "head_top": (0, 0), "head_bottom": (0, 0.16), "left_eye": (0.02, 0.06),
    "right_eye": (-0.02, 0.06), "left_ear": (0.04, 0.07), "right_ear": (-0.04, 0.07),
    "left_shoulder": (0.11, 0.2), "right_shoulder": (-0.11, 0.2), "left_elbow": (0.17, 0.36),
    "right_elbow": (-0.17, 0.36), "left_wrist": (0.19, 0.5), "right_wrist": (-0.19, 0.5),
    "pelvis": (0, 0.52), "thorax": (0, 0.2),
    "left_hip": (0.07, 0.52), "right_hip": (-0.07, 0.52), "left_knee": (0.09, 0.75),
    "right_knee": (-0.09, 0.75), "left_ankle": (0.1, 0.97), "right_ankle": (-0.1, 0.97),
}  # fmt: skip


def stick_people(count, skeleton=POSETRACK18, side=96, seed=3):
    """PoseData of `count` pictures with one person each."""
    rng = np.random.default_rng(seed)
    people, pictures = [], {}
    for i in range(count):
        image, points = stick_person(skeleton, side, rng)
        name = f"{i:06}.jpg"
        pictures[name] = image
        low, high = points.min(axis=0) - 3, points.max(axis=0) + 3
        labelled = np.array(["ear" not in k or skeleton is COCO17 for k in skeleton.keypoints])
        keypoints = points * labelled[:, None]
        nobody = np.zeros(len(skeleton), bool)
        people.append(Person(name, np.concatenate([low, high]), keypoints, labelled, nobody))
    return PoseData("sticks", skeleton, people, pictures)


def stick_person(skeleton, side, rng):
    """A picture (side, side, 3) and the joints (K, 2) of the person in it."""
    noise = cv2.resize(rng.integers(0, 256, (side // 8, side // 8, 3), np.uint8), (side, side))
    image = cv2.addWeighted(noise, 0.5, cv2.GaussianBlur(noise, (0, 0), 6), 0.5, 0)
    height = side * rng.uniform(0.7, 0.85)
    origin = np.array([side * rng.uniform(0.4, 0.6), side * 0.08])
    lean = np.radians(rng.uniform(-12, 12))
    turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    places = np.array([STANDING[k] for k in skeleton.keypoints]) + rng.normal(0, 0.02, (len(skeleton), 2))
    points = (places @ turn.T * height + origin).astype(np.float32)
    clothes = [tuple(int(c) for c in rng.integers(0, 256, 3)) for _ in range(3)]
    for n, (a, b) in enumerate(skeleton.edges):
        cv2.line(
            image,
            tuple(points[a].round().astype(int)),
            tuple(points[b].round().astype(int)),
            clothes[n % 3],
            4,
        )
    cv2.circle(image, tuple(points[0].round().astype(int)), round(0.06 * height), (224, 172, 140), -1)
    return image, points


def write_jpegs(data, folder):
    """The pictures of a data set as files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in data.pictures.items():
        assert cv2.imwrite(str(folder / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def write_stick_coco(root):
    """COCO in its official form: eight people to train on, one without a picture, and two to validate on."""
    for split, count in (("train", 8), ("val", 2)):
        data = stick_people(count, COCO17, side=64)
        people = []
        for i, person in enumerate(data.people, 1):
            x1, y1, x2, y2 = person.box.tolist()
            joints = np.column_stack([person.keypoints, 2 * person.labelled]).ravel().tolist()
            people.append(
                {"id": i, "image_id": i, "category_id": 1, "iscrowd": 0, "keypoints": joints,
                 "bbox": [x1, y1, x2 - x1, y2 - y1], "area": 2000.0}
            )  # fmt: skip
        write_coco(root, people, list(data.pictures), split)
        write_jpegs(data, root / f"{split}2017")
    (root / "train2017/000007.jpg").unlink()


def write_stick_ai_challenger(root):
    """AI Challenger in its official form: four people, and somebody of whom only the head is given."""
    data = stick_people(4, COCO17, side=64, seed=5)
    entries = []
    for person in data.people:
        places = [COCO17.index(name) if name in COCO17.keypoints else None for name in JOINTS]
        joints = [[0, 0, 3] if slot is None else [*person.keypoints[slot].tolist(), 1] for slot in places]
        entries.append(
            {
                "image_id": person.image.removesuffix(".jpg"),
                "url": "",
                "keypoint_annotations": {"human1": joints},
                "human_annotations": {"human1": person.box.tolist()},
            }
        )
    entries[0]["keypoint_annotations"]["human2"] = [[0, 0, 3]] * 12 + [[30, 5, 1], [30, 12, 2]]
    entries[0]["human_annotations"]["human2"] = [20, 0, 40, 60]
    folder = write_ai_challenger(root, entries).parent
    write_jpegs(data, folder / "keypoint_train_images_20170902")
