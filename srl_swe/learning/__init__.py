"""The learner: trajectory trees, rollouts, trainers. It knows chat messages and scores, never what a shell is."""
