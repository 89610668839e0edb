"""Flows by name, and what is said when a name cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flow import create
from flow.dis import DisFlow
from flow.lucas_kanade import LucasKanadeFlow
from flow.still import StillFlow


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("lucas_kanade", LucasKanadeFlow),
        ("dis", DisFlow),
        ("dis:ultrafast", DisFlow),
        ("dis:medium", DisFlow),
        ("none", StillFlow),
    ],
)
def test_by_name(spec: str, kind: type) -> None:
    assert isinstance(create(spec), kind)


@pytest.mark.parametrize(
    ("spec", "weights", "message"),
    [
        ("lukas", None, 'unknown flow "lukas"; choose one of: lucas_kanade, dis'),
        ("", None, 'unknown flow ""'),
        ("dis:slow", None, 'unknown DIS preset "slow"; choose one of ultrafast, fast, medium'),
        ("lucas_kanade:fast", None, '"lucas_kanade" has no variants, but "lucas_kanade:fast" was asked for'),
        ("dis", "some.pth", '"dis" takes no weights, but some.pth was given'),
        (
            "ptlflow:fastflownet/mix",
            None,
            'the licence of "fastflownet" is academic research only; pass allow_',
        ),
        (
            "ptlflow:liteflownet3s/sintel",
            None,
            'the licence of "liteflownet3s" is research only; pass allow_',
        ),
        ("ptlflow:pwcnet/things", None, 'the licence of "pwcnet" is CC BY-NC-SA 4.0; pass allow_'),
    ],
)
def test_what_cannot_be(spec: str, weights: str | None, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace(".", r"\.")) as error:
        create(spec, weights=weights)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("model", ["raft_small", "raft_large"])
def test_missing_weights_are_named_and_not_fetched(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError) as error:
        create(model)
    text = str(error.value)
    assert str(tmp_path / "hub" / "checkpoints") in text
    assert f"https://download.pytorch.org/models/{model}_C_T_" in text
    assert "posetrack fetch" in text
    with pytest.raises(FileNotFoundError, match=f"no weights of {model} at nowhere.pth"):
        create(model, weights="nowhere.pth")
    assert list(tmp_path.iterdir()) == []


def test_importing_flow_loads_nothing_heavy() -> None:
    heavy = (
        "import flow, sys; print([m for m in ('cv2', 'torch', 'torchvision', 'ptlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
