"""Final answers of mathematics rows, which data sets write in three ways.

AIME 2024 has text, AIME 2025 and AMC have floats (`70.0`), Minerva has none but the last `\\boxed{}` of its solution.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BOX = "\\boxed{"


def final_answer(row: Mapping[str, Any]) -> str:
    """The answer of a row as text, whole numbers without a fraction; raises ValueError when it has none."""
    answer = row.get("answer")
    if isinstance(answer, float) and answer.is_integer():
        return str(int(answer))
    if isinstance(answer, int | float | str) and not isinstance(answer, bool) and str(answer).strip():
        return str(answer).strip()
    boxed = last_boxed(str(row.get("solution") or ""))
    if boxed is None:
        raise ValueError("neither an answer nor a \\boxed{} in the solution")
    return boxed


def last_boxed(text: str) -> str | None:
    """What stands in the last `\\boxed{...}`, braces inside it balanced; None if there is none that is closed."""
    start = text.rfind(_BOX)
    while start >= 0:
        depth, begin = 1, start + len(_BOX)
        for position in range(begin, len(text)):
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            if depth == 0:
                return text[begin:position].strip()
        start = text.rfind(_BOX, 0, start)
    return None
