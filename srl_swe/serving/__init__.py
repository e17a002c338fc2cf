"""Model servers that belong to a run: their processes, and JSON over HTTP. Neither torch nor vLLM is imported here."""
