"""Answers that attack the grader: every verdict in time, nothing executed, the next answer graded as usual."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from etalon.types import Domain, Problem
from etalon.verifiers import verify
from etalon.verifiers.math import Reason
from etalon.verifiers.math.answer import CLUSTER_DEADLINES, are_equal, cluster, compare, is_same
from etalon.verifiers.math.engine import process, symbolic
from etalon.verifiers.math.engine.process import MEMORY_MB
from etalon.verifiers.math.engine.symbolic import EngineTime, SymbolicPool
from etalon.verifiers.math.read.normalise import read
from etalon.verifiers.text import extract_answer

pytestmark = pytest.mark.live

SLACK = 0.5  # of a busy machine; alone it takes 0.03
HUNDREDS = {
    "dollars": "$" * 4000,
    "braces": "{" * 2000 + "}" * 2000,
    "spaces": " " * 4000 + "1",
    "letters": "1 " + "a" * 4000,
    "units": "1 " + "cm " * 1200,
    "commas": "," * 4000,
    "colons": "1:" * 2000 + "1",
    "choices": "\\pm" * 1000,
    "overs": "\\over" * 800,
    "texts": "\\text{" * 600,
    "percents": "%" * 4000,
    "less": "<".join("x" * 1000),
    "equal": "x=" * 2000 + "1",
    "fractions": "½" * 1000,
    "accents": "\u0301" * 4000,
    "nul": "\x00" * 4000,
    "repeating": "0.\\overline{" + "3" * 3000 + "}",
    "exponent": "1e" + "9" * 300,
    "wrapped": "$" * 1000 + "x" + "$" * 1000,
    "boxes": "\\boxed{" * 500 + "1" + "}" * 500,
}


def math(answer):
    return Problem(id="p", domain=Domain.MATH, prompt="q", answer=answer)


def nested_fraction(depth, inside):
    for _ in range(depth):
        inside = f"\\frac{{1}}{{1+{inside}}}"
    return inside


@pytest.fixture
def pool():
    pool = SymbolicPool(workers=1, deadline_seconds=1.0)
    pool.compare("1", "2")  # warm: the start of the engine is not what is measured
    yield pool
    pool.close()


@pytest.fixture
def short_deadline(monkeypatch):
    compare(reference=r"\pi", answer=r"\pi+0")  # the engine starts before the clock
    monkeypatch.setattr(symbolic, "DEADLINE_SECONDS", 0.6)
    return 0.6


@pytest.mark.parametrize("name", sorted(HUNDREDS))
def test_reading_takes_no_time_whatever_the_text(name):
    started = time.process_time()
    read(HUNDREDS[name])
    assert time.process_time() - started < 0.25


@pytest.mark.parametrize(
    "response",
    [
        "".join(random.Random(1).choices("abc$\\{}boxed \n1234^_", k=1_000_000)),
        "$" * 300_000,
        " " * 1_000_000,
        "\n" * 1_000_000,
        "\\boxed{" * 140_000,
        "Answer" * 160_000,
        "x answer\n" * 100_000,
        "<think>" * 140_000,
        "\x00" * 1_000_000,
        "*" * 1_000_000,
    ],
    ids=["garbage", "dollars", "spaces", "lines", "boxes", "answers", "answer lines", "thinks", "nul", "stars"],
)
def test_a_megabyte_without_an_answer_is_no_answer_at_once(response):
    started = time.process_time()
    assert extract_answer(response) is None
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize(
    "answer",
    ["9^{9^{9^{9}}}", "x^{9^{9^{9}}}", "((100!)!)!", nested_fraction(50, "x"), "\\sum_{n=1}^{10^{12}}\\frac{1}{n^2+1}"],
    ids=["tower", "symbolic tower", "factorials", "fraction", "sum"],
)
def test_a_hostile_answer_meets_the_deadline_and_the_next_is_graded(pool, answer):
    started = time.monotonic()
    found = pool.compare(r"\frac{\pi}{4}", answer)
    assert time.monotonic() - started < 1.0 + SLACK
    assert found.is_equal is not True
    assert pool.compare(r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}").is_equal is True


def test_a_verdict_of_many_parts_has_one_deadline(short_deadline):
    hostile = ",".join(f"\\pi^{{\\pi^{{\\pi^{{\\pi^{{{n}}}}}}}}}" for n in range(9, 15))
    started = time.monotonic()
    verdict = verify(math(r"\sqrt{2},\sqrt{3},\sqrt{5},\sqrt{6},\sqrt{7},\sqrt{11}"), f"\\boxed{{{hostile}}}")
    assert time.monotonic() - started < short_deadline + SLACK
    assert verdict.score is not None or verdict.reason == Reason.TIMEOUT


def test_hostile_answers_are_not_blamed_on_the_reference(short_deadline):
    reference = r"\frac{\sqrt{7}}{7}"
    for exponent in (7, 8):
        assert verify(math(reference), f"\\boxed{{x^{{{exponent}^{{9^{{9}}}}}}}}").score != 1.0
    assert verify(math(reference), r"\boxed{\frac{1}{\sqrt{7}}}").score == 1.0


def test_an_answer_that_cannot_be_read_costs_its_deadline_once(short_deadline):
    tower = "6^{7^{8^{9}}}+\\pi"
    first = compare(reference=r"\sqrt{2}", answer=tower)
    started = time.monotonic()
    again = [compare(reference=f"\\sqrt{{{n}}}", answer=tower).is_equal for n in (3, 5, 6, 7)]
    assert True not in again
    assert time.monotonic() - started < (SLACK if first.reason == Reason.TIMEOUT else 4 * short_deadline)


def test_a_spent_budget_is_undecided_without_asking(pool):
    found = pool.compare(r"\pi", r"\pi+0", budget=EngineTime(0.0))
    assert (found.is_equal, found.reason) == (None, Reason.TIMEOUT)


def test_memory_is_limited_and_a_worker_that_runs_out_is_replaced(pool):
    found = pool.compare(r"\sqrt{2}", "(x+y+z+w+1)^{900}+" + "1" * 3000 + "^{99999}")
    assert found.is_equal is not True
    assert pool.compare(r"2\pi", r"\pi+\pi").is_equal is True
    assert 4 * MEMORY_MB < 1500


def test_a_dead_worker_or_template_is_replaced(pool):
    worker = pool._idle[-1]
    os.kill(worker._process_id, signal.SIGKILL)
    assert pool.compare(r"\pi", r"\pi+0").reason == Reason.TIMEOUT
    assert pool.compare(r"\pi", r"\pi+0").is_equal is True
    pool._idle.pop().kill()
    pool._template.kill()
    assert pool.compare(r"\pi", r"\pi+0").is_equal is True


def test_a_closed_pool_starts_again(pool):
    pool.close()
    assert pool.compare(r"\pi", r"\pi+0").is_equal is True


def test_threads_and_event_loops_may_call_and_no_signal_handler_is_set():
    before = signal.getsignal(signal.SIGALRM)
    pairs = [(f"{n}\\sqrt{{2}}", f"\\sqrt{{{2 * n * n}}}") for n in range(31, 37)]

    async def all_of_them():
        calls = (asyncio.to_thread(compare, reference=a, answer=b) for a, b in pairs)
        return await asyncio.gather(*calls)

    found = []
    thread = threading.Thread(target=lambda: found.extend(asyncio.run(all_of_them())))
    thread.start()
    thread.join()
    assert [comparison.is_equal for comparison in found] == [True] * 6
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_forked_child_has_its_own_engine():
    program = (
        "import os\nfrom etalon.verifiers.math.answer import compare\n"
        "pair = dict(reference='\\\\pi', answer='\\\\pi+0')\n"
        "assert compare(**pair).is_equal\nchild = os.fork()\n"
        "if child == 0:\n    os._exit(0 if compare(reference='2\\\\pi', answer='\\\\pi+\\\\pi').is_equal else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\nassert compare(reference='3\\\\pi', answer='\\\\pi+2\\\\pi').is_equal"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


@pytest.mark.parametrize(
    "payload",
    [
        "__import__('os').system('touch {0}')",
        "\\text{{__import__('os').remove('{0}')}}+\\pi",
        "(lambda: open('{0}', 'w'))() or 0",
        "\\sqrt{{open('{0}','w')}}",
    ],
)
def test_code_in_the_box_is_text(tmp_path, payload):
    canary = tmp_path / "canary"
    assert verify(math(r"\sqrt{2}"), f"\\boxed{{{payload.format(canary)}}}").score != 1.0
    assert not canary.exists()


def test_hostile_votes_cost_a_few_deadlines_not_one_per_pair(short_deadline):
    started = time.monotonic()
    answers = ["x^{9^{9^{8}}}", *(f"\\sqrt{{{n}}}+x" for n in (2, 3, 5, 6, 7, 10, 11, 13))]
    assert cluster(answers) == list(range(9))
    assert time.monotonic() - started < 4 * short_deadline


def test_an_engine_that_cannot_start_leaves_it_undecided(monkeypatch, tmp_path):
    monkeypatch.setattr(process, "_PROGRAM", tmp_path / "missing.py")
    pool = SymbolicPool(workers=1)
    found = pool.compare(r"\pi", r"\pi+0")
    assert (found.is_equal, found.reason) == (None, Reason.TIMEOUT)
    pool.close()


def test_an_engine_that_does_not_answer_is_given_up(monkeypatch, tmp_path):
    silent = tmp_path / "silent.py"
    silent.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(process, "_PROGRAM", silent)
    monkeypatch.setattr(process, "START_SECONDS", 0.2)
    assert SymbolicPool(workers=1).compare(r"\pi", r"\pi+0").is_equal is None


def test_a_worker_is_replaced_before_its_caches_grow(monkeypatch, pool):
    monkeypatch.setattr(symbolic, "MAX_USES", 1)
    assert pool.compare(r"\pi", r"\pi+0").is_equal is True
    assert not pool._idle
    assert pool.compare(r"\pi", r"\pi+0").is_equal is True


@pytest.mark.parametrize("answer", ["\\{" * 1000, "½" * 1000, "(" * 100, "]" * 100 + "1"])
def test_text_that_is_no_formula_is_different(answer):
    assert compare(reference=r"\sqrt{2}", answer=answer).is_equal is False
    assert not are_equal(answer, answer + "1")


@pytest.mark.slow
def test_a_vote_over_many_hanging_answers_costs_a_few_deadlines():
    answers = [rf"\prod_{{k=1}}^{{10000000}}(k+x+{i})" for i in range(10)]
    started = time.monotonic()
    assert cluster([*answers, "5", "5.0"])[-2:] == [10, 10]
    assert time.monotonic() - started < (CLUSTER_DEADLINES + 2) * symbolic.DEADLINE_SECONDS


def test_a_text_is_not_blamed_for_the_budget_that_others_spent():
    spent = symbolic.EngineTime(0.0)
    assert is_same(r"\sqrt{3+x}-\sin x", r"\sqrt{x+3}-\sin x", spent) is None
    assert are_equal(r"\sqrt{3+x}-\sin x", r"\sqrt{x+3}-\sin x")


@pytest.mark.parametrize(("wall_factor", "is_equal"), [(1.0, None), (5.0, True)])
def test_a_worker_that_waits_for_its_turn_may_be_late_where_rewards_are_at_stake(wall_factor, is_equal):
    def give_turn():
        with suppress(ProcessLookupError):  # killed for being late
            os.kill(worker, signal.SIGCONT)

    pool = SymbolicPool(workers=1, deadline_seconds=1.0, wall_factor=wall_factor)
    try:
        assert pool.compare("2x", "x+x", budget=EngineTime(30)).is_equal is True
        worker = pool._idle[0]._process_id
        os.kill(worker, signal.SIGSTOP)  # a machine so busy that it gets no CPU at all
        turn = threading.Timer(1.5, give_turn)
        turn.start()
        assert pool.compare("x^2", "x*x").is_equal is is_equal
        turn.join()
    finally:
        pool.close()
