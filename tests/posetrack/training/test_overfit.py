"""Every family of networks learns eight pictures of the bundled demo clip by heart."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import posetrack
from posetrack.models.classifier import HRNetClassifier
from posetrack.models.hrnet import HRNet, HRNetConfig
from posetrack.models.simple_baseline import R18, SimpleBaseline
from posetrack.pose.crop import crop_affines, crop_cpu, crop_regions, normalise
from posetrack.pose.heatmap import decode_dark, softmax_heatmaps
from posetrack.training.tasks.losses import gaussian_targets, spatial_cross_entropy

DEMO = Path(posetrack.__file__).parent / "demo"
SIZE = (32, 64)  # width, height; heatmaps of 8 x 16
NARROW = HRNetConfig(width=8, modules=(1, 1, 1), blocks=1, stem=16, bottleneck=8, bottlenecks=1)


@cache
def eight_people() -> tuple[Tensor, Tensor]:
    """Inputs (8, 3, 64, 32), and joints (8, 17, 2) in heatmap pixels: four people in each of two frames."""
    truth = json.loads((DEMO / "demo_truth.json").read_text())
    ids = [image["id"] for image in truth["images"]]
    frames = {frame.index: frame.image for frame in islice(posetrack.read_video(DEMO / "demo.mp4"), 61)}
    crops, joints = [], []
    for index in (40, 60):
        for person in [p for p in truth["annotations"] if p["image_id"] == ids[index]]:
            x, y, w, h = person["bbox"]
            affine = crop_affines(crop_regions(np.array([[x, y, x + w, y + h]]), SIZE[0] / SIZE[1]), SIZE)
            crops.append(crop_cpu(frames[index], affine, SIZE))
            points = np.array(person["keypoints"]).reshape(-1, 3)[:, :2]
            joints.append((points @ affine[0, :, :2].T + affine[0, :, 2]) / 4)
    return normalise(torch.cat(crops)), torch.tensor(np.array(joints), dtype=torch.float32)


@pytest.mark.parametrize(
    "network",
    [HRNet(NARROW, 17), SimpleBaseline(replace(R18, blocks=(1, 1, 1, 1), width=16, deconvolution=32), 17)],
    ids=["HRNet", "SimpleBaseline"],
)
def test_pose_networks_find_every_joint_of_pictures_they_know(network: nn.Module) -> None:
    inputs, points = eight_people()
    assert len(inputs) == 8
    inside = ((points >= 0) & (points <= torch.tensor([7, 15]))).all(dim=2).float()  # (8, 17)
    assert inside.mean() > 0.9
    targets = gaussian_targets(points, (8, 16), sigma=1.0)
    entropy = spatial_cross_entropy(targets.clamp_min(1e-30).log(), targets, inside)  # the least there can be

    def loss() -> Tensor:
        return spatial_cross_entropy(network(inputs), targets, inside) - entropy

    before, after = learn(network, loss, steps=150)
    assert before > 1.5  # flat heatmaps: log(128) less the entropy of a Gaussian, 2.8, is 2.0
    assert after < 0.1
    network.eval()
    with torch.inference_mode():
        found, _ = decode_dark(softmax_heatmaps(network(inputs), 1.0), 1.0)
    errors = (found - points).norm(dim=2)[inside > 0]
    assert errors.max() < 1  # heatmap pixel


def test_the_classifier_tells_eight_pictures_apart() -> None:
    network, labels = HRNetClassifier(NARROW, classes=8), torch.arange(8)
    before, after = learn(
        network, lambda: nn.functional.cross_entropy(network(eight_people()[0]), labels), steps=10
    )
    assert before > 1.5  # guessing: log(8) = 2.1
    assert after < 0.02


def learn(network, loss, steps):
    """Losses of the fresh and of the trained network."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    if isinstance(getattr(network, "final_layer", None), nn.Conv2d):
        nn.init.normal_(network.final_layer.weight, std=0.01)  # flat heatmaps
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=steps)
    losses = []
    for _ in range(steps):
        value = loss()
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        schedule.step()
        losses.append(value.item())
    return losses[0], losses[-1]
