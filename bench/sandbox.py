"""Tests per second and CPU per test: a fresh interpreter per test against the sandbox, side by side, ratio last.

    python bench/sandbox.py [SECONDS]         each row runs that long (2), three rounds in turn, the best counts

    fresh     python -I -S per test, without any isolation
    sandbox   with every wall that this machine allows; the first lines say which
    open      the sandbox without walls: what they cost

The last rows are a program under assertions: a fresh interpreter runs both in one file, once, and the verifier several
times, with altered checks (`etalon.verifiers.code.assertions.trial`); a test is the whole of it.

CPU is that of everything together: this process, the zygotes and what they fork. Overhead is the wall time of a program
that does next to nothing, one after the other. Fresh interpreters suffer more from a busy machine: mind the load.
"""

import logging
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from etalon.sandbox import Limits, LocalSandbox, SandboxPool, Status, StdinTests, describe, use
from etalon.sandbox.isolation import WALLS
from etalon.verifiers.code.assertions.trial import run_asserts

ROUNDS, WORKERS = 3, 2
ONE = "print(int(input()) + 1)", ("41\n",)
TWENTY = (
    "import sys, heapq\nfrom collections import Counter\nvalues = list(map(int, sys.stdin.read().split()))\n"
    "counts = Counter(value % 17 for value in values)\nheapq.heapify(values)\n"
    "print(max(counts.values()), sum(heapq.heappop(values) for _ in range(100)))",
    tuple(" ".join(str(k * n * 7919 % 1_000_003) for n in range(1, 201)) for k in range(1, 21)),
)
ASSERTS = (
    "from typing import Dict, List\nfrom collections import defaultdict\nimport re\n\n\n"
    "def group(words: List[str]) -> Dict[int, List[str]]:\n    found = defaultdict(list)\n"
    "    for word in words:\n        found[len(re.sub('[^a-z]', '', word))].append(word)\n    return dict(found)\n",
    "def check(candidate):\n    assert candidate([]) == {}\n    assert candidate(['a']) == {1: ['a']}\n"
    "    assert candidate(['a', 'b2']) == {1: ['a', 'b2']}\n"
    "    assert candidate(['abc', 'x']) == {3: ['abc'], 1: ['x']}\n"
    "    assert candidate(['a-b', 'cd']) == {2: ['a-b', 'cd']}\n    assert candidate(['1']) == {0: ['1']}\n"
    "    assert len(candidate(['w' * k for k in range(50)])) == 50\ncheck(group)\n",
)
ONE_PROGRAM = ONE[0], StdinTests(inputs=ONE[1]), Limits()


class Rate(NamedTuple):
    """Tests per second of wall time, and microseconds of CPU per test."""

    tests_per_second: float
    cpu_microseconds: float


def fresh(program: str, inputs: tuple[str, ...]) -> None:
    for text in inputs:
        command = [sys.executable, "-I", "-S", "-c", program]
        subprocess.run(command, input=text, text=True, capture_output=True, check=True)


def repeat(run: Callable[[], object], seconds: float) -> int:
    """How often a thread per worker could call `run` until the time was over, all together."""
    end = time.monotonic() + seconds

    def work(_: int) -> int:
        count = 0
        while time.monotonic() < end:
            run()
            count += 1
        return count

    with ThreadPoolExecutor(WORKERS) as threads:
        return sum(threads.map(work, range(WORKERS)))


def cpu_seconds() -> float:
    """Of this process and of all ended children; a pool must be closed to be counted."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def run_fresh(program: str, inputs: tuple[str, ...], seconds: float) -> int:
    return repeat(lambda: fresh(program, inputs), seconds)


def run_sandbox(program: str, inputs: tuple[str, ...], seconds: float, *, walls: tuple[str, ...] = WALLS) -> int:
    tests = StdinTests(inputs=inputs)
    with SandboxPool(workers=WORKERS, walls=walls) as pool:
        assert all(outcome.status is Status.OK for outcome in pool.run(program, tests, Limits()))
        return repeat(lambda: pool.run(program, tests, Limits()), seconds)


def run_open(program: str, inputs: tuple[str, ...], seconds: float) -> int:
    return run_sandbox(program, inputs, seconds, walls=())


def run_fresh_asserts(program: str, checks: tuple[str, ...], seconds: float) -> int:
    return repeat(lambda: fresh(f"{program}\n{checks[0]}", ("",)), seconds)


def run_sandbox_asserts(
    program: str, checks: tuple[str, ...], seconds: float, *, walls: tuple[str, ...] = WALLS
) -> int:
    with SandboxPool(workers=WORKERS, walls=walls) as pool:
        use(LocalSandbox(pool))
        assert run_asserts(program, checks[0], Limits()).status is Status.OK
        return repeat(lambda: run_asserts(program, checks[0], Limits()), seconds)


def run_open_asserts(program: str, checks: tuple[str, ...], seconds: float) -> int:
    return run_sandbox_asserts(program, checks, seconds, walls=())


def print_overhead(num_programs: int = 500) -> None:
    with SandboxPool(workers=1) as pool:
        times = []
        for _ in range(num_programs):
            started = time.monotonic()
            pool.run(*ONE_PROGRAM)
            times.append(1000 * (time.monotonic() - started))
    median, last = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(f"overhead  per program {median:8.2f} ms median {last:8.2f} ms p99")


def measure(run: Callable[..., int], program: str, inputs: tuple[str, ...], seconds: float) -> Rate:
    started, cpu_before = time.monotonic(), cpu_seconds()
    num_tests = run(program, inputs, seconds) * len(inputs)
    return Rate(num_tests / (time.monotonic() - started), (cpu_seconds() - cpu_before) / num_tests * 1e6)


def main() -> None:
    logging.disable(logging.WARNING)
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    print(*describe().lines(), f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", sep="\n")
    stdin = {"fresh": run_fresh, "sandbox": run_sandbox, "open": run_open}
    asserts = {"fresh": run_fresh_asserts, "sandbox": run_sandbox_asserts, "open": run_open_asserts}
    rows_of = {"1 test": (stdin, *ONE), "20 tests": (stdin, *TWENTY), "asserts": (asserts, ASSERTS[0], ASSERTS[1:])}
    for name, (runs, program, inputs) in rows_of.items():
        rounds = [[measure(run, program, inputs, seconds) for run in runs.values()] for _ in range(ROUNDS)]
        rows = {label: best(rates) for label, rates in zip(runs, zip(*rounds, strict=True), strict=True)}
        for label, rate in rows.items():
            print(
                f"{name:9} {label:8} {rate.tests_per_second:8.0f} tests/s {rate.cpu_microseconds:7.0f} us CPU per test"
            )
        wall = rows["sandbox"].tests_per_second / rows["fresh"].tests_per_second
        cpu = rows["fresh"].cpu_microseconds / rows["sandbox"].cpu_microseconds
        print(f"{name:9} ratio    {wall:8.1f} wall    {cpu:7.1f} CPU")
    print_overhead()


def best(rates: Iterable[Rate]) -> Rate:
    """The best of the rounds in either measure: what disturbs a round only ever makes it worse."""
    found = list(rates)
    return Rate(max(rate.tests_per_second for rate in found), min(rate.cpu_microseconds for rate in found))


if __name__ == "__main__":
    main()
