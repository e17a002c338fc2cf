"""`report.json`: what an evaluation found, with how far each number can be trusted.

The schema is documented in `docs/evaluation-report.md`; `SCHEMA` changes when a field changes its meaning.
"""

from __future__ import annotations

import math
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from srl_swe_envs.guards.audit import AuditFlag, audit_turns

from ..rollout import Rollout
from .grading import OUTCOMES, Grade
from .items import Item
from .patches import is_empty
from .statistics import bounds, mean_pass_at_k, wilson_interval
from .verified import swebench_version

SCHEMA = "srl-swe/evaluation-report/1"

HARMLESS_FLAGS = frozenset({"test_edit"})
"""Flags that leave a rollout clean: graded test files are restored before the tests run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One task and sample as the run left them."""

    item: Item
    number: int
    grade: Grade | None
    """None when it was not graded, or not even begun."""
    rollout: Rollout | None

    @property
    def graded(self) -> bool:
        """Whether there is a verdict."""
        return self.grade is not None and self.grade.outcome != "infra"

    @property
    def resolved(self) -> bool:
        """The verdict of record."""
        return self.grade is not None and self.grade.outcome == "resolved"

    def flags(self) -> tuple[AuditFlag, ...]:
        """What the leak audit says of the rollout."""
        return audit_turns(self.rollout.as_turns(), task=self.item.task) if self.rollout else ()

    def clean(self) -> bool:
        """Whether no flag speaks against the rollout; an attempt at a network that was not there does not."""
        return not any(
            flag.name not in HARMLESS_FLAGS and not (flag.name == "network" and flag.exit_code) for flag in self.flags()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInput:
    """What goes into a report beside the samples."""

    settings: dict[str, Any]
    quirks: tuple[str, ...] = ()
    selfcheck: dict[str, Any] = field(default_factory=lambda: {"status": "not_run", "checks": []})
    contamination: dict[str, Any] | None = None
    official: dict[str, Any] | None = None
    prices: tuple[float, float] | None = None
    """Of a million prompt and a million completion tokens."""
    stopped: str = ""
    """Why the run ended early."""


def make_report(samples: Sequence[Sample], given: ReportInput) -> dict[str, Any]:
    """The report as a JSON object."""
    counts = Counter(sample.grade.outcome if sample.grade else "not_begun" for sample in samples)
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": _versions(),
        "settings": given.settings,
        "protocol": {"name": given.settings.get("protocol", ""), "quirks": list(given.quirks)},
        "selfcheck": given.selfcheck,
        "trusted": given.selfcheck["status"] != "failed",
        "stopped": given.stopped,
        "tasks": len({sample.item.task.id for sample in samples}),
        "samples": len(samples),
        "outcomes": {name: counts.get(name, 0) for name in (*OUTCOMES, "not_begun")},
        "resolve_rate": {
            "raw": rate(samples, lambda sample: sample.resolved),
            "clean": rate(samples, lambda sample: sample.resolved and sample.clean()),
        },
        "pass_at": _pass_at(samples),
        "effort": effort(samples, given.prices),
        "by_repository": table(samples, lambda sample: sample.item.task.repo or "?"),
        "by_difficulty": table(samples, lambda sample: sample.item.difficulty or "?"),
        "disagreements": [_disagreement(sample) for sample in samples if sample.grade and sample.grade.disagrees],
        "not_graded": [_not_graded(sample) for sample in samples if not sample.graded],
        "flagged": [_flagged(sample) for sample in samples if not sample.clean()],
        "results": [_result(sample) for sample in samples],
    }
    if given.contamination is not None:
        report["contamination"] = given.contamination
    if given.official is not None:
        report["official"] = given.official
    return report


def rate(samples: Iterable[Sample], good: Callable[[Sample], bool]) -> dict[str, Any]:
    """Mean over tasks of the share of good samples, its Wilson interval over tasks, and what not-graded ones leave."""
    shares: list[float] = []
    lowest = highest = 0.0
    tasks = 0
    for group in _by_task(samples).values():
        graded = [sample for sample in group if sample.graded]
        found = sum(map(good, graded))
        tasks += 1
        lowest += found / len(group)
        highest += (found + len(group) - len(graded)) / len(group)
        if graded:
            shares.append(found / len(graded))
    value = math.fsum(shares) / len(shares) if shares else None
    low, high = wilson_interval(min(math.fsum(shares), len(shares)), len(shares))
    return {
        "rate": value,
        "tasks_graded": len(shares),
        "wilson_95": [low, high],
        "not_graded_bounds": [lowest / tasks, highest / tasks] if tasks else list(bounds(0, 0, 0)),
    }


