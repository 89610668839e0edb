"""The augmentation of HRNet's official code in its own terms: centre, scale in 200 pixels, three points."""

from __future__ import annotations

import cv2
import numpy as np

PIXELS = 200  # of one unit of scale


def centre_and_scale(box, aspect: float, padding: float = 1.25):
    """From x, y, width, height to centre (2,) and scale (2,), both sides of which fit the aspect."""
    x, y, w, h = box
    w, h = max(w, h * aspect), max(h, w / aspect)
    return np.array([x + box[2] / 2, y + box[3] / 2]), np.array([w, h]) / PIXELS * padding


def affine(centre, scale, rotation: float, size: tuple[int, int]) -> np.ndarray:
    """(2, 3) from photo to input: the centre, the middle of the (turned) upper edge, and a right angle."""
    up = np.array([0, -0.5 * scale[0] * PIXELS])
    turn = np.radians(rotation)
    up = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ up
    middle, above = np.array(size) / 2, np.array([0, -size[0] / 2])

    def corner(start, direction):
        return np.stack([start, start + direction, start + direction + [direction[1], -direction[0]]])

    return cv2.getAffineTransform(
        corner(np.asarray(centre), up).astype(np.float32), corner(middle, above).astype(np.float32)
    )


def mirror(width: int) -> np.ndarray:
    """(3, 3) that mirrors a photo: the official code does this first, to the pixels themselves."""
    return np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])


def half_body(joints, labelled, upper_body: set[int], upper: bool, aspect: float):
    """Centre and scale of the upper or lower half, None where two joints are not to be had.

    Args:
        upper_body: slots above the hips.
        upper: which half the dice chose.
    """
    above = [joint for slot, joint in enumerate(joints) if labelled[slot] and slot in upper_body]
    below = [joint for slot, joint in enumerate(joints) if labelled[slot] and slot not in upper_body]
    rest = below if len(below) > 2 else above
    chosen = above if upper and len(above) > 2 else rest
    if len(chosen) < 2:
        return None
    chosen = np.array(chosen)
    w, h = chosen.max(axis=0) - chosen.min(axis=0)
    _, scale = centre_and_scale((0, 0, w, h), aspect, padding=1.5)
    return chosen.mean(axis=0), scale
