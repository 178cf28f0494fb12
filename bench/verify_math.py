"""Verdicts per second on RL-like traffic: math-verify on the full response against `verify`, side by side, ratios last.

    python bench/verify_math.py [PROBLEMS]        problems per kind of answer (48); 16 responses of 20 KB each

Traffic: a reasoning trace with inline mathematics, then a boxed answer; half of them right, in several spellings, the
others from a few wrong ones that repeat; 6% of the responses cut before an answer. Both sides judge each response in
turn, in the same process. math-verify runs as its README shows it: parse(reference), parse(response), verify.

Rates are by the clock; the last lines have the ratios of CPU time too, the worker processes included, for a machine
that is not idle. Verdicts must agree but for one reason, which is counted: without a box math-verify credits a number
of the trace.
"""

import contextlib
import gc
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from math_verify import parse
from math_verify import verify as math_verify

from etalon.types import Domain, Problem, Stop
from etalon.verifiers import verify

GROUP, RESPONSE_CHARS, TRUNCATED = 16, 20_000, 0.06
STEPS = (
    "So we consider the case $n = {a}$ and write the sum as ${a} + {b} = {c}$, which is not yet what we want. ",
    "Let me check this again: the product of the roots is $\\frac{{{a}}}{{{b}}}$ and the sum is {c}. ",
    "Wait, if the {a}th term were {b}, the ratio could not be constant, so that line of thought fails. ",
    "Now the triangle has sides {a}, {b} and {c}; by the cosine rule the angle follows, but we do not need it yet. ",
    "We substitute $x = {a}$ into $x^2 - {b}x + {c}$ and find that it does not vanish there. ",
)


class Case(NamedTuple):
    """A reference, right spellings of it and wrong answers."""

    reference: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]


class Response(NamedTuple):
    text: str
    is_truncated: bool


def integers(rng: random.Random) -> Case:
    value = rng.randrange(1000)
    wrong = rng.sample([n for n in range(1000) if n != value], 3)
    return Case(f"{value:03d}", (str(value), f"{value:03d}"), tuple(map(str, wrong)))


def latex(rng: random.Random) -> Case:
    a, b, c = rng.randrange(2, 30), rng.randrange(2, 9), rng.choice([2, 3, 5, 7])
    shapes = (
        Case(
            f"\\frac{{{a}}}{{{a + b}}}", (f"\\dfrac{{{a}}}{{{a + b}}}", f"{a}/{a + b}"), (f"\\frac{{{b}}}{{{a + b}}}",)
        ),
        Case(f"{a}\\sqrt{{{c}}}", (f"{a}\\sqrt{{{c}}}", f"\\sqrt{{{a * a * c}}}"), (f"{b}\\sqrt{{{c}}}", f"{a}{c}")),
        Case(
            f"\\frac{{{b}\\pi}}{{{a}}}",
            (f"\\frac{{{b}\\pi}}{{{a}}}", f"\\frac{{{b}}}{{{a}}}\\pi"),
            (f"{b}\\pi", "\\pi"),
        ),
        Case(f"({a}, -{b})", (f"({a},-{b})", f"\\left({a}, -{b}\\right)"), (f"(-{b}, {a})", f"({a}, {b})")),
        Case(f"[{b}, \\infty)", (f"[{b},\\infty)", f"\\left[{b}, \\infty\\right)"), (f"({b}, \\infty)",)),
        Case(f"x^2-{a}x+{b}", (f"x^2 - {a}x + {b}", f"{b}-{a}x+x^2"), (f"x^2+{a}x+{b}", f"x^2-{b}x+{a}")),
        Case(f"\\{{{b}, {a + 9}\\}}", (f"\\{{{a + 9}, {b}\\}}", f"\\{{{b}, {a + 9}\\}}"), (f"\\{{{b}\\}}",)),
        Case(f"{a}+{b}\\sqrt{{{c}}}", (f"{a}+{b}\\sqrt{{{c}}}", f"{b}\\sqrt{c}+{a}"), (f"{a}-{b}\\sqrt{{{c}}}",)),
        Case(f"2^{{{a}}}", (f"2^{{{a}}}", str(2**a)), (f"2^{{{a + 1}}}", str(2**a + 1))),
        Case(str(a * 1000), (f"{a},000", f"{a}000"), (str(a * 100), str(a * 1000 + b))),
    )
    return rng.choice(shapes)


