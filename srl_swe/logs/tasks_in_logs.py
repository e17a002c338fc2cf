"""The task of a logged run: issue text out of a prompt, repository out of an instance id, fields out of a row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from srl_swe_envs.tasks import Task

from .messages import Message

_ISSUE_PATTERNS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"<pr_description>\s*(?:Consider the following PR description:\s*)?(.*?)\s*</pr_description>",
        r"<issue_description>\s*(.*?)\s*</issue_description>",
        r"<github_issue>\s*(.*?)\s*</github_issue>",
        r"\nISSUE:\n(.*?)\n+INSTRUCTIONS:",
        r"--- BEGIN ISSUE ---\s*(.*?)\s*--- END ISSUE ---",
        r"<issue>\s*(.*?)\s*</issue>",
    )
)
_EXAMPLE_END = re.compile(r"-+ END OF EXAMPLE -+\s*")
_NEW_TASK = re.compile(r"-+ NEW TASK DESCRIPTION -+\s*(.*?)\s*-+ END OF NEW TASK DESCRIPTION -+", re.DOTALL)
_WORKDIRS = (
    re.compile(r"<uploaded_files>\s*(\S+?)/?\s*</uploaded_files>"),
    re.compile(r"code repository in the directory (/\S+?)[./]? "),
)
_VERSIONED_FOLDER = re.compile(r"/([A-Za-z0-9-]+)__([\w.-]+?)__[\w.]+\Z")
_SWE_BENCH_ID = re.compile(r"\A([A-Za-z0-9][\w.-]*?)__([\w.-]+)-(\d+)(?:_\d+)?\Z")
_SWE_SMITH_ID = re.compile(r"\A([A-Za-z0-9][\w.-]*?)__([\w.-]+)\.[0-9a-f]{8}\.\S+\Z")


def problem_of(prompt: str) -> str:
    """The issue text inside a prompt, or the whole prompt where it has no known marks."""
    prompt = without_example(prompt)
    for pattern in _ISSUE_PATTERNS:
        if match := pattern.search(prompt):
            return match[1]
    return prompt.strip()


def without_example(prompt: str) -> str:
    """The prompt without the worked example that OpenHands puts before the task for models without tool calls."""
    if "END OF EXAMPLE" in prompt:
        prompt = _EXAMPLE_END.split(prompt)[-1]
    task = _NEW_TASK.search(prompt) if "NEW TASK DESCRIPTION" in prompt else None
    return task[1] if task else prompt


def without_run_number(instance_id: str) -> str:
    """`owner__name-12_3` as `owner__name-12`: data sets with several runs of a task number them."""
    return re.sub(r"(-\d+)_\d+\Z", r"\1", instance_id)


def first_user_text(messages: Sequence[Message]) -> str:
    """The text of the first user message; empty if there is none."""
    return next((message.text for message in messages if message.role in ("user", "human")), "")


def repo_of(instance_id: str) -> str:
    """`owner/name` out of a SWE-bench (`owner__name-1`) or SWE-smith (`owner__name.1d70d009.kind__x`) id, or ``."""
    match = _SWE_BENCH_ID.match(instance_id) or _SWE_SMITH_ID.match(instance_id)
    return f"{match[1]}/{match[2]}" if match else ""


def task_of(instance_id: str, prompt: str, row: Mapping[str, Any] | None = None, **known: str) -> Task:
    """The task of a run: its id, the issue inside its prompt, and what a SWE-bench row or the log itself tells.

    `known` are fields of Task that the log names (`repo`, `base_commit`, `image`); empty ones are passed over.
    """
    fields = (
        {"repo": repo_of(instance_id)}
        | _row_fields(row or {})
        | {k: v for k, v in known.items() if v and isinstance(v, str)}
    )
    if match := next(filter(None, (pattern.search(prompt) for pattern in _WORKDIRS)), None):
        fields.setdefault("workdir", match[1])
    if not fields["repo"] and (folder := _VERSIONED_FOLDER.search(fields.get("workdir", ""))):
        fields["repo"] = f"{folder[1]}/{folder[2]}"  # OpenHands names the folder owner__name__version
    problem = fields.pop("problem", "") or problem_of(prompt)
    return Task(id=instance_id, problem=problem, **fields)


def _row_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of Task out of a SWE-bench-like row, whose test lists are lists or the JSON text of lists."""
    texts = {
        "repo": row.get("repo"),
        "base_commit": row.get("base_commit"),
        "problem": row.get("problem_statement"),
        "image": row.get("image_name") or row.get("docker_image"),
        "test_patch": row.get("test_patch"),
    }
    fields: dict[str, Any] = {name: value for name, value in texts.items() if isinstance(value, str) and value}
    for name, column in (("fail_to_pass", "FAIL_TO_PASS"), ("pass_to_pass", "PASS_TO_PASS")):
        if tests := listed_tests(row.get(column)):
            fields[name] = tests
    return fields


def listed_tests(value: Any) -> tuple[str, ...]:
    """Test ids of a FAIL_TO_PASS or PASS_TO_PASS column: a list, or the JSON text of one."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
