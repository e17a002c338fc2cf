"""Tokenise and evaluate arithmetic expressions."""

from minilex.evaluate import evaluate
from minilex.scanner import LexError, Token, tokenize

__all__ = ["LexError", "Token", "evaluate", "tokenize"]
