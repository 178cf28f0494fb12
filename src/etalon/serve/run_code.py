"""SandboxFusion's `POST /run_code` as data: a request read and checked, and outcomes in the words of its reply.

request  {code, language, stdin?, compile_timeout?, run_timeout?, memory_limit_MB?}
         and ours: stdins (many tests of one program at once), cpu_timeout (CPU seconds; run_timeout if absent)
reply    {status: Success | Failed | SandboxError, message, compile_result, run_result, executor_pod_name, files}
         and ours: run_results, one per standard input up to the first that failed; `outcome` in each, see `Status`
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etalon.sandbox import CppTests, Limits, Outcome, Status, StdinTests

LANGUAGES = ("python", "cpp")
MOST_STDINS = 10_000  # (ours)
MOST_SECONDS = 600.0  # (ours)
MOST_MEMORY_MB = 16_384  # (ours)


class BadRequestError(ValueError):
    """What the sender has to change."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """One program to run. is_batch: asked for with `stdins`."""

    code: str
    tests: StdinTests | CppTests
    limits: Limits
    is_batch: bool


def read_request(content: bytes) -> RunRequest:
    """The request in a body; raises BadRequestError."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequestError("not a JSON object")
    for name in ("files", "fetch_files"):
        if body.get(name):
            raise BadRequestError(f"{name}: programs here have no files but standard input and output")
    code, language = body.get("code"), body.get("language")
    if not isinstance(code, str):
        raise BadRequestError("code: missing, or not text")
    if language not in LANGUAGES:
        raise BadRequestError(f"language: found {language!r}, expected one of {', '.join(LANGUAGES)}")
    inputs = _inputs(body)
    return RunRequest(
        code=code,
        tests=StdinTests(inputs=inputs) if language == "python" else CppTests(inputs=inputs),
        limits=_limits(body),
        is_batch=body.get("stdins") is not None,
    )


def _inputs(body: dict[str, Any]) -> tuple[str, ...]:
    stdins = body.get("stdins")
    if stdins is None:
        stdins = [body.get("stdin") or ""]
    if not isinstance(stdins, list) or not stdins or not all(isinstance(text, str) for text in stdins):
        raise BadRequestError("stdin, stdins: not text, or not a list of texts")
    if len(stdins) > MOST_STDINS:
        raise BadRequestError(f"stdins: found {len(stdins)}, at most {MOST_STDINS}")
    return tuple(stdins)


def _limits(body: dict[str, Any]) -> Limits:
    seconds = _number(body, "cpu_timeout", _number(body, "run_timeout", 10.0))
    memory = _number(body, "memory_limit_MB", -1)
    if not 0 < seconds <= MOST_SECONDS:
        raise BadRequestError(f"run_timeout: found {seconds}, expected at most {MOST_SECONDS} seconds")
    if memory > MOST_MEMORY_MB:
        raise BadRequestError(f"memory_limit_MB: found {memory}, expected at most {MOST_MEMORY_MB}")
    return Limits(cpu_seconds=seconds, memory_mb=max(16, int(memory)) if memory > 0 else Limits.memory_mb)


def _number(body: dict[str, Any], name: str, default: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequestError(f"{name}: not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadRequestError(f"{name}: not a finite number")
    return number


def reply(request: RunRequest, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The body of the reply to a request that was run."""
    failed = next((outcome for outcome in outcomes if outcome.status is Status.INFRASTRUCTURE), None)
    if failed is not None:
        return _reply("SandboxError", message=failed.detail)
    is_cpp = isinstance(request.tests, CppTests)
    is_compiled = not (is_cpp and outcomes[0].status is Status.SYNTAX_ERROR)
    if not is_compiled:
        return _reply("Failed", compile_result=_result(outcomes[0]))
    results = [_result(outcome) for outcome in outcomes]
    is_fine = all(outcome.status is Status.OK for outcome in outcomes)
    body = _reply("Success" if is_fine else "Failed", run_result=results[0])
    if is_cpp:
        body["compile_result"] = {
            "status": "Finished",
            "execution_time": 0.0,
            "return_code": 0,
            "stdout": "",
            "stderr": "",
        }
    return {**body, "run_results": results} if request.is_batch else body


def _reply(status: str, **fields: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "message": "",
        "compile_result": None,
        "run_result": None,
        "executor_pod_name": None,
        "files": {},
    }
    return {"status": status, **empty, **fields}


def _result(outcome: Outcome) -> dict[str, Any]:
    status, code = _WORDS[outcome.status]
    return {
        "status": status,
        "execution_time": outcome.seconds,
        "return_code": code,
        "stdout": outcome.output,
        "stderr": outcome.detail,
        "outcome": outcome.status.value,
    }


_WORDS: dict[Status, tuple[str, int | None]] = {
    Status.OK: ("Finished", 0),
    Status.RUNTIME_ERROR: ("Finished", 1),
    Status.SYNTAX_ERROR: ("Finished", 1),
    Status.MEMORY: ("Finished", 137),
    Status.OUTPUT_LIMIT: ("Finished", 153),
    Status.TIMEOUT: ("TimeLimitExceeded", None),
}
