"""The report as text for a terminal."""

from __future__ import annotations

from typing import Any


def report_text(report: dict[str, Any]) -> str:
    """A summary of a report in a few tables."""
    raw, clean = report["resolve_rate"]["raw"], report["resolve_rate"]["clean"]
    lines = [f"{report['tasks']} tasks, {report['samples']} samples: " + _counts(report["outcomes"])]
    lines.append(f"resolve rate        {_rate(raw)}")
    if clean["rate"] != raw["rate"]:
        lines.append(f"  without flagged   {_rate(clean)}")
    for k, value in report["pass_at"].items():
        if k != "1" and value is not None:
            lines.append(f"pass@{k:<15}{value:7.1%}")
    lines += _effort(report["effort"])
    for title, rows in (("repository", report["by_repository"]), ("difficulty", report["by_difficulty"])):
        if len(rows) > 1:
            lines += _table(title, rows)
    lines += _warnings(report)
    return "\n".join(lines)


def _counts(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in outcomes.items() if count) or "none"


def _rate(found: dict[str, Any]) -> str:
    if found["rate"] is None:
        return "   none graded"
    low, high = found["wilson_95"]
    text = f"{found['rate']:7.1%}   95 % interval {low:.1%} to {high:.1%}"
    least, most = found["not_graded_bounds"]
    if most - least > 1e-12:
        text += f"; with those not graded it lies in {least:.1%} to {most:.1%}"
    return text


def _effort(effort: dict[str, Any]) -> list[str]:
    if effort["turns_mean"] is None:
        return []
    lines = [f"empty patches       {effort['empty_patch_rate']:7.1%}"]
    if effort["format_compliance_rate"] is not None:
        lines.append(f"well-formed replies {effort['format_compliance_rate']:7.1%}")
        lines.append(f"turns               {effort['turns_mean']:7.1f} mean, {effort['turns_max']} at most")
        lines.append(f"tokens              {effort['prompt_tokens']} read, {effort['completion_tokens']} written")
    if effort["cost"] is not None:
        lines.append(f"cost                {effort['cost']:7.2f}")
    lines.append(f"time                {effort['rollout_s']:7.1f} s rollouts, {effort['grading_s']:.1f} s grading")
    return lines


def _table(title: str, rows: list[dict[str, Any]]) -> list[str]:
    width = max(len(title), *(len(row["name"]) for row in rows))
    lines = ["", f"{title:<{width}}  tasks  resolved  95 % interval"]
    for row in rows:
        low, high = row["wilson_95"]
        value = "    none" if row["rate"] is None else f"{row['rate']:8.1%}"
        lines.append(f"{row['name']:<{width}}  {row['tasks']:5}  {value}  {low:.1%} to {high:.1%}")
    return lines


def _warnings(report: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    if not report["trusted"]:
        failed = [check["name"] for check in report["selfcheck"]["checks"] if not check["passed"]]
        lines.append(f"NOT TRUSTED: on this machine the checks failed that should hold: {', '.join(failed)}")
    if report["stopped"]:
        lines.append(f"stopped early: {report['stopped']}")
    for entry in report["not_graded"][:5]:
        lines.append(f"not graded: {entry['task']} #{entry['sample']}: {entry['reason'][:200]}")
    if len(report["not_graded"]) > 5:
        lines.append(f"not graded: {len(report['not_graded']) - 5} more")
    for entry in report["disagreements"]:
        lines.append(
            f"verdicts differ: {entry['task']} #{entry['sample']}: swebench {_word(entry['swebench'])}, "
            f"hardened {_word(entry['hardened'])}"
        )
    for entry in report["flagged"][:5]:
        names = ", ".join(sorted({flag["name"] for flag in entry["flags"]}))
        lines.append(f"flagged: {entry['task']} #{entry['sample']}: {names}")
    contamination = report.get("contamination")
    if contamination and contamination["tasks"]:
        lines.append(f"CONTAMINATED: the training data holds {len(contamination['tasks'])} of the evaluated tasks")
    if contamination and contamination["repositories"]:
        lines.append(f"training data shares repositories: {', '.join(contamination['repositories'])}")
    official = report.get("official")
    if official and official["differences"]:
        lines.append(f"swebench's own run differs on {', '.join(official['differences'])}")
    return ["", *lines] if lines else []


def _word(resolved: bool) -> str:
    return "resolved" if resolved else "unresolved"
