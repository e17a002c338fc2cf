"""Half-open integer intervals and sets of them."""

from spans.interval import Interval
from spans.spanset import SpanSet, merge

__all__ = ["Interval", "SpanSet", "merge"]
