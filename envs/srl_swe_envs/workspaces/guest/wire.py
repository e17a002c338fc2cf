"""Length-framed messages between the host and the agent inside a workspace.

A message is one header line and a payload of a known length, so no output can be mistaken for the end of it:

    OP KEY=VALUE KEY=VALUE ... length=N\\n
    <N bytes>

The header is ASCII, fields are separated by one space, `length` comes last. Every byte of a value outside
`A-Za-z0-9_./:+-` is written as `%XX`. A POSIX shell reads it with `read` and `head -c`.

The guest speaks first: `hello protocol=1 pid=P python=V`. After that the host asks and the guest answers, one
request at a time; an answer repeats the request's `id`. The operations:

    setup id env_clear=0|1 workdir cap_bytes pids     payload: NAME=VALUE, each ended by NUL (added to the environment)
    run   id timeout_ms session=0|1 [cap_bytes] [cwd] payload: the command
          -> done id exit=N|none timed_out elided leftovers swept us      payload: output (head, then tail)
             head=N: how many bytes of the payload come before the elided part
    read  id path max_bytes      -> done id, payload: the file
    write id path [mode]         payload: the new contents -> done id
    state id                     -> done id cwd, payload: `export -p` text of the session
    resume id cwd                payload: such text -> done id
    sweep id                     kill every process but the agent -> done id leftovers
    ping  id                     -> done id
    bye   id                     the agent exits

A request that fails is answered `error id errno`, payload: what went wrong (errno 0: the request made no sense).
End of file on the socket makes the agent exit, and with it (as the first process) everything in the workspace.
"""

import os

PROTOCOL = 1
MAX_HEADER_BYTES = 65536
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:+-")


class WireError(Exception):
    """Raised for bytes that are not a message."""


class Header:
    """A decoded header line."""

    __slots__ = ("fields", "length", "op")

    def __init__(self, op: str, fields: "dict[str, str]", length: int) -> None:
        self.op = op
        self.fields = fields
        self.length = length

    def number(self, key: str, default: int = 0) -> int:
        """Integer field `key`; `default` when absent; raises WireError when not a number."""
        try:
            return int(self.fields.get(key, default))
        except ValueError:
            raise WireError(f"field {key} is not a number") from None

    def raw(self, key: str, default: bytes = b"") -> bytes:
        """Field `key` as file-system bytes."""
        return os.fsencode(self.fields[key]) if key in self.fields else default


def quote(value: bytes) -> str:
    """`value` as a header field."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in value)


def unquote(text: str) -> str:
    """Inverse of `quote`, decoded as a file name is (surrogateescape)."""
    if "%" not in text:
        return text
    first, *rest = text.split("%")
    try:
        raw = first.encode() + b"".join(bytes([int(part[:2], 16)]) + part[2:].encode() for part in rest)
    except ValueError:
        raise WireError("broken %XX in a header") from None
    return os.fsdecode(raw)


def encode(op: str, fields: "dict[str, object]", payload: bytes = b"") -> bytes:
    """A whole message. Values are str, bytes or int."""
    parts = [op]
    for key, value in fields.items():
        raw = value if isinstance(value, bytes) else os.fsencode(str(value))
        parts.append(f"{key}={quote(raw)}")
    parts.append(f"length={len(payload)}\n")
    return " ".join(parts).encode("ascii") + payload


def decode_header(line: bytes) -> Header:
    """The header of one line (without its newline); raises WireError."""
    try:
        op, *pairs = line.decode("ascii").split(" ")
        fields = dict(pair.split("=", 1) for pair in pairs)
        length = int(fields.pop("length"))
    except (ValueError, KeyError):
        raise WireError(f"not a header: {line[:200]!r}") from None
    if length < 0:
        raise WireError("negative length")
    return Header(op, {key: unquote(value) for key, value in fields.items()}, length)
