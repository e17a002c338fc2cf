"""Loads a causal language model and its tokenizer, with adapters when asked, or says in one line what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from srl_swe_envs.errors import ConfigError

from .chat_tokens import ChatTokenizer
from .settings import LoraSettings

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model in training precision and the tokenizer that belongs to it."""

    model: Any
    chat: ChatTokenizer


def load_model(place: str, *, dtype: str, lora: LoraSettings | None = None) -> LoadedModel:
    """The model at a directory or hub id; raises ConfigError naming what the place lacks.

    A directory that peft wrote is loaded as the base model it names with that adapter, trainable.
    """
    folder = Path(place)
    tokenizer = load_tokenizer(place)
    try:
        model = _adapted(folder, dtype) if (folder / "adapter_config.json").exists() else _plain(place, dtype)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{place}: the model can't be loaded: {_first_line(error)}") from error
    if lora is not None and lora.rank and not hasattr(model, "peft_config"):
        model = _with_lora(model, lora)
    return LoadedModel(model=model, chat=ChatTokenizer(tokenizer=tokenizer))


def load_tokenizer(place: str) -> Any:
    """The tokenizer at a directory or hub id; raises ConfigError when there is none that loads."""
    _check_folder(Path(place))
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
    except Exception as error:  # what is raised depends on which file of which tokenizer kind is missing
        raise ConfigError(f"{place}: no tokenizer that transformers can load: {_first_line(error)}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _check_folder(folder: Path) -> None:
    """Transformers makes an empty tokenizer where the files of one are missing; better to say so."""
    if not folder.is_dir():
        return
    if not any((folder / name).exists() for name in ("config.json", "adapter_config.json")):
        raise ConfigError(f"{folder}: no config.json; a model directory as save_pretrained writes it is expected")
    if not any((folder / name).exists() for name in _TOKENIZER_FILES):
        raise ConfigError(
            f"{folder}: no tokenizer: one of {', '.join(_TOKENIZER_FILES)} is expected beside the weights"
        )


def _plain(place: str, dtype: str) -> Any:
    config = AutoConfig.from_pretrained(place)
    return AutoModelForCausalLM.from_pretrained(place, config=config, dtype=getattr(torch, dtype))


def _adapted(folder: Path, dtype: str) -> Any:
    from peft import AutoPeftModelForCausalLM

    return AutoPeftModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), is_trainable=True)


def _with_lora(model: Any, lora: LoraSettings) -> Any:
    from peft import LoraConfig, get_peft_model

    adapter = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets) or "all-linear",
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, adapter)
    except ValueError as error:
        raise ConfigError(f"model.lora: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
