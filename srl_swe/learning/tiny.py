"""A small Qwen-architecture model and a tokenizer trained on the spot: the start of the demo, where no hub is at hand.

Byte-level BPE over the run's own training conversations, the ChatML template of Qwen without a default system prompt,
and a randomly initialised Qwen3 model. It goes through the same code as a model from a hub.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from srl_swe_envs.errors import ConfigError

from ..bounds import Bounds, Count

CHAT_TEMPLATE = """
{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\n\n' }}{% endif %}
    {{- '# Tools\n' }}
    {%- for tool in tools %}{{- (tool | tojson) + '\n' }}{% endfor %}
    {{- '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if not (tools and loop.first and message.role == 'system') %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}"""
"""Append-only, so that prompts nest."""

_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyModel:
    """Shape of the model that the demo makes."""

    vocabulary: Annotated[int, Bounds(259)] = 2048
    """Bytes and three marks are always in it."""
    hidden: Count = 192
    """Width; a multiple of twice the heads."""
    layers: Count = 4
    """Decoder layers."""
    heads: Count = 4
    """Attention heads."""
    max_positions: Count = 16384
    """Longest sequence."""

    def __post_init__(self) -> None:
        if self.hidden % (2 * self.heads):
            raise ConfigError(f"hidden: a multiple of {2 * self.heads} is expected, twice the heads, not {self.hidden}")


def make_tiny_model(folder: Path, texts: Iterable[str], shape: TinyModel, seed: int) -> None:
    """Train the tokenizer, initialise the model, and save both into a folder as `from_pretrained` reads them."""
    tokenizer = _train_tokenizer(texts, shape)
    torch.manual_seed(seed)
    head_dim = shape.hidden // shape.heads
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=3 * shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=max(1, shape.heads // 2),
        head_dim=head_dim,
        max_position_embeddings=shape.max_positions,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen3ForCausalLM(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _train_tokenizer(texts: Iterable[str], shape: TinyModel) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=shape.vocabulary,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast
