"""What a sweep file says, and the training runs that it means."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srl_swe_envs.errors import ConfigError

from ..bounds import Seed
from ..config import load_config

_SLUG_CHARS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSettings:
    """One sweep: its rows, each at every point of the grid, each with every seed."""

    base: str
    """The configuration that all runs share, relative to this file."""
    seeds: tuple[Seed, ...] = (0,)
    set: dict[str, Any] = field(default_factory=dict)
    """Values that all runs have instead of the base's, by key."""
    grid: dict[str, Any] = field(default_factory=dict)
    """Lists of values by key; every combination is run."""
    rows: dict[str, Any] = field(default_factory=dict)
    """Named tables of values by key; an empty one is the base itself."""

    def __post_init__(self) -> None:
        if not self.seeds or len(frozenset(self.seeds)) != len(self.seeds):
            raise ConfigError(f"seeds: one or more different whole numbers are expected, not {list(self.seeds)}")
        for key, values in flattened(self.grid).items():
            if not isinstance(values, list) or not values:
                raise ConfigError(f"grid.{key}: a list of values is expected, not {json.dumps(values, default=str)}")
        for name, values in self.rows.items():
            if not isinstance(values, Mapping):
                raise ConfigError(f"rows.{name}: a table of keys is expected; write [rows.{name}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One training run of a sweep."""

    row: str
    """Name of the row with the values of the grid's point."""
    values: tuple[tuple[str, Any], ...]
    """What differs from the base, by dotted key, without the seed."""
    seed: int

    @property
    def overrides(self) -> tuple[str, ...]:
        """As `srl-swe train --set` takes them."""
        return (*(f"{key}={_toml(value)}" for key, value in self.values), f"seed={self.seed}")

    @property
    def folder(self) -> Path:
        """Where the run goes inside the sweep's folder: the same for the same values, whatever the file's order."""
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", self.row).strip("-.")[:_SLUG_CHARS] or "base"
        digest = hashlib.sha256(json.dumps(sorted(self.values), sort_keys=True, default=str).encode()).hexdigest()[:8]
        return Path(f"{slug}-{digest}") / f"seed-{self.seed}"


def read_sweep(path: Path) -> SweepSettings:
    """The sweep in a TOML file; raises ConfigError."""
    return load_config(SweepSettings, path)


def cells(settings: SweepSettings) -> tuple[Cell, ...]:
    """All runs, rows in the file's order, seeds innermost; raises ConfigError when two rows are the same."""
    found = [
        Cell(row=name, values=values, seed=seed) for name, values in _variants(settings) for seed in settings.seeds
    ]
    names = [cell.row for cell in found if cell.seed == settings.seeds[0]]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"two rows of the sweep are both {twice!r}; the grid names a value twice")
    return tuple(found)


def flattened(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A table's values by dotted key, whether it was written with dots, in quotes, or as tables in tables."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= flattened(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found


def _variants(settings: SweepSettings) -> Iterator[tuple[str, tuple[tuple[str, Any], ...]]]:
    shared, grid = flattened(settings.set), flattened(settings.grid)
    for name, table in (settings.rows or {"": {}}).items():
        for point in itertools.product(*grid.values()):
            chosen = dict(zip(grid, point, strict=True))
            said = [name] if name else []
            said += [f"{key}={_toml(value)}" for key, value in chosen.items()]
            yield " ".join(said) or "base", tuple((shared | flattened(table) | chosen).items())


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
