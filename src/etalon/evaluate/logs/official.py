"""A second opinion on programs: LiveCodeBench's own checker, run as a program and compared verdict by verdict.

    samples -> programs as extracted here -> lcb-programs.json -> lcb_runner.runner.custom_evaluator
            -> lcb-programs_codegeneration_output_eval_all.json -> Comparison with our verdicts

Their checker is asked for one release, all of its problems, and equally many programs for each; where there are fewer,
empty programs stand, and their verdicts are left out. It runs programs without walls, with the rights of whoever calls:
variables of the environment that are named like secrets are withheld, nothing else is.
"""

from __future__ import annotations

import math
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.evaluate.logs import read_log
from etalon.evaluate.logs.disagreement import Why, likely_reason
from etalon.evaluate.logs.livecodebench import DETAIL, fenced
from etalon.evaluate.store import Key, Sample, Scored
from etalon.processes.children import Child, secrets
from etalon.store import write_json_atomic
from etalon.types import Domain, Problem, Rollout, Stop, Verdict
from etalon.verifiers import verify_all
from etalon.verifiers.code.programs import Program, extract
from etalon.verifiers.code.suite import BadTestsError, TestSuite, read_tests

MODULE = "lcb_runner.runner.custom_evaluator"
PROGRAMS, LOG = "lcb-programs.json", "lcb.log"
JUDGED = "lcb-programs_codegeneration_output_eval_all.json"
COUNTS = ("both_right", "both_wrong", "only_ours", "only_theirs", "undecided", "missing")  # of a `Comparison`
INTERPRETERS = (".venv/bin/python", "venv/bin/python")
_ASK = "import os, lcb_runner; print(os.path.dirname(list(lcb_runner.__path__)[0]))"


@dataclass(frozen=True, kw_only=True)
class Release:
    """What their checker loads: a release, and of it the contests between two dates (YYYY-MM-DD), both included."""

    name: str = "release_latest"
    start_date: str = ""
    end_date: str = ""


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One program on which the verdicts differ. ours: None is undecided. said: their words, "" where they have none."""

    id: str
    index: int
    ours: float | None
    theirs: bool
    why: Why
    reason: str
    said: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two opinions on the same programs. only_ours, only_theirs: right by one alone; undecided: by us.

    avg: Pass@1 by their verdicts, 0..1, the mean over problems; None where they say nothing of any program.
    """

    both_right: int
    both_wrong: int
    only_ours: int
    only_theirs: int
    undecided: int
    missing: int  # programs that they say nothing of
    avg: float | None
    disagreements: tuple[Disagreement, ...]

    @property
    def reasons(self) -> Counter[Why]:
        """How often each likely reason stands behind a disagreement."""
        return Counter(one.why for one in self.disagreements)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A sample without its text: the program that it came to, and why it ended."""

    program: Program | None
    stop: Stop

    @property
    def text(self) -> str:
        """What their checker is given: Python, or nothing."""
        return self.program.text if self.program and self.program.language == "python" else ""


def official_lcb(
    place: Path,
    samples: Iterable[Sample],
    problems: Sequence[Problem],
    *,
    out: Path,
    workers: int,
    release: Release | None = None,
    scored: Mapping[Key, Scored] | None = None,
) -> Comparison:
    """What LiveCodeBench's own checker says of samples, compared with our verdicts.

    Args:
        place: a clone of its repository with a virtual environment in it, or an interpreter that has lcb_runner.
        problems: all of the release and its window, in any order.
        out: folder of the programs, of its log and of its verdicts.
        workers: programs at a time, there and here.
        scored: our verdicts, where they are there already; without them the programs are checked here, too.

    Raises InputError where there is no such interpreter or a problem has no tests, RunError, with its last lines, where
    their checker fails.
    """
    suites = {problem.id: _suite(problem) for problem in problems}
    asked = _asked(samples, suites)
    if not asked:
        raise InputError("official LiveCodeBench checker: there are no samples of these problems")
    out.mkdir(parents=True, exist_ok=True)
    _run(place, _code_lists(asked, problems), out, workers, release or Release())
    log = read_log(out / JUDGED, problems=problems)
    theirs = {sample.key: sample for sample in log.samples if sample.key in asked}
    ours = _verdicts(asked, problems, workers) if scored is None else scored
    return _compared(asked, ours, theirs, suites)


def _suite(problem: Problem) -> TestSuite:
    try:
        if problem.domain is Domain.CODE and problem.tests:
            return read_tests(problem.tests, problem.prompt)
    except BadTestsError as error:
        raise InputError(f"problem {problem.id}: {error}") from None
    raise InputError(f"problem {problem.id}: has no tests; name LiveCodeBench's problems")


def _asked(samples: Iterable[Sample], suites: Mapping[str, TestSuite]) -> dict[Key, _Asked]:
    found = {}
    for sample in samples:
        if (suite := suites.get(sample.id)) is not None and not sample.has_failed:
            found[sample.key] = _Asked(program=extract(sample.text, suite.languages, suite.tested), stop=sample.stop)
    return found


def _code_lists(asked: Mapping[Key, _Asked], problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Their checker's input: its order is that of the ids, and every list is equally long."""
    most = 1 + max(index for _, index in asked)
    programs: dict[str, list[str]] = defaultdict(lambda: [""] * most)
    for (name, index), one in asked.items():
        programs[name][index] = one.text
    return [{"question_id": name, "code_list": programs[name]} for name in sorted(one.id for one in problems)]


