"""The process that compares answers: one JSON line `[given, answer]` in, one JSON truth value out.

Comparing means algebra on text that a model wrote: it may take for ever in ways that no exception ends, or all memory.
So it happens here, where `checking` can kill it.
"""

from __future__ import annotations

import json
import logging
import resource
import sys

_MEMORY_BYTES = 4 << 30


def main() -> None:
    """Answer lines until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    logging.disable(logging.CRITICAL)  # that there is no time-out here is meant so
    from math_verify import parse, verify

    print("ready", flush=True)
    for line in sys.stdin:
        given, answer = json.loads(line)
        try:
            gold = parse(f"\\boxed{{{answer}}}", parsing_timeout=None)
            said = parse(given, parsing_timeout=None)
            same = bool(gold and said and verify(gold, said, timeout_seconds=None))
        except (Exception, RecursionError):  # sympy raises what it likes; an answer that breaks it is no answer
            same = False
        print(json.dumps(same), flush=True)


if __name__ == "__main__":
    main()
