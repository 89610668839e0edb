from __future__ import annotations

import pytest
import torch
from torch import Tensor

from posetrack.training.tasks.assignment import (
    Targets,
    TeacherCells,
    assign,
    cells,
    detection_loss,
    distillation_loss,
    giou,
    iou,
)

SIDE = 64  # pixels of the tiny worlds: 64 + 16 + 4 = 84 cells


def wanted(*boxes: tuple[list[float], float], scene: int = 0) -> Targets:
    return Targets(
        torch.tensor([b for b, _ in boxes]).reshape(-1, 4),
        torch.tensor([s for _, s in boxes]),
        torch.full((len(boxes),), scene),
    )


def undecided(batch: int = 1) -> tuple[Tensor, Tensor]:
    """A network that says 1 % everywhere and a box of 4 x 4 strides around every cell."""
    centres, stride = cells(SIDE, SIDE, torch.device("cpu"))
    boxes = torch.cat([centres - 2 * stride[:, None], centres + 2 * stride[:, None]], 1)
    return torch.full((batch, 84), -4.6), boxes.expand(batch, 84, 4).clone()


def test_cells_of_a_box_lie_inside_it_and_the_best_has_its_soft_score() -> None:
    targets, owner, ignored = assign(
        *undecided(), wanted(([8.7, 8.4, 40.1, 55.2], 0.7)), SIDE, SIDE, prediction_weight=0.0
    )
    centres, _ = cells(SIDE, SIDE, torch.device("cpu"))
    mine = centres[owner[0] == 0]
    assert len(mine) == 9  # the top; cells in like places would share a rank
    assert ((mine > torch.tensor([8.7, 8.4])) & (mine < torch.tensor([40.1, 55.2]))).all()
    assert targets.max() == pytest.approx(0.7)
    assert (targets[owner < 0] == 0).all()
    assert not ignored.any()


def test_the_size_of_a_box_chooses_the_level() -> None:
    _, stride = cells(SIDE, SIDE, torch.device("cpu"))
    for box, level in (([20, 16, 36, 52], 8.0), ([1, 1, 63, 63], 16.0)):
        targets, _, _ = assign(*undecided(), wanted((box, 1.0)), SIDE, SIDE, prediction_weight=0.0)
        assert stride[targets[0].argmax()] == level


def test_a_box_smaller_than_a_cell_still_has_one() -> None:
    _, owner, _ = assign(*undecided(), wanted(([30, 29, 32, 33], 1.0)), SIDE, SIDE, prediction_weight=1.0)
    assert (owner == 0).any()


def test_two_people_share_no_cell_and_each_has_some() -> None:
    boxes = wanted(([8, 8, 32, 56], 1.0), ([16, 8, 40, 56], 0.5))
    targets, owner, _ = assign(*undecided(), boxes, SIDE, SIDE, prediction_weight=0.0)
    for person, soft in ((0, 1.0), (1, 0.5)):
        assert targets[owner == person].max() == pytest.approx(soft)


def test_scenes_do_not_mix() -> None:
    _, owner, _ = assign(
        *undecided(2), wanted(([8.7, 8.4, 40.1, 55.2], 1.0), scene=1), SIDE, SIDE, prediction_weight=0.0
    )
    assert (owner[0] == -1).all()
    assert (owner[1] == 0).sum() == 9


def test_predictions_have_a_say_once_ripe() -> None:
    """Of two like cells beside the centre, the one with the better box gets the higher target."""
    logits, predicted = undecided()
    box = [16.0, 8.0, 48.0, 56.0]
    centres, stride = cells(SIDE, SIDE, torch.device("cpu"))
    left, right = (
        int(((centres - torch.tensor([x, 28.0])).abs().sum(1) + (stride != 8) * 99).argmin())
        for x in (28, 36)
    )
    predicted[0, left] = torch.tensor(box)
    even, _, _ = assign(logits, predicted, wanted((box, 1.0)), SIDE, SIDE, prediction_weight=0.0)
    ripe, _, _ = assign(logits, predicted, wanted((box, 1.0)), SIDE, SIDE, prediction_weight=1.0)
    assert even[0, left] == pytest.approx(float(even[0, right]))
    assert ripe[0, left] == pytest.approx(1.0)
    assert ripe[0, right] < 0.5


def test_nothing_is_learned_inside_an_ignored_box() -> None:
    boxes = wanted(([0, 0, 32, 64], 0.0))
    logits, predicted = undecided()
    sure = logits.clone()
    _, owner, ignored = assign(logits, predicted, boxes, SIDE, SIDE, prediction_weight=0.0)
    assert (owner == -1).all()
    centres, _ = cells(SIDE, SIDE, torch.device("cpu"))
    assert torch.equal(ignored[0], centres[:, 0] < 32)
    sure[ignored] = 5.0
    assert detection_loss(sure, predicted, boxes, SIDE, SIDE, 0.0) == pytest.approx(
        float(detection_loss(logits, predicted, boxes, SIDE, SIDE, 0.0))
    )


def test_an_empty_batch_has_a_loss() -> None:
    nobody = Targets(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.long))
    loss = detection_loss(*undecided(), nobody, SIDE, SIDE, 1.0)
    assert loss == pytest.approx(84 * 0.01, rel=0.01)  # every cell says 1 % where there is nothing


@pytest.mark.parametrize(
    ("b", "plain", "generalised"),
    [
        ([0, 0, 10, 10], 1.0, 1.0),
        ([5, 0, 15, 10], 1 / 3, 1 / 3),  # hull 150 = union
        ([10, 10, 20, 20], 0.0, -0.5),  # hull 400, union 200
        ([30, 0, 40, 10], 0.0, -0.5),  # hull 400, union 200
    ],
)
def test_overlap_by_hand(b: list[float], plain: float, generalised: float) -> None:
    a, other = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([b], dtype=torch.float32)
    assert float(iou(a, other)) == pytest.approx(plain)
    assert float(giou(a, other)) == pytest.approx(generalised)


def test_a_teacher_has_no_say_where_a_label_has() -> None:
    logits, boxes = undecided()
    scores = torch.zeros(1, 84)
    scores[0, 40] = 0.9
    for labelled, costs in ((False, True), (True, False)):
        positive = torch.zeros(1, 84, dtype=torch.bool)
        positive[0, 40] = labelled
        loss = distillation_loss(logits, boxes, TeacherCells(scores, boxes + 5), positive)
        assert (loss > 1.03) == costs


def test_to_agree_with_the_teacher_costs_nothing() -> None:
    logits, boxes = undecided()
    agreeing = TeacherCells(logits.sigmoid(), boxes)
    loss = distillation_loss(logits, boxes, agreeing, torch.zeros(1, 84, dtype=torch.bool))
    assert loss.item() == pytest.approx(0, abs=2e-5)
