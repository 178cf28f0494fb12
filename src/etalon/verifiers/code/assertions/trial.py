"""Judges a program by assertions that run in its own process, by making forging worthless instead of impossible.

    checks, some of them altered -> run behind the program -> what each noted    twice: what one run alters the other
    altered ones held: it forges; others failed: wrong; else it passes           does not, and the program knows neither

An honest program fails what is altered. One that overrides equality, reads the expected values, patches libraries or
ends the run with a good word passes it, and is caught: to tell altered checks from others it would have to know the
answers. Guessing is right once in 4 ** (checks * repeats) times, see MOST_LUCK. Every run is a fresh process that knows
of no other, and no run says more than what its checks noted: the verdict is made here.

What goes otherwise than planned is run as it was written (`_as_written`), and that decides: so an honest program has
what a plain interpreter gives it. Why a program failed is its own fault, unless the checks fail alike without it
(`_fail_by_themselves`).
"""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from etalon.problems.syntax import parse
from etalon.sandbox import AssertTests, CallTests, Limits, Outcome, Status, run_program
from etalon.verifiers.code import guest
from etalon.verifiers.code.assertions.alterations import Sites, altered, find_sites
from etalon.verifiers.code.assertions.names import Names, bind_libraries, read_names
from etalon.verifiers.memo import Memo

MOST_LUCK = 4**3  # (ours) a program that guesses which checks are altered passes once in so many times
KEPT_PAIRS = 4  # (ours) pairs of altered checks that are made once and used again: a group of answers has one problem
ALONE_LIMITS = Limits(cpu_seconds=10, output_mb=64)  # (ours) of checks without a program
_ALONE: Memo[str] = Memo(1024)

Notes = dict[int, tuple[int, int]]  # of each site, how often it failed and how often it held


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The checks of a problem. code: made ready (`ready`); as_written: as it runs unaltered."""

    code: str
    names: Names
    found: Sites
    as_written: str

    @property
    def repeats(self) -> int:
        """How many pairs of runs leave a guess no more luck than MOST_LUCK."""
        count, repeats = len(self.found.groups), 1
        while count and 4 ** (count * repeats) < MOST_LUCK:
            repeats += 1
        return repeats


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Checks to run, of which some are altered."""

    code: str
    altered: frozenset[int]


@lru_cache(1024)
def read_trial(code: str) -> Trial:
    names = read_names(code)
    as_written = guest.behind(bind_libraries(parse(code)), helpers=bool(names.helpers))
    return Trial(code=code, names=names, found=find_sites(bind_libraries(parse(code))), as_written=as_written)


def run_asserts(program: str, code: str, limits: Limits) -> Outcome:
    """How the program fares: OK only when every check held, and failed where it was altered."""
    trial = read_trial(code)
    seconds = 0.0
    pairs = _pairs(code)
    for pair in secrets.SystemRandom().sample(pairs, trial.repeats):
        for variant in pair:
            outcome = _run(program, variant.code, trial, limits)
            seconds += outcome.seconds
            wrong = _unlike(outcome, variant, trial.found)
            if wrong == FORGED:
                return replace(WORTHLESS, seconds=seconds)
            if wrong:
                return replace(_as_written(program, trial, limits, wrong), seconds=seconds)
    return Outcome(status=Status.OK, seconds=seconds)


FORGED = "forged"
WORTHLESS = Outcome(status=Status.WRONG, detail="it passes tests that no right program passes")


def _run(program: str, code: str, trial: Trial, limits: Limits) -> Outcome:
    [outcome] = run_program(program, AssertTests(code=code, starter=trial.names.needs_starter), limits)[:1]
    return outcome


