"""What a run's reward paid for: similarity against outcome, other effects, wrappers, thoughts, copies."""
