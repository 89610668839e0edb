"""Every experiment of the paper, and the bundled networks': frozen dataclasses, RECIPES["coco_w32_256x192"].

Sources: HRNet (CVPR 2019) sections 4.1 to 4.4, SimpleBaseline (ECCV 2018), and the settings of the official
repositories. Where paper and code disagree, these recipes do what the code does, because the published
weights and scores came from it:

- Width of the targets. Paper: 1 pixel. Code: 2 heatmap pixels at 256x192, 3 at 384x288; both followed here.
- Weight decay. The settings say 1e-4, but the code never hands it to Adam: 0 here.
- Milestones. The settings say 170 and 200, but the code steps its scheduler before it trains an epoch, so
  the rate falls when 169 and 199 are over: one epoch before the settings, here as well, in every recipe.
- MPII. The paper augments "as COCO"; the code turns by 30 degrees, scales by 0.25 and cuts nobody in half.
- Angles. "45 degrees" is the deviation of a normal clipped at 90; `Geometry.rotation` is the largest angle.
- Colour. SimpleBaseline saw BGR, as OpenCV reads pictures; ours takes RGB like every other network.
- "15 %" of PoseTrack's boxes: 7.5 % on each side here, as the tracker enlarges boxes. The boxes that
  PoseTrack 18 ships have 15 % on each side, and others divide by 0.85: set `box_growth` for these.
- Batch normalisation. The code takes statistics of each GPU's 32 pictures; on several GPUs we take those of
  the whole batch, which do not depend on their number. `--local-batchnorm` does as the code.
"""

from __future__ import annotations

from dataclasses import replace

from posetrack.models.hrnet import W32, W48, HRNetConfig
from posetrack.training.examples.augment import Appearance, Geometry
from posetrack.training.recipe import Recipe, Source, Stage

HRNET_MPII = Geometry(rotation=60, scale=0.25, shift=0, half_body_probability=0)
BASELINE_COCO = Geometry(rotation=80, scale=0.3, shift=0, half_body_probability=0)
COCO_SET, AI_CHALLENGER, MPII_SET = Source("coco"), Source("ai_challenger"), Source("mpii")
POSETRACK17, POSETRACK18 = Source("posetrack17"), Source("posetrack18")
IMAGENET_SET, LSPET = Source("imagenet"), Source("lspet")
EVERYDAY = Source("everyday", share=0.68, optional=True)
EVERYDAY_BOXES = Source("everyday", share=0.7)
# What sees edges and colours, and stage 1: they need no lesson in new kinds of people, and a step takes a
# quarter less time without them.
STEM = ("conv1", "bn1", "conv2", "bn2", "layer1")
RENDERED = Source("rendered", share=0.25, optional=True)  # of `python -m scripts.render people`

# Section 4.1, Tables 1 and 2. The code runs 4 GPUs with 32 pictures each, and 24 each for W48 at 384x288.
COCO_W32 = Recipe("coco_w32_256x192", "hrnet_w32", (COCO_SET,), 192, 256)
COCO_W48 = replace(COCO_W32, name="coco_w48_256x192", network="hrnet_w48")
COCO_W48_384 = replace(COCO_W48, name="coco_w48_384x288", width=288, height=384, sigma=3, batch=96)
COCO = (
    COCO_W32,
    replace(COCO_W32, name="coco_w32_256x192_scratch", init="nothing"),
    replace(COCO_W32, name="coco_w32_384x288", width=288, height=384, sigma=3),
    COCO_W48,
    COCO_W48_384,
    # Table 2, with additional data. The paper gives no details, neither of the mix nor of the schedule: here
    # everybody of both sets comes once an epoch, and the schedule is COCO's, counted in these longer epochs.
    # Nose, eyes and ears, which AI Challenger does not label, are learned from COCO alone.
    replace(COCO_W48_384, name="coco_ai_challenger_w48_384x288", data=(COCO_SET, AI_CHALLENGER)),
)

