"""The process behind `symbolic`: reads {"reference", "answer"} lines, writes {"is_equal", "reason"} lines.

Started as a script, so that it imports math-verify and nothing of ours. It trusts neither text: the parent kills it
at the deadline, and a C-level watchdog ends it when the parent is gone.
"""

from __future__ import annotations

import faulthandler
import functools
import json
import logging
import os
import resource
import sys
from typing import Any

WATCHDOG_SECONDS = 60.0  # (ours) far behind every deadline of the parent


def main() -> None:
    setup = json.loads(sys.stdin.readline())
    sys.path += [entry for entry in setup["path"] if entry not in sys.path]
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like a reply
    limit = setup["memory_mb"] * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    logging.disable(logging.CRITICAL)
    compare = _comparer()
    _reply(replies, {"ready": True})
    for line in sys.stdin:
        faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True)
        request = json.loads(line)
        is_equal, reason = compare(request["reference"], request["answer"])
        faulthandler.cancel_dump_traceback_later()
        _reply(replies, {"is_equal": is_equal, "reason": reason})


def _reply(replies: Any, message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def _comparer() -> Any:
    from math_verify import parse, verify

    @functools.lru_cache(maxsize=4096)
    def parsed(text: str) -> tuple[Any, ...]:
        return tuple(parse(f"\\boxed{{{text}}}", parsing_timeout=None))

    parsed("\\frac{1}{2}")  # the first parse loads the grammar

    def compare(reference: str, answer: str) -> tuple[bool | None, str]:
        try:
            gold = parsed(reference)
        except Exception as error:  # sympy raises anything on odd input
            return None, f"bad_reference: {type(error).__name__}"
        if not gold:
            return None, "bad_reference: it does not parse"
        try:
            given = parsed(answer)
        except Exception:
            return False, "unparsable"
        if not given:
            return False, "unparsable"
        try:
            same = verify(list(gold), list(given), timeout_seconds=None, allow_set_relation_comp=True)
            same = same and _survives_precision(gold[0], given[0])
        except Exception as error:
            return None, f"crashed: {type(error).__name__}"
        return bool(same), "symbolic" if same else "different"

    return compare


def _survives_precision(gold: Any, given: Any) -> bool:
    """False when two exact expressions that agree to 15 digits differ in 50: math-verify rounds to 6."""
    import sympy

    both = (gold, given)
    if not all(isinstance(e, sympy.Expr) and not e.free_symbols and not e.has(sympy.Float) for e in both):
        return True
    try:
        difference = (gold - given).evalf(50)
        scale = 1 if 0 in both else max(abs(gold.evalf(50)), abs(given.evalf(50)))
    except Exception:
        return True
    return not difference.is_number or bool(abs(difference) < scale * sympy.Float("1e-40", 50))


if __name__ == "__main__":
    main()
