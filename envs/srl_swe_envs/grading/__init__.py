"""Grading: the parts of `outcome.py` that keep a patch away from the verdict on it."""
