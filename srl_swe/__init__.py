"""The agent's side: log readers, prompts, policies, learning, evaluation and the command line."""
