"""Rows of `etalon verify`: a JSON object in, a JSON object out, in order, whatever the input.

    line -> JSON -> problem_of(row) -> verify -> {id, score, reason, extracted, seconds}

A row that cannot be read gets score null and a reason that starts with "unreadable". Nothing here raises on input.
"""

from __future__ import annotations

import json
import string
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from etalon.problems.cases import BadRowError, has_tests, read_tests
from etalon.types import Domain, Problem, Rule, Stop, Verifier
from etalon.verifiers import verify
from etalon.verifiers.instruct.verdict import rule_verifier

AHEAD = 16  # (ours) rows read ahead per worker

RowOut = dict[str, Any]


class BadReferenceError(BadRowError):
    """What the response is held against cannot be used; the row itself can be read."""


def verify_lines(lines: Iterable[str], domain: str | None, workers: int) -> Iterator[RowOut]:
    """One output row per line, in order, from `workers` threads; lines are read only a little ahead."""
    waiting: deque[Future[RowOut]] = deque()
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="verify") as threads:
        for line in lines:
            waiting.append(threads.submit(_verify_line, line, domain))
            if len(waiting) >= AHEAD * max(1, workers):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _verify_line(line: str, domain: str | None) -> RowOut:
    if not line.strip():
        return _unreadable(None, "the line is blank")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return _unreadable(None, f"not JSON: {error}")
    return verify_row(row, domain)


def verify_row(row: Any, default_domain: str | None) -> RowOut:
    """The output row of one input row; `domain` in the row wins over the default. Never raises."""
    if not isinstance(row, dict):
        return _unreadable(None, "not a JSON object")
    row_id = _printable(row.get("id"))
    try:
        problem = problem_of(row, default_domain)
        response, stop, order = _response(row), _stop(row), _order(row)
        verifier = _verifier(row, problem)
    except BadReferenceError as error:
        return {**_unreadable(row_id, ""), "reason": f"bad_reference: {error}"}
    except (BadRowError, RecursionError) as error:
        return _unreadable(row_id, str(error))
    verdict = verify(problem, response, stop=stop, verifier=verifier, order=order)
    return {
        "id": row_id,
        "score": verdict.score,
        "reason": verdict.reason,
        "extracted": verdict.extracted,
        "seconds": round(verdict.seconds, 6),
    }


def problem_of(row: Mapping[str, Any], default_domain: str | None) -> Problem:
    """The problem that a row describes, with the reference fields of its domain; raises BadRowError."""
    name = row.get("domain") or default_domain
    if not isinstance(name, str) or name not in list(Domain):
        raise BadRowError(
            f"domain: found {name!r}, expected one of {', '.join(Domain)} (--domain names one for all rows)"
        )
    domain = Domain(name)
    prompt = row.get("prompt")
    return Problem(
        id=str(row.get("id", "")),
        domain=domain,
        prompt=prompt if isinstance(prompt, str) else "",
        answer=_answer(row) if domain not in (Domain.CODE, Domain.INSTRUCT) else None,
        options=_options(row) if domain is Domain.STEM else None,
        tests=_tests(row) if domain is Domain.CODE else None,
        rules=_rules(row) if domain is Domain.INSTRUCT else (),
    )


def _printable(row_id: Any) -> Any:
    """The id as it came, unless strict JSON could not hold it."""
    return row_id if row_id is None or isinstance(row_id, str | int) else json.dumps(row_id)


def _unreadable(row_id: Any, reason: str) -> RowOut:
    return {"id": row_id, "score": None, "reason": f"unreadable: {reason}", "extracted": None, "seconds": 0.0}


def _response(row: Mapping[str, Any]) -> str:
    response = row.get("response")
    if not isinstance(response, str):
        raise BadRowError("response: missing, or not text")
    return response


def _stop(row: Mapping[str, Any]) -> Stop:
    stop = row.get("stop", Stop.EOS)
    if not isinstance(stop, str) or stop not in list(Stop):
        raise BadRowError(f"stop: found {stop!r}, expected one of {', '.join(Stop)}")
    return Stop(stop)


