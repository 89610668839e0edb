"""The `posetrack` command. Every command is a function here; its signature is its flags (see flags.py)."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from posetrack import __version__
from posetrack.commands.convert import convert
from posetrack.commands.evaluate import evaluate as evaluate_network
from posetrack.commands.flags import Command, parse
from posetrack.commands.train import train
from posetrack.errors import PoseTrackError

DONE, SOME_FAILED, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130

PresetName = Annotated[str, "settings and models: light, realtime or paper"]
Device = Annotated[str, "auto, cpu, cuda or cuda:N"]
Overwrite = Annotated[bool, "replace results that are there already"]


def track(
    input: Annotated[list[str], "video files, folders of pictures, globs or URLs"],
    *,
    out: Annotated[Path, "folder for NAME.mp4 and NAME.jsonl"],
    preset: PresetName = "light",
    device: Device = "auto",
    boxes: Annotated[Path | None, "detections to use instead of the detector: COCO results JSON"] = None,
    weights: Annotated[Path | None, "a checkpoint to use instead of the preset's pose weights"] = None,
    batch_size: Annotated[int, "frames that are detected and posed together; the result is the same"] = 1,
    overwrite: Overwrite = False,
    video: Annotated[bool, "write no overlay clip, only NAME.jsonl"] = True,
    trails: Annotated[bool, "draw where everybody went"] = False,
    draw_boxes: Annotated[bool, "draw the person boxes too"] = False,
) -> int:
    """Track people in videos: an overlay clip and tracks.jsonl for each."""
    from posetrack.commands.track import make_folder, track_video
    from posetrack.presets import build, find
    from posetrack.video import expand_sources

    if batch_size < 1:
        raise PoseTrackError(f"--batch-size {batch_size}: give 1 or more")
    sources = expand_sources(input)
    _refuse_same_names(sources)
    make_folder(out)
    system = build(find(preset), device, boxes, weights)
    losses = failures = 0
    for source in sources:
        try:
            summary = track_video(
                source,
                out,
                preset=preset,
                boxes=boxes,
                weights=weights,
                batch_size=batch_size,
                overwrite=overwrite,
                video=video,
                trails=trails,
                draw_boxes=draw_boxes,
                tracker=system,
            )
        except PoseTrackError as error:  # also an output that cannot be written: the others may still be done
            failures += 1
            _complain(str(error))
            continue
        print(summary)
        for loss in summary.losses:
            losses += 1
            _complain(f"{summary.name}: {loss}")
    if failures == len(sources):
        return WRONG_REQUEST
    return SOME_FAILED if failures or losses else DONE


def render(
    tracks: Annotated[Path, "TRACKS.jsonl of an earlier run"],
    video: Annotated[str, "the video that it was made from"],
    *,
    out: Annotated[Path, "the clip to write, .mp4"],
    joint_score: Annotated[float | None, "leave out joints below this score; default: the preset's"] = None,
    overwrite: Overwrite = False,
    trails: Annotated[bool, "draw where everybody went"] = False,
    draw_boxes: Annotated[bool, "draw the person boxes too"] = False,
) -> int:
    """Draw the overlay clip again from tracks.jsonl; no network is needed."""
    from posetrack.commands.render import render_video

    losses = render_video(
        tracks, video, out, joint_score=joint_score, overwrite=overwrite, trails=trails, draw_boxes=draw_boxes
    )
    print(f"{tracks} drawn over {video} -> {out}")
    for loss in losses:
        _complain(loss)
    return SOME_FAILED if losses else DONE


def export(
    tracks: Annotated[Path, "TRACKS.jsonl"],
    *,
    to: Annotated[Literal["posetrack18", "posetrack17", "coco", "mot", "csv", "parquet"], "format"],
    out: Annotated[Path, "file to write"],
    joint_score: Annotated[float | None, "drop joints below this score; default: the preset's"] = None,
    overwrite: Overwrite = False,
) -> int:
    """Write tracks.jsonl in another format."""
    from posetrack.commands.export import export_tracks

    written, losses = export_tracks(tracks, to, out, joint_score=joint_score, overwrite=overwrite)
    print(written)
    for loss in losses:
        _complain(loss)
    return SOME_FAILED if losses else DONE


def evaluate(
    *,
    gt: Annotated[Path, "folder of PoseTrack annotation files"],
    pred: Annotated[Path, "folder of prediction files of the same names"],
    json: Annotated[Path | None, "write all numbers to this file"] = None,
    plot: Annotated[Path | None, "draw plots into this folder"] = None,
    strict: Annotated[bool, "without poseval's quirks: count the last frame and all misses"] = False,
    overwrite: Overwrite = False,
) -> int:
    """PoseTrack mAP, MOTA, HOTA, as poseval computes them."""
    from posetrack.evaluation import evaluate_posetrack

    _refuse_existing(json, overwrite)
    if plot is not None and not (plot.is_dir() and not any(plot.iterdir())):  # an empty folder will do
        _refuse_existing(plot, overwrite)
    report = evaluate_posetrack(gt, pred, strict=strict)
    print(report.table())
    if len(report.sequences) > 1:
        print("\n" + report.sequence_table())
    for warning in report.warnings:
        _complain(warning)
    if json is not None:
        _write_json(json, report.to_json())
    if plot is not None:
        report.plot(plot)
    return DONE


def submit(
    *,
    annotations: Annotated[Path | None, "folder of PoseTrack annotation files"] = None,
    images: Annotated[Path | None, "root of the PoseTrack images"] = None,
    out: Annotated[Path | None, "folder for the prediction files"] = None,
    preset: PresetName = "paper",
    device: Device = "auto",
    boxes: Annotated[Path | None, "detections to use instead of the detector, keyed by image id"] = None,
    weights: Annotated[Path | None, "a checkpoint to use instead of the preset's pose weights"] = None,
    batch_size: Annotated[int, "frames that are detected and posed together; the result is the same"] = 1,
    zip: Annotated[bool, "check the files and put them into OUT.zip"] = False,
    check: Annotated[Path | None, "only check this folder of prediction files"] = None,
    overwrite: Annotated[bool, "do finished sequences again"] = False,
) -> int:
    """Track every sequence of a PoseTrack folder and write what the benchmark takes.

    Finished sequences are kept, so an interrupted run goes on where it stopped.
    """
    if check is not None:
        return _check(check, annotations)
    if annotations is None or images is None or out is None:
        raise PoseTrackError(
            "give --annotations, --images and --out, or --check with a folder of predictions"
        )
    from posetrack.commands.submit import submit as submit_all
    from posetrack.commands.submit import zip_path, zip_submission
    from posetrack.commands.track import make_folder
    from posetrack.presets import build, find

    if zip and not overwrite and (archive := zip_path(out)).exists():
        raise PoseTrackError(f"{archive} exists already: move it away, or do everything again by --overwrite")
    make_folder(out)
    chosen = find(preset)
    system = build(chosen, device, boxes, weights)
    result = submit_all(
        annotations, images, out, system, chosen, boxes=boxes, batch_size=batch_size, overwrite=overwrite
    )
    print(f"{result.done} sequences tracked, {result.kept} kept from before, {result.failed} failed")
    if zip and not result.failed:
        print(zip_submission(out, annotations, overwrite=overwrite))
    return SOME_FAILED if result.failed else DONE


def _check(folder: Path, annotations: Path | None) -> int:
    from posetrack.results.check import check_submission

    problems = check_submission(folder, annotations)
    for problem in problems:
        print(problem)
    print(f"{folder}: {len(problems) or 'no'} problem{'' if len(problems) == 1 else 's'}")
    return SOME_FAILED if problems else DONE


def bench(
    *,
    json: Annotated[Path | None, "write all numbers to this file"] = None,
    device: Device = "auto",
    seconds: Annotated[float, "time to spend on each measurement"] = 5.0,
    overwrite: Overwrite = False,
) -> int:
    """Milliseconds of every stage on this machine, and of HRNet-W32 and W48."""
    from posetrack.benchmarks.speed import run_bench
    from posetrack.commands.track import make_folder

    _refuse_existing(json, overwrite)
    if json is not None:
        make_folder(json.parent)
    result = run_bench(device, seconds)
    if json is not None:
        _write_json(json, result)
    return DONE


def doctor() -> int:
    """Look at this installation: packages, devices, codecs, weights. Says what is missing and what to do."""
    from posetrack.commands.doctor import examine

    return DONE if examine() else SOME_FAILED


def fetch(
    name: Annotated[list[str], "a preset, or weights by name"],
) -> int:
    """Download the weights of a preset and check them."""
    from posetrack.presets import PRESETS, weights_of
    from posetrack.progress import download_progress
    from posetrack.zoo import catalog
    from posetrack.zoo import fetch as fetch_weights

    names = [weight for word in name for weight in (weights_of(word) if word in PRESETS else [word])]
    if not names:
        print("nothing to fetch: the weights of this preset ship with the package")
        return DONE
    for weight in names:
        print(f"{weight}: licence {catalog.find(weight).licence}")
    with download_progress() as report:
        paths = fetch_weights(names, report)
    for path in paths:
        print(path)
    return DONE


COMMANDS: dict[str, Command] = {
    "track": track,
    "render": render,
    "export": export,
    "eval": evaluate,
    "submit": submit,
    "train": train,
    "evaluate": evaluate_network,
    "convert": convert,
    "bench": bench,
    "doctor": doctor,
    "fetch": fetch,
}


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; a wrong request becomes one line on standard error and exit code 2."""
    try:
        command, values = parse(
            "posetrack",
            "Track human poses in video: who is where, joint by joint.",
            __version__,
            COMMANDS,
            sys.argv[1:] if words is None else words,
        )
        code = command(**values) or DONE
        sys.stdout.flush()
        return code
    except PoseTrackError as error:
        _complain(str(error))
        return WRONG_REQUEST
    except KeyboardInterrupt:
        _complain("interrupted: what was finished is kept")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough: `posetrack eval ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is buffered has nowhere to go
        return SOME_FAILED


def _complain(line: str) -> None:
    print(f"posetrack: {' '.join(line.split())}", file=sys.stderr)


def _write_json(path: Path, content: dict[str, object]) -> None:
    import json

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise PoseTrackError(f"cannot write {path}: {error.strerror}; choose another place") from error


def _refuse_existing(path: Path | None, overwrite: bool) -> None:
    if path is not None and path.exists() and not overwrite:
        raise PoseTrackError(f"{path} exists already: use --overwrite to replace it, or another name")


def _refuse_same_names(sources: Sequence[str]) -> None:
    """Two inputs of one name would write the same files."""
    from posetrack.video import output_stem

    seen: dict[str, str] = {}
    for source in sources:
        stem = output_stem(source)
        if stem in seen:
            raise PoseTrackError(
                f"'{seen[stem]}' and '{source}' would both write {stem}.jsonl: give them different folders"
            )
        seen[stem] = source


if __name__ == "__main__":
    sys.exit(main())
