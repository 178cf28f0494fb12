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
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from etalon.problems.syntax import parse
from etalon.sandbox import AssertTests, CallTests, Limits, Outcome, Status, run_program
from etalon.verifiers.code import guest
from etalon.verifiers.code.assertions.alterations import Sites, altered, find_sites
from etalon.verifiers.code.assertions.names import Names, bind_libraries, bind_tools, read_names
from etalon.verifiers.memo import Memo

MOST_LUCK = 4**3  # (ours) a program that guesses which checks are altered passes once in so many times
TURNS = 3  # (ours) of a second opinion
KEPT_PAIRS = 4  # (ours) pairs of altered checks that are made once and used again: a group of answers has one problem
ALONE_LIMITS = Limits(cpu_seconds=6, output_mb=64)  # (ours) of checks without a program
NOTES_LIMITS = Limits(cpu_seconds=1)  # (ours) of their notes, without which a verdict can do
_ALONE: Memo[str] = Memo(1024)
_NOTES_ALONE: Memo[Notes] = Memo(1024)


class Note(NamedTuple):
    """What a run noted of a site, see `etalon.sandbox.zygote.notes`."""

    failed: int
    held: int
    decided: int
    agreed: int
    digest: int


Notes = dict[int, Note]


def read_notes(output: str) -> Notes:
    """What a run noted; nothing if that is nonsense."""
    try:
        notes = {int(site): Note(*counts) for site, counts in json.loads(output).items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
    is_sane = all(type(count) is int and count >= 0 for note in notes.values() for count in note)
    return notes if is_sane and all(site >= 0 for site in notes) else {}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The checks of a problem. code: made ready (`ready`); as_written: as it runs unaltered."""

    code: str
    names: Names
    found: Sites
    as_written: str

    @property
    def names_alone(self) -> list[str]:
        """Names that somebody must have without a program."""
        return sorted(set(self.names.of_program) - set(self.names.helpers))

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
    as_written = guest.behind(bind_tools(bind_libraries(parse(code)), names), helpers=bool(names.helpers))
    return Trial(
        code=code, names=names, found=find_sites(bind_libraries(parse(code)), names.of_program), as_written=as_written
    )


def run_asserts(program: str, code: str, limits: Limits) -> Outcome:
    """How the program fares: OK only when every check held, and failed where it was altered."""
    trial = read_trial(code)
    seconds = 0.0
    seen, seen_as_they_are = set[int](), set[int]()
    for variant in _chosen(trial):
        outcome = _run(program, variant.code, trial, limits)
        seconds += outcome.seconds
        wrong = _unlike(outcome, variant, trial)
        if wrong == FORGED:
            return replace(WORTHLESS, seconds=seconds)
        if wrong:
            suspects = _held(read_notes(outcome.output), variant) if outcome.status is Status.OK else frozenset[int]()
            return replace(_as_written(program, trial, limits, suspects), seconds=seconds)
        seen |= read_notes(outcome.output).keys()
        seen_as_they_are |= read_notes(outcome.output).keys() - variant.altered
    if seen != seen_as_they_are:
        return _as_written(program, trial, limits, frozenset())
    return Outcome(status=Status.OK, seconds=seconds)


FORGED = "forged"
UNALTERABLE = Outcome(
    status=Status.INFRASTRUCTURE, detail="bad_reference: a passed test cannot be told from a forged one: none compares"
)
WORTHLESS = Outcome(status=Status.WRONG, detail="it passes tests that no right program passes")


def _run(program: str, code: str, trial: Trial, limits: Limits) -> Outcome:
    [outcome] = run_program(program, AssertTests(code=code, starter=trial.names.needs_starter), limits)[:1]
    return outcome


def _unlike(outcome: Outcome, variant: Variant, trial: Trial, forgiven: frozenset[int] = frozenset()) -> str:
    """In what a run differs from that of an honest program that passes; "" if in nothing.

    forgiven: sites that may hold although they are altered.
    """
    if outcome.status is not Status.OK:
        return "did not end well"
    found, notes = trial.found, read_notes(outcome.output)
    if any(number > len(found.sites) for number in notes) or any(note.agreed for note in notes.values()):
        return FORGED
    held = _held(notes, variant)
    if any(notes[number].held > notes[number].decided for number in held & found.surely):
        return FORGED
    if held - forgiven:
        return "an altered check held"
    if any(note.failed for number, note in notes.items() if number not in variant.altered):
        return "a check failed"
    if not any(number < len(found.sites) for number in notes) or found.certain - notes.keys():
        return "a check was not reached"
    return _unlike_alone(notes, variant, trial)


def _unlike_alone(notes: Notes, variant: Variant, trial: Trial) -> str:
    """In what a run differs from one without a program, where a program has no part in it."""
    alone = _notes_alone(trial)
    for number in trial.found.counted & alone.keys():
        note, expected = notes.get(number), alone[number]
        if note is None or note.failed + note.held != expected.failed + expected.held:
            return "a check was not reached as often as it should be"
        if number not in variant.altered and note.digest != expected.digest:
            return "what its results are compared with is not what it should be"
    return ""


def _held(notes: Notes, variant: Variant) -> frozenset[int]:
    """Sites that held although they were altered."""
    return frozenset(number for number in variant.altered & notes.keys() if notes[number].held)


def _as_written(program: str, trial: Trial, limits: Limits, suspects: frozenset[int]) -> Outcome:
    """The checks as they were written; if the program passes them, some more, altered where that is sure: that decides.

    For where it is not sure, altering one check may make another fail, or a class of the program may have good reasons
    to equal both values. suspects: sites that held all the same. One that holds in every turn is forged.
    """
    outcome = _run(program, trial.as_written, trial, limits)
    if outcome.status is not Status.OK:
        return _blamed(outcome, trial)
    if not trial.found.sites:
        return UNALTERABLE
    surely = trial.found.surely | suspects
    tried, failed = set[int](), set[int]()
    for turn in range(max(TURNS, trial.repeats)):
        for variant in _pair(trial, surely, turn):
            outcome = _run(program, variant.code, trial, limits)
            wrong = _unlike(outcome, variant, trial, surely)
            if wrong:
                told = WORTHLESS.detail if wrong == FORGED else f"its results differ from run to run: {wrong}"
                return Outcome(status=Status.WRONG, detail=told)
            notes = read_notes(outcome.output)
            tried |= variant.altered & notes.keys()
            failed |= {number for number in variant.altered & notes.keys() if notes[number].failed}
    return WORTHLESS if tried - failed else Outcome(status=Status.OK)


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
    order = {"code": trial.as_written, "names": trial.names_alone}
    tests = CallTests(function="etalon_alone", inputs=(json.dumps(order),))
    [outcome] = run_program(guest.source("alone"), tests, ALONE_LIMITS)[:1]
    if outcome.status is Status.INFRASTRUCTURE:
        return outcome.detail
    found: str = json.loads(outcome.output) if outcome.status is Status.OK else str(outcome.status)
    _ALONE.put(trial.code, found)
    return found


def _notes_alone(trial: Trial) -> Notes:
    """What the checks note with something in the program's place; nothing if they do not come to their end."""
    known = _NOTES_ALONE.get(trial.code)
    if known is None:
        tree = bind_tools(altered(trial.found, frozenset(), random.Random(0)), trial.names)
        tests = AssertTests(code=guest.behind(tree, helpers=bool(trial.names.helpers)))
        [outcome] = run_program(guest.instead(trial.names_alone), tests, NOTES_LIMITS)[:1]
        known = read_notes(outcome.output) if outcome.status is Status.OK else {}
        if outcome.status is not Status.INFRASTRUCTURE:
            _NOTES_ALONE.put(trial.code, known)
    return known


# --- altered checks ---


@lru_cache(256)
def _kept(code: str) -> list[tuple[Variant, Variant]]:
    """Pairs of a problem that are made already."""
    return []


def _chosen(trial: Trial) -> list[Variant]:
    """Variants for one program: new ones, until there are enough to choose from."""
    kept = _kept(trial.code)
    if len(kept) < max(KEPT_PAIRS, 2 * trial.repeats):
        every = frozenset(range(len(trial.found.sites)))
        pairs = [_pair(trial, every) for _ in range(trial.repeats)]
        kept += pairs
    else:
        pairs = secrets.SystemRandom().sample(kept, trial.repeats)
    return [variant for pair in pairs for variant in pair]


def _pair(trial: Trial, which: frozenset[int], turn: int | None = None) -> tuple[Variant, Variant]:
    """Two variants of the checks: what one alters of `which` the other does not, and nobody can tell which does."""
    dice = random.Random(secrets.randbits(128))
    groups = [frozenset(group) for group in trial.found.groups if which.issuperset(group)]
    one = frozenset[int]().union(*(group for group in groups if dice.random() < 0.5))
    other = frozenset[int]().union(*groups) - one
    return _variant(trial, one, dice, turn), _variant(trial, other, dice, turn)


def _variant(trial: Trial, numbers: frozenset[int], dice: random.Random, turn: int | None) -> Variant:
    tree = bind_tools(altered(trial.found, numbers, dice, turn), trial.names)
    return Variant(code=guest.behind(tree, helpers=bool(trial.names.helpers)), altered=numbers)
