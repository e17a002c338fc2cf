"""`srl-swe evaluate-math FILES`: final-answer accuracy of a model on mathematics problems, resumable."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from srl_swe_envs.errors import ConfigError

from ..bounds import Count, CountOrNone, NotNegative, Positive, PositiveShare, Seed, option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "files", type=Path, nargs="+", help="JSON Lines with a problem and an answer, as benchmarks come"
    )
    parser.add_argument(
        "--policy", required=True, help="checkpoint:DIR-OR-RUN, vllm:DIR-OR-RUN, openai:URL, scripted:FILE"
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder; the same command goes on in it")
    parser.add_argument(
        "--k", type=option(CountOrNone), default=0, help="samples of each problem for avg@k; 0 is greedy alone"
    )
    parser.add_argument(
        "--greedy-only", nargs="*", default=["minerva_math"], metavar="SET", help="sets without samples"
    )
    parser.add_argument(
        "--solve", choices=("whole", "steps"), help="one reply, or step after step (default: as trained)"
    )
    parser.add_argument("--layout", choices=("partial", "turns"), help="of steps: math.layout")
    parser.add_argument("--max-steps", type=option(Count), default=24, help="steps of one attempt")
    parser.add_argument(
        "--limit", type=option(CountOrNone), default=0, help="only the first so many problems of each file"
    )
    parser.add_argument("--prompts", type=Path, metavar="FOLDER", help="prompts of your own instead of agent_prompts/")
    model = parser.add_argument_group("model")
    model.add_argument("--temperature", type=option(NotNegative), default=1.0, help="of the samples")
    model.add_argument("--top-p", type=option(PositiveShare), default=1.0)
    model.add_argument("--max-tokens", type=option(Count), default=4096, help="longest reply")
    model.add_argument("--seed", type=option(Seed), default=0)
    model.add_argument("--at-once", type=option(Count), default=16, help="problems asked together")
    model.add_argument("--device", default="auto", help="checkpoint: auto, cpu, cuda")
    model.add_argument("--model", default="", help="the model's name at an OpenAI-compatible server")
    model.add_argument("--api-key-env", default="", metavar="NAME", help="environment variable with the server's key")
    model.add_argument("--request-timeout", type=option(Positive), default=600.0, metavar="S")
    model.add_argument("--vllm-args", default="", help="more arguments of `vllm serve`, in one string")
    model.add_argument("--vllm-python", default="", metavar="PYTHON", help="the interpreter that vLLM is installed for")


def run(args: argparse.Namespace) -> int:
    """Evaluate."""
    from ..evaluation.math.run import MathOptions, run_command
    from ..evaluation.sources import ModelOptions
    from ..policies.vllm_server import vllm_arguments

    if args.k and args.temperature <= 0:
        raise ConfigError(f"--k {args.k}: samples need a --temperature above 0")
    if args.api_key_env and args.api_key_env not in os.environ:
        raise ConfigError(f"--api-key-env {args.api_key_env}: there is no such environment variable")
    return run_command(
        MathOptions(
            files=tuple(args.files), policy=args.policy, out=args.out, k=args.k, greedy_only=tuple(args.greedy_only),
            temperature=args.temperature, top_p=args.top_p, max_tokens=args.max_tokens, seed=args.seed,
            limit=args.limit, solve=args.solve, layout=args.layout, max_steps=args.max_steps, prompts=args.prompts,
            at_once=args.at_once,
            model=ModelOptions(
                model=args.model, api_key=os.environ.get(args.api_key_env, ""), device=args.device,
                request_timeout_s=args.request_timeout, vllm_arguments=vllm_arguments(args.vllm_args),
                vllm_python=args.vllm_python, max_batch=args.at_once,
            ),
        )
    )  # fmt: skip
