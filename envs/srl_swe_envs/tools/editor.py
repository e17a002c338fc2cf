"""The `str_replace_editor` of SWE-agent, as recorded agents knew it: the same conditions, messages and exit codes.

Source of the texts: SWE-agent 1.1 `tools/edit_anthropic/bin/str_replace_editor`, with its file map on, window
expansion and linter off (its default configuration). Two things differ on purpose: an edit leaves tabs and line ends
elsewhere in the file alone (`text_file.py`), and a directory's entries are sorted. As upstream, `create` itself is
the first entry of a file's edit history.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from ..actions import Create, Insert, Replace, Undo, View
from .file_map import file_map
from .files import Files
from .text_file import TextFile

_MAX_SHOWN_CHARS = 16_000
_SNIPPET_LINES = 4
_CLIPPED = (
    "<response clipped><NOTE>To save on context only part of this file has been shown to you. You should retry this"
    " tool after you have searched inside the file with `grep -n` in order to find the line numbers of what you are"
    " looking for.</NOTE>"
)
_MAP_BEFORE = (
    "<NOTE>This file is too large to display entirely. Showing abbreviated version. Please use `str_replace_editor"
    " view` with the `view_range` parameter to show selected lines next.</NOTE>"
)
_MAP_AFTER = (
    "<IMPORTANT><NOTE>The above file has been abbreviated. Please use `str_replace editor view` with `view_range` to"
    " look at relevant files in detail.</NOTE></IMPORTANT>"
)
_REVIEW = "Review the changes and make sure they are as expected"

EditorAction = View | Create | Replace | Insert | Undo


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorResult:
    """What the editor printed, and its exit code (0, or upstream's code for the refusal)."""

    text: str
    exit_code: int = 0


class Editor:
    """Views and edits files, and remembers each file's earlier texts for `undo_edit`."""

    def __init__(self, files: Files, *, workdir: str = "/") -> None:
        self._files = files
        self._workdir = workdir
        self._earlier: dict[str, list[TextFile]] = {}

    def run(self, action: EditorAction) -> EditorResult:
        """Do one action; what the agent did wrong is in the result, never an exception."""
        path = PurePosixPath(action.path)
        try:
            return EditorResult(text=self._run(action, path))
        except _Refused as refusal:
            return EditorResult(text=str(refusal), exit_code=refusal.exit_code)

    def _run(self, action: EditorAction, path: PurePosixPath) -> str:
        if not path.is_absolute():
            raise _Refused(
                6,
                f"The path {path} is not an absolute path, it should start with `/`."
                f" Maybe you meant {PurePosixPath(self._workdir) / path}?",
            )
        file = self._read(path)
        if isinstance(action, Create):
            return self._create(path, file, action.text)
        if file is None:
            raise _Refused(7, f"The path {path} does not exist. Please provide a valid path.")
        if isinstance(action, View):
            return self._view_folder(path, action) if file == "folder" else _view(path, file, action.lines)
        if file == "folder":
            raise _folder(path)
        match action:
            case Replace():
                return self._replace(path, file, action)
            case Insert():
                return self._insert(path, file, action)
            case Undo():
                return self._undo(path)

    def _read(self, path: PurePosixPath) -> TextFile | Literal["folder"] | None:
        """The file, or what stands in its place."""
        try:
            return TextFile.decode(self._files.read(str(path)))
        except (FileNotFoundError, NotADirectoryError, ValueError):  # a path with NUL or lone surrogates names nothing
            return None
        except IsADirectoryError:
            return "folder"
        except OSError as error:
            raise _Refused(19, f"Ran into {error} while trying to read {path}") from error

    def _write(self, path: PurePosixPath, text: str, encoding: str) -> None:
        try:
            self._files.write(str(path), text.encode(encoding))
        except (OSError, ValueError) as error:
            raise _Refused(20, f"Ran into {error} while trying to write to {path}") from error

    def _view_folder(self, path: PurePosixPath, action: View) -> str:
        if action.lines:
            raise _Refused(10, "The `view_range` parameter is not allowed when `path` points to a directory.")
        listing = "".join(f"{entry}\n" for entry in self._files.entries(str(path), depth=2))
        return f"Here's the files and directories up to 2 levels deep in {path}, excluding hidden items:\n{listing}\n"

    def _create(self, path: PurePosixPath, file: TextFile | Literal["folder"] | None, text: str) -> str:
        if file is not None:
            raise _Refused(8, f"File already exists at: {path}. Cannot overwrite files using command `create`.")
        if self._read(path.parent) != "folder":
            raise _Refused(21, f"The parent directory {path.parent} does not exist. Please create it first.")
        self._write(path, text, "utf-8")
        self._remember(path, TextFile(text))
        return f"File created successfully at: {path}"

    def _replace(self, path: PurePosixPath, file: TextFile, action: Replace) -> str:
        old, new = action.old.expandtabs(), action.new.expandtabs()
        count = file.shown.count(old)
        if count == 0:
            raise _Refused(15, f"No replacement was performed, old_str `{old}` did not appear verbatim in {path}.")
        if count > 1:
            lines = [number for number, line in enumerate(file.shown.split("\n"), start=1) if old in line]
            raise _Refused(
                16,
                f"No replacement was performed. Multiple occurrences of old_str `{old}` in lines {lines}."
                " Please ensure it is unique",
            )
        if new == old:
            raise _Refused(161, f"No replacement was performed, old_str `{old}` is the same as new_str `{new}`.")
        start = file.shown.index(old)
        self._write(path, file.spliced(start, start + len(old), action.new), file.encoding)
        self._remember(path, file)
        shown = file.shown.replace(old, new)
        line = file.shown.count("\n", 0, start)
        first = max(1, line - _SNIPPET_LINES)
        last = min(line + _SNIPPET_LINES + new.count("\n"), len(shown.splitlines()))
        snippet = "\n".join(shown.split("\n")[first - 1 : last])
        return (
            f"The file {path} has been edited. {_numbered(snippet, f'a snippet of {path}', first)}"
            f"{_REVIEW}. Edit the file again if necessary."
        )

    def _insert(self, path: PurePosixPath, file: TextFile, action: Insert) -> str:
        lines, new, at = file.shown.split("\n"), action.text.expandtabs().split("\n"), action.after_line
        if not 0 <= at <= len(lines):
            raise _Refused(
                17,
                f"Invalid `insert_line` parameter: {at}. It should be within the range of lines of the file:"
                f" {[0, len(lines)]}",
            )
        if at == len(lines):
            place, text = len(file.shown), "\n" + action.text
        else:
            place, text = sum(len(line) + 1 for line in lines[:at]), action.text + "\n"
        self._write(path, file.spliced(place, place, text), file.encoding)
        self._remember(path, file)
        snippet = "\n".join([*lines[max(0, at - _SNIPPET_LINES) : at], *new, *lines[at : at + _SNIPPET_LINES]])
        first = max(1, at - _SNIPPET_LINES + 1)
        return (
            f"The file {path} has been edited. {_numbered(snippet, 'a snippet of the edited file', first)}"
            f"{_REVIEW} (correct indentation, no duplicate lines, etc). Edit the file again if necessary."
        )

    def _undo(self, path: PurePosixPath) -> str:
        earlier = self._earlier.get(str(path))
        if not earlier:
            raise _Refused(18, f"No edit history found for {path}.")
        file = earlier.pop()
        self._write(path, file.original, file.encoding)
        return f"Last edit to {path} undone successfully. {_numbered(file.plain, str(path))}"

    def _remember(self, path: PurePosixPath, file: TextFile) -> None:
        self._earlier.setdefault(str(path), []).append(file)


class _Refused(Exception):
    """The agent asked for something the editor does not do."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def _folder(path: PurePosixPath) -> _Refused:
    return _Refused(9, f"The path {path} is a directory and only the `view` command can be used on directories")


def _view(path: PurePosixPath, file: TextFile, lines: tuple[int, int] | None) -> str:
    if lines is not None:
        first, text = _cut(file.plain.split("\n"), lines)
        return _numbered(text, str(path), first)
    if path.suffix == ".py" and len(file.plain) > _MAX_SHOWN_CHARS:
        outline = file_map(file.plain)
        if outline is not None:
            return f"{_MAP_BEFORE}\n{_clipped(outline.expandtabs())}\n{_MAP_AFTER}"
    return _numbered(file.plain, str(path))


def _cut(lines: list[str], wanted: tuple[int, int]) -> tuple[int, str]:
    """First line's number and the text of a range of lines."""
    first, last = wanted
    invalid = f"Invalid `view_range`: {list(wanted)}."
    if not 1 <= first <= len(lines):
        raise _Refused(
            12,
            f"{invalid} Its first element `{first}` should be within the range of lines of the file: {[1, len(lines)]}",
        )
    if last > len(lines):
        raise _Refused(
            13,
            f"{invalid} Its second element `{last}` should be smaller than the number of lines in the file:"
            f" `{len(lines)}`",
        )
    if last != -1 and last < first:
        raise _Refused(14, f"{invalid} Its second element `{last}` should be larger or equal than its first `{first}`")
    return first, "\n".join(lines[first - 1 : None if last == -1 else last])


def _numbered(text: str, what: str, first: int = 1) -> str:
    lines = _clipped(text).expandtabs().split("\n")
    numbered = "\n".join(f"{number:6}\t{line}" for number, line in enumerate(lines, start=first))
    return f"Here's the result of running `cat -n` on {what}:\n{numbered}\n"


def _clipped(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + _CLIPPED
