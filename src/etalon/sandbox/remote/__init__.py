"""Runs programs on a service that speaks SandboxFusion's `POST /run_code`, one request per test; ours takes them all.

    program, tests -> job -> requests, a few at a time -> replies -> Outcomes

Calls of a function go into one request, to a driver that answers line by line (driver.py); transport.py is the HTTP of
it. Such a service judges wall time, so a limit is widened on the way; `etalon sandbox` is sent the CPU limit, too. A
request that fails is tried again; a service that keeps failing is `INFRASTRUCTURE`: undecided, never the program's
fault. Expected outputs are not sent.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from etalon.sandbox.outcome import AssertTests, CallTests, CppTests, Limits, Outcome, Status, StdinTests
from etalon.sandbox.remote.transport import Transport, TransportError

COMPILE_SECONDS = 30.0  # (ours)
MOST_SECONDS = 500.0  # (ours) of one request, however many calls it makes
PROBE_SECONDS = 30.0  # (ours) for a service to answer at all
STALL_CHARACTERS = 1 << 16  # SandboxFusion reads output only at the end: a program with more may stall in its pipe


@dataclass(frozen=True, kw_only=True)
class Job:
    """One program on its tests.

    nonce: stands before the answers of a driver; "" when the output is the answer. num_calls: answers asked of it.
    """

    code: str
    language: str
    stdins: tuple[str, ...]
    nonce: str
    num_calls: int
    pause_after: int
    limits: Limits


class RemoteSandbox:
    """A service as a sandbox, shared by any number of threads.

    url: its address, with or without `/run_code`. concurrency: requests at a time. key: sent as a bearer token.
    attempts: per request; pause_seconds: before the second, about twice as long before each further one.
    fork_each: one test per request, always.
    """

    def __init__(
        self,
        url: str,
        *,
        concurrency: int = 16,
        key: str = "",
        attempts: int = 5,
        pause_seconds: float = 0.2,
        fork_each: bool = False,
    ) -> None:
        self._transport = Transport(url, key=key, attempts=attempts, pause_seconds=pause_seconds)
        self._threads = ThreadPoolExecutor(max(1, concurrency), thread_name_prefix="sandbox")
        self._is_plain = fork_each  # one test per request; True once the service has ignored `stdins`

    def run(
        self, program: str, tests: StdinTests | CallTests | AssertTests | CppTests, limits: Limits
    ) -> tuple[Outcome, ...]:
        """Outcomes of the tests in order, up to the first that failed; never raises on what the service does."""
        job = _job(program, tests, limits)
        pause_after = 0 if isinstance(tests, AssertTests) else tests.pause_after
        outcomes: list[Outcome] = []
        try:
            if not self._is_plain:
                outcomes += self._threads.submit(self._ask, job, job.stdins).result()
            stop = pause_after if self._is_plain and pause_after and not job.nonce else len(job.stdins)
            if job.nonce:
                return tuple(outcomes or self._threads.submit(self._ask, job, job.stdins).result())
            if not any(outcome.status is not Status.OK for outcome in outcomes):
                outcomes += self._one_by_one(job, job.stdins[len(outcomes) : stop])
        except TransportError as error:
            outcomes.append(Outcome(status=Status.INFRASTRUCTURE, detail=str(error)[:300]))
        return tuple(outcomes)

    def _one_by_one(self, job: Job, stdins: tuple[str, ...]) -> Iterator[Outcome]:
        waiting: list[Future[list[Outcome]]] = [self._threads.submit(self._ask, job, (text,)) for text in stdins]
        try:
            for future in waiting:
                [outcome] = future.result()
                yield outcome
                if outcome.status is not Status.OK:
                    return
        finally:
            for future in waiting:
                future.cancel()

    def _ask(self, job: Job, stdins: tuple[str, ...]) -> list[Outcome]:
        """One request. A plain service answers for the first standard input only."""
        limits = job.limits
        cpu_seconds = min(MOST_SECONDS, limits.cpu_seconds * job.num_calls)
        seconds = min(MOST_SECONDS, 2 * cpu_seconds + 2)
        body: dict[str, Any] = {
            "code": job.code,
            "language": job.language,
            "stdin": stdins[0],
            "compile_timeout": COMPILE_SECONDS,
            "run_timeout": seconds,
            "memory_limit_MB": limits.memory_mb,
            "cpu_timeout": cpu_seconds,
        }
        if len(stdins) > 1:
            body["stdins"] = list(stdins)
        patience = COMPILE_SECONDS + len(stdins) * (seconds if self._is_plain else limits.wall_seconds) + 10
        reply = self._transport.post(body, seconds=patience)
        results = reply.get("run_results")
        if not isinstance(results, list):
            self._is_plain = self._is_plain or len(stdins) > 1
            results = [reply.get("run_result")]
        return _outcomes(reply, results[: len(stdins)], job)

    def failure(self) -> str:
        """Why no program can run there, found out once and without another attempt; "" if one can."""
        body = {"code": "print(1)", "language": "python", "stdin": "", "compile_timeout": 10.0, "run_timeout": 10.0}
        return self._transport.failure(body, seconds=PROBE_SECONDS)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._transport.close()


def _job(program: str, tests: StdinTests | CallTests | AssertTests | CppTests, limits: Limits) -> Job:
    job = Job(code=program, language="python", stdins=(), nonce="", num_calls=1, pause_after=0, limits=limits)
    match tests:
        case StdinTests():
            return replace(job, stdins=tests.inputs)
        case CppTests():
            return replace(job, stdins=tests.inputs, language="cpp")
        case CallTests():
            order: dict[str, Any] = {
                "mode": "call",
                "function": tests.function,
                "behind": tests.setup,
                "starter": True,
                "pause_after": tests.pause_after,
            }
            test: dict[str, Any] = {"inputs": tests.inputs}
        case AssertTests():
            order, test = {"mode": "assert", "behind": tests.code, "starter": tests.starter}, {}
    nonce = secrets.token_hex(16)
    order |= {"program": program, "cpu_seconds": limits.cpu_seconds}
    return replace(
        job,
        code=f"{_driver()}\ndriver['serve']({order!r})\n",
        stdins=(json.dumps({"nonce": nonce, **test}),),
        nonce=nonce,
        num_calls=len(test.get("inputs", "1")),
        pause_after=order.get("pause_after", 0),
    )


@cache
def _driver() -> str:
    """The driver behind modules of our own children, which it shares."""
    here = Path(__file__).parent
    modules = [
        (name, (here.parent / "zygote" / f"{name}.py").read_text("utf-8")) for name in ("child", "notes", "functions")
    ]
    driver = (here / "driver.py").read_text("utf-8")
    return (
        f"import sys, types\nfor name, text in {modules!r}:\n    sys.modules[name] = types.ModuleType(name)\n"
        f"    exec(compile(text, name, 'exec'), sys.modules[name].__dict__)\ndriver = {{'__name__': 'driver'}}\n"
        f"exec(compile({driver!r}, 'driver', 'exec'), driver)\n"
        "del sys.modules['child'], sys.modules['notes'], sys.modules['functions']"
    )


def _outcomes(reply: dict[str, Any], results: list[Any], job: Job) -> list[Outcome]:
    if reply.get("status") == "SandboxError":
        raise TransportError(f"the service failed: {str(reply.get('message'))[:200]}")
    compiled = reply.get("compile_result")
    if isinstance(compiled, dict) and compiled.get("status") == "TimeLimitExceeded":
        return [Outcome(status=Status.TIMEOUT, detail="while compiling")]
    if isinstance(compiled, dict) and compiled.get("return_code") not in (0, None):
        return [Outcome(status=Status.SYNTAX_ERROR, detail=str(compiled.get("stderr") or "")[:200])]
    if not results or not all(isinstance(result, dict) for result in results):
        raise TransportError("the service sent no result")
    if job.nonce:
        return _answers(results[0], job)
    return [_outcome(result) for result in results]


def _outcome(result: dict[str, Any]) -> Outcome:
    seconds, output = result.get("execution_time"), result.get("stdout")
    outcome = Outcome(
        status=_status(result),
        output=output if isinstance(output, str) else "",
        detail=str(result.get("stderr") or "").strip()[-200:],
        seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
    )
    if outcome.status is Status.TIMEOUT and len(outcome.output) >= STALL_CHARACTERS and "outcome" not in result:
        return replace(outcome, status=Status.INFRASTRUCTURE, output="", detail="the service may stall on long output")
    return replace(outcome, detail="") if outcome.status is Status.OK else replace(outcome, output="")


def _status(result: dict[str, Any]) -> Status:
    """Ours says it in `outcome`; otherwise from the status and the exit code."""
    known = result.get("outcome")
    if isinstance(known, str) and known in list(Status):
        return Status(known)
    match result.get("status"):
        case "Finished":
            if result.get("return_code") == 0:
                return Status.OK
            errors = str(result.get("stderr") or "").rstrip().rpartition("\n")[2]
            if errors.startswith("MemoryError"):
                return Status.MEMORY
            return Status.SYNTAX_ERROR if errors.startswith("SyntaxError") else Status.RUNTIME_ERROR
        case "TimeLimitExceeded":
            return Status.TIMEOUT
    raise TransportError(f"the service failed: {str(result.get('stderr') or result.get('status'))[:200]}")


def _answers(result: dict[str, Any], job: Job) -> list[Outcome]:
    """What a driver answered, line by line; if it did not come to the end, the last outcome says how it died."""
    ended, printed = _outcome(result), str(result.get("stdout") or "")
    answers = [answer for line in printed.split("\n") if (answer := _answer(line, job.nonce))][: job.num_calls]
    seconds = ended.seconds / max(1, len(answers))
    outcomes = [replace(answer, seconds=seconds) for answer in answers]
    if ended.status is not Status.OK:
        return [*outcomes, ended][: job.num_calls]
    is_paused = bool(outcomes) and len(outcomes) == job.pause_after
    if len(outcomes) < job.num_calls and not is_paused and all(o.status is not Status.SYNTAX_ERROR for o in outcomes):
        outcomes.append(Outcome(status=Status.RUNTIME_ERROR, detail="left before the end"))
    return outcomes


def _answer(line: str, nonce: str) -> Outcome | None:
    found, _, text = line.partition(" ")
    if found != nonce:
        return None
    try:
        answer = json.loads(text)
        status, detail, output = Status(answer["status"]), str(answer["detail"])[:200], str(answer["output"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Outcome(status=status, detail=detail, output=output)
