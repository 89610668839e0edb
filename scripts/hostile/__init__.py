"""What scripts/soak.py feeds to the command line, and how it judges what comes out."""
