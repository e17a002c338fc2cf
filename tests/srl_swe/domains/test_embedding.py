"""The embedding scorer on a real, tiny model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel

from srl_swe.domains.embedding import Embedding
from srl_swe.learning.embedding import load_embedder
from srl_swe.learning.tiny import TinyModel, make_tiny_model
from srl_swe_envs.actions import Action, Shell, Submit, View
from srl_swe_envs.dialects import render_actions
from srl_swe_envs.errors import ConfigError
from srl_swe_envs.rewards.score import score
from srl_swe_envs.rewards.scorer import TextScorer


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    shape = TinyModel(vocabulary=300, hidden=32, layers=2, heads=2)
    make_tiny_model(folder, ["ls -la", "cat file.py", "python -m pytest"] * 20, shape, seed=0)
    return folder


def scorer(folder: Path) -> Embedding:
    return Embedding(embedder=load_embedder(str(folder)))


def reward(said: list[Action], expert: Action, how: Embedding) -> float:
    return score(render_actions("", said, "xml"), expert, "xml", scorer=how).value


def test_equal_actions_are_worth_one_and_all_others_less(causal: Path) -> None:
    how = scorer(causal)
    assert isinstance(how, TextScorer)
    assert reward([Shell(command="ls -la")], Shell(command="ls -la"), how) == 1.0
    others = [Shell(command="ls -l"), View(path="/a"), Submit(), Shell(command=" ")]
    values = [reward([other], Shell(command="ls -la"), how) for other in others]
    assert all(0.0 <= value < 1.0 for value in values)
    assert values[0] == max(values)  # the nearest text lies nearest, even for random weights


def test_a_text_has_one_vector_whatever_it_is_batched_with(causal: Path) -> None:
    alone = [float(scorer(causal).compare([text], ["cat file.py"])[0]) for text in ("ls", "python -m pytest", "")]
    together = scorer(causal).compare(["ls", "python -m pytest", ""], ["cat file.py"] * 3)
    assert together == pytest.approx(alone, abs=1e-5)


def test_an_encoder_serves_as_well_as_a_causal_model(causal: Path, tmp_path: Path) -> None:
    for file in causal.glob("*token*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=300, max_position_embeddings=16, **shape)).save_pretrained(tmp_path)
    how = scorer(tmp_path)
    assert reward([Shell(command="cat x " * 50)], Shell(command="ls"), how) < 1.0  # longer than its positions


def test_a_place_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no config"):
        load_embedder(str(tmp_path))


def test_threads_may_ask_at_once_also_when_vectors_are_forgotten(causal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srl_swe.learning.embedding._KEPT", 32)
    how = scorer(causal)

    def compared(number: int) -> float:
        fresh = [f"new {number} {place}" for place in range(8)]
        expert = f"expert {number % 5}"  # asked for again and again, and forgotten in between
        return float(how.compare([expert, *fresh], [expert, *fresh]).mean())

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(compared, range(200)))
    assert found == pytest.approx([1.0] * 200)
