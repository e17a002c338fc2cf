"""A whole training run: data, stages, summary; run again after a kill, it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from ..config import config_to_toml, load_config
from ..conversations import Message
from ..learning.chat_tokens import ChatTokenizer
from ..learning.heldout import thin
from ..learning.models import load_tokenizer
from ..learning.rollout.engines import open_rollouts
from ..learning.tiny import make_tiny_model
from .data import DataSet, RunData, load_data, tokenize
from .episodes import EpisodeSets, check_episodes, open_episodes
from .folder import open_run, write_json
from .methods import check_reports
from .ranks import first, is_first, together
from .rollouts import vllm_needs
from .settings import RunSettings
from .stage import StageData
from .stages import StageResult, run_stage
from .summary import stage_figures, summary_table


def train(config: Path, *, out: Path, overrides: Sequence[str] = (), fresh: bool = False) -> dict[str, Any]:
    """Run a configuration and give its summary, which is also in `out/summary.json`.

    Raises ConfigError for anything the user can mend, before anything is trained.
    """
    settings = load_config(RunSettings, config, overrides)
    with together(out), ExitStack() as held:
        if settings.srl.asynchronous:
            from .asynchronous import refuse

            refuse(settings)
        first(lambda: held.enter_context(open_run(out, config_to_toml(settings), fresh=fresh)))
        return _train(settings, config.resolve().parent, out)


def _train(settings: RunSettings, base: Path, out: Path) -> dict[str, Any]:
    check_reports(settings.report_to)
    data = load_data(settings, base)
    if "rlvr" in settings.stages:
        check_episodes(settings, base, data)
    start = first(lambda: _start(settings, base, out, data))
    staged = _tokenized(settings, start, data, partial(open_episodes, settings, base, data, out.name))
    if is_first():
        counts = {"train": data.train.counts.record(), "heldout": data.heldout.counts.record()}
        write_json(out / "data.json", {**counts, "base": str(base)})
        if settings.data.train:
            print(_data_line(data), flush=True)
    results: list[StageResult] = []
    model = start
    with open_rollouts(settings.rollout, settings.tree, vllm_needs(settings, start, staged, out)) as rollouts:
        for number, name in enumerate(settings.stages, start=1):
            before = results[-1].after if results else None
            result = run_stage(name, out / f"{number}-{name}", model, staged, settings, rollouts, before)
            results.append(result)
            model = result.model
    summary = _summary(results, model)
    if is_first():
        write_json(out / "summary.json", summary)
        print(summary_table(results), flush=True)
    return summary


def _start(settings: RunSettings, base: Path, out: Path, data: RunData) -> str:
    """The directory or hub id of the model that the first stage starts from."""
    if settings.model.path:
        beside = base / settings.model.path
        return str(beside) if beside.exists() else settings.model.path
    folder = out / "start"
    if not (folder / "made").exists():
        make_tiny_model(folder, _texts(data.train), settings.model.tiny, settings.seed)
        (folder / "made").touch()
    return str(folder)


def _texts(data: DataSet) -> Iterable[str]:
    return (message.content for conversation in data.conversations for message in conversation.messages)


def _tokenized(
    settings: RunSettings,
    start: str,
    data: RunData,
    episodes: Callable[[], AbstractContextManager[EpisodeSets]],
) -> StageData:
    chat = ChatTokenizer(tokenizer=load_tokenizer(start))
    if "rlvr" in settings.stages and settings.episodes_have_turns:
        chat.check_appends((Message(role="user", content="task"),))
    if not settings.data.train:
        return StageData(train=(), heldout=(), scorer=data.scorer, open_episodes=episodes)
    heldout = tokenize(data.heldout, chat, settings.data.max_tokens)
    return StageData(
        train=tokenize(data.train, chat, settings.data.max_tokens),
        heldout=thin(heldout, settings.data.heldout_steps),
        scorer=data.scorer,
        open_episodes=episodes,
    )


def _data_line(data: RunData) -> str:
    train, heldout = data.train.counts, data.heldout.counts
    left_out = train.left_out + heldout.left_out
    reasons = [f"{count} {reason}" for reason, count in left_out.items()]
    broken = [*train.unreadable, *heldout.unreadable, *train.unused_files, *heldout.unused_files]
    reasons += [f"{len(broken)} unreadable or without steps ({broken[0]} ...)"] if broken else []
    said = f" Left out: {', '.join(reasons)}." if reasons else ""
    return (
        f"Learning {train.steps} steps of {train.used} trajectories ({train.tokens} tokens); "
        f"holding out {heldout.steps} steps of {heldout.used}.{said}"
    )


def _summary(results: Sequence[StageResult], model: str) -> dict[str, Any]:
    """What `summary.json` holds."""
    return {
        "model": model,
        "stages": [
            {"name": "start", "heldout": _plain(results[0].before)},
            *(
                {
                    "name": result.name,
                    "model": result.model,
                    "best_step": result.best_step,
                    "heldout": _plain(after),
                }
                for result, after in zip(results, stage_figures(results), strict=True)
            ),
        ],
    }


def _plain(metrics: dict[str, float]) -> dict[str, float]:
    return {name.removeprefix("eval_"): value for name, value in metrics.items()}
