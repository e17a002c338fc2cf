"""Lay out plain text: wrap, fill, justify, indent and shorten."""

from textflow.layout import center, indent, justify
from textflow.wrapping import fill, shorten, wrap

__all__ = ["center", "fill", "indent", "justify", "shorten", "wrap"]
