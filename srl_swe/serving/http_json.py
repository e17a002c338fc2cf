"""JSON over HTTP by the standard library, each exchange within one deadline."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from typing import Any

from .errors import RefusedError

_MAX_ANSWER_BYTES = 64 * 1024 * 1024
FAILURES = (OSError, http.client.HTTPException, ValueError)
"""What `exchange` raises when the server, not the request, is at fault."""


def exchange(url: str, body: Any = None, *, timeout_s: float, api_key: str = "", reads: bool = True) -> Any:
    """The JSON answer to a POST of `body`, or to a GET without one, all of it within `timeout_s`.

    None for an empty answer, or one that is only waited for (`reads=False`). Raises RefusedError for a 4xx that another
    try would not mend, and one of `FAILURES` for no connection, a time-out, 5xx, 408, 425, 429, an answer cut off, or
    one that is not JSON.
    """
    parts = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    deadline = time.monotonic() + timeout_s
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("GET" if data is None else "POST", path, body=data, headers=headers)
        response = connection.getresponse()
        text = _read(response, connection, deadline)
    finally:
        connection.close()
    if response.status in (408, 425, 429) or response.status >= 500:
        raise http.client.HTTPException(f"HTTP {response.status}: {start_of(text)}")
    if response.status != 200:
        raise RefusedError(f"HTTP {response.status}: {start_of(text)}", status=response.status)
    return json.loads(text) if text and reads else None


def is_base_url(url: str) -> bool:
    """Whether a URL names a scheme and a host, as `http://127.0.0.1:8000` does."""
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def start_of(text: bytes) -> str:
    """The first characters of an answer on one line, for error messages."""
    return " ".join(text[:300].decode(errors="replace").split())


def _read(response: http.client.HTTPResponse, connection: http.client.HTTPConnection, deadline: float) -> bytes:
    """The whole body; a server that drips a byte now and then does not outlive the deadline."""
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read1(65536):
        chunks.append(chunk)
        size += len(chunk)
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer did not end in time")
        if size > _MAX_ANSWER_BYTES:
            raise ValueError("the answer is absurdly long")
        if connection.sock is not None:
            connection.sock.settimeout(left_s)
    if response.length:  # the connection ended before the length that the server announced
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(chunks)