def _order(row: Mapping[str, Any]) -> list[str] | None:
    """How the sample was shown the options: the letters, as a list or as one word ("CAB")."""
    order = row.get("order")
    if isinstance(order, str):
        order = list(order)
    if order is not None and not (isinstance(order, list) and all(isinstance(letter, str) for letter in order)):
        raise BadRowError(f"order: found {order!r}, expected the letters of the options")
    return order or None


def _answer(row: Mapping[str, Any]) -> str:
    answer = row.get("answer")
    options = row.get("options", row.get("choices"))
    if isinstance(answer, int) and not isinstance(answer, bool) and isinstance(options, list):
        if not 0 <= answer < len(options):
            raise BadRowError(f"answer: found {answer}, expected the position of an option from 0")
        return string.ascii_uppercase[answer]
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return str(answer)
    if not isinstance(answer, str):
        raise BadRowError("answer: missing, or neither text nor a number")
    return answer


def _options(row: Mapping[str, Any]) -> dict[str, str] | None:
    options = row.get("options", row.get("choices"))
    if options is None:
        return None
    if isinstance(options, list):
        if len(options) > len(string.ascii_uppercase):
            raise BadRowError(f"options: found {len(options)}, more than there are letters")
        options = dict(zip(string.ascii_uppercase, options, strict=False))
    if not isinstance(options, dict) or not options:
        raise BadRowError("options: expected an object of letter to content")
    if not all(isinstance(content, str | int | float) for content in options.values()):
        raise BadRowError("options: found a content that is neither text nor a number")
    return {letter: str(content) for letter, content in options.items()}


def _tests(row: Mapping[str, Any]) -> dict[str, Any]:
    """The `tests` of a row, or columns of the field that hold tests."""
    tests = row.get("tests")
    if tests is None and has_tests(row):
        return read_tests(row)
    read = read_tests(tests)
    if "assert_code" in read and isinstance(row.get("entry_point"), str):
        read.setdefault("entry_point", row["entry_point"])
    return read


def _rules(row: Mapping[str, Any]) -> tuple[Rule, ...]:
    rules = row.get("rules")
    if rules is None and isinstance(row.get("instruction_id_list"), list):
        ids, kwargs = row["instruction_id_list"], row.get("kwargs")
        kwargs = [{}] * len(ids) if kwargs is None else kwargs
        if not isinstance(kwargs, list) or len(kwargs) != len(ids):
            found = f"{len(kwargs)} entries" if isinstance(kwargs, list) else f"{kwargs!r:.60}"
            raise BadReferenceError(f"kwargs: found {found}, expected one object for each of {len(ids)} instructions")
        rules = [{"id": id_, "kwargs": arguments} for id_, arguments in zip(ids, kwargs, strict=True)]
    if not isinstance(rules, list) or not rules:
        raise BadRowError("rules: missing, or not a list of {id, kwargs}")
    return tuple(_rule(rule) for rule in rules)


def _rule(rule: Any) -> Rule:
    if not isinstance(rule, dict) or not isinstance(rule.get("id"), str):
        raise BadRowError("rules: expected {id, kwargs}")
    kwargs = rule.get("kwargs")
    return Rule(id=rule["id"], kwargs={} if kwargs is None else kwargs)  # what is no object is a bad reference there


def _verifier(row: Mapping[str, Any], problem: Problem) -> Verifier | None:
    """How an instruct row wants its rules applied; other domains have one way."""
    if problem.domain is not Domain.INSTRUCT:
        return None
    match row.get("mode") or "strict":
        case "strict" | "loose" as mode:
            return rule_verifier(mode=mode)
        case "fraction":
            return rule_verifier(reward="fraction")
        case "loose-fraction":
            return rule_verifier(mode="loose", reward="fraction")
        case other:
            raise BadRowError(f"mode: found {other!r}, expected strict, loose, fraction or loose-fraction")