# SimpleBaseline: a shorter schedule, angles of 40 degrees, scales of 0.3, nobody cut in half.
COCO_R50 = Recipe(
    "coco_r50_256x192", "simple_baseline_r50", (COCO_SET,), 192, 256,
    geometry=BASELINE_COCO, epochs=140, milestones=(89, 119),
)  # fmt: skip
COCO_R152_384 = replace(
    COCO_R50, name="coco_r152_384x288", network="simple_baseline_r152", width=288, height=384, sigma=3
)
BASELINES = (
    *(replace(COCO_R50, name=f"coco_r{d}_256x192", network=f"simple_baseline_r{d}") for d in (50, 101, 152)),
    COCO_R152_384,
)

# The other networks of Table 1, and Figure 2 (d). Their own papers train each in another way; here they learn
# as HRNet does, so that nothing but the network differs. CPN's second row mines hard keypoints in RefineNet.
COCO_CPN = replace(COCO_W32, name="coco_cpn_r50_256x192", network="cpn_r50")
COCO_HOURGLASS = replace(COCO_W32, name="coco_hourglass_256x192", network="hourglass_8", init="nothing")
OTHERS = (
    COCO_HOURGLASS,
    COCO_CPN,
    replace(COCO_CPN, name="coco_cpn_r50_256x192_ohkm", loss="ohkm"),
    replace(COCO_W32, name="coco_dilated_r50_256x192", network="dilated_r50"),
)

# Section 4.2, Tables 3 and 4.
MPII_W32 = replace(COCO_W32, name="mpii_w32_256x256", data=(MPII_SET,), width=256, geometry=HRNET_MPII)
MPII_R50 = replace(COCO_R50, name="mpii_r50_256x256", data=(MPII_SET,), width=256, geometry=HRNET_MPII)
MPII = (
    MPII_W32,
    replace(MPII_W32, name="mpii_w48_256x256", network="hrnet_w48"),
    *(replace(MPII_R50, name=f"mpii_r{d}_256x256", network=f"simple_baseline_r{d}") for d in (50, 101, 152)),
    replace(MPII_W32, name="mpii_hourglass_256x256", network="hourglass_8", init="nothing"),
    replace(MPII_W32, name="mpii_dilated_r101_256x256", network="dilated_r101"),
)

# Section 4.3, Table 5: begins with COCO's weights, whose 17 channels stay; the eyes' become neck and head
# top, and the ears' are never labelled. Batch as on COCO, since the paper gives none. SimpleBaseline is
# FlowTrack in the table; R50 is of its own ablations. It has the same schedule, and augments as on COCO.
POSETRACK_W48 = replace(
    COCO_W48_384, name="posetrack_w48", data=(POSETRACK18,), init="pose", box_growth=1.15,
    epochs=20, learning_rate=1e-4, milestones=(9, 14),
)  # fmt: skip
POSETRACK_R152 = replace(
    COCO_R152_384, name="posetrack_r152", data=(POSETRACK18,), init="pose", box_growth=1.15,
    epochs=20, learning_rate=1e-4, milestones=(9, 14),
)  # fmt: skip
POSETRACK_R50 = replace(
    POSETRACK_R152, name="posetrack_r50", network="simple_baseline_r50", width=192, height=256, sigma=2
)
POSETRACK = (
    POSETRACK_W48,
    replace(POSETRACK_W48, name="posetrack17_w48", data=(POSETRACK17,)),
    replace(
        POSETRACK_W48, name="posetrack_w32", network="hrnet_w32", width=192, height=256, sigma=2, batch=128
    ),
    POSETRACK_R152,
    replace(POSETRACK_R152, name="posetrack17_r152", data=(POSETRACK17,)),
    POSETRACK_R50,
    replace(POSETRACK_R50, name="posetrack17_r50", data=(POSETRACK17,)),
)

