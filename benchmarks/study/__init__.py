"""The learning study: what each method makes of the same expert trajectories and the same compute, over seeds."""
