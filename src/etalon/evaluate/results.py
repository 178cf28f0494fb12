"""results.json: what an evaluation found, one row per benchmark, and how that stands to what was published.

A verdict against a published number says whether it lies inside our interval, or we are above or below. None is given
where more than MAX_MISSING of the samples failed, are undecided or not there: they are not like the others. A
problem that its own judge leaves out, whatever the response, is not missing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.evaluate.benchmarks.catalogue import Published
from etalon.evaluate.metrics import Row, Verdicts
from etalon.evaluate.store import RESULTS
from etalon.evaluate.task import Task, limit_of, part_of
from etalon.store import read_json, write_json_atomic
from etalon.types import Answers, Domain, Problem, Stop
from etalon.verifiers.code.verdict import judge_of
from etalon.verifiers.conventions import hint
from etalon.verifiers.instruct.rules.registry import checker as rules_checker

STATUS, REFUSED = re.compile(r"HTTP \d{3}"), re.compile(r"HTTP 4(?!08|25|29)\d\d")
ERROR_CHARS, MOST_ERRORS = 80, 8  # (ours)
MAX_MISSING = 0.01  # (ours) share of failed and undecided samples above which nothing is compared


def row_of(task: Task, numbers: Mapping[str, Any], *, model: str, metric: str) -> Row:
    """A benchmark's row. metric: of its `avg`, "avg" or "clr"; model: whose published score is looked for first."""
    told = {"name": task.name, "file": task.file, "sha256": task.sha256, "prompt_hash": task.prompt_hash}
    refused = refusal(numbers)
    refused = refused or part_of(task)
    compared = [_compared(one, numbers, metric, refused) for one in task.published]
    own = next((one for one in compared if _is_same_model(one["model"], model) and one["verdict"]), None)
    first = own or next((one for one in compared if one["verdict"]), None)
    return {
        **told,
        "answers": task.answers.value,
        "n": task.n,
        **numbers,
        **({"of": task.of} if limit_of(task) is not None else {}),
        **({"expected": task.expected} if task.expected not in (0, len(task.problems)) else {}),
        "domain": Counter(problem.domain.value for problem in task.problems).most_common(1)[0][0],
        "metric": metric,
        "temperature": task.params.temperature,
        "top_p": task.params.top_p,
        "max_tokens": task.params.max_tokens,
        **task.told,
        "published": compared,
        "verdict": first["verdict"] if first else None,
        **({"verdict_of": first["model"]} if first else {}),
        **({"verdict_refused": refused} if refused and compared else {}),
    }


def refusal(numbers: Mapping[str, Any]) -> str:
    """Why a score is compared with no other; "" when it may be. numbers: of `metrics.measure`."""
    undecided = numbers["undecided"] - numbers.get("left_out", 0)
    expected = numbers["samples"] + numbers["missing"]
    if not numbers["samples"] or numbers["avg"] is None:
        return "nothing was scored"
    if numbers["failed"] + undecided + numbers["missing"] > MAX_MISSING * expected:
        gone = f", {numbers['missing']} not there" if numbers["missing"] else ""
        what = f"{numbers['failed']} failed, {undecided} undecided{gone} of {expected} samples"
        return f"{what}: more than {MAX_MISSING:.0%}, and what is missing is seldom like the rest"
    return ""


def _compared(one: Published, numbers: Mapping[str, Any], metric: str, refused: str) -> Row:
    """A published score as a row has it, with the verdict where it is of the same metric."""
    verdict = None
    if one.metric == metric and not refused:
        verdict = against(one.score, numbers["low"], numbers["high"])
    return {name: value for name, value in asdict(one).items() if value not in (0, "")} | {"verdict": verdict}


def against(published: float, low: float, high: float) -> str:
    """Whether a published score lies inside our interval, or ours is above or below it."""
    return "above" if published < low else "below" if published > high else "inside"


def _is_same_model(published: str, model: str) -> bool:
    return published.casefold() in model.casefold()


