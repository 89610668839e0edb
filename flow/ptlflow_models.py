"""Dense flow by any two-frame model of PTLFlow (https://github.com/hmorimitsu/ptlflow), by name.

>>> flow = PtlFlow("flownet2", "things", device="cuda")      # what the HRNet paper used
>>> flow = PtlFlow("flownets", "things", device="cuda")      # FlowNet2-S, what the SimpleBaseline paper used
>>> flow = PtlFlow("raft_small", "checkpoints/mine.ckpt")    # a local file, never the network

PTLFlow is imported when a model is made: that takes many seconds.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import logging
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from flow.network import NetworkFlow, find_device, find_weights

logger = logging.getLogger(__name__)

FAMILIAR = ("flownet2", "flownets", "neuflow2", "raft", "sea_raft_s")  # of about 90

# Name prefixes of models, from the licence files inside ptlflow 0.4.2.
NONCOMMERCIAL_CODE = {
    "fastflownet": "academic research only",
    "liteflownet": "research only",
    "pwcnet": "CC BY-NC-SA 4.0",
}
RESEARCH_WEIGHTS = {
    "flownet": "research only; commercial use needs the consent of the FlowNet2 authors",
    "dpflow": "academic and research purposes only",
    "rapidflow": "academic and research purposes only",
    "rpknet": "academic and research purposes only",
    "ms_raft_p": "CC BY-NC-SA 3.0",
}


class PtlFlow(NetworkFlow):
    """A PTLFlow model.

    Args:
        model: PTLFlow's name of the model, as in ptlflow.get_model_names().
        checkpoint: a published name, or a local file.
        weights: the file of the published checkpoint; None looks in torch's cache. Nothing is downloaded.
        device: where the network runs.
        scale: working size / picture size; None brings the long side to at most 640 pixels.
        check: compute the fields back as well (twice the time), so that occluded points are not visible.
        allow_noncommercial: accept a model whose code may only be used for research.

    Raises:
        FileNotFoundError: the checkpoint is not there; says where to get it and where it belongs.
        ValueError: an unknown model or checkpoint name, a model that may only be used for research, one that
            needs more than two frames, a file of another model, a device or scale that cannot be.
    """

    def __init__(
        self,
        model: str,
        checkpoint: str | Path | None,
        *,
        weights: str | Path | None = None,
        device: str | torch.device = "cpu",
        scale: float | None = None,
        check: bool = False,
        allow_noncommercial: bool = False,
    ) -> None:
        limit = _lookup(NONCOMMERCIAL_CODE, model)
        if limit and not allow_noncommercial:
            raise ValueError(
                f'the licence of "{model}" is {limit}; pass allow_noncommercial=True if that is your use'
            )
        ptlflow = _import_ptlflow()
        path = checkpoint_file(model, checkpoint, weights)
        self._model = model
        with _quiet():
            self._network: nn.Module = _restored(ptlflow, model, path)
        self._network.to(find_device(device)).eval()
        super().__init__(self._estimate, multiple=1, device=device, scale=scale, check=check)

    def _estimate(self, images: Tensor) -> Tensor:
        """(B, 2, 3, h, w) RGB 0..1 -> (B, 2, h, w). PTLFlow wants BGR and pads to the model's stride."""
        flows: Tensor = self._network({"images": images.flip(2)})["flows"]  # (B, 1, 2, h, w)
        if flows.shape[:3] != (len(images), 1, 2):
            raise ValueError(
                f'"{self._model}" is no model for two frames: its flows are {tuple(flows.shape)}'
            )
        return flows[:, 0]


def checkpoint_file(model: str, checkpoint: str | Path | None, weights: str | Path | None = None) -> Path:
    """Where the checkpoint of a model lies. Logs a warning when its weights are for research only.

    Raises:
        FileNotFoundError: it is not there; says where to get it and where it belongs.
        ValueError: unknown model, or neither a published checkpoint of it nor a file.
    """
    published = published_checkpoints(model)
    url = published.get(str(checkpoint))
    if url is not None:
        limit = _lookup(RESEARCH_WEIGHTS, model)
        if limit:
            logger.warning("the weights of %s/%s may be used for: %s", model, checkpoint, limit)
        return find_weights(url, weights, f"ptlflow:{model}/{checkpoint}")
    if checkpoint is not None and Path(checkpoint).is_file():
        return Path(checkpoint)
    names = ", ".join(published) or "none"
    if checkpoint is None:
        raise ValueError(f'"{model}" needs a checkpoint: a local file or one of the published ones ({names})')
    if Path(checkpoint).suffix:
        raise FileNotFoundError(f'no checkpoint of "{model}" at {checkpoint}; published ones: {names}')
    raise ValueError(f'"{model}" has no checkpoint "{checkpoint}"; choose a local file or one of: {names}')


def published_checkpoints(model: str) -> dict[str, str]:
    """Name to URL. Raises ValueError for a model that PTLFlow does not have."""
    names: list[str] = _import_ptlflow().get_model_names()
    if model not in names:
        near = difflib.get_close_matches(model, names, n=5, cutoff=0.5) or FAMILIAR
        raise ValueError(f'PTLFlow has no model "{model}"; did you mean one of: {", ".join(near)}?')
    return dict(getattr(_import_ptlflow().get_model_reference(model), "pretrained_checkpoints", None) or {})


def _restored(ptlflow: ModuleType, model: str, path: Path) -> nn.Module:
    """The model with the weights of a file; torch.load(weights_only=True) inside."""
    network: nn.Module = ptlflow.get_model(model)
    try:
        ptlflow.restore_model(network, str(path))
    except (RuntimeError, pickle.UnpicklingError, KeyError, TypeError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f'{path} does not hold a checkpoint of "{model}": {reason}') from None
    return network


def _import_ptlflow() -> ModuleType:
    try:
        import loguru  # before _quiet, or its log would go where _quiet sends things

        with _quiet():
            import ptlflow
        loguru.logger.disable("ptlflow")
    except ImportError as error:
        raise ValueError(
            f"PTLFlow cannot be imported ({error}): pip install 'posetrack[flow]', or choose another flow"
        ) from None
    module: ModuleType = ptlflow
    return module


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """PTLFlow prints and warns about optional parts that nobody asked for."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def _lookup(table: dict[str, str], model: str) -> str | None:
    return next((text for prefix, text in table.items() if model.startswith(prefix)), None)
