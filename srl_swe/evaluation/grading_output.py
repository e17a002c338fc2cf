"""Takes the engine's framed output stream of a grading container apart and keeps the evaluation script's part."""

from __future__ import annotations

import codecs
from typing import BinaryIO

from .store import writing


class Output:
    """The state of one stream.

    `nonce` marks where the script's own output begins and ends; `cap` is the longest log in bytes.
    """

    def __init__(self, file: BinaryIO, nonce: bytes, cap: int) -> None:
        self._file = file
        self._nonce = nonce
        self._left = cap
        self._raw = b""
        self._held = b""
        self.applied = False
        self.complete = False
        self.elided_bytes = 0
        self._started = False
        # swebench reads logs as UTF-8 and fails on anything else; its own runner replaces such bytes as well.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> None:
        """Take what the engine's connection gave: frames of an 8-byte header and that many bytes."""
        self._raw += data
        while len(self._raw) >= 8:
            size = int.from_bytes(self._raw[4:8], "big")
            if len(self._raw) < 8 + size:
                return
            self._text(self._raw[8 : 8 + size])
            self._raw = self._raw[8 + size :]

    def close(self) -> None:
        """Write what was held back; the output of a patch that does not apply is the log then."""
        if self._started:
            self._write(self._held, last=True)
        else:
            self._write(b">>>>> Patch Apply Failed\n" + self._held, last=True)
        self._held = b""

    def _text(self, text: bytes) -> None:
        self._held += text
        if not self._started:
            before, mark, after = self._held.partition(self._nonce + b" applied\n")
            if mark:
                self._started = self.applied = True
                self._held = after
            elif self._nonce + b" end\n" in before:
                self._held = before.replace(self._nonce + b" refused\n", b"").replace(self._nonce + b" end\n", b"")
                self.complete = True
                return
            else:
                return
        body, mark, _ = self._held.partition(b"\n" + self._nonce + b" end\n")
        if mark:
            self.complete = True
            self._write(body)
            self._held = b""
            return
        keep = len(self._nonce) + 8
        self._write(self._held[:-keep])
        self._held = self._held[-keep:]

    def _write(self, raw: bytes, *, last: bool = False) -> None:
        text = self._decoder.decode(raw, last).encode()
        kept = text[: self._left]
        with writing(self._file.name):
            self._file.write(kept)
        self._left -= len(kept)
        self.elided_bytes += len(text) - len(kept)
