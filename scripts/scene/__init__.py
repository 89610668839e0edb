"""The drawn street that `make demo` tracks: bodies, motion, a software rasteriser, light and exact truth."""
