"""What a program claims, as one plain outcome per test; runs in the zygote, standard library only."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etalon.sandbox.watch import Ended


def collect(ended: Ended, request: dict[str, Any], output: int) -> list[dict[str, Any]]:
    """One outcome per test that ran; the last one says how the child died, if it died early."""
    outcomes: list[dict[str, Any]] = []
    size, start, cpu = os.fstat(output).st_size, 0, 0.0
    for claim in ended.claims[: request["count"]]:
        if not start <= claim.end <= size and claim.status == "ok" and request["mode"] != "assert":
            ended = ended._replace(killed_for="nonsense")
            break
        is_full = claim.status != "ok" and size > request["output_mb"] << 20
        text = _read(output, start, claim.end) if claim.status == "ok" else ""
        status = "output_limit" if is_full else claim.status
        outcomes.append(_outcome(status, claim.nonce, text, claim.detail, claim.cpu_seconds - cpu))
        start, cpu = max(start, claim.end), claim.cpu_seconds
    is_loaded = not (outcomes and outcomes[-1]["status"] == "syntax_error")
    if len(outcomes) < request["count"] and is_loaded:
        status, detail = _death(ended, request, size)
        text = _read(output, start, size) if status == "ok" else ""
        outcomes.append(_outcome(status, None, text, detail, ended.cpu_seconds - cpu))
    return outcomes


def _outcome(status: str, nonce: str | None, output: str, detail: str, seconds: float) -> dict[str, Any]:
    return {"status": status, "nonce": nonce, "output": output, "detail": detail, "seconds": max(0.0, seconds)}


def _read(file: int, start: int, end: int) -> str:
    return os.pread(file, end - start, start).decode("utf-8", "replace")


def _death(ended: Ended, request: dict[str, Any], size: int) -> tuple[str, str]:
    """Why a child ended before its last control line. Leaving with status 0 is a normal end of a whole program."""
    status = ended.exit_status
    if ended.killed_for == "timeout" or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return "timeout", ""
    if ended.killed_for:
        return "runtime_error", "wrote to a descriptor that is not its own"
    if size > request["output_mb"] << 20:
        return "output_limit", ""
    if status != 0:
        is_full = ended.max_rss_bytes > 0.8 * (request["memory_mb"] << 20)
        return "memory" if is_full else "runtime_error", f"ended with status {os.waitstatus_to_exitcode(status)}"
    return ("ok", "") if request["mode"] == "stdin" else ("runtime_error", "left before the end")
