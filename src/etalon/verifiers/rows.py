"""The verdict on a row: a JSON object in, a JSON object out, whatever the input. What `etalon verify` does per row.

    row -> problem (problems.formats, the reader of every command) + response -> verify -> {id, score, reason, ...}

A row that cannot be read gets score null and a reason that starts with "unreadable", and says which columns it has.
Nothing here raises on input.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats import BadReferenceError, Reading, read_row
from etalon.problems.formats.columns import IDS, first_of, reference_of, structured
from etalon.problems.texts import RESPONSES, num_texts, response_of, stop_of
from etalon.rows.bad import shown
from etalon.rows.files import BLANK, Row
from etalon.rows.mapping import AS_NAMED, ColumnMap, columns_found, missing, value_at
from etalon.rows.work import RowFunction
from etalon.sandbox import connect
from etalon.store import to_json
from etalon.types import Answers, Domain, Problem, Stop, Verdict, Verifier
from etalon.verifiers import reading_by, verify
from etalon.verifiers.conventions import hint, other_convention
from etalon.verifiers.instruct.verdict import rule_verifier

ROW_IDS = (
    *("custom_id", *IDS, "doc_id", "sample_id", "example_id", "ID", "Problem ID"),
    *("extra_info.id", "extra_info.uuid", "extra_info.index", "index", "idx"),
)
UNREADABLE = "unreadable: "
DECISIVE = ("answer", "response", "options", "tests", "rules")  # fields that a map must find
OTHER = "other_convention"  # of a line on its way to the counts: by which `--answers` its response has an answer

RowOut = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class VerifyRows:
    """`etalon verify` as a description that can travel: in this process, or on a cluster.

    domain: of rows that do not tell theirs. columns: other names of the columns.
    answers: the convention by which responses state their answers.
    sandbox: URL of a service for programs, "" is the machine itself. key_env: environment variable with the service's
    key, on the machine that asks. isolation: "plain" runs those of
    this machine without walls. is_checked: ask the service first; ConfigError when it does not answer.
    threads: rows at a time in one process.
    """

    domain: str | None = None
    columns: ColumnMap = AS_NAMED
    answers: Answers = Answers.BOXED
    sandbox: str = ""
    key_env: str = ""
    fork_each: bool = False
    isolation: str = "walls"
    is_checked: bool = False
    threads: int = 1

    def start(self) -> RowFunction:
        """Choose the sandbox of this process; the function gives one JSON line per row."""
        connect(
            self.sandbox, concurrency=self.threads, key_env=self.key_env, fork_each=self.fork_each,
            is_checked=self.is_checked, isolation=self.isolation,
        )  # fmt: skip
        return lambda row: to_json(self._told(row))

    def verdict(self, row: Row) -> RowOut:
        """The output row of one row of a file."""
        told = self._told(row)
        told.pop(OTHER, None)
        return told

    def _told(self, row: Row) -> RowOut:
        if row.columns is None:
            return _unreadable(None, row.why)
        for field, column in self.columns.pairs:
            if (
                field in DECISIVE
                and value_at(row.columns, column) is None
                and column.partition(".")[0] not in row.columns
            ):
                why = f"--map {field}={column}: the row has no such column; {columns_found(row.columns)}"
                return _unreadable(_row_id(row.columns), why)
        return _judged(self.columns.apply(row.columns), self.domain, self.answers)


def verify_row(row: Any, default_domain: str | None, answers: Answers = Answers.BOXED) -> RowOut:
    """The output row of one input row; what the row says of its domain wins over the default. Never raises."""
    verdict = _judged(row, default_domain, answers)
    verdict.pop(OTHER, None)
    return verdict


def _judged(row: Any, default_domain: str | None, answers: Answers) -> RowOut:
    """The output row, and under OTHER the convention by which a response has an answer that has none by this one."""
    if not isinstance(row, dict):
        return _unreadable(None, f"found {shown(row)}, expected a JSON object")
    row_id = _row_id(row)
    try:
        row = structured(row)
        row_id = _row_id(row)
        stop, order = _stop(row), _order(row)
        response = "" if stop is Stop.ERROR else _response(row)
        domain = None if default_domain is None else Domain(default_domain)
        _, problem = read_row(row, Reading(domain=domain, needs_question=False))
        verifier = _verifier(row, problem) or reading_by(answers)
    except BadReferenceError as error:
        return {**_unreadable(row_id, ""), "reason": f"bad_reference: {error}"}
    except (InputError, RecursionError) as error:
        why, found = str(error) or "nested too deep", columns_found(row)
        return _unreadable(row_id, why if "columns found" in why else f"{why}; {found}")
    verdict = verify(problem, response, stop=stop, verifier=verifier, order=order)
    return {
        "id": row_id,
        "score": verdict.score,
        "reason": verdict.reason,
        "extracted": verdict.extracted,
        "seconds": round(verdict.seconds, 6),
        **_other_convention(problem, response, verdict, answers),
    }


def _other_convention(problem: Problem, response: str, verdict: Verdict, answers: Answers) -> dict[str, str]:
    other = other_convention(problem, response, answers) if verdict.gave_none else None
    return {} if other is None else {OTHER: other.value}


def unreadable(row: Mapping[str, Any]) -> str:
    """Why an output row says that its row could not be read; "" when it could, or was blank and is no row."""
    reason = str(row["reason"])
    why = reason.removeprefix(UNREADABLE) if row["score"] is None and reason.startswith(UNREADABLE) else ""
    return "" if why == BLANK else why


def is_blank(row: Mapping[str, Any]) -> bool:
    """Whether an output row stands for a blank line."""
    return bool(row["reason"] == UNREADABLE + BLANK)


def _row_id(row: Mapping[str, Any]) -> Any:
    """The first id of the row as it came, as text where strict JSON could not hold it; None when it has none."""
    row_id = next((found for name in ROW_IDS if (found := value_at(row, name)) is not None), None)
    try:
        return row_id if row_id is None or isinstance(row_id, str | int) else json.dumps(row_id)
    except (ValueError, RecursionError):
        return None


def _unreadable(row_id: Any, reason: str) -> RowOut:
    return {"id": row_id, "score": None, "reason": UNREADABLE + reason, "extracted": None, "seconds": 0.0}


def _response(row: Mapping[str, Any]) -> str:
    response = response_of(row)
    if response is not None:
        return response
    if (name := first_of(row, RESPONSES)) and (count := num_texts(row[name])) > 1:
        one = f"a row is judged by one; write a row for each, or pick one: --map response={name}.0"
        raise InputError(f"{name}: found {count} responses, and {one}")
    if name:
        raise InputError(f"{name}: found {shown(row[name])}, expected text")
    raise missing(row, "response", *(["answer"] if reference_of(row) is None else []))


def _stop(row: Mapping[str, Any]) -> Stop:
    stop = row.get("stop")
    if stop is None:
        return stop_of(row)
    if not isinstance(stop, str) or stop not in list(Stop):
        raise InputError(f"stop: found {shown(stop)}, expected one of {', '.join(Stop)}")
    return Stop(stop)


def _order(row: Mapping[str, Any]) -> list[str] | None:
    """How the sample was shown the options: the letters, as a list or as one word ("CAB")."""
    order = row.get("order")
    if isinstance(order, str):
        order = list(order)
    if order is not None and not (isinstance(order, list) and all(isinstance(letter, str) for letter in order)):
        raise InputError(f"order: found {shown(order)}, expected the letters of the options")
    return order or None


def _verifier(row: Mapping[str, Any], problem: Problem) -> Verifier | None:
    """How an instruct row wants its rules applied; other domains, and rubrics, have one way."""
    if problem.domain is not Domain.INSTRUCT:
        return None
    match row.get("mode") or "strict":
        case "strict" if problem.rubric:
            return None
        case "strict" | "loose" as mode:
            return rule_verifier(mode=mode)
        case "fraction":
            return rule_verifier(reward="fraction")
        case "loose-fraction":
            return rule_verifier(mode="loose", reward="fraction")
        case other:
            raise InputError(f"mode: found {shown(other)}, expected strict, loose, fraction or loose-fraction")


class Tally:
    """Counts output rows: right, wrong, partial, and undecided by reason; undecided is never wrong. As text, a line.

    hint: a line about rows without an answer that have one by another convention, "" when there are none.
    """

    def __init__(self) -> None:
        self._unanswered, self._others = 0, Counter[Answers]()
        self.outcomes: Counter[str] = Counter()
        self.undecided: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row; a reason counts up to its first colon."""
        score = row["score"]
        self._unanswered += row["reason"] == "no_answer"
        if other := row.get(OTHER):
            self._others[Answers(other)] += 1
        names = {None: "undecided", 1.0: "right", 0.0: "wrong"}
        self.outcomes[names.get(score, "partial")] += 1
        if score is None:
            self.undecided[str(row["reason"]).partition(":")[0]] += 1

    @property
    def hint(self) -> str:
        return hint(self._unanswered, self._others)

    def __str__(self) -> str:
        counts = ", ".join(f"{self.outcomes[name]} {name}" for name in ("right", "wrong", "partial", "undecided"))
        why = ", ".join(f"{reason} {count}" for reason, count in self.undecided.most_common())
        return f"{self.outcomes.total()} rows: {counts}{f' ({why})' if why else ''}"
