"""What data sets are called in the metadata of weights and in the catalogue, and when a score is no news.

>>> seen_in_training("COCO train2017 and MPII Human Pose, training split", "mpii", "train")
'the weights were trained on MPII Human Pose, training split: that says little of new pictures'
"""

from __future__ import annotations

TRAINING = {
    "coco": "COCO train2017",
    "ai_challenger": "AI Challenger human keypoints, training split",
    "mpii": "MPII Human Pose, training split",
    "posetrack17": "PoseTrack 2017, training split",
    "posetrack18": "PoseTrack 2018, training split",
    "lspet": "Leeds Sports Pose Extended, images 1-9000",
    "everyday": "2,974 everyday photos of COCO, MPII, Pascal VOC, Stanford 40 and Human-Parts",
    "rendered": "rendered people",
    "imagenet": "ImageNet, training split",
}
_YEARS = ("posetrack17", "posetrack18")  # 2018 has the videos of 2017, and more
_PHOTOS = ("coco", "mpii")  # with joints, of which some are among the everyday photos
_EVERYDAY = "photos of COCO, MPII"  # in the metadata of every network that learned from these


def seen_in_training(trained_on: str, data: str, split: str) -> str:
    """Why a score means less than it seems to, in one line; '' where nothing is known against it.

    Args:
        trained_on: what the weights say of themselves, or the catalogue of them.
        data: a name of `posetrack evaluate`.
    """
    kin = _YEARS if data in _YEARS else (data,)
    known = [TRAINING[name] for name in kin if TRAINING[name] in trained_on]
    if split == "train" and known:
        return f"the weights were trained on {known[0]}: that says little of new pictures"
    if data in _PHOTOS and _EVERYDAY in trained_on:
        return f"the weights learned from photos of COCO and MPII, some of which may be in {data} {split}"
    photos = [TRAINING[name] for name in _PHOTOS if TRAINING[name] in trained_on]
    if data == "everyday" and photos:
        return f"the weights were trained on {photos[0]}, of which some everyday photos may be"
    return ""
