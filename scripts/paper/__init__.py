"""What the paper prints, what the code gives, and commands for the rest (`python -m scripts.paper`)."""
