"""What runs inside a workspace: a small agent of the standard library alone (Python 3.6 or later)."""
