"""A training run from a configuration file: data, stages one after the other, and the folder that a run leaves."""
