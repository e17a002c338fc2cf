"""The learner: trajectory trees, rollouts, trainers. Knows chat messages and scores; nothing here knows what a shell is."""
