"""Episodes in real sandboxes: an expert resolves its task, and the bridge begins only where the way can be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from srl_swe.domains.live_tasks import LiveTasks, live_tasks
from srl_swe.domains.swe_episodes import Attempt, SweEpisodes, attempts_of
from srl_swe.domains.verdicts import Verdicts
from srl_swe.episodes import UnusableStart
from srl_swe.logs import read_logs
from srl_swe.prompts import load_prompts
from srl_swe_envs.actions import Shell
from srl_swe_envs.errors import ConfigError, WorkspaceError
from srl_swe_envs.tasks import Task
from srl_swe_envs.trajectories import Observation, Trajectory
from srl_swe_envs.workspaces.protocol import Workspace

LOGS = Path(__file__).parents[3] / "trajectories/examples/train/swe_smith.jsonl"
PROMPTS = load_prompts("xml")


@pytest.fixture(scope="module")
def live() -> Iterator[LiveTasks]:
    with live_tasks("demo:train", backend="local", run="tests", warm=0, timeout_s=120.0) as tasks:
        yield tasks


@pytest.fixture(scope="module")
def expert(live: LiveTasks) -> Trajectory:
    found = attempts_of(live.tasks, [next(iter(read_logs([LOGS])))])[0].expert
    assert found is not None
    return found


def episodes(live: LiveTasks, expert: Trajectory, **changes: object) -> SweEpisodes:
    made = SweEpisodes(
        attempts=(Attempt(task=expert.task, expert=expert),),
        prompts=PROMPTS,
        open_workspace=live.open_workspace,
        verdicts=Verdicts(judge=live.judge),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def said(turn: object) -> str:
    return PROMPTS.reply(turn).content  # type: ignore[arg-type]


def test_the_experts_replies_lead_to_what_was_recorded_and_resolve_the_task(
    live: LiveTasks, expert: Trajectory
) -> None:
    world = episodes(live, expert)
    episode = world.begin(0)
    seen = [episode.reply(said(turn), ended=True) for turn in expert.turns]
    ending = episode.end(stop=seen[-1].stop)
    episode.close()
    assert [one.step for one in seen] == list(range(len(expert.turns)))
    assert all(one.reward is not None and one.reward.similarity == 1.0 for one in seen)
    assert [one.stop for one in seen] == [""] * (len(seen) - 1) + ["submitted"]
    assert (ending.reward.value, ending.reward.similarity, ending.flags) == (1.0, None, ())
    live_messages = [message for one in seen[:-1] for message in one.messages]
    opening = world.opening(0, step=len(expert.turns) - 1).messages
    recorded = [message for message in opening[2:] if message.role != "assistant"]
    assert live_messages == recorded


def test_the_bridge_leaves_the_last_turn_to_the_model(live: LiveTasks, expert: Trajectory) -> None:
    world = episodes(live, expert)
    last = len(expert.turns) - 1
    assert world.expert_turns(0) == last + 1
    assert len(world.opening(0, step=last).messages) == 2 + 2 * last
    episode = world.begin(0, step=last)
    seen = episode.reply(said(expert.turns[last]), ended=True)
    assert (seen.step, seen.stop) == (last, "submitted")
    assert episode.end(stop=seen.stop).reward.value == 1.0
    episode.close()


def test_a_way_that_goes_otherwise_here_is_no_start(live: LiveTasks, expert: Trajectory) -> None:
    turns = list(expert.turns)
    turns[1] = replace(turns[1], observation=Observation(text="something else"))
    with pytest.raises(UnusableStart, match="turn 1 had another outcome"):
        episodes(live, replace(expert, turns=tuple(turns))).begin(0, step=3)


def test_an_untouched_repository_resolves_nothing(live: LiveTasks, expert: Trajectory) -> None:
    episode = episodes(live, expert).begin(0)
    stop = episode.reply(said(expert.turns[-1]), ended=True).stop
    assert episode.end(stop=stop).reward.value == 0.0
    episode.close()


def test_unreadable_and_cut_off_replies_are_answered_and_scored_as_malformed(
    live: LiveTasks, expert: Trajectory
) -> None:
    episode = episodes(live, expert).begin(0)
    unreadable = episode.reply("I do not know", ended=True)
    cut_off = episode.reply(said(expert.turns[0]), ended=False)
    episode.close()
    assert (unreadable.step, unreadable.stop, cut_off.malformed) == (0, "", "truncated")
    assert [one.reward.value for one in (unreadable, cut_off) if one.reward] == [-1.0, -1.0]
    assert "could not be read" in cut_off.messages[0].content


def test_an_episode_that_follows_the_expert_ends_with_the_experts_steps(live: LiveTasks, expert: Trajectory) -> None:
    short = replace(expert, turns=expert.turns[:2])
    episode = episodes(live, short, follow_expert=True).begin(0)
    look = said(replace(expert.turns[0], action=Shell(command="git log --all")))
    stops = [episode.reply(look, ended=True).stop for _ in range(2)]
    assert stops == ["", "expert_ended"]
    assert episode.end(stop=stops[-1]).flags == ("git_history",)
    episode.close()


def test_a_workspace_that_dies_is_infrastructure(live: LiveTasks, expert: Trajectory) -> None:
    opened: list[Workspace] = []

    def open_workspace(task: Task) -> Workspace:
        opened.append(live.open_workspace(task))
        return opened[-1]

    world = episodes(live, expert, open_workspace=open_workspace)
    in_a_command, at_the_end = world.begin(0), world.begin(0)
    for workspace in opened:
        workspace.close()
    with pytest.raises(WorkspaceError):
        in_a_command.reply(said(expert.turns[0]), ended=True)
    with pytest.raises(WorkspaceError):
        at_the_end.end(stop="submitted")
    in_a_command.close()
    at_the_end.close()


def test_a_patch_is_judged_once_and_a_failure_to_judge_is_forgotten() -> None:
    asked: list[str] = []

    def judge(task: Task, patch: str) -> bool:
        asked.append(patch)
        if len(asked) == 1:
            raise WorkspaceError("no engine")
        return patch == "good"

    verdicts = Verdicts(judge=judge)
    task = Task(id="t", problem="p")
    with pytest.raises(WorkspaceError):
        verdicts.resolved(task, "good")
    assert [verdicts.resolved(task, patch) for patch in ("good", "bad", "good", "", " \n")] == [
        True, False, True, False, False,
    ]  # fmt: skip
    assert asked == ["good", "good", "bad"]


def test_logs_without_a_known_task_are_refused(live: LiveTasks, expert: Trajectory) -> None:
    with pytest.raises(ConfigError, match="no trajectory"):
        attempts_of((), [expert])
