"""Media and documents, whole at first, and what a seeded random makes of them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import media

FRAMES = 8
SEEDS: dict[str, dict[str, Any]] = {
    "a.mp4": {"sound": True},
    "b.mp4": {"sound": True, "container": {"movflags": "faststart"}},
    "c.mp4": {"sound": True, "container": {"movflags": "frag_keyframe+delay_moov"}},
    "a.mov": {"sound": True, "rotation": 90},
    "a.mkv": {"sound": True},
    "a.webm": {"codec": "libvpx", "sound": "libopus"},
    "a.ts": {"sound": True},
    "a.flv": {"sound": True},
    "a.mpg": {"codec": "mpeg2video", "sound": "mp2"},
    "a.avi": {"codec": "mpeg4", "sound": "pcm_s16le"},
    "b.avi": {"options": {"bf": "3"}},
    "a.gif": {"codec": "gif", "pix_fmt": "rgb8"},
    "a.h264": {},
}
EXTREMES = [b"\0\0\0\0", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80"]
NUMBERS = [
    "Infinity", "-Infinity", "NaN", "1e308", "-1e308", "1e-320", "-1", "0", "0.5", "1e12", "1" + "0" * 30,
    "9" * 400, "null", "true", '"x"',
    '"\\ud800"', "[]", "{}", "[" * 5000 + "]" * 5000, '"' + "n" * 5000 + '"',
]  # fmt: skip


@dataclass(frozen=True)
class Document:
    kind: str
    path: Path
    words: list[str]  # the command that reads it


def write_media(folder: Path) -> list[Path]:
    """One small file of every kind, with sound where the container has it, and pictures."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    made = [media.write_video(folder / name, media.numbered(FRAMES), **how) for name, how in SEEDS.items()]
    images = [Image.fromarray(image) for image in media.numbered(4)]
    for name, more in (("a.png", 0), ("a.jpg", 0), ("b.png", 3), ("b.webp", 3), ("b.tif", 3)):
        path = folder / name
        several: dict[str, Any] = (
            {"save_all": True, "append_images": images[1 : 1 + more], "duration": 100} if more else {}
        )
        images[0].save(path, **(several if more else {}))
        made.append(path)
    return made


def write_long(path: Path, frames: int) -> Path:
    return media.write_video(path, (media.picture(n % 256) for n in range(frames)))


def mutate_file(source: Path, stem: Path, rng: random.Random) -> Path:
    """A damaged copy, with the ending of its source."""
    data = bytearray(source.read_bytes())
    for _ in range(rng.choice([1, 1, 2, 4])):
        data = rng.choice(DAMAGES)(data, rng)
    path = stem.with_suffix(source.suffix)
    path.write_bytes(data)
    return path


def flip(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice([1, 4, 32])):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def extreme(data: bytearray, rng: random.Random) -> bytearray:
    """A number of a header, most often: those are at the ends of the file."""
    near = min(len(data), 2000)
    at = rng.choice(
        [rng.randrange(near + 1), len(data) - rng.randrange(near + 1), rng.randrange(len(data) + 1)]
    )
    data[at : at + 4] = rng.choice(EXTREMES)
    return data


def cut(data: bytearray, rng: random.Random) -> bytearray:
    return data[: rng.randrange(len(data) + 1)]


def remove(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.choice([1, 16, 188, 2000])]
    return data


def zero(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.choice([16, 188, 2000]))
    data[start:end] = bytes(end - start)
    return data


def insert(data: bytearray, rng: random.Random) -> bytearray:
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.choice([1, 16, 188, 2000]))
    return data


def swap(data: bytearray, rng: random.Random) -> bytearray:
    size = rng.choice([16, 188, 1000])
    a, b = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    return data


def join(data: bytearray, rng: random.Random) -> bytearray:
    return data + data


DAMAGES: list[Callable[[bytearray, random.Random], bytearray]] = [
    flip, flip, extreme, extreme, cut, remove, zero, insert, swap, join,
]  # fmt: skip


