"""Final-answer accuracy on mathematics problems: greedy, and the mean over k samples."""
