"""Simulated detectors, pose networks and flow on real annotated motion, for scripts/study_association.py."""
