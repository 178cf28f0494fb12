"""Why a row that can be read is no problem: it says that it has no answer, or it is of a kind that nobody here decides.

NuminaMath        answer "proof" or "notfound"; question_type proof; problem_is_valid, solution_is_valid other than Yes
OpenMathReasoning inference_mode genselect: a choice among solutions, none of its own
SYNTHETIC-1, -2   task types other than mathematics, programs and instructions: no public verifier
guru              abilities logic, simulation, table: verified by programs of that project
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError
from etalon.problems.formats.columns import INFO, first_of, reference_of
from etalon.problems.golds import is_sentinel
from etalon.problems.syntax import MAX_LITERAL
from etalon.rows.bad import shown

Row = Mapping[str, Any]

VALID = ("problem_is_valid", "solution_is_valid")
DECIDED = (
    "tests",
    "test",
    "test_cases",
    "rules",
    "rubric",
    "instruction_id_list",
    "options",
    "choices",
    "input_output",
)
_YES = frozenset({"yes", "true", "valid"})
_TASKS = re.compile(r"math|code|program|ifeval|instruction")
_NO_TASKS = re.compile(r"understanding|prediction|judge|similarity")
_OF_OTHERS = re.compile(r"^(?:logic|logical|simulation|tables?|tabular|puzzles?|arc|ood|coding-inference)(?![a-z])")


def refusal(row: Row) -> str:
    """Why a row is left out: the column, what was found, what that means; "" for a row that is not.

    Raises InputError for what decides it, where that cannot be read.
    """
    return _invalid(row) or _undecided(row) or _unanswered(row)


def _unanswered(row: Row) -> str:
    extra = row.get("extra_info")
    is_decided = first_of(row, DECIDED) or (isinstance(extra, Mapping) and first_of(extra, DECIDED))
    if is_decided or (found := reference_of(row)) is None or not is_sentinel(found[1]):
        return ""
    name, value = found
    return f"{name}: found {shown(value)}, which is no answer"


def _invalid(row: Row) -> str:
    for name in VALID:
        value = row.get(name)
        if value is not None and str(value).strip().lower() not in (*_YES, "", "nan", "none", "null"):
            return f"{name}: found {shown(value)}, and only valid rows have an answer"
    kind = row.get("question_type")
    if isinstance(kind, str) and kind.strip().lower() == "proof":
        return f"question_type: found {shown(kind)}, which has no answer"
    mode = row.get("inference_mode")
    if isinstance(mode, str) and mode.strip().lower() == "genselect":
        return f"inference_mode: found {shown(mode)}, a choice among solutions and no solution"
    return ""


def _undecided(row: Row) -> str:
    task = row.get("task_type")
    if isinstance(task, str) and INFO in row and not (_TASKS.search(task.lower()) and not _NO_TASKS.search(task)):
        return f"task_type: found {shown(task)}, for which there is no verifier"
    info = row.get(INFO)
    if info and reference_of(row) is None and first_of(row, DECIDED) is None:
        if isinstance(info, str):
            raise InputError(
                f"{INFO}: found {shown(info)}, expected JSON, or a Python literal of at most {MAX_LITERAL >> 20} MB"
            )
        return f"{INFO}: found {shown(info)}, for which there is no verifier"
    if "reward_model" in row:
        for name in ("ability", "data_source"):
            kind = row.get(name)
            if isinstance(kind, str) and _OF_OTHERS.match(kind.lower().replace("_", " ")):
                return f"{name}: found {shown(kind)}, for which there is no verifier"
    return ""
