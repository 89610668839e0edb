"""What users run: one module a command; `cli.py` names them."""
