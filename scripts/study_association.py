"""Which association tracks best, and with which settings: measured on real motion with simulated errors.

    python scripts/study_association.py --tracks DIR --out study.json [--part ablation|steps|settings|methods]

DIR holds PoseTrack18 annotations. Simulated are the detector, the pose network and the flow (see
association/noise.py for how bad they are); the motion, the occlusions and the crowds are real. Every
variant meets the same errors. Printed are means over the seeds and their standard deviation; in the parts
`settings` and `methods` the differences to the first row, paired by seed.

Takes about 3 s for each variant and seed with 20 videos (OMP_NUM_THREADS=1 is fastest).
docs/association.md tells what came out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from association.noise import SYSTEMS
from association.scoring import Result, run
from association.variants import CHOSEN, PARTS, Variant
from association.videos import Video, read_video
from association.worlds import World

COLUMNS = ("map", "mota", "idf1", "hota", "switches")
TITLES = ("mAP", "MOTA", "IDF1", "HOTA", "switches")


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--tracks", type=Path, required=True, help="folder of PoseTrack18 annotations")
    parser.add_argument("--out", type=Path, required=True, help="every result as JSON")
    parser.add_argument("--part", choices=tuple(PARTS), default="ablation")
    parser.add_argument("--system", choices=tuple(SYSTEMS), default="paper", help="how good the networks are")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--sequences", type=int, default=20, help="how many videos")
    parser.add_argument(
        "--half", choices=("even", "odd"), help="every other video; tuned was on the even ones"
    )
    parser.add_argument("--stride", type=int, default=1, help="use every n-th frame, as a slow camera would")
    args = parser.parse_args()
    halves = {"even": slice(0, None, 2), "odd": slice(1, None, 2)}
    paths = sorted(args.tracks.glob("*.json"))[halves.get(args.half, slice(None))]
    if not paths:
        parser.error(f"--tracks {args.tracks}: no .json file there; give a folder of PoseTrack18 annotations")
    spread = np.unique(np.linspace(0, len(paths) - 1, min(args.sequences, len(paths))).round().astype(int))
    videos = [read_video(paths[i], args.stride) for i in spread]
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    variants = PARTS[args.part](CHOSEN[args.system])
    results = study(variants, videos, args.system, seeds)
    frames = sum(len(video) for video in videos)
    print(f"\n{args.part}, {args.system}: {len(videos)} videos, {frames} frames, {args.seeds} seeds\n")
    print("\n".join(table(results, paired=args.part in ("settings", "methods"))))
    facts = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
    rows = [{"name": name, "seeds": [asdict(r) for r in row]} for name, row in results.items()]
    args.out.write_text(json.dumps({"arguments": facts, "rows": rows}, indent=1) + "\n")


def study(
    variants: Sequence[Variant], videos: Sequence[Video], system: str, seeds: Sequence[int]
) -> dict[str, list[Result]]:
    """A result per variant and seed. The worlds of one seed are built once and met by all variants."""
    results: dict[str, list[Result]] = {variant.name: [] for variant in variants}
    for seed in seeds:
        worlds = [World(video, SYSTEMS[system], seed) for video in videos]
        for place, variant in enumerate(variants):
            results[variant.name].append(run(variant.make, worlds, perfect_ids=variant.perfect_ids))
            print(f"\rseed {seed}: {place + 1} of {len(variants)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def table(results: dict[str, list[Result]], *, paired: bool) -> list[str]:
    """A Markdown table: mean ± deviation over the seeds; if paired, of the differences to the first row."""
    values = {n: np.array([[getattr(r, c) for c in COLUMNS] for r in row]) for n, row in results.items()}
    first = next(iter(values.values()))
    lines = ["| | " + " | ".join(TITLES) + " |", "|---" + "|---:" * len(TITLES) + "|"]
    for place, (name, seeds) in enumerate(values.items()):
        shown = seeds - first if paired and place else seeds
        sign = "+" if paired and place else ""
        spread = shown.std(0, ddof=1) if len(shown) > 1 else np.zeros(len(COLUMNS))
        cells = (f"{m:{sign}.2f} ± {s:.2f}" for m, s in zip(shown.mean(0), spread, strict=True))
        lines.append(f"| {name.replace(' | ', ', ')} | " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main()
