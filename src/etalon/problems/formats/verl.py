"""verl's columns, which VibeThinker's own files use: {prompt: [messages], reward_model: {ground_truth}, ability}.

`ground_truth` is text, an integer (AIME25) or JSON in text: '["72"]' (Skywork), {inputs, outputs} (Eurus, code).
`extra_info.index` counts per file, so it is no id: the content is hashed instead. A question that lists lettered
options and whose truth is one of the letters is multiple choice (VibeThinker's GPQA file calls it math).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError
from etalon.problems.cases import BadRowError, read_tests
from etalon.problems.formats.columns import IDS, KINDS, TRUTH, gold, only, row_id
from etalon.problems.formats.foreign import without_frame
from etalon.problems.formats.reading import Reading
from etalon.problems.options import listed_options
from etalon.rows.bad import shown
from etalon.types import Domain, Problem

ABILITIES = {name: domain for name, domain in KINDS.items() if domain is not Domain.INSTRUCT}
TEST_KEYS = (
    *("inputs", "outputs", "fn_name", "compare", "checker", "language", "time_limit_s", "memory_limit_mb"),
    *("assert_code", "assert_case", "entry_point"),
)


def recognises(row: Mapping[str, Any]) -> bool:
    return "prompt" in row and "reward_model" in row and ("ability" in row or "answer" not in row)


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    reward_model = row["reward_model"]
    truth = reward_model.get("ground_truth") if isinstance(reward_model, dict) else None
    ability = row.get("ability")
    domain = ABILITIES.get(ability.lower()) if isinstance(ability, str) else reading.domain
    if domain is None and ability is None:
        are_tests = isinstance(truth, dict) or (isinstance(truth, str) and truth.startswith('{"'))
        domain = Domain.CODE if are_tests else Domain.MATH
    if domain is None:
        raise InputError(f"ability: found {shown(ability)}, expected one of {', '.join(ABILITIES)}")
    if truth is None and reading.needs_reference:
        raise InputError(f"reward_model: found {shown(reward_model)}, expected {{ground_truth, style}}")
    is_code = domain is Domain.CODE
    question = _question(row["prompt"])
    answer = None if is_code or truth is None else gold(TRUTH, only(truth))
    options = listed_options(without_frame(question)) if answer else {}
    if answer not in options:
        options = {}
    domain = Domain.STEM if options else domain
    return Problem(
        id=row_id(row, *IDS),
        domain=domain,
        prompt=reading.asked(question, domain, has_options=bool(options)),
        answer=answer,
        options=options or None,
        shuffle=bool(options),
        tests=_tests(truth) if is_code and truth is not None else None,
        skill=domain.value,
        source=str(row.get("data_source") or ""),
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
        tests = json.loads(truth) if isinstance(truth, str) else truth
    except ValueError:
        raise InputError(f"reward_model.ground_truth: found {shown(truth)}, {expected}") from None
    if not isinstance(tests, dict):
        raise InputError(f"reward_model.ground_truth: found {shown(truth)}, {expected}")
    try:
        tests = read_tests({name: tests[name] for name in TEST_KEYS if tests.get(name) is not None})
    except BadRowError:
        raise InputError(f"reward_model.ground_truth: found {shown(truth)}, {expected}") from None
    is_even = 0 < len(tests.get("inputs", ())) == len(tests["outputs"]) if "inputs" in tests else False
    if not is_even and not isinstance(tests.get("assert_code"), str):
        raise InputError(f"reward_model.ground_truth: found {shown(truth)}, {expected}")
    return tests
