"""What the paper prints, what the code gives, and commands for the rest: scripts/paper_tables.py."""
