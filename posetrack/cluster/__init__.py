"""Many videos on many processes and machines: each result once, whatever dies on the way.

Read tasks.py (what is to be done), board.py (what is known of it, on disk), engines.py (who does it).
"""
