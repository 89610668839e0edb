"""Hourglass, CPN and the dilated ResNet learn by the one pose task, and track with what they have learned."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from flow.still import StillFlow
from posetrack.models.cpn import CPNConfig
from posetrack.models.dilated import DilatedConfig
from posetrack.models.hourglass import HourglassConfig
from posetrack.pipeline import PoseTracker
from posetrack.pose import networks
from posetrack.training.tasks.losses import joints_mse, joints_ohkm, official_targets
from posetrack.training.tasks.pose import PoseTask
from posetrack.types import Detections
from tests.posetrack.training import runs
from tests.posetrack.training.runs import STILL, TINY, logged
from tests.posetrack.training.stick_people import stick_people
from trackers.flow_tracker import FlowTracker, FlowTrackerSettings

DATA = stick_people(4)
LEARNED = {
    "hourglass": (HourglassConfig(stacks=2, features=16, depth=2), "mse"),
    "cpn": (CPNConfig((1, 1, 1, 1), width=8, features=16), "ohkm"),
    "dilated": (DilatedConfig((1, 1, 1, 1), width=8), "mse"),
}


@pytest.mark.parametrize("family", LEARNED)
def test_a_few_steps_lower_the_loss_and_the_weights_track(family, tmp_path):
    """Two people by heart; a video of one of them then has one identity, near the joints."""
    network, loss = LEARNED[family]
    data = stick_people(2)
    recipe = replace(
        TINY, network=network, loss=loss, width=64, height=64, geometry=STILL, batch=2, epochs=60,
        learning_rate=5e-3, milestones=(50,), he_draw=True, ema_decay=None,
    )  # fmt: skip
    weights = runs.run(tmp_path, recipe, data=data, validate_epochs=60, log_steps=10)
    losses = logged(tmp_path, "loss")
    assert losses[-1] < 0.4 * losses[0]
    (person, *_), picture = data.people, data.pictures[data.people[0].image]
    seen = Detections([person.box], [0.9])
    tracker = PoseTracker(
        lambda frames: [seen] * len(frames),
        networks.create("light", weights=weights),
        StillFlow(),
        FlowTracker(FlowTrackerSettings(match_joint_score=0.0, birth_score=0.0)),  # nobody is sure yet
    )
    tracks = list(tracker.track([picture] * 3))
    assert [t.ids.tolist() for t in tracks] == [[1]] * 3
    away = np.linalg.norm(tracks[0].poses.keypoints[0] - person.keypoints, axis=1)[person.labelled]
    assert np.median(away) < 6  # pixels: less than one of the heatmap


class Stages(torch.nn.Module):
    """Puts out what it was given."""

    def __init__(self, *maps):
        super().__init__()
        self.maps = list(maps)

    def forward(self, inputs):
        return self.maps


@pytest.mark.parametrize("loss", ["mse", "ohkm"])
def test_intermediate_heatmaps_learn_by_the_squared_error_and_the_last_by_the_recipe(loss):
    """An intermediate map of half the size has targets of its own size, with half the sigma."""
    recipe = replace(TINY, loss=loss, sigma=2)
    task = PoseTask(recipe, DATA)
    examples = task.examples(recipe.stage(1.0))
    batch = examples.collate([examples[i] for i in range(4)])
    torch.manual_seed(0)
    first, last = torch.randn(4, 17, 8, 8), torch.randn(4, 17, 8, 8)
    half = torch.randn(4, 17, 4, 4)

    def of(compare, maps, scale, sigma):
        size = maps.shape[3], maps.shape[2]
        return compare(maps, *official_targets(batch["points"] * scale, batch["weights"], size, sigma))

    final = joints_mse if loss == "mse" else joints_ohkm
    expected = (
        of(joints_mse, first, 1 / 4, 2.0) + of(joints_mse, half, 1 / 8, 1.0) + of(final, last, 1 / 4, 2.0)
    )
    found = task.loss(Stages(first, half, last), batch, recipe.stage(1.0), 0)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
    alone = task.loss(lambda inputs: last, batch, recipe.stage(1.0), 0)
    assert float(alone) == pytest.approx(float(of(final, last, 1 / 4, 2.0)), rel=1e-5)
