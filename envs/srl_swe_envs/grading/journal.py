"""Reading back what the pytest plugin recorded, as far as its signatures hold."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

Verdict: TypeAlias = Literal["passed", "failed", "error", "skipped", "xfailed", "missing"]


@dataclass(slots=True)
class Journal:
    """The records of one test run."""

    tests: dict[str, Verdict] = field(default_factory=dict)
    started: bool = False
    ended: bool = False
    uncollected: list[str] = field(default_factory=list)
    tampered: list[str] = field(default_factory=list)


def read_journal(data: bytes, key: bytes) -> Journal:
    """The journal of a results file; what follows a line that is not signed with `key` does not count."""
    journal, last = Journal(), ""
    for line in data.decode("utf-8", "replace").splitlines():
        signature, _, text = line.partition(" ")
        last = hmac.new(key, (last + text).encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature.encode(), last.encode()):
            journal.tampered.append("the results file")
            break
        _take(journal, json.loads(text))
    return journal


def _take(journal: Journal, record: dict[str, str]) -> None:
    match record["event"]:
        case "start":
            journal.started = True
        case "end":
            journal.ended = True
        case "uncollected":
            journal.uncollected.append(record["id"])
        case "tampered":
            journal.tampered.append(record["function"])
        case "test":
            verdict: Verdict = next(name for name in get_args(Verdict) if name == record["result"])
            journal.tests[record["id"]] = verdict
