"""What several formats share: the names of columns, JSON in a cell, logs of evaluations, golds of any type as text.

Where a row has several columns of one kind, the first of the names here counts, whatever the others say.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from etalon.errors import InputError
from etalon.problems.cases import has_tests
from etalon.problems.constraints import constraints_in, names_constraints
from etalon.problems.golds import MAX_ANSWER_CHARS, any_of, is_sentinel
from etalon.problems.layouts import arranged
from etalon.problems.syntax import literal
from etalon.problems.texts import CONVERSATIONS, RESPONSES, num_texts
from etalon.rows.bad import shown
from etalon.rows.mapping import value_at
from etalon.types import Domain

QUESTIONS = ("problem", "question", "query", "question_stem")
STATED = ("answer", "final_answer", "expected_answer")  # whatever else there is, these are answers
GOLDS = (  # an answer where nothing else decides: tests, rules
    *("ground_truth", "gold", "gold_answer", "target", "reference_answer", "reference", "correct_answer", "expected"),
    *("gts", "answerKey", "answer_key"),
)
ANSWERS = (*STATED, *GOLDS)
METADATA = "metadata"
IN_METADATA = ("test", "entry_point", "prompt", "test_list", "instruction_id_list", "kwargs")
INFO = "verification_info"
IN_INFO = ("ground_truth", "test_cases", "language", "fn_name", "instruction_id_list", "kwargs")
TRUTH = "reward_model.ground_truth"
SOLUTIONS = ("solution", "ground_truth_solution")  # worked out; where there is no answer, it is at their end
# what other people call our domains, in columns that tell one
KINDS = {
    "math": Domain.MATH,
    "mathematics": Domain.MATH,
    "code": Domain.CODE,
    "coding": Domain.CODE,
    "codegen": Domain.CODE,
    "programming": Domain.CODE,
    "stem": Domain.STEM,
    "science": Domain.STEM,
    "physics": Domain.STEM,
    "chemistry": Domain.STEM,
    "biology": Domain.STEM,
    "chat": Domain.INSTRUCT,
    "safety": Domain.INSTRUCT,
    "instruction following": Domain.INSTRUCT,
}
_OF_PROGRAMS = re.compile(
    r"(?:.*/)?(?:taco|apps|code[-_ ]?contests|codeforces|leetcode|atcoder|codechef|codewars|hackerearth|aizu|kattis)"
    r"(?:[-_].*)?",
    re.IGNORECASE,
)
OPTIONS = ("options", "choices")
_NAMES_OF_OPTIONS = tuple(  # where every option has a column
    [f"{stem}{mark}" for mark in marks]
    for stem in ("", "op", "option", "option_", "choice", "choice_", "answer_", "opt")
    for marks in (ascii_uppercase, ascii_lowercase, range(10), range(1, 11))
    if stem or marks is ascii_uppercase
)
_LETTERED = frozenset(name for names in _NAMES_OF_OPTIONS for name in names[:1])
PASSAGES = ("context", "passage", "article")
BESIDE_LISTS = ("correctness_math_verify", "correctness_llama", "is_reasoning_complete", "finish_reasons")
LITERALS = (  # columns that tables write as Python does
    *(*OPTIONS, "instruction_id_list", "kwargs", *CONVERSATIONS),
    *("generations", "responses", "completions", "predictions", *BESIDE_LISTS),
)
IDS = ("id", "task_id", "key", "question_id", "problem_id", "unique_id", "uuid")
# columns whose values are lists or objects; where a file has only text (CSV), they hold it as JSON
STRUCTURED = frozenset(
    {"options", "choices", "rules", "rubric", "instruction_id_list", "kwargs", "messages", "prompt", "reward_model"}
    | {
        *LITERALS,
        METADATA,
        "test_list",
        "solutions",
        "conversations",
        "completion",
        "input",
        "doc",
        "resps",
        "filtered_resps",
        "extra_info",
        INFO,
    }
)
MAYBE_TALK = frozenset({"prompt", "input", "completion"})  # text, or a conversation
OF_A_RESPONSE = frozenset({*RESPONSES, "messages", "stop", "order", "mode", "domain"})  # not a question's


def structured(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with lists and objects for JSON text, its options in one column, a log's question in many."""
    if not STRUCTURED.isdisjoint(row) or _decides(row.get("ground_truth")):
        row = _unlogged(_replied(_informed(arranged(_read(row)))))
    return row if _LETTERED.isdisjoint(row) else _with_options(row)


