"""verl's columns, which VibeThinker's own files use: {prompt: [messages], reward_model: {ground_truth}, ability}.

`ground_truth` is text, an integer (AIME25) or JSON in text: '["72"]' (Skywork), {inputs, outputs} (Eurus, code).
`extra_info.index` counts per file, so it is no id: the content is hashed instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError
from etalon.problems.cases import BadRowError, read_tests
from etalon.problems.formats.columns import gold
from etalon.problems.instructions import with_instruction
from etalon.problems.rows import shown
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
    *("assert_code", "assert_case"),
)


def recognises(row: Mapping[str, Any]) -> bool:
    return "prompt" in row and "reward_model" in row


def read(row: Mapping[str, Any], prompts: str) -> Problem:
    ability = row.get("ability")
    domain = ABILITIES.get(ability.lower()) if isinstance(ability, str) else None
    if domain is None:
        raise InputError(f"ability: found {shown(ability)}, expected one of {', '.join(ABILITIES)}")
    reward_model = row["reward_model"]
    if not isinstance(reward_model, dict) or reward_model.get("ground_truth") is None:
        raise InputError(f"reward_model: found {shown(reward_model)}, expected {{ground_truth, style}}")
    truth = reward_model["ground_truth"]
    is_code = domain is Domain.CODE
    return Problem(
        id="",
        domain=domain,
        prompt=with_instruction(_question(row["prompt"]), domain, prompts=prompts),
        answer=None if is_code else gold("reward_model.ground_truth", _only(truth)),
        tests=_tests(truth) if is_code else None,
        skill=domain.value,
        source=str(row.get("data_source") or ""),
    )


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


def _only(truth: object) -> object:
    """The text in '["72"]'; anything else as it is ("[1, 2]" is an interval, not a list of golds)."""
    if isinstance(truth, str) and truth.startswith('["'):
        try:
            values = json.loads(truth)
        except ValueError:
            return truth
        if isinstance(values, list) and len(values) == 1:
            return values[0]
    return truth


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
