"""From chat messages to one trunk of token ids whose prompts are nested prefixes, whatever the chat template.

The template renders growing prefixes of a conversation; what each message adds is tokenized on its own and appended, so
that the prompt of step k is a prefix of the trunk on token ids by construction. A template that rewrites earlier turns
(the text of a shorter conversation is no prefix of a longer one's) breaks nesting; `TemplateError` says so.

Message contents never turn into special tokens: an observation that holds `<|im_end|>` stays text.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from srl_swe_envs.errors import ConfigError

from ..conversations import Conversation, Message, Target

_ANY_REPLY = "ANY-REPLY"


class TemplateError(ConfigError):
    """Raised when a chat template can't give nested prompts, or none at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkTarget:
    """One step to learn on a trunk; its prompt is `token_ids[:prompt_end] + suffix`."""

    step: int
    prompt_end: int
    suffix: tuple[int, ...]
    expert_span: tuple[int, int]
    """Where the expert's reply, end-of-turn token included, stands in the trunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """A tokenized conversation."""

    conversation: str
    token_ids: tuple[int, ...]
    targets: tuple[TrunkTarget, ...]
    reply_prefix: str = ""
    """What the template's generation prompt already wrote of every reply (some end in `<think>`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTokenizer:
    """A tokenizer with its chat template."""

    tokenizer: Any
    """A transformers tokenizer; ConfigError when it has no chat template or end-of-turn token."""
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.tokenizer.chat_template:
            raise ConfigError("the model's tokenizer has no chat template; give it one (tokenizer.chat_template)")
        if self.tokenizer.eos_token_id is None:
            raise ConfigError("the model's tokenizer has no end-of-sequence token")

    def trunk(self, conversation: Conversation) -> Trunk:
        """The trunk of a conversation; raises TemplateError when its prompts do not nest."""
        ids: list[int] = []
        text = ""
        targets: list[TrunkTarget] = []
        prefix, done = "", 0
        for target in conversation.targets:
            before = self._render(conversation, target.message)
            ids += self._delta(text, before, conversation.messages[done : target.message], conversation, target)
            prompt = self._render(conversation, target.message, generation=True)
            reply = conversation.messages[target.message].content
            after = self._render(conversation, target.message + 1)
            if not prompt.startswith(before) or not after.startswith(before):
                raise _broken(conversation, target)
            header = prompt[len(before) :]
            rest = after[len(before) :]
            nested = rest.startswith(header)
            prompt_end = len(ids) + (len(self._encode(header)) if nested else 0)
            suffix = () if nested else tuple(self._encode(header))
            reply_ids, span, prefix = self._reply(rest, header if nested else "", reply, conversation, target)
            begin = len(ids) + span[0]
            targets.append(
                TrunkTarget(
                    step=target.step,
                    prompt_end=prompt_end,
                    suffix=suffix,
                    expert_span=(begin, len(ids) + span[1]),
                )
            )
            ids += reply_ids
            text, done = after, target.message + 1
        return Trunk(conversation=conversation.id, token_ids=tuple(ids), targets=tuple(targets), reply_prefix=prefix)

    def prompt(self, messages: Sequence[Message], tools: tuple[object, ...] = ()) -> tuple[tuple[int, ...], str]:
        """Token ids of a prompt on its own, as evaluation sends it, and what it already wrote of the reply."""
        conversation = Conversation(id="prompt", messages=tuple(messages), targets=(), tools=tools)
        text = self._render(conversation, len(messages), generation=True)
        ids = self._pieces(text, messages)
        return tuple(ids), "<think>\n" if text.rstrip().endswith("<think>") else ""

    def continuation(
        self, opening: Sequence[Message], messages: Sequence[Message], tools: tuple[object, ...] = ()
    ) -> tuple[int, ...]:
        """Token ids from a reply's end-of-turn token to the next reply, when `messages` answer the reply.

        They are what the template writes around the messages, whatever the reply was, so that an episode only grows
        and its replies keep the tokens that were sampled. `opening`: what the conversation began with.
        """
        spoken = (*opening, Message(role="assistant", content=_ANY_REPLY))
        whole = Conversation(id="episode", messages=(*spoken, *messages), targets=(), tools=tools)
        before = self._render(whole, len(spoken))
        text = self._render(whole, len(whole.messages), generation=True)
        end = before.rfind(_ANY_REPLY) + len(_ANY_REPLY)
        if text[:end] != before[:end]:
            raise TemplateError("the chat template rewrites earlier turns; episodes need one that only appends")
        tail, eos = text[end:], self.tokenizer.eos_token
        left = tail.lstrip()[len(eos) :] if tail.lstrip().startswith(eos) else tail
        return tuple(self._pieces(left, messages))

    def check_appends(self, opening: Sequence[Message]) -> None:
        """Raises TemplateError when the template shows a reply's thought otherwise once the conversation goes on."""
        reply = Message(role="assistant", content="<think>\nthought\n</think>\n\naction")
        longer = (*opening, reply, Message(role="user", content="seen"), reply)
        whole = Conversation(id="episode", messages=longer, targets=())
        if not self._render(whole, len(longer)).startswith(self._render(whole, len(opening) + 1)):
            raise TemplateError("the chat template rewrites earlier turns; episodes need one that only appends")

    def decode(self, token_ids: Sequence[int]) -> tuple[str, bool]:
        """A reply's text without its end-of-turn token, and whether it ended by itself."""
        ended = bool(token_ids) and token_ids[-1] == self.tokenizer.eos_token_id
        text: str = self.tokenizer.decode(token_ids[:-1] if ended else token_ids, skip_special_tokens=False)
        return text, ended

    def _render(self, conversation: Conversation, count: int, *, generation: bool = False) -> str:
        messages = [{"role": m.role, "content": m.content} for m in conversation.messages[:count]]
        try:
            text: str = self.tokenizer.apply_chat_template(
                messages,
                tools=list(conversation.tools) or None,
                tokenize=False,
                add_generation_prompt=generation,
            )
        except Exception as error:  # a template is a program of the model's authors and raises what it likes
            raise TemplateError(f"the chat template refuses {conversation.id}: {error}") from error
        return text

    def _delta(
        self, text: str, longer: str, messages: Sequence[Message], conversation: Conversation, target: Target
    ) -> list[int]:
        if not longer.startswith(text):
            raise _broken(conversation, target)
        return self._pieces(longer[len(text) :], messages)

    def _reply(
        self, rest: str, header: str, reply: str, conversation: Conversation, target: Target
    ) -> tuple[list[int], tuple[int, int], str]:
        """Token ids of an assistant message, the span of its reply, and what `header` already holds of the reply."""
        at = rest.find(reply)
        if at < 0 or (at > len(header) and header and rest[len(header) : at].strip()):
            raise _broken(conversation, target)
        begin = max(at, len(header))
        prefix = rest[at:begin] if at < begin else ""
        lead = self._encode(header) + self._encode(rest[len(header) : begin])
        content = self._encode(rest[begin : at + len(reply)], special=False)
        tail = rest[at + len(reply) :]
        eos = self.tokenizer.eos_token
        spoken = [*lead, *content, self.tokenizer.eos_token_id]
        left = tail.lstrip()[len(eos) :] if tail.lstrip().startswith(eos) else tail
        return spoken + self._encode(left), (len(lead), len(spoken)), prefix

    def _pieces(self, text: str, messages: Sequence[Message]) -> list[int]:
        """Token ids of a template's text, message contents encoded without special tokens."""
        ids: list[int] = []
        for message in messages:
            content = message.content if message.content in text else message.content.strip()
            head, found, text = text.partition(content) if content else ("", "", text)
            ids += self._encode(head) + self._encode(found, special=False)
        return ids + self._encode(text)

    def _encode(self, text: str, *, special: bool = True) -> list[int]:
        if not text:
            return []
        with self._lock:  # whether special tokens are split is a state of the tokenizer
            ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=not special)
        return ids


def _broken(conversation: Conversation, target: Target) -> TemplateError:
    return TemplateError(
        f"the chat template rewrites earlier turns of {conversation.id}: the prompt of step {target.step} is not "
        "nested in the next one's; set prompt.nesting = 'per_step' to give each step a trunk of its own, or use "
        "a template that only appends"
    )
