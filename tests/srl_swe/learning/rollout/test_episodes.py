"""Episodes are played in lockstep, keep sampled tokens as they are, and end by their limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from srl_swe.learning.chat_tokens import ChatTokenizer, Trunk
from srl_swe.learning.episode_groups import SampledEpisode, episode_reward, episodes_of
from srl_swe.learning.groups import Group
from srl_swe.learning.rollout.decoded import DecoderSampler
from srl_swe.learning.rollout.episodes import EpisodePlayer, Start
from srl_swe.learning.rollout.generated import GenerateSampler
from srl_swe.learning.settings import EpisodeSettings, RlvrSettings, RolloutSettings, Truncated
from srl_swe.learning.tiny import TinyModel, make_tiny_model
from srl_swe.learning.trainers.episode_metrics import episode_metrics
from srl_swe.learning.trainers.rlvr import episode_tree
from srl_swe.learning.tree import logprobs, prepare
from tests.srl_swe.learning.rollout.guessing import Guessing, Saying

TRUNK = Trunk(conversation="c", token_ids=(), targets=())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tiny")
    make_tiny_model(
        place, ["Guess. letter 0 wait turn 1 what?"], TinyModel(vocabulary=300, hidden=16, layers=1, heads=2), seed=0
    )
    return place


@pytest.fixture(scope="module")
def chat(folder: Path) -> ChatTokenizer:
    return ChatTokenizer(tokenizer=AutoTokenizer.from_pretrained(folder))


def play(
    chat: ChatTokenizer,
    script: Callable[[str, int, int], str],
    *,
    settings: EpisodeSettings | None = None,
    world: Guessing | None = None,
    replies: int = 1,
    tasks: tuple[int, ...] = (0,),
    by_outcome: bool = True,
) -> list[SampledEpisode]:
    world = world or Guessing()
    player = EpisodePlayer(
        episodes=world,
        sampler=Saying(chat, script),
        chat=chat,
        settings=settings or EpisodeSettings(),
        max_reply_tokens=8,
        by_outcome=by_outcome,
    )
    groups = player.play(None, [Start(task=task) for task in tasks], replies=replies, seed=1)
    assert world.open == []
    return [episode for group in groups for episode in episodes_of(group)]


def test_an_episode_is_what_the_template_writes_with_the_sampled_tokens_in_it(chat: ChatTokenizer) -> None:
    (episode,) = play(chat, lambda name, member, turn: ("wait", "?", "a")[turn])
    assert episode.text == (
        "wait<|im_end|>\n<|im_start|>user\nturn 1\n<|im_end|>\n<|im_start|>assistant\n"
        "?<|im_end|>\n<|im_start|>user\nwhat?<|im_end|>\n<|im_start|>assistant\na<|im_end|>"
    )
    own = [token for token, mine in zip(episode.token_ids, episode.trained, strict=True) if mine]
    assert chat.tokenizer.decode(own) == "wait<|im_end|>?<|im_end|>a<|im_end|>"
    assert [math.isnan(logp) for logp in episode.logps] == [not mine for mine in episode.trained]
    assert [episode.token_ids[turn.begin : turn.end][-1] for turn in episode.turns] == [chat.tokenizer.eos_token_id] * 3
    assert [turn.malformed for turn in episode.turns] == ["", "what", ""]
    assert (episode.stop, episode.outcome.value, episode.flags, episode.ended) == ("answered", 1.0, ("seen",), True)


def test_a_reply_that_was_cut_off_is_closed_by_a_token_that_is_not_trained(chat: ChatTokenizer) -> None:
    (episode,) = play(chat, lambda name, member, turn: ("wai...", "a")[turn])
    end = episode.turns[0].end
    assert episode.token_ids[end] == chat.tokenizer.eos_token_id
    assert (episode.trained[end - 1], episode.trained[end]) == (True, False)
    assert episode.turns[0].malformed == "truncated"


@pytest.mark.parametrize(
    ("settings", "reply", "stop"),
    [
        (EpisodeSettings(max_turns=3), "wait", "turn_limit"),
        (EpisodeSettings(max_malformed=2), "?", "malformed_limit"),
        (EpisodeSettings(max_tokens=60), "wait", "token_limit"),
        (EpisodeSettings(time_limit_s=0.0), "wait", "time_limit"),
    ],
)
def test_limits_end_an_episode_as_truncated(
    chat: ChatTokenizer, settings: EpisodeSettings, reply: str, stop: str
) -> None:
    (episode,) = play(chat, lambda name, member, turn: reply, settings=settings)
    assert (episode.stop, episode.ended, episode.outcome.value) == (stop, False, 0.0)
    assert episode.trained[-1]


@pytest.mark.parametrize(("truncated", "status", "value"), [("zero", "scored", 0.0), ("graded", "scored", 1.0)])
def test_a_truncated_episode_is_worth_what_the_settings_say(
    chat: ChatTokenizer, truncated: Truncated, status: str, value: float
) -> None:
    settings = EpisodeSettings(max_malformed=1, truncated=truncated)
    (episode,) = play(chat, lambda name, member, turn: "a...", settings=settings)
    assert (episode.outcome.status, episode.outcome.value) == (status, value)


def test_a_truncated_episode_can_be_left_out_of_its_group(chat: ChatTokenizer) -> None:
    (episode,) = play(chat, lambda *_: "?", settings=EpisodeSettings(max_malformed=1, truncated="masked"))
    assert episode.outcome.status == "masked"


@pytest.mark.parametrize(("truncated", "status"), [("zero", "scored"), ("graded", "scored"), ("masked", "masked")])
def test_without_a_verdict_a_truncated_episodes_replies_count_unless_it_is_left_out(
    chat: ChatTokenizer, truncated: Truncated, status: str
) -> None:
    settings = EpisodeSettings(max_turns=1, truncated=truncated)
    (episode,) = play(chat, lambda *_: "well", settings=settings, by_outcome=False)
    assert (episode.stop, episode_reward(episode).status) == ("turn_limit", status)
    assert episode.turns[0].known
    group = Group(trunk=TRUNK, target=0, replies=(episode,), rewards=(episode_reward(episode),))
    assert "episode/resolved" not in episode_metrics([group])


def test_an_opening_that_leaves_no_room_for_a_reply_is_truncated_and_never_sampled(chat: ChatTokenizer) -> None:
    def fails(name: str, member: int, turn: int) -> str:
        raise AssertionError("it was sampled")

    first, second = play(chat, fails, settings=EpisodeSettings(max_tokens=20), replies=2)
    assert (first.stop, first.ended, first.turns, first.token_ids) == ("token_limit", False, (), ())
    assert second.outcome is not None
    assert second.outcome.status == "masked"


def test_a_world_that_breaks_is_no_reward_and_others_go_on(chat: ChatTokenizer) -> None:
    broken, won, lost = play(chat, lambda name, member, turn: ("break", "a", "b")[member], replies=3)
    assert (broken.stop, broken.outcome.status, broken.token_ids) == ("infra", "infra", ())
    assert (won.outcome.value, lost.outcome.value) == (1.0, 0.0)


def test_an_episode_that_can_not_begin_is_masked(chat: ChatTokenizer) -> None:
    world = Guessing(bad_start=1)
    first, second = play(chat, lambda name, member, turn: "a", world=world, tasks=(0, 1))
    assert first.outcome.value == 1.0
    assert (second.stop, second.outcome.status, second.outcome.reason) == (
        "unusable_start",
        "masked",
        "another outcome",
    )


def test_no_more_episodes_are_alive_than_are_allowed(chat: ChatTokenizer) -> None:
    world = Guessing()
    found = play(chat, lambda *_: "a", world=world, tasks=(0, 1, 2), replies=3, settings=EpisodeSettings(parallel=2))
    assert len(found) == 9
    assert world.most == 2


def test_nothing_stays_open_when_sampling_breaks(chat: ChatTokenizer) -> None:
    world = Guessing()

    def breaks(name: str, member: int, turn: int) -> str:
        if turn == 1:
            raise MemoryError
        return "wait"

    with pytest.raises(MemoryError):
        play(chat, breaks, world=world, replies=3)
    assert world.open == []


def test_without_a_verdict_the_reward_is_the_mean_of_the_replies_own(chat: ChatTokenizer) -> None:
    player = EpisodePlayer(
        episodes=Guessing(),
        sampler=Saying(chat, lambda name, member, turn: ("wait", "a")[turn]),
        chat=chat,
        settings=EpisodeSettings(),
        max_reply_tokens=8,
        by_outcome=False,
    )
    (group,) = player.play(None, [Start(task=0)], replies=2, seed=0)
    assert [reward.value for reward in group.rewards] == [0.25, 0.25]


@pytest.mark.parametrize("kind", ["decoder", "generate"])
def test_a_model_plays_the_same_episodes_again_and_its_log_probabilities_are_the_trees(
    chat: ChatTokenizer, folder: Path, kind: str
) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    prepare(model)
    rollout = RolloutSettings(max_reply_tokens=6)
    sampler = (DecoderSampler if kind == "decoder" else GenerateSampler)(chat=chat, settings=rollout)
    player = EpisodePlayer(
        episodes=Guessing(),
        sampler=sampler,
        chat=chat,
        settings=EpisodeSettings(max_turns=4, max_malformed=9, parallel=5),
        max_reply_tokens=6,
    )
    starts = [Start(task=0), Start(task=2)]
    found = player.play(model, starts, replies=3, seed=4)
    again = player.play(model, starts, replies=3, seed=4)
    assert [[one.token_ids for one in group.replies] for group in found] == [
        [one.token_ids for one in group.replies] for group in again
    ]
    assert max(len(one.turns) for group in found for one in episodes_of(group)) > 1
    for group in found:
        tree = episode_tree(group, by_turn=False, settings=RlvrSettings())
        (logps,) = logprobs(model, [tree], max_tokens=10_000)
        for branch, computed in zip(tree.branches, logps.branches, strict=True):
            assert branch.sampler_logps is not None
            for offset in branch.trained_offsets:
                assert float(computed[offset]) == pytest.approx(branch.sampler_logps[offset], abs=1e-5)
