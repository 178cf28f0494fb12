"""verl's columns, which VibeThinker's own files use: {prompt: [messages], reward_model: {ground_truth}, ability}.

`ground_truth` is text, an integer (AIME25) or JSON in text: '["72"]' (Skywork), {inputs, outputs} (Eurus, code).
`extra_info.index` counts per file, so it is no id: the content is hashed instead. A question that lists lettered
options and whose truth is one of the letters is multiple choice (VibeThinker's GPQA file calls it math).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from etalon.errors import InputError
from etalon.problems.cases import BadRowError, read_tests
from etalon.problems.formats.columns import IDS, TRUTH, gold, only, row_id
from etalon.problems.formats.reading import Reading
from etalon.problems.instructions import instruction
from etalon.rows.bad import shown
from etalon.types import Domain, Problem

ABILITIES = {
    "math": Domain.MATH,
    "code": Domain.CODE,
    "coding": Domain.CODE,
    "stem": Domain.STEM,
    "science": Domain.STEM,
}
TEST_KEYS = (
    *("inputs", "outputs", "fn_name", "compare", "checker", "language", "time_limit_s", "memory_limit_mb"),
    *("assert_code", "assert_case", "entry_point"),
)
_OPTION = re.compile(r"^[ \t]*\(?([A-Z])[.)][ \t]+", re.MULTILINE)


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
    options = _options(question.replace(instruction(Domain.STEM, has_options=True, prompts=reading.prompts), "\n\n"))
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


def _options(question: str) -> dict[str, str]:
    """The last run of lines "A. ..", "B. .." of a question; an option ends at a blank line at the latest."""
    markers = list(_OPTION.finditer(question))
    first = max((i for i, marker in enumerate(markers) if marker[1] == "A"), default=len(markers))
    run = [m for m, letter in zip(markers[first:], ascii_uppercase, strict=False) if m[1] == letter]
    if len(run) < 2:
        return {}
    ends = [*(m.start() for m in run[1:]), len(question)]
    contents = [question[m.end() : end].strip().partition("\n\n")[0].strip() for m, end in zip(run, ends, strict=True)]
    return dict(zip(ascii_uppercase, contents, strict=False)) if all(contents) else {}


def _question(prompt: object) -> str:
    """The user's message, after the system message if there is one (Eurus)."""
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
    return "\n\n".join(message["content"].strip() for message in messages)


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