def effort(samples: Iterable[Sample], prices: tuple[float, float] | None) -> dict[str, Any]:
    """What the rollouts took, and how many replies and patches were usable."""
    known = [sample for sample in samples if sample.rollout is not None]
    rollouts = [sample.rollout for sample in known if sample.rollout is not None]
    replies = sum(len(rollout.turns) for rollout in rollouts)
    prompt = sum(rollout.prompt_tokens for rollout in rollouts)
    completion = sum(rollout.completion_tokens for rollout in rollouts)
    return {
        "format_compliance_rate": sum(r.well_formed for r in rollouts) / replies if replies else None,
        "empty_patch_rate": sum(is_empty(r.patch) for r in rollouts) / len(rollouts) if rollouts else None,
        "turns_mean": replies / len(rollouts) if rollouts else None,
        "turns_max": max((len(r.turns) for r in rollouts), default=None),
        "stop_reasons": dict(Counter(r.stop for r in rollouts)),
        "malformed_reasons": dict(Counter(turn.malformed for r in rollouts for turn in r.turns if turn.malformed)),
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "cost": (prompt * prices[0] + completion * prices[1]) / 1e6 if prices else None,
        "rollout_s": math.fsum(r.duration_s for r in rollouts),
        "grading_s": math.fsum(sample.grade.duration_s for sample in known if sample.grade),
    }


def table(samples: Iterable[Sample], label: Callable[[Sample], str]) -> list[dict[str, Any]]:
    """Rates of the groups that `label` makes."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(label(sample), []).append(sample)
    rows = []
    for name, group in sorted(groups.items()):
        found = rate(group, lambda sample: sample.resolved)
        rows.append({"name": name, "tasks": len(_by_task(group)), **found})
    return rows


def _pass_at(samples: Iterable[Sample]) -> dict[str, float | None]:
    """pass@k for k = 1, 2, 4, ... up to the samples that there are; only graded samples count."""
    groups = [[sample for sample in group if sample.graded] for group in _by_task(samples).values()]
    counts = [(len(group), sum(sample.resolved for sample in group)) for group in groups if group]
    most = max((count for count, _ in counts), default=0)
    ks = sorted({k for k in (2**power for power in range(12)) if k <= most} | ({most} if most else set()))
    return {str(k): mean_pass_at_k(counts, k) for k in ks}


def _by_task(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.item.task.id, []).append(sample)
    return groups


def _result(sample: Sample) -> dict[str, Any]:
    grade, rollout = sample.grade, sample.rollout
    record: dict[str, Any] = {
        "task": sample.item.task.id,
        "sample": sample.number,
        "outcome": grade.outcome if grade else "not_begun",
    }
    if grade is not None:
        record |= {"swebench": grade.swebench, "hardened": grade.hardened, "notes": list(grade.notes)}
        record |= {"failed_tests": list(grade.failed_tests), "grading_s": grade.duration_s}
    if rollout is not None:
        record |= {"stop": rollout.stop, "turns": len(rollout.turns), "well_formed": rollout.well_formed}
        record |= {"prompt_tokens": rollout.prompt_tokens, "completion_tokens": rollout.completion_tokens}
        record |= {"rollout_s": rollout.duration_s, "patch_chars": len(rollout.patch)}
        record["flags"] = sorted({flag.name for flag in sample.flags()})
    return record


def _disagreement(sample: Sample) -> dict[str, Any]:
    assert sample.grade is not None
    return {
        "task": sample.item.task.id,
        "sample": sample.number,
        "swebench": sample.grade.swebench,
        "hardened": sample.grade.hardened,
        "notes": list(sample.grade.notes),
    }


def _not_graded(sample: Sample) -> dict[str, Any]:
    reason = "; ".join(sample.grade.notes) if sample.grade else "not begun"
    return {"task": sample.item.task.id, "sample": sample.number, "reason": reason}


def _flagged(sample: Sample) -> dict[str, Any]:
    flags = [{"name": flag.name, "turn": flag.turn, "evidence": flag.evidence} for flag in sample.flags()]
    return {"task": sample.item.task.id, "sample": sample.number, "resolved": sample.resolved, "flags": flags}


def _versions() -> dict[str, str]:
    try:
        own = metadata.version("srl-swe")
    except metadata.PackageNotFoundError:
        own = "unknown"
    return {"srl_swe": own, "swebench": swebench_version(), "python": platform.python_version()}
