"""Programming problems: a question beside tests, in the forms of `etalon.problems.cases` or in a `tests` column.

LiveCodeBench, APPS, TACO, Codeforces, CodeContests, LeetCodeDataset, MBPP, KodCode, rStar-Coder, OpenThoughts, others.
Starter code goes into the prompt, a name that only the tests know as well; what the set says about the form of answers
does not. A row with code and no tests (rStar-Coder's seed_sft) is a problem that nothing decides.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError, LeftOutError
from etalon.problems.cases import GROUPS, LISTS, has_tests
from etalon.problems.formats.columns import OPTIONS, STATED, date_of, first_of, kind_of, row_id, source_of
from etalon.problems.formats.foreign.programs import task_in
from etalon.problems.formats.reading import Reading
from etalon.problems.formats.references import tests as tests_of
from etalon.problems.given.solutions import given_programs, is_program
from etalon.problems.syntax import parse
from etalon.problems.texts import CONVERSATIONS, said
from etalon.rows.bad import shown
from etalon.rows.mapping import missing
from etalon.types import Domain, Problem

QUESTIONS = (
    *("question_content", "query", "question", "problem_description", "description", "text", "prompt", "problem"),
    "instruct_prompt",  # BigCodeBench
    *CONVERSATIONS,
)
IDS = ("question_id", "task_id", "problem_id", "question_title", "id", "name")
SECTIONS = (  # of a Codeforces row, in the order of its page
    ("input_format", "Input"),
    ("output_format", "Output"),
    ("note", "Note"),
)
NOT_OF_CODE = (*STATED, *OPTIONS, "instruction_id_list", "rules", "rubric")
# of CodeContests, whose `source` is a number
SITES = ("", "codechef", "codeforces", "hackerearth", "codejam", "atcoder", "aizu")
EMPTY: tuple[Any, ...] = ("", "[]", "{}", [], {})
_METHOD = re.compile(r"\bSolution\(\)\.(\w+)")
MOST_CHARACTERS = 1 << 18  # (ours) of tests in which the name of a function is looked for


def recognises(row: Mapping[str, Any]) -> bool:
    if first_of(row, QUESTIONS) is None:
        return False
    if has_tests(row):
        return True
    is_open = not first_of(row, NOT_OF_CODE) and kind_of(row) in (None, Domain.CODE)
    return is_open and (bool(row.get("tests")) or _has_code(row) or bool(_empty_tests(row)))


def _empty_tests(row: Mapping[str, Any]) -> str:
    """The first column of tests in which there are none; a null says nothing."""
    return next((name for name in (*LISTS, *GROUPS, "tests") if row.get(name) in EMPTY), "")


def _has_code(row: Mapping[str, Any]) -> bool:
    """Whether a row without tests is about a program: it has code to complete, or code that was run."""
    starter, code = row.get("starter_code"), row.get("code")
    return (isinstance(starter, str) and bool(starter.strip())) or (isinstance(code, str) and is_program(code))


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    column = first_of(row, QUESTIONS)
    assert column is not None
    tests = tests_of(row)
    if tests is None and (name := _empty_tests(row)):
        raise LeftOutError(f"{name}: empty, the row has no tests")
    if tests is None and reading.needs_reference:
        raise missing(row, "tests")
    text = said(row[column], "user")
    if text is None or not text.strip():
        raise InputError(f"{column}: found {shown(row[column])}, expected text")
    own_id = first_of(row, IDS)
    task = task_in(text)
    given = row.get("starter_code")
    starter = given if isinstance(given, str) and given.strip() else task.starter
    apart = starter if reading.is_template else ""
    question = completed(_page(row, task.question), tests or {}, starter=starter, apart=apart, row=row)
    return Problem(
        id=row_id(row, own_id) if own_id else "",
        domain=Domain.CODE,
        prompt=reading.asked(question, Domain.CODE, starter=apart),
        tests=tests,
        skill=Domain.CODE.value,
        source=_source(row),
        date=date_of(row),
        solutions=given_programs(row),
    )


def _page(row: Mapping[str, Any], question: str) -> str:
    """The question with the sections of its page."""
    parts = [f"{title}\n\n{row[name].strip()}" for name, title in SECTIONS if isinstance(row.get(name), str)]
    return "\n\n".join([question, *parts])


def completed(
    question: str, tests: Mapping[str, Any], *, starter: str = "", apart: str = "", row: Mapping[str, Any]
) -> str:
    """A question with what a program must know beside it: starter code, and the name that the tests call.

    apart: starter code that the prompt has another place for.
    """
    parts = [question.strip()]
    if starter.strip() and not apart and starter.strip() not in question:
        parts.append(f"Complete this starter code:\n\n{starter.rstrip()}")
    told = "".join([*parts, apart])
    if isinstance(shown_tests := row.get("test_list"), list) and shown_tests:
        parts.append(f"Your code should pass this test:\n\n{shown_tests[0]}")  # MBPP names its function there only
    elif declarations := _declarations(row, told):
        parts += [f"Declare the function as\n\n{line}" for line in declarations]
    elif (names := called_names(tests)) and not any(name in told for name in names):
        code = tests.get("assert_code") or ""
        is_line = code.startswith("assert ")
        line = f"Your code should pass this test:\n\n{code.partition(chr(10))[0]}"
        method = _METHOD.search(code)
        name = f"Write a class Solution with the method {method[1]}." if method else f"Name the function {names[0]}."
        parts.append(line if is_line else name)
    return "\n\n".join(parts)


def called_names(tests: Mapping[str, Any]) -> list[str]:
    """The names that tests take from a program, in the order of the tests."""
    if name := tests.get("fn_name"):
        return [name]
    code = tests.get("assert_code")
    if not isinstance(code, str) or len(code) > MOST_CHARACTERS:
        return []
    try:
        nodes = list(ast.walk(parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    taken = [a.name for node in imports if getattr(node, "module", "") == "solution" for a in node.names]
    known = {(a.asname or a.name).partition(".")[0] for node in imports for a in node.names} | set(dir(builtins))
    known |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    known |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    read = [node for node in nodes if isinstance(node, ast.Name)]
    known |= {node.id for node in read if not isinstance(node.ctx, ast.Load)}
    free = sorted((node for node in read if node.id not in known), key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys([*taken, *(node.id for node in free)]))


def _declarations(row: Mapping[str, Any], told: str) -> list[str]:
    """Of functions that KodCode's tests import and its question does not name."""
    listed = row.get("test_info")
    about = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    lines = [one.get("function_declaration") for one in about if str(one.get("function_name")) not in told]
    return [line for line in lines if isinstance(line, str) and line.strip()]


def _source(row: Mapping[str, Any]) -> str:
    site = row.get("source")
    if isinstance(site, int) and 0 <= site < len(SITES):
        return SITES[site]
    return str(row.get("contest") or row.get("platform") or row.get("subset") or source_of(row))
