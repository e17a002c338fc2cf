"""Takes the words off that a harness wraps around what a tool printed.

Prompt sets put their own words around an observation; the recorded ones would stand there twice, and would tell one
harness from another.
"""

from __future__ import annotations

import re

_HEADS = re.compile(r"\A(?:OBSERVATION:\n|Observation: |EXECUTION RESULT of \[[^\]\n]*\]:\n)")
_MINI = re.compile(
    r"\A\s*<returncode>-?\d+</returncode>\n(?:<warning>.*?</warning>\n)?<output>\n?(.*?)\n?</output>\s*\Z", re.DOTALL
)


def unwrapped(text: str) -> str:
    """What the tool printed: without SWE-agent's and OpenHands' headings and mini-swe-agent's tags.

    An observation that mini-swe-agent cut into head and tail keeps its tags: they say what is missing.
    """
    if found := _MINI.match(text):
        return found[1]
    return _HEADS.sub("", text, count=1)
