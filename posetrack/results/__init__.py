"""Tracks to files and back: jsonl (the project's own), posetrack, coco, mot, tables."""
