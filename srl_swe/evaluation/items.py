"""What is evaluated: the demo tasks, or the rows of a SWE-bench data set, each as one `Item`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from srl_swe_envs.demo import load_demo_tasks
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.tasks import Task

from .rows import Row, parse_row, read_rows
from .specs import Specs

DATASETS = {
    "verified": "SWE-bench/SWE-bench_Verified",
    "lite": "SWE-bench/SWE-bench_Lite",
    "full": "SWE-bench/SWE-bench",
}
"""Names that stand for a data set of the Hugging Face hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One task to evaluate; a row of a data set is graded by swebench, a demo task by its own tests."""

    task: Task
    row: Row | None = None

    @property
    def difficulty(self) -> str:
        """The row's difficulty; empty when nobody rated it."""
        return self.row.difficulty if self.row else ""


def load_items(source: str, specs: Specs, *, ids: Collection[str] = (), limit: int = 0) -> tuple[Item, ...]:
    """Items from `demo`, `demo:heldout`, `demo:train`, a file of rows, or a data set's name.

    `ids` keeps these tasks only (an unknown one is an error), `limit` the first so many.
    """
    items = _load(source, specs)
    if ids:
        known = {item.task.id for item in items}
        unknown = [name for name in ids if name not in known]
        if unknown:
            raise ConfigError(f"{source} has no task {', '.join(unknown)}")
        items = tuple(item for item in items if item.task.id in set(ids))
    return items[:limit] if limit else items


def _load(source: str, specs: Specs) -> tuple[Item, ...]:
    kind, _, part = source.partition(":")
    if kind == "demo":
        return _demo(part)
    path = Path(source)
    if path.suffix in (".jsonl", ".json", ".parquet") or path.is_file():
        rows: Sequence[Row] = read_rows(path, convert=specs.convert)
    else:
        rows = _hub(source, specs)
    return tuple(Item(task=row.task, row=row) for row in rows)


def _demo(part: str) -> tuple[Item, ...]:
    splits = {"": None, "heldout": "held_out", "held_out": "held_out", "train": "train"}
    if part not in splits:
        raise ConfigError(f"demo:{part} is not a demo set; write demo, demo:heldout or demo:train")
    tasks = load_demo_tasks(splits[part])  # type: ignore[arg-type]  # the table's values are the splits
    return tuple(Item(task=task) for task in tasks)


def _hub(name: str, specs: Specs) -> tuple[Row, ...]:
    """A data set of the Hugging Face hub; ConfigError when it can't be had from here."""
    where = DATASETS.get(name.lower(), name)
    if "/" not in where:
        raise ConfigError(
            f"{name}: no such file or data set; write demo:heldout, a .jsonl file, {', '.join(DATASETS)} or OWNER/NAME"
        )
    try:
        import datasets
    except ImportError as error:
        raise ConfigError(f"{name}: loading from the hub needs `datasets`; or give a .jsonl file of rows") from error
    try:
        records = datasets.load_dataset(where, split="test")
    except Exception as error:  # whatever its network, cache and parser raise
        raise ConfigError(f"{name}: {where} can't be loaded ({error}); give a .jsonl file of its rows") from error
    return tuple(
        parse_row(dict(record), f"{where} row {number}", convert=specs.convert)
        for number, record in enumerate(records, start=1)
    )
