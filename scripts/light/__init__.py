"""What the bundled light networks are worth: the parts of scripts/report_light.py."""
