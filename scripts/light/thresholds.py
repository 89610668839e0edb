"""The light preset's thresholds from MOTA on rendered clips: one after the other, the others as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from light.markdown import table
from light.scenes import Score, Settings, Sight, score
from posetrack.presets import LIGHT

VALUES: dict[str, tuple[float, ...]] = {  # in the order of how much they matter
    "detector_score": (0.15, 0.25, 0.4, 0.5, 0.6, 0.7),
    "joint_score": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),  # of the export
    "tracker.birth_score": (0.1, 0.2, 0.3, 0.35, 0.4, 0.5),
    "tracker.propagate_score": (0.3, 0.4, 0.5, 0.6, 0.7, 1.1),  # 1.1: nobody is carried
    "tracker.match_joint_score": (0.05, 0.1, 0.2, 0.3),
    "tracker.reid_threshold": (0.75, 0.8, 0.85, 0.9, 1.1),  # 1.1: nobody is taken up again
}
WORTH = 0.3  # MOTA that is not worth a further change
COLUMNS = ("mota", "box_mota", "map", "idf1", "switches", "found", "false", "identities")
PRESET = Settings(LIGHT.detector_score, LIGHT.min_joint_score, LIGHT.tracker)


@dataclass(frozen=True)
class Trial:
    """One value of a setting: the scores of every clip."""

    setting: str
    value: float
    scores: tuple[Score, ...]

    def mean(self, field: str) -> float:
        return float(np.mean([getattr(s, field) for s in self.scores]))


def changed(settings: Settings, name: str, value: float) -> Settings:
    """With one value replaced; "tracker." leads to the tracker's own settings."""
    if name.startswith("tracker."):
        return replace(settings, tracker=replace(settings.tracker, **{name.removeprefix("tracker."): value}))
    return replace(settings, **{name: value})


def value_of(settings: Settings, name: str) -> float:
    holder = settings.tracker if name.startswith("tracker.") else settings
    return float(getattr(holder, name.removeprefix("tracker.")))


def descend(evaluate: Callable[[Settings], list[Score]], start: Settings) -> tuple[Settings, list[Trial]]:
    """Through all settings once: the value nearest to the present one that is about as good as the best."""
    settings, trials = start, []
    for name, values in VALUES.items():
        now = value_of(settings, name)
        row = [
            Trial(name, value, tuple(evaluate(changed(settings, name, value))))
            for value in sorted({*values, now})
        ]
        best = max(trial.mean("mota") for trial in row)
        good = [trial.value for trial in row if trial.mean("mota") >= best - WORTH]
        settings = changed(settings, name, min(good, key=lambda value: abs(value - now)))
        trials += row
    return settings, trials


def run(sights: Sequence[Sight], settings: Settings) -> list[Score]:
    """The scores of every clip on its own."""
    return [score([s.clip], [s.follow(settings)], settings.joint_score) for s in sights]


def thresholds(sights: Sequence[Sight], check: Sequence[Sight], picture: Path) -> str:
    """Markdown; draws the curves.

    Args:
        check: clips that take no part in the choice, such as the demo.
    """
    chosen, trials = descend(lambda settings: run(sights, settings), PRESET)
    names = [sight.clip.name for sight in sights]
    head = [
        "setting",
        "value",
        "MOTA",
        *names,
        "box MOTA",
        "mAP",
        "IDF1",
        "switches",
        "found, %",
        "false boxes",
    ]
    rows: list[list[object]] = []
    for trial in trials:
        mark = "**" if trial.value == value_of(chosen, trial.setting) else ""
        title = f"{mark}{trial.setting}{mark}", f"{mark}{trial.value:g}{mark}"
        own = [s.mota for s in trial.scores]
        means = [trial.mean(c) for c in ("box_mota", "map", "idf1", "switches", "found")]
        rows.append([*title, trial.mean("mota"), *own, *means, f"{trial.mean('false'):.2f}"])
    text = table(head, rows)
    text += "\n\n" + _comparison(sights, check, chosen)
    if len(names) > 1:
        text += "\n\n" + _others_choice(trials, names)
    advice = ", ".join(f"{name} {value_of(chosen, name):g}" for name in VALUES)
    draw(trials, chosen, picture)
    return f"{text}\n\nAdvised: {advice}."


def _comparison(sights: Sequence[Sight], check: Sequence[Sight], chosen: Settings) -> str:
    rows: list[list[object]] = []
    for title, settings in (("preset", PRESET), ("advised", chosen)):
        for kind, group in (("chosen on", sights), ("not chosen on", check)):
            for sight, s in zip(group, run(group, settings), strict=True):
                cells = [getattr(s, c) for c in COLUMNS]
                cells[-2:] = [f"{s.false:.2f}", f"{s.identities} / {s.people}"]
                rows.append([f"{title}, {sight.clip.name} ({kind})", *cells])
    head = [
        "",
        "MOTA",
        "box MOTA",
        "mAP",
        "IDF1",
        "switches per joint",
        "found, %",
        "false boxes",
        "identities",
    ]
    return table(head, rows)


def _others_choice(trials: Sequence[Trial], names: Sequence[str]) -> str:
    """What a clip gains if only the other clips decide: how far such a choice can be trusted."""
    rows: list[list[object]] = []
    for setting in VALUES:
        row = [t for t in trials if t.setting == setting]
        cells: list[object] = [setting]
        for k in range(len(names)):
            others = [np.mean([s.mota for i, s in enumerate(t.scores) if i != k]) for t in row]
            best = row[int(np.argmax(others))]
            own = max(t.scores[k].mota for t in row)
            cells.append(f"{best.value:g}: {best.scores[k].mota - own:+.1f}")
        rows.append(cells)
    return table(["chosen on the other clips: MOTA against the clip's own best value", *names], rows)


def draw(trials: Sequence[Trial], chosen: Settings, path: Path) -> None:
    """MOTA, box MOTA and mAP over each setting; thin lines are single clips."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    metrics = {"mota": "MOTA", "box_mota": "box MOTA", "map": "mAP", "switches": "switches per joint"}
    size = (2.6 * len(VALUES), 2.0 * len(metrics))
    figure, axes = plt.subplots(len(metrics), len(VALUES), figsize=size, sharey="row", sharex="col")
    for column, name in enumerate(VALUES):
        row = [t for t in trials if t.setting == name]
        x = [t.value for t in row]
        for axis, field in zip(axes[:, column], metrics, strict=True):
            for clip in range(len(row[0].scores)):
                axis.plot(x, [getattr(t.scores[clip], field) for t in row], color="0.75", linewidth=0.8)
            axis.plot(x, [t.mean(field) for t in row], ".-", color="tab:blue")
            axis.axvline(value_of(chosen, name), color="tab:orange", linewidth=1)
        axes[-1, column].set_xlabel(name, fontsize=8)
    for axis, title in zip(axes[:, 0], metrics.values(), strict=True):
        axis.set_ylabel(title)
    figure.suptitle(
        "One setting changed, those to its left as advised (orange); grey: single clips", fontsize=9
    )
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)