def _unlike(outcome: Outcome, variant: Variant, found: Sites) -> str:
    """In what a run differs from that of an honest program that passes; "" if in nothing."""
    if outcome.status is not Status.OK:
        return "did not end well"
    notes = _read_notes(outcome.output)
    if any(notes[number][1] for number in variant.altered & found.surely & notes.keys()):
        return FORGED
    if any(notes[number][1] for number in variant.altered & notes.keys()):
        return "an altered check held"
    if any(failed for number, (failed, _) in notes.items() if number not in variant.altered):
        return "a check failed"
    if found.certain - notes.keys():
        return "a check was left out"
    return "" if notes else "no check was reached"


def _read_notes(output: str) -> Notes:
    """What a run noted; nothing if that is nonsense."""
    try:
        return {int(site): (int(failed), int(held)) for site, (failed, held) in json.loads(output).items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _as_written(program: str, trial: Trial, limits: Limits, wrong: str) -> Outcome:
    """The checks as they were written; if the program passes them, once more, altered gently: that decides."""
    outcome = _run(program, trial.as_written, trial, limits)
    if outcome.status is not Status.OK:
        return _blamed(outcome, trial)
    for variant in _pair(trial, gently=True):
        outcome = _run(program, variant.code, trial, limits)
        wrong = _unlike(outcome, variant, trial.found)
        if wrong:
            return Outcome(status=Status.WRONG, detail=f"its results differ from run to run: {wrong}")
    return Outcome(status=Status.OK)


def _blamed(outcome: Outcome, trial: Trial) -> Outcome:
    """The failure of a program, or of the checks if they fail without one as well."""
    is_assertion = outcome.status is Status.RUNTIME_ERROR and outcome.detail.startswith("AssertionError")
    if is_assertion:
        return replace(outcome, status=Status.WRONG, detail=outcome.detail.removeprefix("AssertionError: "))
    if outcome.status in (Status.INFRASTRUCTURE, Status.SYNTAX_ERROR):
        return outcome
    alone = _fail_by_themselves(trial)
    if alone:
        return Outcome(status=Status.INFRASTRUCTURE, detail=f"bad_reference: the tests failed by themselves: {alone}")
    return outcome


def _fail_by_themselves(trial: Trial) -> str:
    """Why the checks fail with something in the program's place that agrees with all they ask; "" if they do not."""
    known = _ALONE.get(trial.code)
    if known is not None:
        return known
    order = {"code": trial.as_written, "names": [*set(trial.names.of_program) - set(trial.names.helpers)]}
    tests = CallTests(function="etalon_alone", inputs=(json.dumps(order),))
    [outcome] = run_program(guest.source("alone"), tests, ALONE_LIMITS)[:1]
    if outcome.status is Status.INFRASTRUCTURE:
        return outcome.detail
    found: str = json.loads(outcome.output) if outcome.status is Status.OK else str(outcome.status)
    _ALONE.put(trial.code, found)
    return found


# --- altered checks ---


@lru_cache(256)
def _pairs(code: str) -> list[tuple[Variant, Variant]]:
    trial = read_trial(code)
    return [_pair(trial) for _ in range(max(KEPT_PAIRS, 2 * trial.repeats))]


def _pair(trial: Trial, *, gently: bool = False) -> tuple[Variant, Variant]:
    """Two variants of the checks: what one alters the other does not, and the order is open."""
    dice = random.Random(secrets.randbits(128))
    groups = trial.found.groups
    half = [group for group in groups if dice.random() < 0.5]
    rest = [group for group in groups if group not in half]
    one, two = (_variant(trial, chosen, dice, gently) for chosen in (half, rest))
    return one, two


def _variant(trial: Trial, groups: Sequence[Sequence[int]], dice: random.Random, gently: bool) -> Variant:
    numbers = frozenset(number for group in groups for number in group)
    tree = altered(trial.found, numbers, dice, gently=gently)
    if gently:
        numbers = frozenset(number for number in numbers if trial.found.sites[number].form != "exception")
    return Variant(code=guest.behind(tree, helpers=bool(trial.names.helpers)), altered=numbers)
