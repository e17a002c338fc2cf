"""Records the demo expert's logs."""
