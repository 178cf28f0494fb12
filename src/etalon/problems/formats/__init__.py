"""The field's data formats, recognised by their columns: one small module each, tried in the order of `FORMATS`.

native           the fields of Problem (id?, domain, prompt, ...)
verl             {prompt: [messages], reward_model: {ground_truth}, ability, extra_info}
humaneval        {task_id, prompt, entry_point, canonical_solution, test}
programs         a question with tests: LiveCodeBench, APPS, TACO, Codeforces, LeetCodeDataset, MBPP
ifeval           {key, prompt, instruction_id_list, kwargs}     IFEval and IFBench
multiple choice  {question, options | choices, answer}
svamp            {Body, Question, Answer, Equation, Type, ID}
gsm8k            {question, answer} with "#### 72" at the end of the answer
generic          {problem | question | query, answer | final_answer | expected_answer}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from etalon.problems.formats import choice, generic, gsm8k, humaneval, ifeval, native, programs, svamp, verl
from etalon.types import Problem


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format: whether a row is in it, and the problem such a row describes.

    `read` gets the row and the folder of prompt files; it leaves `id` empty when the row has none,
    and raises InputError (column, what was found, what was expected) for a row it cannot read.
    """

    name: str
    recognises: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any], str], Problem]


FORMATS = (
    Format(name="native", recognises=native.recognises, read=native.read),
    Format(name="verl", recognises=verl.recognises, read=verl.read),
    Format(name="HumanEval", recognises=humaneval.recognises, read=humaneval.read),
    Format(name="programs", recognises=programs.recognises, read=programs.read),
    Format(name="IFEval", recognises=ifeval.recognises, read=ifeval.read),
    Format(name="multiple choice", recognises=choice.recognises, read=choice.read),
    Format(name="SVAMP", recognises=svamp.recognises, read=svamp.read),
    Format(name="GSM8K", recognises=gsm8k.recognises, read=gsm8k.read),
    Format(name="question and answer", recognises=generic.recognises, read=generic.read),
)


def recognise(row: Mapping[str, Any]) -> Format | None:
    """The format of a row, None when its columns fit none."""
    return next((format_ for format_ in FORMATS if format_.recognises(row)), None)
