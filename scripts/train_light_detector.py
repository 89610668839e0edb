"""Train the bundled light detector: label the pictures with the teacher, train, export.

    python scripts/train_light_detector.py --data ../shared/data --runs /tmp/runs/detector --minutes 80
    python scripts/train_light_detector.py --data ../shared/data --runs /tmp/runs/detector \
        --pictures 1500000 --batch 64 --rate 4e-3 --device cuda --workers 14

A run that was stopped goes on where its last checkpoint was; another folder begins anew.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import torch

from posetrack.datasets.boxes import read_pictures, upright_weights
from posetrack.datasets.scenes import Scenes
from posetrack.training.light_detector import Recipe, export, train

LABELS = {
    "train.json": (["train-00.tar", "train-01.tar", "train-02.tar"], ["lspet_train.json"]),
    "val.json": (["val.tar"], ["lspet_val.json"]),
    "backgrounds.json": (["backgrounds.tar"], []),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with lspet/ and teachers/")
    parser.add_argument("--runs", type=Path, required=True, help="folder for labels and checkpoints")
    parser.add_argument("--minutes", type=float, help="budget of wall-clock time")
    parser.add_argument("--pictures", type=int, help="budget of scenes")
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--rate", type=float, default=Recipe.rate)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--init", type=Path, help="exported weights to begin with")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=Recipe.workers, help="processes that make scenes")
    parser.add_argument("--export", type=Path, help="write the weights here at the end, as safetensors")
    parser.add_argument("--score-threshold", type=float, default=0.5, help="default of the exported detector")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cv2.setNumThreads(given.threads)
    lspet = given.data / "lspet"
    for name, (tars, people) in LABELS.items():
        if not (given.runs / name).exists():
            label_once(
                given.runs / name, lspet, tars, people, given.data / "teachers" / "yolox_nano_416.onnx"
            )
    pictures = read_pictures([lspet / tar for tar in LABELS["train.json"][0]], given.runs / "train.json")
    places = read_pictures([lspet / "backgrounds.tar"], given.runs / "backgrounds.json")
    scenes = Scenes(pictures, places[50:], given.seed, upright_weights(lspet / "lspet_train.json", pictures))
    recipe = Recipe(
        given.minutes,
        given.pictures,
        given.batch,
        given.rate,
        workers=given.workers,
        seed=given.seed,
        device=given.device,
    )
    checkpoint = train(recipe, scenes, given.runs, log=lambda line: print(line, flush=True), init=given.init)
    if given.export is not None:
        export(checkpoint, given.export, given.score_threshold)


def label_once(path: Path, lspet: Path, tars: list[str], people: list[str], teacher: Path) -> None:
    """Write the soft boxes of a set of tars; about four minutes for the training pictures on two cores."""
    from posetrack.training.teacher_boxes import YoloxTeacher, label

    print(f"labelling {', '.join(tars)}", flush=True)
    content = label([lspet / tar for tar in tars], [lspet / name for name in people], YoloxTeacher(teacher))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


if __name__ == "__main__":
    main()
