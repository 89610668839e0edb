"""Simulated detectors, pose networks and flow on real annotated motion (`python -m scripts.association`)."""
