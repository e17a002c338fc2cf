"""Warns when a sampler's log-probabilities are not the trainer's."""

from __future__ import annotations

import sys
from typing import Any

from transformers import TrainerCallback


class GapWarning(TrainerCallback):  # type: ignore[misc]  # transformers is untyped for us
    """One line on standard error when the mean gap of an update has come above a threshold.

    Another one follows when it has been below in between. The gap is `policy/sampler_gap`: the mean over sampled tokens
    of the distance between the log-probabilities that sampler and trainer give them.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.above = False

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """See TrainerCallback."""
        gap = (logs or {}).get("policy/sampler_gap")
        if gap is None or not state.is_world_process_zero:
            return
        was_above, self.above = self.above, gap > self.threshold
        if self.above and not was_above:
            print(
                f"warning: at step {state.global_step} the sampler's log-probabilities are {gap:.3g} off the trainer's "
                f"on average (rollout.gap_warning = {self.threshold:g}): another dtype, or weights that did not arrive",
                file=sys.stderr,
                flush=True,
            )