def mutate_text(text: str, rng: random.Random) -> bytes:
    """JSON with hostile values, or damaged as any file."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        tokens = list(re.finditer(r'-?\d+(\.\d+)?([eE][+-]?\d+)?|"[^"]*"', text))
        if tokens:
            token = rng.choice(tokens)
            text = text[: token.start()] + rng.choice(NUMBERS) + text[token.end() :]
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    return bytes(rng.choice(DAMAGES)(data, rng)) if rng.random() < 0.3 else bytes(data)


def document_kinds(folder: Path) -> list[Callable[[Path, random.Random], Document]]:
    """Makers of one damaged document each: tracks, boxes, annotations, weights."""
    folder.mkdir(parents=True)
    clip = media.write_video(folder / "clip.mp4", media.numbered(3))
    tracks, boxes, notes = tracks_text(), boxes_text(), annotation_text()
    weights = Path("posetrack/zoo/bundled/light_pose.safetensors").read_bytes()

    def exported(where: Path, rng: random.Random) -> Document:
        path = where / "clip.jsonl"
        path.write_bytes(mutate_text(tracks, rng))
        to = rng.choice(["csv", "coco", "mot", "posetrack18", "posetrack17"])
        return Document("tracks, export", path, ["export", str(path), "--to", to, "--out", str(where / "o")])

    def rendered(where: Path, rng: random.Random) -> Document:
        path = where / "clip.jsonl"
        path.write_bytes(mutate_text(tracks, rng))
        words = ["render", str(path), str(clip), "--out", str(where / "o.mp4"), "--draw-boxes", "--trails"]
        return Document("tracks, render", path, words)

    def boxed(where: Path, rng: random.Random) -> Document:
        path = where / "boxes.json"
        path.write_bytes(mutate_text(boxes, rng))
        words = ["track", str(clip), "--boxes", str(path), "--out", str(where / "o"), "--no-video"]
        return Document("boxes", path, words)

    def annotated(where: Path, rng: random.Random) -> Document:
        for name in ("gt", "pred"):
            (where / name).mkdir()
            (where / name / "000001_mpii_test.json").write_text(notes)
        path = where / rng.choice(["gt", "pred"]) / "000001_mpii_test.json"
        path.write_bytes(mutate_text(notes, rng))
        return Document(
            "annotations", path, ["eval", "--gt", str(where / "gt"), "--pred", str(where / "pred")]
        )

    def weighted(where: Path, rng: random.Random) -> Document:
        path = where / "pose.safetensors"
        size = int.from_bytes(weights[:8], "little")
        head = mutate_text(weights[8 : 8 + size].decode(), rng)
        body = weights[8 + size :] if rng.random() < 0.8 else bytes(cut(bytearray(weights[8 + size :]), rng))
        path.write_bytes(len(head).to_bytes(8, "little") + head + body)
        words = ["track", str(clip), "--weights", str(path), "--out", str(where / "o"), "--no-video"]
        return Document("weights", path, words)

    return [exported, rendered, annotated, exported, rendered, annotated, boxed, weighted]


def tracks_text() -> str:
    names = ["nose", "head_bottom", "head_top"]
    skeleton = {"name": "three", "keypoints": names, "edges": [[0, 1], [1, 2]]}
    header = {
        "format": "posetrack.tracks", "version": 1, "source": "clip.mp4", "width": 96, "height": 64,
        "fps": 25.0, "skeleton": skeleton, "preset": "light", "models": {},
    }  # fmt: skip
    person = {
        "id": 1,
        "score": 0.9,
        "box": [1.0, 2.0, 30.0, 40.0],
        "keypoints": [[5.0, 6.0, 0.9]] * 3,
        "propagated": False,
    }
    frames = [{"frame": n, "time": n / 25, "people": [person | {"id": i} for i in (1, 2)]} for n in range(3)]
    return "".join(json.dumps(line) + "\n" for line in (header, *frames))


def boxes_text() -> str:
    return json.dumps(
        [{"image_id": n, "category_id": 1, "bbox": [1.5, 2.5, 20, 40], "score": 0.9} for n in range(3)]
    )


def annotation_text() -> str:
    """Two frames of PoseTrack 2018, one person."""
    images = [
        {"id": 10000010000 + n, "frame_id": 10000010000 + n, "file_name": f"images/test/000001/{n:06d}.jpg",
         "is_labeled": True, "has_labeled_person": True, "nframes": 2, "vid_id": "000001"} for n in range(2)
    ]  # fmt: skip
    joints = [v for k in range(17) for v in (10.0 + k, 20.0 + k, 1)]
    notes = [
        {"id": n + 1, "image_id": 10000010000 + n, "track_id": 0, "person_id": 1, "category_id": 1,
         "keypoints": joints, "scores": [0.9] * 17, "bbox": [5, 5, 30, 40], "bbox_head": [8, 8, 10, 10]}
        for n in range(2)
    ]  # fmt: skip
    names = ["nose", "head_bottom", "head_top", "left_ear", "right_ear"] + [
        f"{side}_{joint}"
        for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ]
    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": names, "skeleton": []}
    return json.dumps({"images": images, "annotations": notes, "categories": [category]})
