"""verl's columns, which VibeThinker's own files use: {prompt: [messages], reward_model: {ground_truth}, ability}.

`ground_truth` is text, an integer (AIME25) or JSON in text: '["72"]' (Skywork), {inputs, outputs} (Eurus, code).
`extra_info.index` counts per file, so it is no id: the content is hashed instead. A question that lists lettered
options and whose truth is one of the letters is multiple choice (VibeThinker's GPQA file calls it math).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from etalon.errors import InputError, LeftOutError
from etalon.problems.cases import BadRowError, NoTestsError, read_json, read_tests
from etalon.problems.constraints import constraints_in
from etalon.problems.formats.columns import IDS, KINDS, TRUTH, gold, only, row_id, source_of
from etalon.problems.formats.foreign.programs import task_in
from etalon.problems.formats.foreign.questions import without_frame
from etalon.problems.formats.programs import completed
from etalon.problems.formats.reading import Reading
from etalon.problems.formats.references import hidden, rules
from etalon.problems.given.solutions import given_programs
from etalon.problems.options import can_shuffle
from etalon.rows.bad import shown
from etalon.types import Domain, Problem

ABILITIES = {name: domain for name, domain in KINDS.items() if domain is not Domain.INSTRUCT}
IN_EXTRA = ("reference", "solution", "canonical_solution")  # columns of extra_info with a program that is right


def recognises(row: Mapping[str, Any]) -> bool:
    return "prompt" in row and "reward_model" in row and ("ability" in row or "answer" not in row)


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    reward_model = row["reward_model"]
    truth = reward_model.get("ground_truth") if isinstance(reward_model, dict) else None
    ability = row.get("ability")
    for place in (truth, row.get("extra_info"), row):
        if constraints := constraints_in(place):
            return _instructed(row, constraints)
    domain = ABILITIES.get(ability.lower()) if isinstance(ability, str) else reading.domain
    if domain is None and ability is None:
        are_tests = isinstance(truth, dict) or (isinstance(truth, str) and truth.startswith('{"'))
        domain = Domain.CODE if are_tests else Domain.MATH
    if domain is None:
        raise InputError(f"ability: found {shown(ability)}, expected one of {', '.join(ABILITIES)}")
    if truth is None and reading.needs_reference:
        raise InputError(f"reward_model: found {shown(reward_model)}, expected {{ground_truth, style}}")
    question = _question(row["prompt"])
    if domain is Domain.CODE:
        return _program(row, question, None if truth is None else _tests(truth), reading)
    answer = None if truth is None else gold(TRUTH, only(truth))
    is_letter = answer is not None and len(answer) == 1 and answer.isupper()
    found = hidden(without_frame(question), answer, is_choice=False) if is_letter or domain is Domain.STEM else None
    domain = Domain.STEM if found else domain
    problem = Problem(
        id=row_id(row, *IDS),
        domain=domain,
        prompt=reading.asked(question, domain, has_options=found is not None),
        answer=found.letter(answer) if found else answer,
        options=found.shown if found else None,
        skill=domain.value,
        source=str(row.get("data_source") or ""),
    )
    return replace(problem, shuffle=found is not None and can_shuffle(problem))


def _program(row: Mapping[str, Any], question: str, tests: dict[str, Any] | None, reading: Reading) -> Problem:
    task = task_in(question)
    extra = row.get("extra_info")
    known = {"solutions": [extra.get(name) for name in IN_EXTRA]} if isinstance(extra, dict) else {}
    apart = task.starter if reading.is_template else ""
    question = completed(task.question, tests or {}, starter=task.starter, apart=apart, row={})
    return Problem(
        id=row_id(row, *IDS),
        domain=Domain.CODE,
        prompt=reading.asked(question, Domain.CODE, starter=apart),
        tests=tests,
        skill=Domain.CODE.value,
        source=source_of(row),
        solutions=given_programs(known),
    )


def _instructed(row: Mapping[str, Any], constraints: tuple[list[str], list[Any]]) -> Problem:
    ids, kwargs = constraints
    return Problem(
        id=row_id(row, *IDS),
        domain=Domain.INSTRUCT,
        prompt=_question(row["prompt"]),
        rules=rules({"instruction_id_list": ids, "kwargs": kwargs}),
        skill=Domain.INSTRUCT.value,
        source=source_of(row),
    )


def _question(prompt: object) -> str:
    """The user's message; a system message before it belongs to the model that it was written for (Eurus)."""
    if isinstance(prompt, str) and prompt.strip():
        return prompt
    messages = prompt if isinstance(prompt, list) else []
    if not all(isinstance(message, dict) and isinstance(message.get("content"), str) for message in messages):
        raise InputError(f"prompt: found {shown(prompt)}, expected a list of {{role, content}}")
    roles = [message.get("role") for message in messages]
    if roles not in (["user"], ["system", "user"]):
        raise InputError(
            f"prompt: found messages of {shown(roles)}, expected one user message, after at most one system"
        )
    return str(messages[-1]["content"]).strip()


def _tests(truth: object) -> dict[str, Any]:
    expected = "expected {inputs, outputs} or {assert_code}, as an object or as JSON text"
    try:
        tests = read_json("ground_truth", truth)
        if isinstance(tests, dict):
            tests = {name: value for name, value in tests.items() if value is not None}
            if not tests:
                raise NoTestsError("nothing but nulls")
        return read_tests(tests)
    except NoTestsError as error:
        raise LeftOutError(f"{TRUTH}: found {shown(truth)} ({error})") from None
    except BadRowError as error:
        raise InputError(f"{TRUTH}: found {shown(truth)}, {expected} ({error})") from None
