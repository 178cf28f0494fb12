"""What a program claims, as one outcome per test; runs in the pool, and trusts no byte of it."""

from __future__ import annotations

import json
import os
import signal
from itertools import pairwise
from typing import NamedTuple

from etalon.sandbox.outcome import Limits, Outcome, Status
from etalon.sandbox.zygote.order import CONTROL_BYTES, Ended, Order

PAUSED = "paused"
_STATUSES = {Status.OK, Status.RUNTIME_ERROR, Status.MEMORY, Status.SYNTAX_ERROR, PAUSED}


class Claim(NamedTuple):
    """One control line. end: of the output so far, in bytes."""

    status: str
    end: int
    detail: str


class Evidence(NamedTuple):
    """All that one child left behind."""

    order: Order
    limits: Limits
    ended: Ended
    control: bytes
    output: bytes


def collect(evidence: Evidence) -> tuple[Outcome, ...]:
    """One outcome per test that ran; the last one says how the child died, if it died early."""
    claims, is_sane = _claims(evidence)
    num_tests = min(evidence.order.num_tests, len(claims) + 1)
    seconds = _cpu_seconds(evidence, num_tests)
    outcomes: list[Outcome] = []
    start = 0
    for claim in claims:
        if claim.status == PAUSED:
            return tuple(outcomes)
        outcomes.append(_outcome(claim, evidence, start, seconds[len(outcomes)]))
        start = max(start, claim.end)
        if claim.status == Status.SYNTAX_ERROR:
            return tuple(outcomes)
    if len(outcomes) < evidence.order.num_tests and (not outcomes or outcomes[-1].status is Status.OK or not is_sane):
        status, detail = _death(evidence) if is_sane else _NONSENSE
        output = _text(evidence.output[start:]) if status is Status.OK else ""
        outcomes.append(Outcome(status=status, output=output, detail=detail, seconds=seconds[len(outcomes)]))
    return tuple(outcomes)


_NONSENSE = Status.RUNTIME_ERROR, "wrote to a descriptor that is not its own"


def _claims(evidence: Evidence) -> tuple[list[Claim], bool]:
    """Control lines up to the first that makes no sense, at most one per test; whether all of them make sense."""
    claims: list[Claim] = []
    start, size = 0, len(evidence.output)
    for line in evidence.control.split(b"\n")[:-1][: evidence.order.num_tests]:
        claim = _claim(line)
        if claim is None or (claim.status == PAUSED and not claims):
            return claims, False
        if claim.status == Status.OK and not start <= claim.end <= size:
            return claims, False
        claims.append(claim)
        start = max(start, claim.end)
    return claims, evidence.ended.killed_for != "nonsense"


def _claim(line: bytes) -> Claim | None:
    try:
        status, end, detail = json.loads(line[:CONTROL_BYTES])
    except (ValueError, TypeError, RecursionError):
        return None
    is_sane = isinstance(status, str) and status in _STATUSES and type(end) is int and isinstance(detail, str)
    detail = str(detail).encode("utf-8", "replace").decode()  # a message may hold half of a pair
    return Claim(status, end, detail) if is_sane else None


def _outcome(claim: Claim, evidence: Evidence, start: int, seconds: float) -> Outcome:
    if claim.status != Status.OK:
        is_full = len(evidence.output) > evidence.limits.output_mb << 20
        status = Status.OUTPUT_LIMIT if is_full else Status(claim.status)
        return Outcome(status=status, detail=claim.detail, seconds=seconds)
    output = _text(evidence.output[start : claim.end])
    return Outcome(status=Status.OK, output=output, detail=claim.detail, seconds=seconds)


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")


def _cpu_seconds(evidence: Evidence, num_tests: int) -> list[float]:
    """CPU time per test: the tests that ended between two looks at the clock share the time between them."""
    seconds: list[float] = []
    for (_, before), (lines, after) in pairwise([(0, 0.0), *evidence.ended.marks]):
        num = num_tests - len(seconds) if lines < 0 else min(lines, num_tests) - len(seconds)
        seconds += [max(0.0, after - before) / max(1, num)] * num
    return seconds


def _death(evidence: Evidence) -> tuple[Status, str]:
    """Why a child ended before its last control line. Leaving with status 0 is a normal end of a whole program."""
    ended, limits = evidence.ended, evidence.limits
    status = ended.exit_status
    if ended.killed_for == "timeout" or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return Status.TIMEOUT, ""
    if ended.killed_for == "full" or len(evidence.output) > limits.output_mb << 20:
        return Status.OUTPUT_LIMIT, ""
    if status != 0:
        is_full = ended.max_rss_bytes > 0.8 * (limits.memory_mb << 20)
        return (
            Status.MEMORY if is_full else Status.RUNTIME_ERROR,
            f"ended with status {os.waitstatus_to_exitcode(status)}",
        )
    return (Status.OK, "") if evidence.order.mode == "stdin" else (Status.RUNTIME_ERROR, "left before the end")
