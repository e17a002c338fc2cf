"""Trainers: what transformers and trl do stays theirs; here is what a step of training on trajectory trees changes."""
