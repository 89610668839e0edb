"""Rendered people whose joints are known: bodies, motion, rasteriser, light (`python -m scripts.render`)."""
