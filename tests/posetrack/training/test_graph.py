"""A recorded step gives what the step itself gives. Needs a CUDA device: pytest -m gpu."""

import copy

import pytest
import torch

from posetrack import models
from posetrack.training.graph import WARM_UP, recorded

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def test_losses_and_gradients_are_those_of_the_step_itself():
    torch.manual_seed(0)
    plain = models.create("hrnet_light", 17).cuda().to(memory_format=torch.channels_last).train()
    network = copy.deepcopy(plain)
    batches = torch.randn(3, 4, 3, 64, 64, device="cuda")

    def step_of(net):
        def step(pictures):
            net.zero_grad()
            loss = net(pictures).square().mean()
            loss.backward()
            return loss.detach()

        return step

    step = step_of(plain)
    replay = recorded(step_of(network), batches[0])
    for batch in batches:
        assert float(replay(batch)) == pytest.approx(float(step(batch)), rel=1e-3)
        for p, q in zip(network.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad, rtol=0.02, atol=0.02 * float(q.grad.abs().max()))
    seen = {name: b for name, b in network.named_buffers() if name.endswith("num_batches_tracked")}
    assert all(int(b) == WARM_UP + len(batches) for b in seen.values())
