"""`srl-swe train CONFIG.toml`: the methods and their pipelines on collected logs."""

from __future__ import annotations

import argparse
from pathlib import Path

from srl_swe_envs.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("config", type=Path, help="TOML file; see docs/training.md and examples/")
    parser.add_argument("--out", type=Path, help="the run's folder (default: runs/NAME-OF-CONFIG)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a value, e.g. srl.batch=64"
    )
    parser.add_argument("--fresh", action="store_true", help="throw away what an earlier run left in the folder")


def run(args: argparse.Namespace) -> int:
    """Train; a run that was interrupted goes on where it was."""
    try:
        import trl  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"training needs the extra 'train': pip install 'srl-swe[train]' ({error})") from error
    from transformers.utils import logging

    logging.disable_progress_bar()
    from ..training.run import train

    train(
        args.config,
        out=args.out or Path("runs") / args.config.stem,
        overrides=args.set,
        fresh=args.fresh,
    )
    return 0
