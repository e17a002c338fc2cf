"""The shared-trunk decoder samples what `generate` would, with the log-probabilities that the trainer will compute."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from srl_swe.learning.rollout.decoder import generate
from srl_swe.learning.rollout.sampling import DrawnReply, SamplingParams, draw
from srl_swe.learning.tree import Branch, Step, Tree, logprobs, prepare
from tests.srl_swe.learning.tree.models import KINDS, VOCABULARY, make_model, make_tree, without_branches

Replies = tuple[tuple[tuple[DrawnReply, ...], ...], ...]


def prompts(**shape: int) -> Tree:
    return without_branches(make_tree(**shape))


def greedy_by_transformers(model: nn.Module, prompt: tuple[int, ...], tokens: int) -> tuple[int, ...]:
    ids = torch.tensor(prompt)[None]
    settings = {"do_sample": False, "max_new_tokens": tokens, "pad_token_id": 0, "eos_token_id": None}
    return tuple(model.generate(ids, attention_mask=torch.ones_like(ids), **settings)[0, len(prompt) :].tolist())


@pytest.mark.parametrize("suffix", [0, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_greedy_replies_are_those_of_generate(kind: str, suffix: int) -> None:
    model = make_model(kind)
    prepare(model)
    tree = prompts(suffix=suffix)
    found = generate(
        model, [tree], group_size=1, sampling=SamplingParams(max_new_tokens=10, greedy=True), max_tokens=33
    )
    for step in range(len(tree.steps)):
        assert found[0][step][0].token_ids == greedy_by_transformers(model, tree.prompt(step), 10)


@pytest.mark.parametrize("suffix", [0, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_reading_a_trunk_at_once_changes_nothing(kind: str, suffix: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(kind)
    prepare(model)
    # A prompt that is its suffix alone sees nothing of the trunk.
    trees = [prompts(suffix=suffix), prompts(seed=7, trunk=50, ends=(0, 9, 50), suffix=4)]
    sampling = SamplingParams(max_new_tokens=12, stop_token_ids=tuple(range(9)), seed=3)
    apart = generate(model, trees, group_size=2, sampling=sampling)
    monkeypatch.setattr("srl_swe.learning.rollout.decoder.TRUNK_AT_ONCE", {"cpu"})
    together = generate(model, trees, group_size=2, sampling=sampling)
    assert token_ids(together) == token_ids(apart)


def token_ids(found: Replies) -> list[tuple[int, ...]]:
    return [reply.token_ids for groups in found for group in groups for reply in group]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("suffix", [0, 4])
def test_sampled_log_probabilities_are_the_trainers(suffix: int, dtype: torch.dtype) -> None:
    model = make_model("qwen3", dtype)
    prepare(model)
    trees = [prompts(suffix=suffix), prompts(seed=7, trunk=50, ends=(9, 50))]
    sampling = SamplingParams(max_new_tokens=14, temperature=0.8, stop_token_ids=tuple(range(6)), seed=3)
    found = generate(model, trees, group_size=3, sampling=sampling)
    grown = [
        replace(
            tree, branches=tuple(Branch(step=k, token_ids=r.token_ids) for k, group in enumerate(groups) for r in group)
        )
        for tree, groups in zip(trees, found, strict=True)
    ]
    scored = logprobs(model, grown, max_tokens=64, temperature=0.8)
    tolerance = 1e-6 if dtype == torch.float64 else 1e-4  # RMSNorm and rotary tables are float32 in transformers
    for groups, tree in zip(found, scored, strict=True):
        replies = [reply for group in groups for reply in group]
        for reply, logps in zip(replies, tree.branches, strict=True):
            assert reply.logps == pytest.approx(logps.tolist(), abs=tolerance)


def test_the_same_seed_gives_the_same_replies_however_they_are_batched() -> None:
    model = make_model("qwen2")
    prepare(model)
    trees = [prompts(), prompts(seed=9, trunk=40, ends=(12, 40), suffix=2)]

    def tokens(seed: int, cache: int) -> list[tuple[int, ...]]:
        sampling = SamplingParams(max_new_tokens=12, stop_token_ids=tuple(range(12)), seed=seed)
        found = generate(model, trees, group_size=3, sampling=sampling, max_cache_bytes=cache)
        return [reply.token_ids for groups in found for group in groups for reply in group]

    together = tokens(1, 2**30)
    assert tokens(1, 60_000) == together
    assert tokens(1, 1) == together
    assert tokens(2, 2**30) != together


def test_replies_end_with_their_stop_token_or_at_the_limit() -> None:
    model = make_model("qwen3")
    prepare(model)
    stops = tuple(range(0, VOCABULARY, 9))
    sampling = SamplingParams(max_new_tokens=9, temperature=2.0, stop_token_ids=stops)
    found = generate(model, [prompts()], group_size=8, sampling=sampling)
    replies = [reply for group in found[0] for reply in group]
    assert {reply.stopped for reply in replies} == {True, False}
    for reply in replies:
        assert not set(reply.token_ids[:-1]) & set(stops)
        assert (reply.token_ids[-1] in stops) == reply.stopped
        assert reply.stopped or len(reply.token_ids) == 9
        assert len(reply.logps) == len(reply.token_ids)


def test_the_model_is_left_in_the_mode_it_was_in() -> None:
    model = make_model("qwen3").train()
    prepare(model)
    generate(model, [prompts()], group_size=1, sampling=SamplingParams(max_new_tokens=2))
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_prompt_without_a_trunk_is_decoded() -> None:
    model = make_model("llama")
    prepare(model)
    tree = Tree(trunk=(), steps=(Step(prompt_end=0, suffix=(3, 4, 5)),))
    found = generate(model, [tree], group_size=1, sampling=SamplingParams(max_new_tokens=5, greedy=True))
    assert found[0][0][0].token_ids == greedy_by_transformers(model, (3, 4, 5), 5)


def test_draws_follow_the_distribution() -> None:
    logits = torch.tensor([1.0, 0.0, 2.0, -1.0]).expand(40_000, 4)
    uniforms = torch.rand(40_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    params = SamplingParams(max_new_tokens=1, temperature=0.7)
    tokens, logps = draw(logits, uniforms, params)
    expected = (logits[0] / 0.7).softmax(-1)
    assert (tokens.bincount(minlength=4) / 40_000).tolist() == pytest.approx(expected.tolist(), abs=0.01)
    torch.testing.assert_close(logps, expected.log()[tokens])


def test_top_p_draws_from_the_head_of_the_distribution_only() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().expand(2_000, 4)
    uniforms = torch.linspace(0, 1 - 1e-9, 2_000, dtype=torch.float64)
    tokens, _ = draw(logits, uniforms, SamplingParams(max_new_tokens=1, top_p=0.7))
    counts = tokens.bincount(minlength=4) / 2_000
    assert counts.tolist() == pytest.approx([0.625, 0.375, 0, 0], abs=0.01)
    alone, _ = draw(logits, uniforms, SamplingParams(max_new_tokens=1, top_p=1e-6))
    assert alone.unique().tolist() == [0]


@pytest.mark.parametrize("wrong", [{"max_new_tokens": 0}, {"temperature": 0.0}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_impossible_sampling_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SamplingParams(**{"max_new_tokens": 4, **wrong})
