"""Verified evaluation: tasks x policy x protocol, graded in fresh containers, ending in a report to be trusted."""
