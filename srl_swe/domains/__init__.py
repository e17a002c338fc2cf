"""Domains: what a step is and how a reply to it is scored."""
