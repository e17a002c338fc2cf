"""Policies: what answers a conversation. None of these modules imports torch or a server before one is made."""

from .openai_server import OpenAIServer, Retry
from .protocol import Completion, Policy, PolicyError, Sampling
from .scripted import Scripted

__all__ = ["Completion", "OpenAIServer", "Policy", "PolicyError", "Retry", "Sampling", "Scripted"]
