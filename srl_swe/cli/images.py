"""`srl-swe images build`: task images where nothing can be pulled."""

from __future__ import annotations

import argparse
from pathlib import Path

from srl_swe_envs.errors import ConfigError

from ..bounds import CountOrNone, option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    build = verbs.add_parser("build", help="make the images of SWE-bench rows from clones of their repositories")
    build.add_argument("--tasks", type=Path, required=True, help="a file of SWE-bench rows, old or 5.x")
    build.add_argument("--ids", nargs="+", default=[], metavar="ID", help="only these tasks")
    build.add_argument(
        "--clone",
        action="append",
        default=[],
        required=True,
        metavar="OWNER/NAME=FOLDER",
        help="a clone of a repository; may be given again",
    )
    build.add_argument("--out", type=Path, required=True, help="the rows with the images made, for `evaluate --tasks`")
    build.add_argument("--base-image", default="srl-swe/base:bookworm")
    build.add_argument("--specs", type=Path, nargs="+", default=[], metavar="FOLDER", help="repositories of your own")
    build.add_argument("--logs", type=Path, help="folder of the build logs (default: beside --out)")
    build.add_argument("--depth", type=option(CountOrNone), default=0, help="commits of the past that are kept; 0: all")
    build.add_argument("--force", action="store_true", help="make images anew that are there")


def run(args: argparse.Namespace) -> int:
    """Build; 0 when every image was made or was there."""
    from ..evaluation.images import BuildSettings, build_images
    from ..evaluation.rows import read_rows, write_rows
    from ..evaluation.specs import read_specs

    specs = read_specs(args.specs)
    rows = read_rows(args.tasks, convert=specs.convert)
    known = {row.task.id for row in rows}
    if unknown := [name for name in args.ids if name not in known]:
        raise ConfigError(f"{args.tasks} has no task {', '.join(unknown)}")
    chosen = [row for row in rows if not args.ids or row.task.id in args.ids]
    settings = BuildSettings(
        clones=dict(map(_clone, args.clone)),
        base_image=args.base_image,
        logs=args.logs or args.out.with_suffix(".logs"),
        depth=args.depth,
        force=args.force,
    )
    built = build_images(chosen, specs, settings)
    made = [result.row for result in built if result.status != "failed"]
    count = write_rows(args.out, made)
    print(f"{count} of {len(chosen)} rows with their images: {args.out}")
    return 0 if count == len(chosen) else 1


def _clone(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not equals or "/" not in name:
        raise ConfigError(f"--clone {text}: write OWNER/NAME=FOLDER, for example psf/requests=clones/requests")
    return name, Path(folder)
