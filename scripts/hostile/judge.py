"""Did a run do what it may: are its outputs whole, and is everything that is missing told?"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import av

LONGEST_GAP = 3600  # seconds between two pictures of a clip whose source has a second or two
FEW_SOUNDS = 5  # decoded pieces of sound that may be lost without a word


def media(source: Path, out: Path, words: list[str]) -> tuple[str, str]:
    """The outcome of one input of `posetrack track`, and why."""
    complaints = [word for word in words if word.startswith("posetrack:")]
    if any("please report it" in word for word in complaints):
        return "traceback", "".join(complaints)
    if not any(" frames in " in word for word in words):
        return "refused", ""
    if broken := outputs(out, source.stem, whole=True):
        return "broken", broken
    if complaints:
        return "told", ""
    missing = not_there(source, out / f"{source.stem}.mp4")
    return ("silent", missing) if missing else ("done", "")


def command(code: int, said: str, folder: Path) -> tuple[str, str]:
    """The outcome of a command on a document: every bad end is one line."""
    if "please report it" in said or list(folder.glob("*.error.log")):
        return "traceback", said
    if code == 0:
        return "done", ""
    lines = [line for line in said.splitlines() if line.startswith("posetrack: ")]
    if not lines:
        return "broken", f"exit code {code} without a line: {said}"
    if any(len(line) > 2000 for line in lines):
        return "broken", "a line of more than 2000 characters"
    return ("told" if code == 1 else "refused"), ""


def outputs(out: Path, stem: str, frames: int | None = None, whole: bool = False) -> str:
    """What is wrong with a clip and its tracks, as far as they are there; empty if nothing."""
    lines, clip = out / f"{stem}.jsonl", out / f"{stem}.mp4"
    tracked = 0
    if lines.exists():
        *complete, _ = lines.read_text(encoding="utf-8").split("\n")
        try:
            tracked = sum("frame" in json.loads(line, parse_constant=_refuse) for line in complete)
        except ValueError as error:
            return f"{lines.name}: {error}"
    if not clip.exists():
        return ""
    try:
        with av.open(str(clip)) as container:
            times = [float(f.time or 0) for f in container.decode(video=0)]
    except (av.FFmpegError, IndexError) as error:
        return f"{clip.name} does not play: {error}"
    gaps = [b - a for a, b in pairwise(times)]
    if not times or min(gaps, default=1) <= 0 or max(gaps, default=0) > LONGEST_GAP or times[0] > LONGEST_GAP:
        return (
            f"{clip.name} has {len(times)} pictures, gaps {min(gaps, default=0)} to {max(gaps, default=0)} s"
        )
    if (whole and len(times) != tracked) or (frames is not None and not len(times) == tracked == frames):
        return f"{len(times)} pictures in the clip, {tracked} tracked, {frames} expected"
    return ""


def not_there(source: Path, clip: Path) -> str:
    """Pictures and sound that FFmpeg finds in the source and that the clip lacks."""
    pictures, sounds = decodable(source, "video"), decodable(source, "audio")
    with av.open(str(clip)) as container:
        silent = not container.streams.audio
        shown = sum(1 for _ in container.decode(video=0))
    if shown < pictures:
        return f"{pictures - shown} of {pictures} pictures"
    return f"{sounds} pieces of sound" if silent and sounds > FEW_SOUNDS else ""


def decodable(path: Path, kind: str) -> int:
    """Frames that FFmpeg can decode, damage or not."""
    count = 0
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            streams = [s for s in container.streams if s.type == kind and s.codec_context is not None]
            if not streams:
                return 0
            streams[0].thread_type = "NONE"  # type: ignore[attr-defined]
            packets = container.demux(streams[0])
            while (packet := next(packets, None)) is not None:
                try:
                    count += len(packet.decode())
                except av.FFmpegError:
                    continue
    except (av.FFmpegError, ValueError, OSError):
        pass
    return count


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")
