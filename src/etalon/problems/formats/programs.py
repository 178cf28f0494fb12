"""Programming problems: LiveCodeBench, APPS, TACO, Codeforces, CodeContests, LeetCodeDataset and MBPP rows.

Recognised by their tests (see `etalon.problems.cases`) beside a question; starter code goes into the prompt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from etalon.problems.cases import has_tests, read_tests
from etalon.problems.formats.columns import date_of, first_of, row_id, text
from etalon.problems.formats.reading import Reading
from etalon.types import Domain, Problem

QUESTIONS = ("question_content", "query", "question", "problem_description", "description", "text", "prompt", "problem")
IDS = ("question_id", "task_id", "problem_id", "question_title", "id", "name")
SECTIONS = (  # of a Codeforces row, in the order of its page
    ("input_format", "Input"),
    ("output_format", "Output"),
    ("note", "Note"),
)


def recognises(row: Mapping[str, Any]) -> bool:
    return has_tests(row) and first_of(row, QUESTIONS) is not None


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    question = first_of(row, QUESTIONS)
    assert question is not None
    tests = read_tests(row)
    name = first_of(row, IDS)
    solution = first_of(row, ("completion", "code", "canonical_solution"))
    starter = row.get("starter_code")
    apart = starter if isinstance(starter, str) and starter.strip() and reading.is_template else ""
    return Problem(
        id=row_id(row, name) if name else "",
        domain=Domain.CODE,
        prompt=reading.asked(_question(row, question, tests, apart), Domain.CODE, starter=apart),
        tests=tests,
        skill=Domain.CODE.value,
        source=str(row.get("contest") or row.get("platform") or row.get("source") or ""),
        date=date_of(row),
        solutions=_solutions(row, solution),
    )


def _question(row: Mapping[str, Any], question: str, tests: Mapping[str, Any], apart: str) -> str:
    """The question with what belongs to it: sections of its page, starter code, an assertion that shows the name.

    apart: starter code that the prompt has another place for.
    """
    parts = [text(row, question).strip()]
    parts += [f"{title}\n\n{row[name].strip()}" for name, title in SECTIONS if isinstance(row.get(name), str)]
    starter = row.get("starter_code")
    if isinstance(starter, str) and starter.strip() and not apart and starter.strip() not in parts[0]:
        parts.append(f"Complete this starter code:\n\n{starter.rstrip()}")
    shown = row.get("test_list")
    if isinstance(shown, list) and shown:  # MBPP says in its tests only how the function is called
        parts.append(f"Your code should pass this test:\n\n{shown[0]}")
    if tests.get("fn_name") and tests["fn_name"] not in "".join([*parts, apart]):
        parts.append(f"Name the function {tests['fn_name']}.")
    return "\n\n".join(parts)


def _solutions(row: Mapping[str, Any], column: str | None) -> tuple[str, ...]:
    """Reference programs, as responses: one column, or a list of them (APPS writes it as JSON text)."""
    programs: Any = [row[column]] if column else row.get("solutions")
    if isinstance(programs, str):
        try:
            programs = json.loads(programs)
        except ValueError:
            return ()
    if not isinstance(programs, list):
        return ()
    return tuple(f"```python\n{program.strip()}\n```" for program in programs if isinstance(program, str))
