"""Reference programs of a row, whatever their column is called: the Python ones, as responses.

completion | code | canonical_solution | solution | gold_standard_solution     one, bare or in a fence
solutions    a list, also as JSON text (APPS); {language: [3, ...], solution: [...]} (CodeContests)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from etalon.problems.cases import BadRowError, read_json
from etalon.problems.syntax import parse

SINGLE = ("completion", "code", "canonical_solution", "solution", "gold_standard_solution", "ground_truth_solution")
PYTHON = (3, "3", "PYTHON3", "PYTHON", "PYPY3")  # CodeContests: 3 is Python 3, 1 Python 2, which does not parse
MOST = 16  # (ours) of one problem: TACO has hundreds
MOST_CHARACTERS = 1 << 17  # (ours) of a program
_FENCED = re.compile(r"```(?:python3?|py)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_ACTS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.For, ast.While, ast.If, ast.Call)


def given_programs(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The distinct Python programs that a row calls right, at most 16, each as a response with one block of code."""
    found: dict[str, None] = {}
    for text in _texts(row):
        program = _program(text)
        if program and program not in found and is_program(program):
            found[program] = None
        if len(found) == MOST:
            break
    return tuple(f"```python\n{program}\n```" for program in found)


def _texts(row: Mapping[str, Any]) -> Iterator[str]:
    for name in SINGLE:
        if isinstance(value := row.get(name), str) and not (name == "code" and row.get("is_passed") is False):
            yield value
    listed = row.get("solutions")
    try:
        listed = read_json("solutions", listed)
    except BadRowError:
        return
    if isinstance(listed, Mapping) and isinstance(listed.get("solution"), list):
        languages = listed.get("language") or [None] * len(listed["solution"])
        listed = [{"language": one, "solution": text} for one, text in zip(languages, listed["solution"], strict=False)]
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping):
            is_python = one.get("language") in (*PYTHON, None) or str(one["language"]).lower().startswith("py")
            one = one.get("solution", one.get("code")) if is_python else None
        if isinstance(one, str):
            yield one


def _program(text: str) -> str:
    """The last block of code in a text, or all of it."""
    blocks = _FENCED.findall(text) if "```" in text else []
    return (blocks[-1] if blocks else text).strip("\n").rstrip()


def is_program(text: str) -> bool:
    """Whether a text is Python that does something."""
    if len(text) > MOST_CHARACTERS:
        return False
    try:
        tree = parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, _ACTS) for node in ast.walk(tree))