def errors_of(verdicts: Verdicts) -> dict[str, int]:
    """Why samples failed, and how many of each kind: the status of a server, or the first words."""
    reasons = [
        one.reason.removeprefix("sampling_error: ") for own in verdicts.values() for one in own if one.has_failed
    ]
    kinds = (found[0] if (found := STATUS.search(reason)) else reason[:ERROR_CHARS] for reason in reasons)
    counts = Counter(kinds)
    most = dict(counts.most_common(MOST_ERRORS))
    return most | ({"others": counts.total() - sum(most.values())} if len(counts) > len(most) else {})


def unanswered(row: Mapping[str, Any]) -> int:
    """Failed samples of a row that may be answered when they are asked for again: what a server refuses will not."""
    return sum(count for kind, count in row.get("errors", {}).items() if not REFUSED.fullmatch(kind))


def warnings(task: Task, verdicts: Verdicts) -> Iterator[str]:
    """What a reader of the score must know: failed samples, undecided problems, answers stated in another way."""
    if limit_of(task) is None and (part := part_of(task)):
        yield part
    scored = [one for own in verdicts.values() for one in own]
    failed = [one for one in scored if one.stop is Stop.ERROR]
    if failed:
        first = failed[0].reason.removeprefix("sampling_error: ") or "not told"
        yield f"{len(failed)} of {len(scored)} responses failed; first error: {first}"
    if task.unread:
        yield f"{task.unread} rows of the log cannot be read: they count as missing"
    if missing := len(verdicts) * task.n - len(scored):
        yield f"{missing} of {len(verdicts) * task.n} samples are not there yet: the score is of a part"
    undecided = [own for own in verdicts.values() if own and not any(one.score is not None for one in own)]
    if undecided:
        reasons = [one.reason for own in undecided for one in own if one.stop is not Stop.ERROR]
        told = f"; first reason: {reasons[0]}" if reasons else ""
        yield f"{len(undecided)} of {len(verdicts)} problems undecided, left out of the score{told}"
    if not task.knows_cuts:
        yield "nobody tells which responses the token limit cut"
    if task.params.temperature == 0 and task.n > 1:
        yield f"at temperature 0 the {task.n} generations of a problem are one and the same; -n 1 says as much"
    others = Counter(Answers(one.other) for one in scored if one.other)
    if told := hint(sum(one.no_answer for one in scored), others):
        yield told


def checker(problems: Sequence[Problem]) -> str:
    """Who decides: "answers (math-verify 0.9.0)", "tests", the rules' checkers. A score is nothing without it."""
    found = dict.fromkeys(_decided_by(problem) for problem in problems)
    rules = [rule.id for problem in problems for rule in problem.rules]
    return "; ".join([*(one for one in found if one), *([rules_checker(rules)] if rules else [])])


def _decided_by(problem: Problem) -> str:
    if problem.domain in (Domain.MATH, Domain.FACTS):
        return f"answers (math-verify {metadata.version('math-verify')})"
    if problem.domain is Domain.STEM:
        return "options" if problem.options else f"answers (math-verify {metadata.version('math-verify')})"
    if problem.domain is Domain.CODE:
        return f"{judge_of(problem)}'s own judge" if judge_of(problem) else "tests"
    if problem.domain is Domain.CLAIMS:
        return "claims"
    return "a judge of rubrics" if problem.rubric else ""


def merged(folder: Path, head: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """What results.json will say: these rows in place of those of their names, the others as they are."""
    path = folder / RESULTS
    before = _readable(path)
    fresh = {row["name"]: row for row in rows}
    old = [row for row in before.get("benchmarks", []) if row["name"] not in fresh]
    started = before.get("started") or head["started"]
    return {**head, "started": started, "benchmarks": [*old, *rows]}


def _readable(path: Path) -> dict[str, Any]:
    """What a results.json says; nothing for one that is damaged: all of it can be made again."""
    try:
        found = read_json(path) if path.exists() else {}
    except InputError:
        return {}
    rows = found.get("benchmarks") if isinstance(found, dict) else None
    return found if isinstance(rows, list) and all(isinstance(row, dict) and "name" in row for row in rows) else {}


def write(folder: Path, results: Mapping[str, Any]) -> None:
    """results.json, whole or not at all."""
    write_json_atomic(folder / RESULTS, dict(results))
