"""The vLLM row of `rollout.py`: a server on this machine's CPU samples all replies to one trajectory's steps.

CPU seconds of all the server's processes between the first request and the last answer, after a warm-up with other
tokens; the prefix cache starts cold. `peak_mb` is what those processes hold, their key-value cache of 1 GiB included.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import torch
from tokenizers import Tokenizer, models
from torch import nn
from transformers import PreTrainedTokenizerFast

from srl_swe.learning.rollout.sampling import DrawnReply, SamplingParams
from srl_swe.learning.rollout.vllm_client import Prompt, VllmClient
from srl_swe.learning.rollout.vllm_settings import VllmRollout
from srl_swe.learning.rollout.vllm_start import SERVED, EngineNeeds, server_command
from srl_swe.learning.tree import Branch, Tree, logprobs
from srl_swe.serving.process import running_server


def run_vllm(model: nn.Module, tree: Tree, *, python: str, group: int, reply: int, segment: int) -> dict[str, Any]:
    """Time the sampling of `group` replies of `reply` tokens to every step."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)  # type: ignore[operator]
        _word_tokenizer(model.config.vocab_size).save_pretrained(folder)  # type: ignore[union-attr]
        needs = EngineNeeds(
            settings=VllmRollout(python=python, cpu_cache_gib=1),
            model=folder,
            folder=Path(folder),
            dtype="float32",
            lora_rank=0,
            max_tokens=len(tree.trunk) + reply,
            temperature=1.0,
            top_p=1.0,
        )
        with running_server(server_command(needs, on_gpu=False)) as server:
            client = VllmClient(url=server.url)
            sampling = SamplingParams(max_new_tokens=reply)
            client.complete([Prompt(token_ids=(1,) * 200, seed=0)], replies=2, sampling=sampling, model=SERVED)
            family = [server.process.pid, *(one.pid for one in psutil.Process(server.process.pid).children(True))]
            before, began = _cpu_s(family), time.perf_counter()
            prompts = [Prompt(token_ids=tree.prompt(step), seed=step) for step in range(len(tree.steps))]
            found = client.complete(prompts, replies=group, sampling=sampling, model=SERVED)
            taken = {"seconds": _cpu_s(family) - before, "wall_seconds": time.perf_counter() - began}
            memory = sum(psutil.Process(pid).memory_info().rss for pid in family) / 2**20
    return {**taken, "peak_mb": memory, "largest_logp_gap": _gap(model, tree, found, segment)}


def _word_tokenizer(size: int) -> PreTrainedTokenizerFast:
    """One word a token: a server wants a tokenizer, though it gets and gives token ids."""
    words = models.WordLevel({f"w{number}": number for number in range(size)}, unk_token="w0")
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(words), eos_token="w1")


def _cpu_s(pids: Sequence[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(one.user + one.system for one in times)


def _gap(model: nn.Module, tree: Tree, found: Sequence[Sequence[DrawnReply]], segment: int) -> float:
    """The largest distance from the trainer's log-probabilities, over two replies to the first and the last step."""
    replies = [(step, one) for step in (0, len(tree.steps) - 1) for one in found[step][:2]]
    branches = tuple(Branch(step=step, token_ids=one.token_ids) for step, one in replies)
    asked = Tree(trunk=tree.trunk, steps=tree.steps, branches=branches)
    with torch.no_grad():
        scored = logprobs(model, [asked], max_tokens=segment)[0].branches
    return max(
        abs(a - b)
        for (_, one), logps in zip(replies, scored, strict=True)
        for a, b in zip(one.logps, logps.tolist(), strict=True)
    )
