"""Tracking as it happens: `posetrack live`, its window, its web page, and what other programs receive."""
