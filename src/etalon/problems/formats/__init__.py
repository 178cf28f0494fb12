"""The one reader of a row: `read_row` gives the problem that it describes, in whichever format of the field it is.

native           the fields of Problem (id?, domain, prompt, ...)
verl             {prompt: [messages], reward_model: {ground_truth}, ability, extra_info}
humaneval        {task_id, prompt, entry_point, canonical_solution, test}
programs         a question with tests: LiveCodeBench, APPS, TACO, Codeforces, LeetCodeDataset, MBPP
ifeval           {key, prompt, instruction_id_list, kwargs}     IFEval and IFBench
ojbench          {id, prompt, dataset, language, difficulty}
gpqa             {Question, Correct Answer, Incorrect Answer 1..3}
multiple choice  {question, options | choices, answer}
svamp            {Body, Question, Answer, Equation, Type, ID}
imo              {Problem ID, Problem, Short Answer, Category, Subcategory, Source}
gsm8k            {question, answer} with "#### 72" at the end of the answer
generic          any other row with a question, or with what decides a response that is there already

Before that, `columns.structured` brings out what stands inside other columns, JSON and literals (`problems.layouts`),
and `refusals` says why a row is none. Questions lose what other projects' prompts put around them (`foreign`).

Formats are recognised by their columns, one small module each, tried in the order of `FORMATS`. `etalon run`, `eval`,
`data` and `verify` all read rows here; `verify` alone asks for no question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from etalon.problems.formats import (
    choice,
    generic,
    gpqa,
    gsm8k,
    humaneval,
    ifeval,
    imo,
    native,
    ojbench,
    programs,
    svamp,
    verl,
)
from etalon.problems.formats.columns import in_lower_case, structured
from etalon.problems.formats.reading import BadReferenceError, LeftOutError, Reading
from etalon.problems.formats.refusals import refusal
from etalon.types import Problem

__all__ = ["FORMATS", "BadReferenceError", "Format", "LeftOutError", "Reading", "read_row", "recognise"]


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format: whether a row is in it, and the problem such a row describes.

    `read` gets the row and what its reader asks for; it leaves `id` empty when the row has none, and raises InputError
    (column, what was found, what was expected) for a row it cannot read. is_mixed: sets of several domains have rows of
    such formats side by side (SYNTHETIC-1, OpenThoughts).
    """

    name: str
    recognises: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any], Reading], Problem]
    is_mixed: bool = False


FORMATS = (
    Format(name="native", recognises=native.recognises, read=native.read),
    Format(name="verl", recognises=verl.recognises, read=verl.read),
    Format(name="HumanEval", recognises=humaneval.recognises, read=humaneval.read),
    Format(name="programs", recognises=programs.recognises, read=programs.read, is_mixed=True),
    Format(name="IFEval", recognises=ifeval.recognises, read=ifeval.read, is_mixed=True),
    Format(name="OJBench", recognises=ojbench.recognises, read=ojbench.read),
    Format(name="GPQA", recognises=gpqa.recognises, read=gpqa.read),
    Format(name="multiple choice", recognises=choice.recognises, read=choice.read, is_mixed=True),
    Format(name="SVAMP", recognises=svamp.recognises, read=svamp.read),
    Format(name="IMO-AnswerBench", recognises=imo.recognises, read=imo.read),
    Format(name="GSM8K", recognises=gsm8k.recognises, read=gsm8k.read),
    Format(name="question and answer", recognises=generic.recognises, read=generic.read, is_mixed=True),
)


def recognise(row: Mapping[str, Any]) -> Format | None:
    """The format of a row, None when its columns fit none."""
    for format_ in FORMATS:
        if format_.recognises(row):
            return format_
    return None


def read_row(row: Mapping[str, Any], reading: Reading | None = None) -> tuple[Format, Problem]:
    """The format of a row, and its problem, without an id where the row has none.

    InputError names the column, what was found and what would do; BadReferenceError where the reference alone is bad,
    LeftOutError where the row is no problem by its own account, unless no question is asked for.
    """
    row, reading = structured(row), reading or Reading()
    found = recognise(row)
    if found is None and (found := recognise(lower := in_lower_case(row))):
        row = lower
    found = found or FORMATS[-1]
    if reading.needs_question and found.read is not native.read and (why := refusal(row)):
        raise LeftOutError(why)
    return found, found.read(row, reading)
