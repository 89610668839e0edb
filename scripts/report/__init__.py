"""What the bundled networks are worth: tables and pictures of the model card (`python -m scripts.report`)."""
