"""The program behind `process`: imports math-verify once, then forks one worker per request.

Started as a script, so that it imports math-verify and nothing of ours but values.py beside it. A worker trusts neither
text: it may write no file, its memory is limited, the parent kills it at the deadline, and a watchdog thread in C ends
it when the parent is gone.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import json
import logging
import os
import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from etalon.verifiers.math.engine import values
else:  # a script: its sibling, and nothing else of ours
    sys.path.insert(0, os.path.dirname(__file__))
    import values

    del sys.path[0]

WARM_UP = (
    "\\frac{\\sqrt{2}}{2}",
    "\\frac{1}{\\sqrt{2}}",
    "3+2\\sqrt{5}-\\frac{3\\pi}{4}",
    "x^{2}-2x+1",
    "2\\cdot(a+b)^{n}",
    "\\ln 2",
    "y=2x+1",
)
WATCHDOG_SECONDS = 60.0  # (ours) far behind every deadline of the parent
RECURSION_LIMIT = 2_500  # (ours) the parser needs about 20 frames per nested bracket


def main() -> None:
    requests = socket.socket(fileno=int(sys.argv[1]))
    setup = json.loads(requests.makefile("r").readline())
    sys.path += [entry for entry in setup["path"] if entry not in sys.path]
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for killed workers
    engine = MathVerify()
    requests.sendall(b"{}\n")
    while True:
        message, handles, _, _ = socket.recv_fds(requests, 1, 1)
        if not message:
            return
        process_id = os.fork()
        if process_id == 0:
            requests.close()
            limit(setup["memory_mb"])
            serve(socket.socket(fileno=handles[0]), engine)
            os._exit(0)
        for handle in handles:
            os.close(handle)
        requests.sendall(json.dumps({"process_id": process_id}).encode() + b"\n")


def limit(memory_mb: int) -> None:
    """No more memory than that, no file written, no endless recursion."""
    size = memory_mb * 1024 * 1024
    for kind, most in ((resource.RLIMIT_AS, size), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(OSError, ValueError):  # macOS refuses the first; the deadline holds there, too
            resource.setrlimit(kind, (most, most))
    sys.setrecursionlimit(RECURSION_LIMIT)


def serve(connection: socket.socket, engine: MathVerify) -> None:
    """Answer requests until the other side closes."""
    for line in connection.makefile("r"):
        faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True)
        request = json.loads(line)
        try:
            for name in ("reference", "answer"):  # read one by one: the parent learns which text hangs
                engine.read(request[name])
                connection.sendall(json.dumps({"read": name}).encode() + b"\n")
            is_equal, reason = engine.compare(request["reference"], request["answer"], is_exact=request["is_exact"])
            reply = {"is_equal": is_equal, "reason": reason}
        except MemoryError:
            reply = {"is_equal": None, "reason": "timeout", "is_spent": True}
        faulthandler.cancel_dump_traceback_later()
        connection.sendall(json.dumps(reply).encode() + b"\n")


class MathVerify:
    """math-verify on the texts of two answers, warmed up."""

    def __init__(self) -> None:
        import math_verify

        config = [math_verify.LatexExtractionConfig(boxed_match_priority=0)]

        def parse(text: str) -> list[Any]:
            return list(math_verify.parse(f"\\boxed{{{text}}}", extraction_config=config, parsing_timeout=None))

        self._parse, self._verify = parse, math_verify.verify
        self.read = functools.lru_cache(maxsize=1024)(self._read)
        self.compare(
            "\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}", is_exact=False
        )  # the first parse loads the grammar

    def _read(self, text: str) -> tuple[list[Any], Any]:
        """(expressions, numeric value or None); nothing at all for what does not parse."""
        try:
            expressions = self._parse(text)
        except MemoryError:
            raise
        except Exception:  # sympy raises anything on odd input
            return [], None
        if "!!" in text:
            expressions = [values.with_double_factorials(one) for one in expressions]
        return expressions, values.numeric_value(expressions[0]) if expressions else None

    def compare(self, reference: str, answer: str, *, is_exact: bool) -> tuple[bool | None, str]:
        """(is_equal, reason); a reference that does not parse is undecided, an answer that does not is different."""
        (gold, gold_value), (given, given_value) = self.read(reference), self.read(answer)
        if all(isinstance(one, str) for one in gold):  # math-verify falls back to the text
            return None, "bad_reference"
        if not given or values.surely_differ(gold_value, given_value):
            return False, "different"
        if values.is_undefined(given[0]) and not values.is_undefined(gold[0]):
            return False, "different"
        if values.largest_exponent(given[0]) > values.HUGE > values.largest_exponent(gold[0]):
            return False, "different"
        by_values = values.agree_where_real(gold[0], given[0])
        if by_values is not None:
            return by_values, "symbolic" if by_values else "different"
        try:
            same = self._verify(gold, given, timeout_seconds=None, allow_set_relation_comp=True)
        except MemoryError:
            raise
        except Exception:
            same = False
        same = same and values.survives_precision(gold[0], given[0], is_exact=is_exact)
        same = same or values.is_same_with_constants(gold[0], given[0])
        return bool(same), "symbolic" if same else "different"


if __name__ == "__main__":
    main()
