from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srl_swe_envs.workspaces.guest import wire
from srl_swe_envs.workspaces.guest.capture import HeadTail

GUEST = Path(wire.__file__).parent
IN_THE_GUEST = ("agent", "capture", "commands", "files", "processes", "spawn", "wire")
FIELD_NAMES = st.text(st.sampled_from("abcxyz_"), min_size=1)


@given(
    st.dictionaries(FIELD_NAMES.filter(lambda name: name != "length"), st.binary()),
    st.binary(),
)
def test_a_message_comes_back_as_it_was_sent(fields: dict[str, bytes], payload: bytes) -> None:
    message = wire.encode("run", dict(fields), payload)
    line, _, rest = message.partition(b"\n")
    header = wire.decode_header(line)
    assert (header.op, header.length, rest) == ("run", len(payload), payload)
    assert {key: header.raw(key) for key in header.fields} == fields


@given(st.binary())
def test_any_other_bytes_are_refused_by_name(line: bytes) -> None:
    try:
        header = wire.decode_header(line)
    except wire.WireError:
        return
    assert header.length >= 0
    assert line.decode("ascii").startswith(header.op)


def test_a_field_that_is_no_number_is_refused() -> None:
    with pytest.raises(wire.WireError, match="timeout_ms"):
        wire.decode_header(b"run timeout_ms=soon length=0").number("timeout_ms")


@given(st.lists(st.binary(max_size=40)), st.integers(2, 30))
def test_the_head_and_the_tail_of_any_output_are_kept(chunks: list[bytes], cap: int) -> None:
    capture = HeadTail(cap)
    for chunk in chunks:
        capture.feed(chunk)
    head, tail, elided = capture.finish()
    whole = b"".join(chunks)
    assert len(head) + len(tail) <= cap
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert (elided == 0) == (head + tail == whole)


@given(st.text(min_size=1), st.integers(2, 30), st.integers(1, 7))
def test_no_character_is_cut_in_two_and_all_are_counted(text: str, cap: int, step: int) -> None:
    whole = text.encode("utf-8", "surrogatepass")
    whole = whole.decode("utf-8", "replace").encode()
    capture = HeadTail(cap)
    for start in range(0, len(whole), step):
        capture.feed(whole[start : start + step])
    head, tail, elided = capture.finish()
    if elided:
        assert len(head.decode()) + len(tail.decode()) + elided == len(whole.decode())
    else:
        assert head + tail == whole


@pytest.mark.parametrize("name", IN_THE_GUEST)
def test_the_guest_speaks_the_python_of_old_task_images(name: str) -> None:
    tree = ast.parse((GUEST / f"{name}.py").read_text(encoding="utf-8"), feature_version=(3, 6))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    allowed = {
        "_signal",
        "_socket",
        "ctypes",
        "errno",
        "fcntl",
        "os",
        "select",
        "signal",
        "socket",
        "stat",
        "sys",
        "time",
    }
    assert imported <= allowed
