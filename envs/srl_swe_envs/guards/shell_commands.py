"""The simple commands in a shell text, for looking at what an agent did; nothing is ever executed from this.

An approximation on purpose: quoting, separators, redirections and here-documents are understood, expansions are not.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

_SEPARATORS = frozenset({";", ";;", "&", "&&", "|", "||", "|&", "(", ")", "\n", "{", "}"})
_KEYWORDS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "time", "exec", "command", "sudo"})
_REDIRECTIONS = frozenset({">", ">>", ">|", ">&", "&>", "&>>", "<>"})
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleCommand:
    """One program with its arguments."""

    words: tuple[str, ...]
    """The program (without its folder) and its arguments; assignments and redirections left out."""
    writes: tuple[str, ...] = ()
    """Files that its output is redirected to."""

    @property
    def program(self) -> str:
        """The program's name, empty for a bare redirection."""
        return self.words[0] if self.words else ""

    @property
    def text(self) -> str:
        """The words joined by one space."""
        return " ".join(self.words)


def simple_commands(text: str) -> tuple[SimpleCommand, ...]:
    """The simple commands of a shell text in order; those of `sh -c TEXT` are listed after their shell."""
    commands: list[SimpleCommand] = []
    for words in _split(_tokens(without_heredocs(text))):
        command = _command(words)
        if command is None:
            continue
        commands.append(command)
        inner = _inner_text(command)
        if inner is not None:
            commands.extend(simple_commands(inner))
    return tuple(commands)


def without_heredocs(text: str) -> str:
    """The text without the bodies of its here-documents, which are data."""
    kept: list[str] = []
    waiting: list[str] = []
    for line in text.split("\n"):
        if waiting:
            if line.strip() == waiting[0]:
                waiting.pop(0)
            continue
        kept.append(line)
        waiting = [match[2] for match in _HEREDOC.finditer(line)]
    return "\n".join(kept)


def heredoc_bodies(text: str) -> str:
    """Only the bodies of the here-documents, joined by newlines."""
    bodies: list[str] = []
    waiting: list[str] = []
    for line in text.split("\n"):
        if waiting:
            if line.strip() == waiting[0]:
                waiting.pop(0)
            else:
                bodies.append(line)
            continue
        waiting = [match[2] for match in _HEREDOC.finditer(line)]
    return "\n".join(bodies)


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    for line in re.sub(r"\\\n", " ", text).split("\n"):
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&\n")
        lexer.whitespace_split = True
        try:
            tokens.extend(lexer)
        except ValueError:  # a quote that spans lines: the words as they stand are good enough to look at
            tokens.extend(line.split())
        tokens.append("\n")
    return tokens


def _split(tokens: list[str]) -> list[list[str]]:
    commands: list[list[str]] = [[]]
    for token in tokens:
        if token in _SEPARATORS:
            commands.append([])
        else:
            commands[-1].append(token)
    return [words for words in commands if words]


def _command(tokens: list[str]) -> SimpleCommand | None:
    words: list[str] = []
    writes: list[str] = []
    rest = iter(tokens)
    for token in rest:
        if token in _REDIRECTIONS:
            if words and words[-1] in {"1", "2"}:  # `2>file`: the lexer parts the number from the sign
                words.pop()
            target = next(rest, "")
            if not target.isdigit():
                writes.append(target)
        elif token.startswith("<"):
            next(rest, None)
        elif not words and (token in _KEYWORDS or _ASSIGNMENT.match(token)):
            continue
        else:
            words.append(token)
    if words:
        words[0] = words[0].rsplit("/", 1)[-1]
    return SimpleCommand(words=tuple(words), writes=tuple(writes)) if words or writes else None


def _inner_text(command: SimpleCommand) -> str | None:
    if command.program in {"sh", "bash", "dash", "zsh"} and "-c" in command.words:
        place = command.words.index("-c") + 1
        return command.words[place] if place < len(command.words) else None
    if command.program in {"xargs", "env", "timeout", "nohup"}:
        plain = [word for word in command.words[1:] if not word.startswith("-") and not word[:1].isdigit()]
        return shlex.join(plain) if plain else None
    return None
