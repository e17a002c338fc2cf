"""SEARCH/REPLACE edits as Agentless-Mini reads them, its quirks included.

Source: facebookresearch/swe-rl, `agentless_mini/repair.py` and `utils/data.py` (MIT). The quirks are those of the
released code and change scores, so they are kept:

* only blocks fenced as ```` ```python ```` count; an unclosed last block does not;
* SEARCH text is looked for anywhere in the file, not from a line's start, and every occurrence is replaced;
* edits are applied one after the other, but an edit counts only if its text is in the file as it was;
* a result with a syntax error in any edited file, or that differs in blank lines only, gives no patch at all.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

_BLOCK = re.compile(r"```python\n(.*?)\n```", re.DOTALL)
_SEARCH, _DIVIDER, _REPLACE = "<<<<<<< SEARCH", "\n=======\n", ">>>>>>> REPLACE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """What a reply's edits make of some files."""

    files: Mapping[str, str]
    """New texts of the files that changed."""
    problem: str = ""
    """Why there is no usable edit: `no_block`, `unknown_file`, `search_not_found`, `syntax_error`, `blank_lines`."""


def apply_edits(reply: str, files: Mapping[str, str]) -> Edited:
    """The files as a reply's edits leave them; `files` are the texts that may be edited, without a last newline."""
    edits = _edits_by_file(reply)
    if not edits:
        return Edited(files={}, problem="no_block")
    known = {path: found for path, found in edits.items() if path in files}
    if not known:
        return Edited(files={}, problem="unknown_file")
    new = {path: _applied(found, files[path]) for path, found in known.items()}
    if all(text == files[path] for path, text in new.items()):
        return Edited(files={}, problem="search_not_found")
    if not all(_parses(text) for text in new.values()):
        return Edited(files={}, problem="syntax_error")
    if all(_without_blank_lines(text) == _without_blank_lines(files[path]) for path, text in new.items()):
        return Edited(files={}, problem="blank_lines")
    return Edited(files={path: text for path, text in new.items() if text != files[path]})


def edited_paths(reply: str, files: Mapping[str, str]) -> tuple[str, ...]:
    """The known files that a reply has edits for."""
    return tuple(path for path in _edits_by_file(reply) if path in files)


def _edits_by_file(reply: str) -> dict[str, list[tuple[str, str]]]:
    """(search, replace) texts by file, duplicates left out; a block without a path goes to the last one named."""
    found: dict[str, list[tuple[str, str]]] = {}
    for block in _BLOCK.findall(reply):
        path = ""
        for part in block.split(_REPLACE)[:-1]:
            pieces = part.strip().split(_SEARCH)
            if len(pieces) > 1 and (named := pieces[0].lstrip("#").strip()):
                path = named
            if len(pieces) != 2 or not path:
                continue
            body = "\n".join((pieces[1] + "\n").splitlines()[1:])
            sides = body.split(_DIVIDER)
            if len(sides) == 2 and (sides[0], sides[1]) not in found.setdefault(path, []):
                found[path].append((sides[0], sides[1]))
    return {path: edits for path, edits in found.items() if edits}


def _applied(edits: list[tuple[str, str]], text: str) -> str:
    for search, replacement in [edit for edit in edits if edit[0] in text]:
        text = text.replace(search, replacement)
    return text


def _parses(text: str) -> bool:
    if not text.strip():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in the repository's code are none of our business
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _without_blank_lines(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.strip())
