"""Networks that give a part of the targets.

A teacher of another kind, such as one whose joints were found ahead of time, has the same two methods.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from posetrack import models, zoo
from posetrack.pose.heatmap import merge_flipped, softmax_heatmaps
from posetrack.runtime.folding import for_inference
from posetrack.skeletons import Skeleton


class Teacher:
    """An exported network that looks at both the crop and its mirror image.

    It may be larger than the one that learns. Inputs of another size than its own look to it like people of
    another.
    """

    def __init__(self, weights: Path, skeleton: Skeleton, device: torch.device) -> None:
        """
        Raises:
            PoseTrackError: no weights of ours.
        """
        facts = zoo.read_metadata(weights)
        network = models.create(facts.get("model", "hrnet_light"), len(skeleton), empty=True)
        zoo.load_into(network, zoo.read_checkpoint(weights), str(weights))
        self.network = for_inference(network, device)
        self._flip_order = torch.from_numpy(skeleton.flip_order).to(device)
        self._saw_edges = float(facts.get("edge_probability", 0)) > 0
        occluders = facts.get("occluder_probability", facts.get("stranger_probability", 0))  # of older files
        self._saw_occluders = float(occluders) > 0

    @torch.no_grad()
    def heatmaps(self, inputs: Tensor, sigma: float) -> Tensor:
        """(B, K, h, w) of normalised crops (B, 3, H, W), the mean of both looks; peaks of at most 1."""
        plain, mirrored = (softmax_heatmaps(self.network(x), sigma) for x in (inputs, inputs.flip(3)))
        return merge_flipped(plain, mirrored, self._flip_order)

    def trusted(self, absent: Tensor, crowded: Tensor) -> Tensor:
        """(B,) whether it may be asked.

        One that never saw a picture end within a person is sure of joints beyond the edge, and one that never
        saw two people in a crop may be sure of the wrong one.
        """
        return (~absent.any(dim=1) | self._saw_edges) & (~crowded | self._saw_occluders)