# Section 4.4. Table 6 and the resolution maintenance are from scratch; Figures 5 and 6 from ImageNet, as
# their numbers at 256x192 are those of Table 1. Neither tells the width of its targets: here it is the same
# share of a joint's surroundings at every size.
SCRATCH = replace(COCO_W32, init="nothing")
FIGURE_6 = ((128, 96), (192, 128), (320, 224), (352, 256), (384, 288))  # height, width; beside 256x192
ABLATIONS = (
    *(
        replace(SCRATCH, name=f"ablation_exchange_{e}", network=replace(W32, exchange=e))
        for e in ("final", "across", "all")
    ),
    # Section 4.4 has its variants at "similar" parameters and multiply-adds. With W32's widths and depth four
    # branches from the start cost more; the second is narrower, and as that saves more multiply-adds than
    # parameters, stage 1 is three times as deep. Without lower branches every weight meets every pixel: equal
    # multiply-adds leave a twelfth of the parameters.
    replace(SCRATCH, name="ablation_all_branches", network=replace(W32, branches=(4, 4, 4))),
    replace(
        SCRATCH,
        name="ablation_all_branches_narrow",
        network=HRNetConfig(width=22, branches=(4, 4, 4), bottlenecks=12),
    ),
    replace(SCRATCH, name="ablation_one_branch", network=HRNetConfig(width=59, branches=(1, 1, 1))),
    # Figure 5: one network that learns heatmaps at all four resolutions, and one for each lower resolution.
    replace(COCO_W32, name="ablation_w32_maps", network=replace(W32, all_heatmaps=True)),
    replace(COCO_W48, name="ablation_w48_maps", network=replace(W48, all_heatmaps=True)),
    *(
        replace(
            recipe,
            name=f"ablation_{net}_map_{4 * 2**b}",
            sigma=2 / 2**b,
            network=replace(c, heatmap_branch=b),
        )
        for recipe, net, c in ((COCO_W32, "w32", W32), (COCO_W48, "w48", W48))
        for b in (1, 2, 3)
    ),
    *(
        replace(recipe, name=f"ablation_{net}_{h}x{w}", height=h, width=w, sigma=h / 128)
        for recipe, net in ((COCO_W32, "w32"), (COCO_R50, "r50"))
        for h, w in FIGURE_6
    ),
)

# ImageNet classification: 256 pictures a step at 0.1 (the code: 32 on each of 4 GPUs at 0.05, the same rate
# for each picture).
IMAGENET_W32 = Recipe(
    "imagenet_w32_c", "hrnet_w32_c", (IMAGENET_SET,), 224, 224, task="classifier", init="nothing",
    epochs=100, batch=256, optimiser="sgd", learning_rate=0.1, milestones=(29, 59, 89), weight_decay=1e-4,
)  # fmt: skip
IMAGENET = (IMAGENET_W32, replace(IMAGENET_W32, name="imagenet_w48_c", network="hrnet_w48_c"))

# The bundled networks: made for a small budget, from scratch. Cross-entropy over places learns several times
# faster than the squared error, small inputs teach most of it, and research photos need varied looks.
LIGHT = Recipe(
    "light", "hrnet_light", (replace(LSPET, share=0.32), EVERYDAY, RENDERED), 160, 224,
    stages=(Stage(0.6, 128, 192, 1.4),), init="nothing", frozen=STEM, he_draw=True, sigma=1.75,
    targets="unbiased", loss="cross_entropy", teacher_share=0.5, absent_weight=0.5, pseudo_weight=0.5,
    geometry=Geometry(turn_probability=0.08), appearance=Appearance(low_resolution=0.2, smallest=0.2),
    edge_probability=0.25, occluder_probability=0.2, order="weights", epochs=None, minutes=40, batch=64,
    optimiser="muon", learning_rate=0.008, milestones=None, warm_up=2_000, weight_decay=0.01,
    max_gradient=2.0, ema_decay=0.998, precision="bf16", half_precision=True,
)  # fmt: skip
LIGHT_DETECTOR = Recipe(
    "light_detector", "light_detector", (replace(LSPET, share=0.3), EVERYDAY_BOXES), 416, 416,
    task="detector", stages=(Stage(0.7, 320, 320, 0.0),), init="nothing", teacher_share=1.0,
    frozen=("stem", "stage4"), order="weights", epochs=None, minutes=80, batch=16, optimiser="muon",
    learning_rate=0.012,
    milestones=None, final_rate=0.01, warm_up=4_800, weight_decay=0.01, max_gradient=10.0, ema_decay=0.9985,
    precision="bf16", half_precision=True,
)  # fmt: skip

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *COCO,
        *BASELINES,
        *OTHERS,
        *MPII,
        *POSETRACK,
        *ABLATIONS,
        *IMAGENET,
        LIGHT,
        LIGHT_DETECTOR,
    )
}
