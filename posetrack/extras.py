"""Packages that only some commands need, and the extra of pyproject.toml that brings each."""

from __future__ import annotations

EXTRAS = {
    "ptlflow": "flow",
    "loguru": "flow",
    "starlette": "live",
    "uvicorn": "live",
    "websockets": "live",
    "pythonosc": "live",
    "ray": "cluster",
    "fsspec": "cluster",
    "s3fs": "cluster",
    "pyarrow": "parquet",
    "matplotlib": "plots",
    "tensorboard": "train",
    "onnxruntime": "train",
}


def advice(error: ModuleNotFoundError) -> str | None:
    """What to install; None where the missing module belongs to no extra."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return None
    return f"this needs the package {package}: pip install 'posetrack[{EXTRAS[package]}]'"
