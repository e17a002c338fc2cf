"""`srl-swe sweep SWEEP.toml`: a grid of training runs with seeds, and one table with intervals."""

from __future__ import annotations

import argparse
from pathlib import Path

from srl_swe_envs.errors import ConfigError

from ..bounds import Count, option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("sweep", type=Path, help="TOML file; see docs/ablations.md and examples/sweep.toml")
    parser.add_argument("--out", type=Path, help="the sweep's folder (default: runs/NAME-OF-SWEEP)")
    parser.add_argument("--workers", type=option(Count), default=1, help="training runs at one time")
    parser.add_argument("--fresh", action="store_true", help="throw away what an earlier sweep left in the folder")


def run(args: argparse.Namespace) -> int:
    """Run the cells that are not done; 1 when some failed."""
    try:
        import trl  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"training needs the extra 'train': pip install 'srl-swe[train]' ({error})") from error
    from ..sweep.run import Sweep, throw_away
    from ..sweep.settings import read_sweep

    out = args.out or Path("runs") / args.sweep.stem
    settings = read_sweep(args.sweep)
    sweep = Sweep(settings=settings, base=args.sweep.parent / settings.base, out=out, workers=args.workers)
    if args.fresh:
        sweep.check_configurations()
        throw_away(out)
    return 0 if sweep.run() else 1
