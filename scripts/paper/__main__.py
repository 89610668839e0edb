"""Write docs/paper.md: every row of the HRNet paper, next to what this code gives or to the commands for it.

    python -m scripts.paper              # writes docs/paper.md
    python -m scripts.paper --check      # exit code 1 if that file says anything else than the code

Costs are counted, rules looked up and recipes read each time, so the document cannot drift from the code: a
test compares it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.paper import code, costs, printed, training

PATH = Path(__file__).parents[2] / "docs" / "paper.md"


def document() -> str:
    return f"""# The paper, row by row

*Deep High-Resolution Representation Learning for Human Pose Estimation* (Sun et al., CVPR 2019), with what it
compares itself to from *Simple Baselines* (Xiao et al., ECCV 2018). Written by `python -m scripts.paper`; a
test compares. Rows that code alone decides are computed. Rows that need COCO, AI Challenger, MPII, PoseTrack
or ImageNet, none of which was at hand, have the recipe and the commands. Rows of other methods are left out.
"same" means: ours, rounded to the printed digits, is the printed figure.

## Parameters and multiply-adds

The paper's "GFLOPs" are multiply-adds / 2^30 (`posetrack/models/costs.py`).

{costs.tables_1_2_4()}

W32 at 256x192 is printed as 7.10, though every count gives 7.12. SimpleBaseline's printed figures do not
follow from one count: 35.6 / 15.7 = 2.27, but at 384x288 R152 costs exactly 2.25 times as much as at 256x192.

A step up the pyramid of our CPN does its 1x1 convolution before the enlarging, where it costs a quarter. The
network of Insafutdinov et al. is not drawn; ours is a ResNet-101 with dilated layer3 and layer4 and a 1x1
convolution at 1/8. Two hourglasses go by the name of Newell et al.: in the text of their paper two 1x1
convolutions follow each hourglass, in their code a residual block stands before these. The printed GFLOPs are
those of the text, the printed parameters those of neither:

{costs.hourglasses()}

HRNet as the official code counts it when it is run:

{costs.official_code()}

### SimpleBaseline's transposed convolutions

Within about 1 %, the printed figures are those of a count that charges a transposed convolution of stride 2
its whole kernel for every pixel that it puts out, though only a quarter of the taps meet an input. Counted
right, R50 costs less than HRNet-W32 (7.12), not more. In multiply-adds / 2^30:

{costs.transposed_convolutions()}

### ImageNet classifiers

At 224x224, beside the README of HRNet-Image-Classification:

{costs.classifiers()}

### Networks of the ablations

Table 6, section 4.4 (all four branches from the start) and Figure 5, at 256x192: settings of `HRNetConfig`.

{costs.ablations()}

With all four branches from the start the network has twice the parameters of (c): depth and exchanges stay
the same, size does not.

### Costs by input size (Figure 6)

GFLOPs in the paper's unit; SimpleBaseline by whole kernels.

{costs.by_size()}

## Schedules

{training.schedules()}

Angles and scales are deviations of normals, cut at two deviations and at one. PoseTrack's "15 %" and other
points on which paper and code disagree: `posetrack/training/recipes.py`. All recipes:

{training.settings()}

## Crops, targets, loss

{code.rules(code.CROPS)}

## Decoding

{code.rules(code.DECODING)}

## Tracking (section 4.3)

{code.rules(code.TRACKING)}

The paper tells neither the length of its memory nor the thresholds of NMS and similarity; ours are
explained in docs/association.md.

## Metrics

{code.rules(code.METRICS)}

## Scores

Data sets lie in `coco`, `ai_challenger`, `mpii`, `posetrack17`, `posetrack18` and `imagenet`, as distributed.
A person detector's boxes, in COCO's format, are in `detections.json`; without `--boxes`, labelled boxes are
taken.
`resnet50.pth` and so on are torchvision's ImageNet weights; `posetrack fetch hrnet_w32_c_imagenet` gets
HRNet's. On several GPUs put `torchrun --nproc-per-node N -m --` before `posetrack train`.

### Table 1: COCO val2017

AP, AP50, AP75, APM, APL, AR with the boxes of a detector of 56.4 AP and flip test.

{_scores(printed.COCO_VAL)}

### Table 2: COCO test-dev2017

The same networks at 384x288 with boxes of 60.9 AP. COCO's server holds the labels, so no command here gives
these scores.

{training.scores(printed.COCO_TEST)}

How COCO and AI Challenger were mixed, and for how long, the paper does not say: the recipe shows everybody of
both once an epoch, for as many epochs as on COCO alone. To train it, and to measure it on val2017:

{training.commands(printed.COCO_TEST[-1:])}

### Tables 3 and 4: MPII

PCKh@0.5 of head, shoulder, elbow, wrist, hip, knee, ankle and the mean, on the test set, whose labels MPII's
server holds:

{training.scores(printed.MPII_TEST)}

On the validation set, from the official README:

{_scores(printed.MPII_VAL)}

### Table 5: PoseTrack

`posetrack evaluate` gives mAP on the validation set; MOTA takes
`posetrack submit --weights` and `posetrack eval`. Boxes for every `--boxes` come from
`posetrack detect FOLDER --detector NAME`. Table 5 of Simple Baselines (joint propagation, similarity, memory)
runs on a PoseTrack folder by `python -m scripts.table5 --root posetrack17 --settings letter`; `letter` is the
paper's words and no other threshold.

{_scores(printed.POSETRACK)}

### Table 6, section 4.4 and Figure 5

AP on COCO val2017 at 256x192. A narrow network was put through the same changes on little data:
docs/ablations.md.

{_scores(printed.ABLATIONS)}

### Figure 6

{_scores(training.figure_6())}

### ImageNet

{training.imagenet()}
"""


def _scores(rows: tuple[printed.Score, ...] | list[printed.Score]) -> str:
    return f"{training.scores(rows)}\n\n{training.commands(rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PATH.write_text(document())
    elif PATH.read_text() != document():
        sys.exit(f"{PATH} is not what the code says: run python -m scripts.paper")


if __name__ == "__main__":
    main()
