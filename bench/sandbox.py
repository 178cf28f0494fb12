"""Programs per second and CPU per test: a fresh interpreter per test against the sandbox, side by side, ratio last.

    python bench/sandbox.py [SECONDS]         each row runs that long (2), three rounds in turn, the best counts

CPU is that of everything together: this process, the zygotes and what they fork.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from etalon.sandbox import Limits, SandboxPool, Status, StdinTests

ROUNDS, WORKERS = 3, 2
ONE = "print(int(input()) + 1)", ("41\n",)
TWENTY = (
    "import sys, heapq\nfrom collections import Counter\nvalues = list(map(int, sys.stdin.read().split()))\n"
    "counts = Counter(value % 17 for value in values)\nheapq.heapify(values)\n"
    "print(max(counts.values()), sum(heapq.heappop(values) for _ in range(100)))",
    tuple(" ".join(str(k * n * 7919 % 1_000_003) for n in range(1, 201)) for k in range(1, 21)),
)


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


def run_sandbox(program: str, inputs: tuple[str, ...], seconds: float) -> int:
    tests = StdinTests(inputs=inputs)
    with SandboxPool(workers=WORKERS) as pool:
        assert all(outcome.status is Status.OK for outcome in pool.run(program, tests, Limits()))
        return repeat(lambda: pool.run(program, tests, Limits()), seconds)


def measure(run: Callable[..., int], program: str, inputs: tuple[str, ...], seconds: float) -> Rate:
    started, cpu_before = time.monotonic(), cpu_seconds()
    num_tests = run(program, inputs, seconds) * len(inputs)
    return Rate(num_tests / (time.monotonic() - started), (cpu_seconds() - cpu_before) / num_tests * 1e6)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    for name, (program, inputs) in {"1 test": ONE, "20 tests": TWENTY}.items():
        rounds = [[measure(run, program, inputs, seconds) for run in (run_fresh, run_sandbox)] for _ in range(ROUNDS)]
        rows = [min(row, key=lambda rate: rate.cpu_microseconds) for row in zip(*rounds, strict=True)]
        for label, rate in zip(("fresh", "sandbox"), rows, strict=True):
            print(
                f"{name:9} {label:8} {rate.tests_per_second:8.0f} tests/s {rate.cpu_microseconds:7.0f} us CPU per test"
            )
        wall, cpu = (
            rows[1].tests_per_second / rows[0].tests_per_second,
            rows[0].cpu_microseconds / rows[1].cpu_microseconds,
        )
        print(f"{name:9} ratio    {wall:8.1f} wall    {cpu:7.1f} CPU")


if __name__ == "__main__":
    main()
