"""Train the bundled light detector: label the pictures with the teacher, train, export.

    python scripts/train_light_detector.py --data ../shared/data --runs /tmp/runs/detector --minutes 80
    python scripts/train_light_detector.py --data ../shared/data --runs /tmp/runs/detector --minutes 20 \
        --batch 64 --rate 0.024 --device cuda --workers 14

    python scripts/train_light_detector.py --data ../shared/data --runs /tmp/runs/detector --minutes 60 \
        --everyday --small --frozen stem stage4 --init posetrack/zoo/bundled/light_detector.safetensors

The second command is for a GPU with the data beside it; scripts/light_on_gpu.py brings them to a lent one.
The third goes on from weights with everyday photos, too, and with what RTMDet says of every cell of a scene.
A run that was stopped goes on where its last checkpoint was; another folder begins anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import torch

from posetrack.datasets.lspet import read_scenes
from posetrack.training import everyday_scenes
from posetrack.training.light_detector import Recipe, export, train
from posetrack.training.rtmdet_teacher import RtmdetTeacher
from posetrack.training.store import OneFile
from posetrack.training.teacher_boxes import label_lspet


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
    parser.add_argument("--rendered", type=Path, help="folder of scripts/render_people.py, to train on, too")
    parser.add_argument(
        "--everyday", action="store_true", help="people/ of the data, and RTMDet as a teacher"
    )
    parser.add_argument("--small", action="store_true", help="scenes of 0.6 of the pixels")
    parser.add_argument("--frozen", nargs="*", default=(), help="parts of the network that stay as they are")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=Recipe.workers, help="processes that make scenes")
    parser.add_argument("--export", type=Path, help="write the weights here at the end, as safetensors")
    parser.add_argument("--score-threshold", type=float, default=0.5, help="default of the exported detector")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.backends.cudnn.benchmark = True
    cv2.setNumThreads(given.threads)
    teacher = None
    if given.everyday:
        everyday_scenes.relabel(given.data, given.runs / "rtmdet")
        scenes = everyday_scenes.read_scenes(given.data, given.runs / "rtmdet", given.seed)
        teacher = RtmdetTeacher(given.data / "teachers" / "rtmdet_nano_person_320.onnx")
    else:
        label_lspet(given.data / "lspet", given.data / "teachers" / "yolox_nano_416.onnx", given.runs)
        scenes = read_scenes(given.data / "lspet", given.runs, given.seed, given.rendered)
    recipe = Recipe(
        given.minutes,
        given.pictures,
        given.batch,
        given.rate,
        workers=given.workers,
        seed=given.seed,
        device=given.device,
        rendered=given.rendered is not None,
        small=given.small,
        frozen=tuple(given.frozen),
        sources=everyday_scenes.SAID if given.everyday else Recipe.sources,
    )
    store = OneFile(given.runs / "last.pt")
    run = train(
        recipe, scenes, store, log=lambda line: print(line, flush=True), init=given.init, teacher=teacher
    )
    if given.export is not None:
        export(run.state(), given.export, given.score_threshold)


if __name__ == "__main__":
    main()
