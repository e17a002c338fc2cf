"""What the study's figures say: tables, the learning curve as a plot, and a verdict on each claim of the paper."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from srl_swe.intervals import Estimate, mean_estimate

from .arms import BY_NAME, CURVE, DOMAINS, EXPERTS, SEEDS, Domain, arms, piece
from .contrast import wrong_result_reward
from .plot import Line, line_plot

Figures: TypeAlias = Mapping[int, Mapping[str, Any]]
"""One arm's results by seed."""
Metric: TypeAlias = Callable[[Mapping[str, Any]], float | None]
SUCCESS = {"swe": "resolved", "math": "right answers"}
NAMES = {"swe": "Demo tasks", "math": "Demo mathematics"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim of the paper as a difference between two arms that it says is above zero."""

    text: str
    better: str
    worse: str

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Where both arms are run."""
        return tuple(d for d in DOMAINS if d in BY_NAME[self.better].domains and d in BY_NAME[self.worse].domains)


CLAIMS = (
    Claim(text="SRL beats SFT on the same data", better="srl", worse="sft"),
    Claim(text="dynamic sampling helps", better="srl", worse="srl_all_groups"),
    Claim(text="many steps beat one step", better="srl", worse="one_step"),
    Claim(text="SRL, then RLVR beats SRL", better="srl_rlvr", worse="srl"),
    Claim(text="SRL, then RLVR beats RLVR", better="srl_rlvr", worse="rlvr"),
    Claim(text="SRL, then RLVR beats SFT, then RLVR", better="srl_rlvr", worse="sft_rlvr"),
    Claim(text="pivots help (PivotRL's claim)", better="srl_pivots", worse="srl"),
)


def success(result: Mapping[str, Any]) -> float | None:
    """Share of held-out tasks resolved, or of answers right."""
    return None if result["outcome"] is None else result["outcome"]["success"]


def without_patch(result: Mapping[str, Any]) -> float | None:
    """Share of episodes on held-out tasks that left the repository as it was."""
    return None if result["outcome"] is None else result["outcome"]["empty_patches"]


def heldout(name: str) -> Metric:
    """A figure of held-out steps."""

    def metric(result: Mapping[str, Any]) -> float | None:
        return None if result["heldout"] is None else result["heldout"].get(name)

    return metric


class Results:
    """All cells that are done."""

    def __init__(self, folder: Path) -> None:
        read = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
        self.shares = {result["share"] for result in read}
        self._by_cell = {(r["domain"], r["arm"], r["experts"], r["seed"]): r for r in read}

    def of(self, domain: Domain, arm: str, experts: int | None = None) -> Figures:
        """An arm's results by seed; without `experts` with as many as all arms have."""
        count = (0 if arm == "start" else EXPERTS[domain]) if experts is None else experts
        return {key[3]: r for key, r in self._by_cell.items() if key[:3] == (domain, arm, count)}


def values(figures: Figures, metric: Metric) -> dict[int, float]:
    """A metric by seed, where there is one."""
    found = {seed: metric(result) for seed, result in figures.items()}
    return {seed: value for seed, value in found.items() if value is not None}


def difference(better: Figures, worse: Figures, metric: Metric) -> Estimate:
    """Mean of the differences, paired by seed."""
    left, right = values(better, metric), values(worse, metric)
    return mean_estimate([left[seed] - right[seed] for seed in sorted(left.keys() & right.keys())])


def verdict(estimate: Estimate) -> str:
    """What a difference that should be above zero shows."""
    if math.isnan(estimate.low):
        return "not enough seeds"
    if estimate.low > 0:
        return "holds"
    return "contradicted" if estimate.high < 0 else "not shown"


def table(results: Results, domain: Domain) -> str:
    """All arms of a domain: means over seeds with 95 % intervals."""
    columns: Sequence[tuple[str, Metric]] = (
        (SUCCESS[domain], success),
        *((("no patch", without_patch),) if domain == "swe" else ()),
        ("reward", heldout("reward")),
        ("greedy reward", heldout("greedy_reward")),
        ("similarity", heldout("similarity")),
        ("malformed", heldout("malformed")),
        ("training, CPU s", lambda result: result["train_cpu_s"]),
    )
    lines = [f"| {NAMES[domain]} | {' | '.join(name for name, _ in columns)} | seeds |"]
    lines.append("| --- |" + " ---: |" * (len(columns) + 1))
    for name, title in (("start", "start"), *((arm.name, arm.title) for arm in arms(domain))):
        figures = results.of(domain, name)
        cells = [shown(mean_estimate(list(values(figures, metric).values()))) for _, metric in columns]
        timed = values(figures, columns[-1][1])
        if name == "start":
            cells[-1] = ""
        elif len(timed) < len(figures):  # a resumed run does not know what was used before
            cells[-1] += f" ({len(timed)} seeds)"
        lines.append(f"| {title} | {' | '.join(cells)} | {len(figures)} |")
    return "\n".join(lines)


def compute(results: Results, domain: Domain) -> str:
    """By how much arms' CPU time differs from SFT's, paired by seed: the least and the most, with their arms."""

    def spent(result: Mapping[str, Any]) -> float | None:
        found: float | None = result["train_cpu_s"]
        return found

    sft = values(results.of(domain, "sft"), spent)
    ratios = []
    for arm in arms(domain):
        mine = values(results.of(domain, arm.name), spent)
        both = sorted(mine.keys() & sft.keys())
        if both and arm.name != "sft":
            ratios.append((math.fsum(mine[seed] / sft[seed] for seed in both) / len(both), arm.title))
    if not ratios:
        return "not measured"
    (low, least), (high, most) = min(ratios), max(ratios)
    return f"{low:.2f} ({least}) to {high:.2f} times ({most})"


def verdicts(results: Results, domains: Sequence[Domain] = DOMAINS) -> str:
    """Each claim on each domain, by success, by held-out reward and by similarity."""
    lines = [
        "| claim | domain | difference of success | | difference of reward | | difference of similarity | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for domain in domains:
        rlvr, start = results.of(domain, "rlvr"), results.of(domain, "start")
        gain = difference(rlvr, start, success)
        kept, groups = _signal(rlvr)
        said = f"{kept:.0f} of {groups:.0f} groups with any deviation"
        found = verdict(gain)
        if found != "not enough seeds":  # silence of the rewards shows it, an interval around zero does not
            found = "contradicted" if found == "holds" else "not shown" if kept else "holds"
        lines.append(f"| RLVR alone finds no signal ({said}) | {domain} | {shown(gain)} | {found} | | | | |")
    for claim in CLAIMS:
        for domain in (one for one in claim.domains if one in domains):
            pair = results.of(domain, claim.better), results.of(domain, claim.worse)
            cells = []
            for metric in (success, heldout("reward"), heldout("similarity")):
                gain = difference(*pair, metric)
                cells += [shown(gain), "" if math.isnan(gain.value) else verdict(gain)]
            lines.append(f"| {claim.text} | {domain} | {' | '.join(cells)} |")
    return "\n".join(lines)


def curve(results: Results, domain: Domain) -> str:
    """Held-out reward over the number of expert trajectories, as SVG."""
    start = mean_estimate(list(values(results.of(domain, "start"), heldout("reward")).values()))
    lines = [Line(name="start", points=tuple((float(count), start) for count in CURVE))]
    for arm in ("sft", "srl"):
        points = []
        for count in CURVE:
            found = values(results.of(domain, arm, count), heldout("reward"))
            points.append((float(count), mean_estimate(list(found.values()))))
        lines.append(Line(name=BY_NAME[arm].title, points=tuple(points)))
    return line_plot(lines, x="expert trajectories", y="held-out reward")


def state(results: Results) -> str:
    """How much of the study is done."""
    planned = [cell for domain in DOMAINS for seed in SEEDS for cell in piece(domain, seed)]
    done = sum(cell.seed in results.of(cell.domain, cell.arm, cell.experts) for cell in planned)
    if done == len(planned):
        return f"All {done} runs of {len(SEEDS)} seeds are in."
    return f"**Under way: {done} of {len(planned)} runs are in**; the tables say from how many seeds each row is."


def page(template: str, results: Results, first_round: Results) -> str:
    """The document: a template with its tables filled in."""
    filled = template.replace("<!-- state -->", state(results))
    before = f"{table(first_round, 'math')}\n\n{verdicts(first_round, ['math'])}"
    filled = filled.replace("<!-- first round -->", before)
    for domain in DOMAINS:
        filled = filled.replace(f"<!-- table {domain} -->", table(results, domain))
        filled = filled.replace(f"<!-- compute {domain} -->", compute(results, domain))
    filled = filled.replace("<!-- contrast -->", f"{wrong_result_reward():.2f}")
    return filled.replace("<!-- verdicts -->", verdicts(results))


def shown(estimate: Estimate) -> str:
    """`0.412 ± 0.031`; no interval where there is none, a dash where there is nothing."""
    if math.isnan(estimate.value):
        return "-"
    digits = 0 if abs(estimate.value) >= 10 else 3
    half = estimate.high - estimate.value
    return f"{estimate.value:.{digits}f}" + ("" if math.isnan(half) else f" ± {half:.{digits}f}")


def _signal(figures: Figures) -> tuple[float, float]:
    """Groups kept and groups sampled by RLVR."""
    groups = sum(result["signal"].get("groups", 0.0) for result in figures.values())
    kept = sum(result["signal"].get("kept", 0.0) for result in figures.values())
    return kept, groups
