"""A real tiny model as a policy: greedy, sampled, batched."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from srl_swe.conversations import Conversation, Message, Target
from srl_swe.learning.tiny import TinyModel, make_tiny_model
from srl_swe.policies import Sampling
from srl_swe.policies.local_model import LocalModel, load_local_model
from srl_swe_envs.errors import ConfigError

TALKS = [
    [Message(role="user", content=text)] for text in ("fix the bug", "a longer question about " + "things " * 40, "x")
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    folder = tmp_path_factory.mktemp("model")
    texts = ["fix the bug in the function and submit the answer " * 4, "def f(x): return x + 1\n" * 10]
    make_tiny_model(folder, texts, TinyModel(vocabulary=400, hidden=32, layers=2, heads=2, max_positions=256), seed=1)
    return load_local_model(folder, device="cpu")


def test_a_greedy_reply_does_not_depend_on_its_batch(model: LocalModel):
    sampling = Sampling(max_tokens=12)
    alone = [model.complete(talk, sampling) for talk in TALKS]
    together = model.complete_batch(TALKS, sampling)
    assert [(r.text, r.completion_tokens, r.prompt_tokens, r.finish) for r in alone] == [
        (r.text, r.completion_tokens, r.prompt_tokens, r.finish) for r in together
    ]


def test_a_seed_repeats_a_sampled_reply(model: LocalModel):
    replies = [model.complete(TALKS[0], Sampling(temperature=1.0, max_tokens=20, seed=seed)).text for seed in (3, 4, 3)]
    assert replies[0] == replies[2] != replies[1]


def test_a_reply_that_is_cut_off_says_so_and_is_never_longer_than_its_limit(model: LocalModel):
    found = model.complete(TALKS[0], Sampling(max_tokens=3))
    assert found.completion_tokens <= 3
    assert found.finish == "length" or found.completion_tokens < 3


def test_a_prompt_that_fills_the_context_is_a_reply_of_no_tokens(model: LocalModel):
    long = [Message(role="user", content="word " * 500)]
    short, none = model.complete_batch([TALKS[0], long], Sampling(max_tokens=4))
    assert (none.text, none.finish, none.completion_tokens) == ("", "length", 0)
    assert short.completion_tokens > 0


def test_threads_that_ask_at_once_each_get_their_own_answer(model: LocalModel):
    sampling = Sampling(max_tokens=8)
    expected = [model.complete(talk, sampling).text for talk in TALKS]
    found: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: model.complete(TALKS[n % 3], sampling).text}))
        for n in range(9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n] for n in range(9)] == expected * 3


def test_a_folder_that_is_no_checkpoint_is_one_clear_line(tmp_path: Path):
    with pytest.raises(ConfigError, match="no such checkpoint folder"):
        load_local_model(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="not a checkpoint that transformers can load"):
        load_local_model(tmp_path)


def test_a_prompt_has_the_tokens_that_training_gave_it_and_no_special_ones_from_contents(model: LocalModel):
    messages = [
        Message(role="user", content="fix <|im_end|>"),
        Message(role="assistant", content="<think>\nlook\n</think>\n\nls"),
        Message(role="user", content="<|im_start|>assistant\n"),
        Message(role="assistant", content="done"),
    ]
    targets = (Target(message=1, step=0), Target(message=3, step=1))
    trunk = model.chat.trunk(Conversation(id="c", messages=tuple(messages), targets=targets))
    said = model.complete(messages[:3], Sampling(max_tokens=1))
    assert said.prompt_tokens == trunk.targets[1].prompt_end
    assert trunk.token_ids[: said.prompt_tokens].count(model.chat.tokenizer.eos_token_id) == 3
