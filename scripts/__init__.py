"""What maintainers run: the renderer, the studies, the reports behind docs/ (`python -m scripts.NAME`)."""