def _run(place: Path, code_lists: Sequence[Mapping[str, Any]], out: Path, workers: int, release: Release) -> None:
    interpreter, folder = find_checker(place)
    programs = out.absolute() / PROGRAMS
    write_json_atomic(programs, list(code_lists))
    (out / JUDGED).unlink(missing_ok=True)
    dates = {"--start_date": release.start_date, "--end_date": release.end_date}
    command = [
        *(str(interpreter), "-m", MODULE, "--custom_output_file", str(programs)),
        *("--release_version", release.name, "--num_process_evaluate", str(workers)),
        *(part for name, value in dates.items() if value for part in (name, value)),
    ]
    with Child(command, log=out.absolute() / LOG, withheld=secrets(), folder=folder) as child:
        child.wait(name=f"{MODULE} ({release.name}, {len(code_lists)} problems)")
    if not (out / JUDGED).is_file():
        raise InputError(f"{out / JUDGED}: the checker ended well and did not write it; another version of lcb_runner?")


def find_checker(place: Path) -> tuple[Path, Path]:
    """The interpreter and the clone's folder, in which their checker must run: it opens files by relative names.

    InputError, in one line, where there is none.
    """
    if place.is_dir():
        python = next((place / name for name in INTERPRETERS if (place / name).is_file()), None)
        if python is None or not (place / "lcb_runner").is_dir():
            raise InputError(f"{place}: expected a clone of LiveCodeBench with lcb_runner and .venv/bin/python in it")
        return python.absolute(), place.absolute()
    try:
        answer = subprocess.run([str(place.absolute()), "-c", _ASK], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        answer = None
    if answer is None or answer.returncode:
        raise InputError(f"{place}: expected a clone of LiveCodeBench, or a Python interpreter that imports lcb_runner")
    return place.absolute(), Path(answer.stdout.strip())


def _verdicts(asked: Mapping[Key, _Asked], problems: Sequence[Problem], workers: int) -> dict[Key, Verdict]:
    """Our verdicts on the programs."""
    by_id = {problem.id: problem for problem in problems}
    items = [(by_id[key[0]], _rollout(key, one)) for key, one in asked.items()]
    return dict(zip(asked, verify_all(items, workers), strict=True))


def _rollout(key: Key, one: _Asked) -> Rollout:
    text = fenced(one.program.text, one.program.language) if one.program else ""
    return Rollout(problem_id=key[0], index=key[1], text=text, stop=one.stop, num_tokens=0)


def _compared(
    asked: Mapping[Key, _Asked],
    ours: Mapping[Key, Verdict] | Mapping[Key, Scored],
    theirs: Mapping[Key, Sample],
    suites: Mapping[str, TestSuite],
) -> Comparison:
    counts: Counter[str] = Counter()
    rights: dict[str, list[bool]] = defaultdict(list)
    found = []
    for key, one in asked.items():
        other, own = theirs.get(key), ours.get(key)
        if other is None or other.theirs is None or own is None:
            counts["missing"] += 1
            continue
        is_right = other.theirs >= 1.0
        rights[key[0]].append(is_right)
        mine = None if own.score is None else own.score >= 1.0
        counts[_OUTCOMES[mine, is_right]] += 1
        if mine is not is_right:
            told = (other.detail or {}).get(DETAIL, {})
            why = likely_reason(one.program, own.score, own.reason, told, suites[key[0]].compare)
            found.append(
                Disagreement(id=key[0], index=key[1], ours=own.score, theirs=is_right, why=why, reason=own.reason,
                             said=str(told.get("error_message") or told.get("error") or ""))
            )  # fmt: skip
    means = [sum(own) / len(own) for own in rights.values()]
    avg = math.fsum(means) / len(means) if means else None
    return Comparison(**{name: counts[name] for name in COUNTS}, avg=avg, disagreements=tuple(found))


_OUTCOMES: Mapping[tuple[bool | None, bool], str] = {
    (True, True): "both_right",
    (False, False): "both_wrong",
    (True, False): "only_ours",
    (False, True): "only_theirs",
    (None, True): "undecided",
    (None, False): "undecided",
}