def _decides(truth: Any) -> bool:
    """Whether a ground truth is no answer: instructions, or assertions about a program."""
    return names_constraints(truth) or _are_assertions(truth)


def _are_assertions(truth: Any) -> bool:
    first = truth[0] if isinstance(truth, list) and truth else truth
    return isinstance(first, str) and first.lstrip("[\"' ").startswith("assert ")


def _with_options(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with `options` of its columns A, B, ... (MMLU as CSV), opa, opb, ... (MedMCQA), option_1, ..."""
    if first_of(row, ("options", "choices")) or not first_of(row, QUESTIONS):
        return row
    for names in _NAMES_OF_OPTIONS:
        there = itertools.takewhile(lambda name: isinstance(row.get(name), str | int | float), names)
        if len(contents := [str(row[name]) for name in there]) > 1:
            return {**row, "options": dict(zip(ascii_uppercase, contents, strict=False))}
    return row


def passage_of(row: Mapping[str, Any]) -> str:
    """The text that a question is about, where that has a column of its own (LogiQA); "" where there is none."""
    name = first_of(row, PASSAGES)
    return row[name].strip() if name and isinstance(row[name], str) else ""


def about(question: str, passage: str) -> str:
    """A question with the text that it is about in front of it, unless it holds that already."""
    question = question.strip()
    return question if not passage or passage in question else f"{passage}\n\n{question}"


def in_lower_case(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with its names in lower case ({Question, Answer}: AIME, TheoremQA), where they stay apart."""
    lower = {name.lower(): value for name, value in row.items()}
    return lower if len(lower) == len(row) else row


def _informed(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with what decides it, where that stands in a column of its own (verification_info)."""
    found: dict[str, Any] = {}
    if isinstance(info := row.get(INFO), dict) and (answer := _checked(info)) is not None:
        row = {**row, "answer": answer}
    for column, names in ((INFO, IN_INFO), (METADATA, IN_METADATA)):
        if isinstance(info := row.get(column), dict):
            found |= {name: info[name] for name in names if info.get(name) is not None}
    if isinstance(found.get("test"), str) and not has_tests(row):  # the log of a run on programs
        return dict(row) | found
    return found | _ruled(row) | dict(row)


def _checked(info: Mapping[str, Any]) -> Any:
    """The answer that a set's own verifier compares with, {answer: {value: "24"}}; beside it `answer` may be prose."""
    answer = info.get("answer")
    value = answer.get("value") if isinstance(answer, dict) else answer
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _ruled(row: Mapping[str, Any]) -> dict[str, Any]:
    """What decides in place of an answer, where a ground truth is no answer: columns of IFEval, or tests."""
    told = row.get("ground_truth")
    if constraints := constraints_in(told):
        return dict(zip(("instruction_id_list", "kwargs"), constraints, strict=True))
    return {"test_cases": told} if _are_assertions(told) else {}


def _replied(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with an API's `choices`, which are no options, as its response."""
    choices = row.get("choices")
    are_replies = isinstance(choices, list) and any(isinstance(one, dict) and "finish_reason" in one for one in choices)
    if not are_replies or first_of(row, RESPONSES):
        return row
    return {**{name: value for name, value in row.items() if name != "choices"}, "output": {"choices": choices}}


def _unlogged(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A sample of an lm-eval log under the columns of its `doc`; its `target` decides where no tests or rules do."""
    doc = row.get("doc")
    if not isinstance(doc, dict) or not ("resps" in row or "filtered_resps" in row):
        return row
    gone = ("doc", "arguments", *(["filtered_resps"] if num_texts(row.get("resps")) else []))
    own = {name: value for name, value in row.items() if name not in gone}
    asked = {name: value for name, value in doc.items() if name not in OF_A_RESPONSE}
    if own.get("target") is not None and _is_answer(own["target"]) and own.get("answer") is None:
        asked = {name: value for name, value in asked.items() if name not in STATED} | {"answer": own["target"]}
    return structured(asked | own)


def _is_answer(value: Any) -> bool:
    return isinstance(value, str | int | float) and not (isinstance(value, str) and not value.strip())


def _read(row: Mapping[str, Any]) -> Mapping[str, Any]:
    texts = {name: value for name, value in row.items() if name in STRUCTURED and isinstance(value, str)}
    read = {name: _json(value) for name, value in texts.items() if value[:1] in ("[", "{")}
    for name in LITERALS:
        if name in read and read[name] is None:
            read[name] = literal(texts[name])
    for name in MAYBE_TALK & read.keys():  # a prompt may begin with a bracket
        if not _is_conversation(read[name]):
            del read[name]
    return {**row, **{name: value for name, value in read.items() if value is not None}} if read else row


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(message, dict) and "content" in message for message in value)


def first_of(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of the named columns that the row has a value in."""
    for name in names:
        if row.get(name) is not None:
            return name
    return None


def reference_of(row: Mapping[str, Any], names: Sequence[str] = ANSWERS) -> tuple[str, Any] | None:
    """The column of the reference answer and its value: the first of the names with one, else verl's ground truth."""
    if name := first_of(row, names):
        return name, row[name] if name in STATED else only(row[name])
    truth = value_at(row, TRUTH) if names is ANSWERS else None
    return None if truth is None else (TRUTH, only(truth))


def only(value: Any) -> Any:
    """The value in a list of one, also of a list in text, '["72"]' or "['72']"; else the value ("[1, 2]" is none)."""
    if isinstance(value, str) and value.startswith(('["', "['")):
        value = _json(value) or _texts(value) or value
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _texts(text: str) -> list[str] | None:
    """The texts in a Python list; None for anything else."""
    value = literal(text) if len(text) <= MAX_ANSWER_CHARS else None
    return value if isinstance(value, list) and all(isinstance(one, str) for one in value) else None


def text(row: Mapping[str, Any], name: str) -> str:
    """A column that must hold text."""
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{name}: found {shown(value)}, expected text")
    return value


def gold(name: str, value: object) -> str:
    """A reference answer as text, exactly as written: "025" stays "025", 70 becomes "70".

    A list of texts is a reference of which any entry counts (`golds.any_of`).
    """
    listed = value if isinstance(value, list) and all(isinstance(one, str) for one in value) else []
    if texts := [one.strip() for one in listed if not is_sentinel(one)]:
        return any_of(texts)
    is_program = isinstance(value, str) and name not in STATED and value.startswith(('{"', '[{"'))
    if isinstance(value, str) and not (is_program and _json(value) is not None):  # {"func_name": ...} of open-instruct
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):  # 1e22 would not be read as a number by a LaTeX parser
        return format(Decimal(repr(value)), "f") if math.isfinite(value) else str(value)
    raise InputError(f"{name}: found {shown(value)}, expected a reference answer (text or a number)")


def row_id(row: Mapping[str, Any], *names: str) -> str:
    """The id a row states in one of these columns, "" when it has none; what is no text or number is an `id` only."""
    for name in names:
        value = row.get(name)
        if value is not None and (name == "id" or isinstance(value, str | int)):
            return gold(name, value)
    return ""


def date_of(row: Mapping[str, Any]) -> str:
    """The ISO date of a row, with its time unless that is midnight; "" where it states none that can be read.

    LiveCodeBench: contest_date, "2025-01-04T00:00:00", without a time zone.
    """
    for name in ("contest_date", "date"):
        value = row.get(name)
        try:
            moment = datetime.fromisoformat(value.isoformat() if isinstance(value, date) else str(value or ""))
        except ValueError:
            continue
        return moment.isoformat().removesuffix("T00:00:00")
    return ""


def kind_of(row: Mapping[str, Any]) -> Domain | None:
    """The domain that a row tells in other people's words; None where it tells none, or one that is nobody's."""
    for name in ("domain", "category", "ability", "cot_type"):
        if isinstance(told := row.get(name), str) and (kind := KINDS.get(told.strip().lower().replace("_", " "))):
            return kind
    return None


def is_of_programs(row: Mapping[str, Any]) -> bool:
    """Whether a row says that it comes from a collection of programming problems (OpenCodeReasoning)."""
    told = (row.get(name) for name in ("dataset", "data_source", "source"))
    return any(isinstance(name, str) and _OF_PROGRAMS.fullmatch(name.strip()) for name in told)


def source_of(row: Mapping[str, Any]) -> str:
    """Where a row came from, as it says; "" where it does not."""
    name = first_of(row, ("source", "data_source", "problem_source"))
    return row[name].strip() if name and isinstance(row[name], str) else str(row[name]) if name else ""


def labels(row: Mapping[str, Any]) -> tuple[str, int]:
    """(skill, level) as MATH-like sets state them: {subject: "Algebra", level: "Level 5" or 5}."""
    name = first_of(row, ("skill", "subject"))
    skill = row[name] if name else ""
    level = row.get("level")
    digits = level.removeprefix("Level ") if isinstance(level, str) else level
    is_number = isinstance(digits, int) or (isinstance(digits, str) and digits.isdecimal())
    return (skill.strip().lower() if isinstance(skill, str) else ""), int(digits) if is_number and digits else 0
