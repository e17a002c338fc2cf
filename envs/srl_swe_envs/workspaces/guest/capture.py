"""Keeps the head and the tail of an endless output in bounded memory."""

_CONTINUATION = bytes(range(0x80, 0xC0))


class HeadTail:
    """The first and the last `cap_bytes / 2` bytes of what was fed, and how much was left out between them."""

    def __init__(self, cap_bytes: int) -> None:
        self._head_cap = max(cap_bytes // 2, 1)
        self._tail_cap = max(cap_bytes - self._head_cap, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self._elided_bytes = 0
        self._elided_chars = 0

    def feed(self, chunk: bytes) -> None:
        """Take `chunk`. Amortised linear in its length."""
        room = self._head_cap - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        if chunk:
            self._tail += chunk
            if len(self._tail) > 4 * self._tail_cap:
                self._trim()

    def _trim(self) -> None:
        extra = len(self._tail) - self._tail_cap
        if extra > 0:
            self._drop(extra)

    def _drop(self, count: int) -> None:
        self._elided_bytes += count
        # UTF-8 continuation bytes are no characters of their own
        self._elided_chars += len(bytes(self._tail[:count]).translate(None, _CONTINUATION))
        del self._tail[:count]

    def finish(self) -> "tuple[bytes, bytes, int]":
        """Head, tail, and the number of characters between them that are gone (0: the two join seamlessly)."""
        self._trim()
        if not self._elided_bytes:
            return bytes(self._head), bytes(self._tail), 0
        # The cut may have split a character: the tail starts at the next whole one, the head ends at the last.
        start = 0
        while start < min(3, len(self._tail)) and 0x80 <= self._tail[start] < 0xC0:
            start += 1
        self._drop(start)
        head = bytes(self._head)
        for back in range(1, min(4, len(head)) + 1):
            lead = head[-back]
            if lead >= 0xC0:
                width = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
                if width > back:
                    head = head[:-back]
                    self._elided_chars += 1
                break
            if lead < 0x80:
                break
        return head, bytes(self._tail), max(self._elided_chars, 1)
