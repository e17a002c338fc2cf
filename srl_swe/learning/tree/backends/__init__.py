"""Ways to compute attention over a row of blocks. All give the same numbers; `attention.py` chooses."""
