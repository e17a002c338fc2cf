"""`srl-swe evaluate`: a resolve rate that can be trusted, of a policy on tasks, resumable."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from srl_swe_envs.errors import ConfigError

from ..bounds import Count, CountOrNone, NotNegative, Positive, PositiveShare, Seed, option
from ..policies.protocol import Sampling
from ..rollout import EpisodeLimits

if TYPE_CHECKING:
    from ..evaluation.options import Options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--tasks",
        default="demo:heldout",
        help="demo:heldout, demo:train, a file of SWE-bench rows, verified, OWNER/NAME",
    )
    parser.add_argument(
        "--policy",
        required=True,
        help="checkpoint:DIR or vllm:DIR (the folder of a model, or of a training run), openai:URL, predictions:FILE, "
        "gold, empty, scripted[:FILE]",
    )
    parser.add_argument("--protocol", choices=("agent", "oracle", "agentless-mini"), default="agent")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder; the same command goes on in it")
    parser.add_argument("--ids", nargs="+", default=[], metavar="ID", help="only these tasks")
    parser.add_argument("--limit", type=option(CountOrNone), default=0, help="only the first so many tasks")
    parser.add_argument("--samples", type=option(Count), default=1, help="samples of each task")
    parser.add_argument(
        "--workers", type=option(CountOrNone), default=0, help="tasks at once; 0: by processors and free memory"
    )
    _add_model(parser.add_argument_group("model"))
    _add_world(parser.add_argument_group("world"))
    _add_trust(parser.add_argument_group("trust"))


def run(args: argparse.Namespace) -> int:
    """Evaluate; 0 when everything was graded and can be trusted."""
    from ..evaluation.command import run_command

    options = _options(args)
    signal.signal(signal.SIGTERM, _interrupt)  # ends like Ctrl-C: containers go, finished work stays
    return run_command(options)


def _add_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--temperature", type=option(NotNegative), default=0.0, help="0 is greedy")
    group.add_argument("--top-p", type=option(PositiveShare), default=1.0)
    group.add_argument("--max-tokens", type=option(Count), default=2048, help="longest reply")
    group.add_argument("--seed", type=option(Seed), default=0)
    group.add_argument("--dialect", default="xml", help="what the model was trained on: xml, fence, tool_calls")
    group.add_argument("--prompts", type=Path, metavar="FOLDER", help="prompts of your own instead of agent_prompts/")
    group.add_argument("--several-actions", action="store_true", help="a reply may hold several actions")
    group.add_argument("--thinking", action="store_true", help="oracle, agentless-mini: the answer is in <solution>")
    group.add_argument("--model", default="", help="the model's name at an OpenAI-compatible server")
    group.add_argument("--api-key-env", default="", metavar="NAME", help="environment variable with the server's key")
    group.add_argument("--request-timeout", type=option(Positive), default=300.0, metavar="S")
    group.add_argument("--device", default="auto", help="checkpoint: auto, cpu, cuda")
    group.add_argument("--vllm-args", default="", help="more arguments of `vllm serve`, in one string")
    group.add_argument(
        "--vllm-python", default="", metavar="FILE", help="the python of another environment that has vLLM"
    )
    group.add_argument("--prices", metavar="READ,WRITTEN", help="of a million tokens each, for the report's cost")


def _add_world(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--workspace", choices=("auto", "docker", "local"), default="auto")
    group.add_argument("--max-turns", type=option(Count), default=50)
    group.add_argument("--time-limit", type=option(Positive), default=3600.0, metavar="S", help="of one episode")
    group.add_argument("--command-timeout", type=option(Positive), default=60.0, metavar="S")
    group.add_argument("--test-timeout", type=option(Positive), default=1800.0, metavar="S")
    group.add_argument("--memory", type=option(Positive), default=4.0, metavar="GIB", help="of one container")
    group.add_argument("--cache", choices=("keep", "space", "none"), default="space", help="pulled images to keep")
    group.add_argument("--specs", type=Path, nargs="+", default=[], metavar="FOLDER", help="repositories of your own")


def _add_trust(group: argparse._ArgumentGroup) -> None:
    check = group.add_mutually_exclusive_group()
    check.add_argument("--selfcheck", action="store_true", default=None, help="run the honesty checks first")
    check.add_argument("--no-selfcheck", dest="selfcheck", action="store_false", help="not even on a new machine")
    group.add_argument(
        "--selfcheck-tasks", type=option(Count), default=1, metavar="N", help="tasks that the checks use"
    )
    group.add_argument("--hardened", choices=("resolved", "always", "never"), default="resolved")
    group.add_argument("--official", action="store_true", help="also run swebench's own command line, and compare")
    group.add_argument("--regrade", action="store_true", help="grade the folder's logs again, nothing else")
    group.add_argument("--trained-in", type=Path, metavar="RUN", help="training run, to check its data for these tasks")


def _options(args: argparse.Namespace) -> Options:
    from ..evaluation.options import Options
    from ..evaluation.sources import ModelOptions
    from ..policies.vllm_server import vllm_arguments

    if args.samples > 1 and args.temperature == 0 and not _given(args.policy):
        raise ConfigError(f"--samples {args.samples}: more than 1 need a --temperature above 0")
    if args.api_key_env and args.api_key_env not in os.environ:
        raise ConfigError(f"--api-key-env {args.api_key_env}: there is no such environment variable")
    return Options(
        tasks=args.tasks, policy=args.policy, protocol=args.protocol, out=args.out, ids=tuple(args.ids),
        limit=args.limit, samples=args.samples, seed=args.seed, prompts=args.prompts, thinking=args.thinking,
        several=args.several_actions,
        sampling=Sampling(temperature=args.temperature, top_p=args.top_p, max_tokens=args.max_tokens),
        model=ModelOptions(
            dialect=args.dialect, model=args.model, api_key=os.environ.get(args.api_key_env, ""),
            request_timeout_s=args.request_timeout, device=args.device,
            vllm_arguments=vllm_arguments(args.vllm_args), vllm_python=args.vllm_python,
        ),
        episode=EpisodeLimits(max_turns=args.max_turns, time_limit_s=args.time_limit),
        command_timeout_s=args.command_timeout, test_timeout_s=args.test_timeout,
        memory_bytes=int(args.memory * (1 << 30)), hardened=args.hardened, workspace=args.workspace,
        workers=args.workers, cache=args.cache, specs=tuple(args.specs), selfcheck=args.selfcheck,
        selfcheck_tasks=args.selfcheck_tasks, official=args.official, regrade=args.regrade,
        trained_in=args.trained_in, prices=_prices(args.prices),
    )  # fmt: skip


def _given(policy: str) -> bool:
    return policy.partition(":")[0] in ("gold", "empty", "predictions", "scripted")


def _prices(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        read, written = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--prices {text}: write READ,WRITTEN, for example 0.1,0.4") from error
    return read, written


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
