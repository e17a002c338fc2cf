"""What the similarity reward still pays for a step of the study's mathematics whose result is wrong."""

from __future__ import annotations

import itertools
import json
import re

from srl_swe.domains.math.solutions import numbered_steps
from srl_swe_envs import similarity

from .experts import held_out_problems

_RESULT = re.compile(r"(?<=to\{)\d,\d,\d(?=\})")


def wrong_result_reward() -> float:
    """Mean similarity to the expert's step of the same step with its cups in each of the five wrong orders."""
    found = [
        similarity(_RESULT.sub(",".join(order), step.text), step.text)
        for row in held_out_problems()
        for step in numbered_steps(json.loads(row)["solution"])[1]
        for right in _RESULT.findall(step.text)
        for order in itertools.permutations(right.split(","))
        if ",".join(order) != right
    ]
    return sum(found) / len(found)
