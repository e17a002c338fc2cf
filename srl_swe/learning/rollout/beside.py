"""Groups sampled beside training: a worker for trl's AsyncGRPOTrainer (`RolloutWorkerProtocol`, trl 1.16).

The worker's thread samples from a copy of the policy, scores the groups and puts those that teach something into a
queue, from which the trainer takes what it learns. A trajectory's groups follow each other under one number, by which
trl lays them on one trunk. Dynamic sampling needs no refill here: the trainer goes on pulling.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from trl.experimental.async_grpo.async_rollout_worker import RolloutSample

from srl_swe_envs.errors import SrlSweError

from ...conversations import ReplyScorer
from ..batches import StepOrder, by_trunk
from ..chat_tokens import Trunk
from ..groups import Group, verdict
from ..settings import SrlSettings
from .sampler import ReplySampler, prompt_tree, score_group
from .sampling import seed_of


class WorkerError(SrlSweError):
    """Raised in the trainer when its worker can't go on."""


class PolicyCopy:
    """The model that replies are sampled from; takes the trainer's weights between two samplings.

    It is trl's `WeightTransferProtocol`. `changed` is called when it has new weights.
    """

    def __init__(self, model: nn.Module, changed: Callable[[], None] = lambda: None) -> None:
        self.model = model
        self.changed = changed
        self._turn = threading.Condition()
        self._paused = self._held = False

    @contextmanager
    def held(self) -> Iterator[nn.Module]:
        """The model, whose weights stay as they are inside the block. One holder at a time."""
        with self._turn:
            self._turn.wait_for(lambda: not self._paused and not self._held)
            self._held = True
        try:
            yield self.model
        finally:
            with self._turn:
                self._held = False
                self._turn.notify_all()

    def init_weight_transfer(self) -> None:
        """See WeightTransferProtocol."""

    def pause(self) -> None:
        """Wait for the end of the sampling that runs, and let none begin."""
        with self._turn:
            self._paused = True
            self._turn.wait_for(lambda: not self._held)

    @torch.no_grad()
    def send_weights(self, iterator: Iterator[tuple[str, Tensor]]) -> None:
        """Take weights by their names in the model."""
        own = dict(self.model.named_parameters())
        for name, tensor in iterator:
            own[name].copy_(tensor)
        self.changed()

    def resume(self) -> None:
        """Let samplings begin."""
        with self._turn:
            self._paused = False
            self._turn.notify_all()

    def destroy(self) -> None:
        """See WeightTransferProtocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSource:
    """What a worker samples: runs of steps from a stream without an end."""

    trunks: tuple[Trunk, ...]
    order: StepOrder
    sampler: ReplySampler
    scorer: ReplyScorer
    settings: SrlSettings
    seed: int
    first: int = 0
    """The first run, as one of `steps_per_trunk` steps; a resumed training goes on behind those it has seen."""

    def scored(self, model: Any, run: int) -> list[Group]:
        """The groups of a run, a trunk's together."""
        chosen = by_trunk(self.order.batch(run, self.settings.steps_per_trunk))
        requests = [(self.trunks[trunk], targets) for trunk, targets in chosen.items()]
        seed = seed_of(self.seed, run)
        found = self.sampler.sample(model, requests, replies=self.settings.replies, seed=seed)
        return [score_group(group, self.scorer) for group in found]


class GroupWorker:
    """See the module. The thread ends with `stop`, or when it fails, which `check_health` tells the trainer."""

    def __init__(self, source: GroupSource, policy: PolicyCopy, *, keep: Callable[[Sequence[Group]], None]) -> None:
        settings = source.settings
        self.source = source
        self.policy = policy
        self.keep = keep
        self.rollout_buffer: queue.Queue[RolloutSample] = queue.Queue(maxsize=2 * settings.batch * settings.replies)
        self.metrics_queue: queue.Queue[dict[str, float]] = queue.Queue()
        self.version = 0
        self.fruitless = 0
        self._numbers = itertools.count()
        self._ended = threading.Event()
        self._failed: Exception | None = None
        self._alive_at = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="rollouts", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """End; the sampling that runs is waited for."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def update_model_version(self, model_version: int) -> None:
        """The copy has the weights of this version from now on."""
        self.version = model_version

    def check_health(self, stale_after_s: float) -> None:
        """Raise WorkerError when the thread has failed, or has shown no sign of life for so long."""
        if self._failed is not None:
            raise WorkerError(f"sampling beside training failed: {self._failed}") from self._failed
        if time.monotonic() - self._alive_at > stale_after_s:
            raise WorkerError(f"sampling beside training has been silent for {stale_after_s:.0f} s")

    def _work(self) -> None:
        try:
            for run in itertools.count(self.source.first):
                if self._ended.is_set():
                    return
                self._sample(run)
        except Exception as error:  # it is the trainer's thread that has to end
            self._failed = error

    def _sample(self, run: int) -> None:
        began = time.perf_counter()
        with self.policy.held() as model:
            version = self.version
            groups = self.source.scored(model, run)
        said = [verdict(group, self.source.settings.epsilon) for group in groups]
        kept = [
            group
            for group, word in zip(groups, said, strict=True)
            if word == "kept" or (not self.source.settings.dynamic_sampling and word != "without_reward")
        ]
        self._count(groups, kept, said, time.perf_counter() - began)
        numbers = {trunk: next(self._numbers) for trunk in dict.fromkeys(id(group.trunk) for group in kept)}
        for group in kept:
            for sample in samples_of(group, self.source.settings, version=version, number=numbers[id(group.trunk)]):
                if not self._put(sample):
                    return

    def _count(self, groups: Sequence[Group], kept: Sequence[Group], said: Sequence[str], seconds: float) -> None:
        self._alive_at = time.monotonic()
        self.keep(groups)
        counts = {f"sampling/{word}": float(said.count(word)) for word in set(said) - {"kept"}}
        self.metrics_queue.put({"sampling/kept": float(len(kept)), "time/rollout_s": seconds, **counts})
        self.fruitless = 0 if kept else self.fruitless + len(groups)
        if self.fruitless >= self.source.settings.patience * self.source.settings.batch:
            raise WorkerError(f"no group passed the filter in {self.fruitless} ({', '.join(sorted(set(said)))})")

    def _put(self, sample: RolloutSample) -> bool:
        """Put a sample when there is room; False when the worker is to end."""
        while not self._ended.is_set():
            self._alive_at = time.monotonic()
            try:
                self.rollout_buffer.put(sample, timeout=0.5)
            except queue.Full:
                continue
            return True
        return False


def samples_of(group: Group, settings: SrlSettings, *, version: int, number: int) -> Iterator[RolloutSample]:
    """One sample per reply that has a reward; token ids, and what was sampled with what log-probability."""
    prompt = prompt_tree(group.trunk, [group.target]).prompt(0)
    advantages = group.advantages(normalise=settings.normalise_advantages)
    for reply, reward, advantage in zip(group.replies, group.rewards, advantages, strict=True):
        if np.isnan(reward.value):
            continue
        yield RolloutSample(
            prompt=[],
            completion=[{"role": "assistant", "content": reply.text}],
            input_ids=np.array([*prompt, *reply.token_ids], dtype=np.int64),
            completion_mask=np.array([0] * len(prompt) + [1] * len(reply.token_ids), dtype=np.int64),
            old_log_probs=np.array([0.0] * len(prompt) + list(reply.logps), dtype=np.float32),
            advantage=advantage,
            model_version=version,
            group_id=number,
            metrics={"reward": reward.value, "reward_std": group.std, "malformed": float(reward.status == "malformed")},
            enqueued_at=time.time(),
        )