def group_of(case: Case, rng: random.Random) -> list[Response]:
    """The sampled responses to one problem."""
    return [response_to(case, rng) for _ in range(GROUP)]


def response_to(case: Case, rng: random.Random) -> Response:
    trace = []
    while sum(map(len, trace)) < RESPONSE_CHARS:
        a, b, c = (rng.randrange(2, 99) for _ in range(3))
        trace.append(rng.choice(STEPS).format(a=a, b=b, c=c))
    if rng.random() < TRUNCATED:
        return Response("<think>" + "".join(trace), is_truncated=True)
    answer = rng.choice(case.right if rng.random() < 0.5 else case.wrong)
    return Response(f"<think>{''.join(trace)}</think>\nThe answer is $\\boxed{{{answer}}}$.", is_truncated=False)


def peer(case: Case, response: Response) -> bool:
    return bool(math_verify(parse(f"${case.reference}$"), parse(response.text)))


def ours(case: Case, response: Response) -> bool:
    problem = Problem(id="", domain=Domain.MATH, prompt="", answer=case.reference)
    verdict = verify(problem, response.text, stop=Stop.LENGTH if response.is_truncated else Stop.EOS)
    assert verdict.score is not None, verdict
    return verdict.is_correct


def engine_cpu() -> float:
    """CPU seconds of the worker processes: the children of the children of this process."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            found[int(stat.parent.name)] = (int(fields[1]), sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK"))
    children = {process for process, (parent, _) in found.items() if parent == os.getpid()}
    return sum(seconds for process, (parent, seconds) in found.items() if process in children or parent in children)


class Took(NamedTuple):
    """Seconds by the clock, and of CPU in this process."""

    wall: float
    cpu: float


def timed(judge: Callable[[Case, Response], bool], case: Case, group: list[Response]) -> list[tuple[bool, Took]]:
    """Verdict and time of each response of a group; neither side pays for the garbage of the other."""
    gc.collect()
    judged = []
    for response in group:
        wall, cpu = time.perf_counter(), time.process_time()
        verdict = judge(case, response)
        judged.append((verdict, Took(time.perf_counter() - wall, time.process_time() - cpu)))
    return judged


def compare_on(name: str, make: Callable[[random.Random], Case], problems: int) -> Took:
    """Print both sides on one kind of answer; the ratios of what math-verify and ours took."""
    rng, engine = random.Random(name), engine_cpu()
    peer_took: list[Took] = []
    our_took: list[Took] = []
    differences = Counter[str]()
    for _ in range(problems):
        case = make(rng)
        group = group_of(case, rng)
        theirs, judged = timed(peer, case, group), timed(ours, case, group)
        peer_took += [took for _, took in theirs]
        our_took += [took for _, took in judged]
        for response, (expected, _), (verdict, _) in zip(group, theirs, judged, strict=True):
            if verdict != expected:
                case_of = f"{case.reference} | {response.text[-60:]!r} | {verdict}"
                differences["no box" if response.is_truncated else case_of] += 1
    count, milliseconds = len(our_took), [1000 * wall for wall in sorted(took.wall for took in our_took)]
    peer_wall, our_wall = (sum(took.wall for took in side) for side in (peer_took, our_took))
    our_cpu = sum(took.cpu for took in our_took) + engine_cpu() - engine
    print(
        f"{name:9} math-verify {count / peer_wall:8.0f}/s   etalon {count / our_wall:8.0f}/s   "
        f"p50 {milliseconds[count // 2]:.3f} ms   p99 {milliseconds[count * 99 // 100]:.3f} ms   "
        f"max {milliseconds[-1]:.1f} ms   verdicts that differ: {dict(differences) or 'none'}"
    )
    return Took(peer_wall / our_wall, sum(took.cpu for took in peer_took) / our_cpu)


def main() -> None:
    logging.disable(logging.CRITICAL)
    problems = int(sys.argv[1]) if len(sys.argv) > 1 else 48
    warm = Case("\\sqrt{2}", ("\\sqrt2",), ())
    for judge in (peer, ours):  # both load their parser before the clock starts
        judge(warm, Response("\\boxed{\\frac{2}{\\sqrt{2}}}", is_truncated=False))
    ratios = [compare_on(make.__name__, make, problems) for make in (integers, latex)]
    for unit in Took._fields:
        integer, mix = (getattr(ratio, unit) for ratio in ratios)
        print(f"ratio ({unit}): integers {integer:.0f}x, latex {mix:.1f}x")


if __name__ == "__main__":
    main()
