"""What a recorded agent had seen of the files, so that an edit can be understood without the repository.

Views, created files and edit snippets show lines with their numbers. `RecordedFiles` puts them together into one text
per file in which every line never seen is a placeholder that occurs nowhere else; an edit of lines that were seen
then does to that text what it did to the file. What a shell command may have changed is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from ..actions import Create, Insert, Replace, Shell, View
from ..trajectories import Turn
from .editor import Editor
from .files import MemoryFiles

_UNSEEN = "\x00unseen line "
_UNSEEN_TAIL_LINES = 8
_HEADER = re.compile(r"Here's the result of running `cat -n` on (?:a snippet of )?(.*?):$", re.MULTILINE)
_LINE = re.compile(r" *(\d+)(?:\t(.*))?")  # logs strip the observation, and with it the tab of an empty last line
_MAP_LINE = re.compile(r" *(\d+) (.*)")
_CLIPPED = "<response clipped>"
_WRITES = re.compile(r"sed\s+-\w*i|>|\btee\b|\bmv\b|\brm\b|\bcp\b|\bpatch\b|\bperl\s+-\w*i|write|black|isort|--fix")
_WRITES_ANYTHING = re.compile(r"\bgit\s+(?:checkout|stash|reset|apply|restore|pull|merge|revert|clean|switch)\b")


class RecordedFiles:
    """Files of one trajectory as far as its turns show them."""

    def __init__(self, turns: Iterable[Turn] = ()) -> None:
        self._lines: dict[str, dict[int, str]] = {}
        self._complete: set[str] = set()
        for turn in turns:
            self.follow(turn)

    def texts(self) -> dict[str, str]:
        """Text of every file of which something was seen, tabs expanded, unseen lines as unique placeholders."""
        return {path: self._text(path) for path in self._lines}

    def is_complete(self, path: str) -> bool:
        """Whether every line of the file is known."""
        return path in self._complete

    def follow(self, turn: Turn) -> None:
        """Take in one turn: what its action did and what its observation showed."""
        action, shown = turn.action, _text(turn)
        if isinstance(action, Shell):
            self._forget_written(action.command)
        elif isinstance(action, Create) and shown.startswith("File created successfully"):
            self._put(_path(action.path), action.text.expandtabs())
        elif isinstance(action, Replace | Insert) and " has been edited. " in shown[:2000]:
            self._edit(_path(action.path), action, shown)
        elif isinstance(action, View):
            self._see(_path(action.path), shown, whole=action.lines is None)

    def _edit(self, path: str, action: Replace | Insert, shown: str) -> None:
        """Do the edit to what is known; where its place was never seen, only the snippet is known afterwards."""
        complete = path in self._complete
        files = MemoryFiles({path: self._text(path)} if path in self._lines else {})
        before = files.texts()
        done = Editor(files).run(action).exit_code == 0 and before != files.texts()
        known_place = isinstance(action, Replace) or complete or action.after_line in self._lines.get(path, {})
        if done and known_place:
            self._put(path, files.texts()[path])
            if not complete:
                self._complete.discard(path)
        else:
            self._forget(path)
        self._see(path, shown, whole=False)

    def _see(self, path: str, shown: str, *, whole: bool) -> None:
        lines, clipped, outline = _numbered_lines(shown)
        if not lines:
            return
        if whole and not clipped and not outline:
            self._lines[path] = lines
            self._complete.add(path)
        elif path not in self._complete:
            self._lines.setdefault(path, {}).update(lines)

    def _put(self, path: str, text: str) -> None:
        lines = enumerate(text.split("\n"), start=1)
        self._lines[path] = {number: line for number, line in lines if not line.startswith(_UNSEEN)}
        self._complete.add(path)

    def _text(self, path: str) -> str:
        lines = self._lines[path]
        end = max(lines, default=0) + (0 if path in self._complete else _UNSEEN_TAIL_LINES)
        return "\n".join(lines.get(number, f"{_UNSEEN}{number}") for number in range(1, end + 1))

    def _forget_written(self, command: str) -> None:
        if _WRITES_ANYTHING.search(command):
            self._lines.clear()
            self._complete.clear()
        elif _WRITES.search(command):
            for path in [path for path in self._lines if PurePosixPath(path).name in command]:
                self._forget(path)

    def _forget(self, path: str) -> None:
        self._lines.pop(path, None)
        self._complete.discard(path)


def shows_unseen(text: str) -> bool:
    """Whether a text holds a placeholder of a line never seen."""
    return _UNSEEN in text


def files_before(turns: Iterable[Turn]) -> dict[str, str]:
    """Texts of the files after these turns, as far as the turns show them."""
    return RecordedFiles(turns).texts()


def _numbered_lines(shown: str) -> tuple[dict[int, str], bool, bool]:
    """Lines by number, whether the end was clipped, and whether it is an outline."""
    text = shown.replace("\r\n", "\n")
    outline = text.startswith("<NOTE>This file is too large to display entirely")
    pattern = _MAP_LINE if outline else _LINE
    header = _HEADER.search(text)
    if header is None and not outline:
        return {}, False, False
    body, clipped, _ = text[0 if header is None else header.end() :].partition(_CLIPPED)
    found = {}
    for line in body.split("\n"):
        match = pattern.fullmatch(line)
        if match and not (outline and match[2].startswith("... eliding lines")):
            found[int(match[1])] = match[2] or ""
    if clipped and found:
        del found[max(found)]  # cut in its middle
    return found, bool(clipped), outline


def _path(path: str) -> str:
    return str(PurePosixPath(path))


def _text(turn: Turn) -> str:
    return turn.observation.text.removeprefix("OBSERVATION:\n").replace("\r\n", "\n") if turn.observation else ""
