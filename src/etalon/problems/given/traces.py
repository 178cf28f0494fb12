"""The responses that came with a row, whatever its columns are called: what a data set offers to learn from.

    generations, correctness_math_verify, finish_reasons   lists side by side: a response and what the set says of it
    Qwen/Qwen3-4B_responses, r1_solution_1, _2, _3         columns that name a model
    deepseek_reasoning + deepseek_solution                 a thought and an answer in two columns
    output, completion, generated_solution, llm_response   one response
    messages, conversations                                the last message, its thought in front of it
    question + solution + answer                           LIMO: the solution is the trace

A thought that stands apart is joined to its answer as a model would write it (`thoughts`). A text that two columns
hold is one response.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from etalon.problems.cases import has_tests
from etalon.problems.endings import Ending, ending_of, reason_in
from etalon.problems.given.thoughts import joined, mended
from etalon.problems.golds import is_sentinel
from etalon.problems.texts import CONVERSATIONS, LISTS, REASONS, RESPONSES, one_text, response_of, said, stop_of
from etalon.types import Stop

Row = Mapping[str, Any]

MODELS = ("generation_model", "generator", "model", "model_name", "llm", "llm_used", "teacher")
CORRECT = ("is_correct", "correct", "is_passed", "passed", "verified", "score", "reward", "correctness")
TALKS = (*CONVERSATIONS, "completion", "response", "output")  # columns that may hold messages
TOOLS = ("tool", "function", "observation", "ipython")  # roles
VERIFIED, JUDGED = "correctness_math_verify", "correctness_llama"  # OpenR1: the second decides where the first failed
COMPLETE = ("is_reasoning_complete", "is_complete", "complete")
ALONE = ("llm_response", "model_response", "r1_generation", "teacher_response", "r1_solution", "gpt_solution")
# a thought and its answer in two columns, or in two places of a message
THOUGHTS = ("reasoning_content", "think_content", "thinking_content", "thinking", "thought", "reasoning")
ANSWERED = ("answer_content", "content", "attempt", *RESPONSES)
_SWITCHES = frozenset({"on", "off", "true", "false", "none", "low", "medium", "high"})  # a `reasoning` that is no text
# of columns that begin with a model's name
_THOUGHT = re.compile(r"(?P<model>.+?)_(?:reasoning(?:_content)?|thinking_trajectory|thinking|thoughts?)")
_ANSWERS = ("attempt", "solution", "response", "answer", "output", "content")
_NUMBERED = re.compile(r"(?P<model>.+?)_(?:solution|response|generation|output|answer)s?_\d+")
_LISTED = re.compile(r"(?P<model>.+)_(?:responses|generations|completions)")
_MODEL = re.compile(
    r"(?:^|[-_/])(?:r1|o[1-9]|deepseek|qwen|qwq|gemini|gpt|claude|llama|mistral|phi|kimi|glm|nemotron|model|teacher|llm"
    r"|generated)",
    re.IGNORECASE,
)
_TRUE = frozenset({"true", "yes", "1", "1.0", "correct", "right", "pass", "passed"})
_FALSE = frozenset({"false", "no", "0", "0.0", "incorrect", "wrong", "fail", "failed"})


@dataclass(frozen=True, kw_only=True)
class GivenTrace:
    """One response. num_tokens: 0 where nobody counted.

    is_correct: what the data set says of it, None where it says nothing. is_complete: False where it was cut.
    model: who wrote it, as the set names them.
    """

    response: str
    is_correct: bool | None = None
    is_complete: bool | None = None
    model: str = ""
    num_tokens: int = 0


def traces_of(row: Row) -> tuple[GivenTrace, ...]:
    """All responses of a row, in its order; none where it is a question alone. `row`: as `columns.structured` left it.

    A text that several columns hold counts once, as the first of them tells it.
    """
    listed = row.get("traces")
    if isinstance(listed, list):  # our own rows
        return tuple(trace_from_row(one) for one in listed)
    found: dict[str, GivenTrace] = {}
    for trace in (*_side_by_side(row), *_in_columns_of_models(row), *_single(row), *_last_message(row), *_limo(row)):
        if not is_sentinel(trace.response):
            found.setdefault(trace.response.strip(), trace)
    return tuple(found.values())


def _side_by_side(row: Row) -> Iterator[GivenTrace]:
    """Lists of responses, with the lists beside them."""
    for name in LISTS:
        if not _is_listed(row, name) or (name == "outputs" and "inputs" in row):
            continue
        for place, value in enumerate(row[name]):
            if (text := one_text(value)) is not None:
                yield GivenTrace(
                    response=mended(text),
                    is_correct=_is_correct(row, place),
                    is_complete=_is_complete(row, place),
                    model=_model(row, place),
                )


def _in_columns_of_models(row: Row) -> Iterator[GivenTrace]:
    """Columns that begin with the name of a model: a thought and an answer, numbered responses, lists of them."""
    for name, value in row.items():
        if (pair := _THOUGHT.fullmatch(name)) and isinstance(value, str):
            model = pair["model"]
            answer = _first_text(row, [f"{model}_{of}" for of in _ANSWERS])
            if answer is not None and value.strip() and not is_sentinel(answer):
                yield GivenTrace(response=joined(value, answer), is_correct=_said_of(row, model), model=model)
        elif (numbered := _NUMBERED.fullmatch(name)) and isinstance(value, str) and _MODEL.search(numbered["model"]):
            yield GivenTrace(response=mended(value), model=numbered["model"])
        elif (listed := _LISTED.fullmatch(name)) and isinstance(value, list) and _MODEL.search(listed["model"]):
            texts = (one_text(one) for one in value)
            yield from (GivenTrace(response=mended(text), model=listed["model"]) for text in texts if text is not None)


def _single(row: Row) -> Iterator[GivenTrace]:
    """One response in a column, with its thought where that has a column."""
    told = GivenTrace(response="", is_correct=_is_correct(row), is_complete=_is_complete(row), model=_model(row))
    thought = next((text for name in THOUGHTS if (text := _thought(row.get(name)))), "")
    trajectories = row.get("thinking_trajectories")  # s1K
    if isinstance(trajectories, list) and len(trajectories) == 1:
        thought = thought or _thought(trajectories[0])
    answer = _first_text(row, ANSWERED) if thought else None
    if thought and answer is None and not any(_is_talk(row.get(name)) for name in TALKS):
        answer = _first_text(row, ("answer",))  # Dolphin-R1
    if thought and answer is not None:
        yield replace(told, response=joined(thought, answer))
        return
    told_elsewhere = {
        name for name, value in row.items() if _is_listed(row, name) or (name in TALKS and _is_talk(value))
    }
    plain = {name: value for name, value in row.items() if name not in told_elsewhere}
    if (response := response_of(plain)) is not None:
        yield replace(told, response=mended(response))
    for name in ALONE:
        model, alone = name.partition("_")[0], row.get(name)
        if isinstance(alone, str) and f"{model}_reasoning" not in row:
            correct, own = _said_of(row, model), told.model or ("" if model in ("llm", "model", "teacher") else model)
            is_correct = told.is_correct if correct is None else correct
            yield replace(told, response=mended(alone), is_correct=is_correct, model=own)


def _last_message(row: Row) -> Iterator[GivenTrace]:
    """The end of a conversation that a model ends; its thought stands in the message, or in what is said of it."""
    for name in TALKS:
        messages = row.get(name)
        last = messages[-1] if isinstance(messages, list) and messages else messages
        text = response_of({"messages": [last]}) if isinstance(last, dict) else None
        if text is None or not isinstance(last, dict) or _uses_tools(messages):
            continue
        info = last["info"] if isinstance(last.get("info"), dict) else {}
        thought = next((one for place in (last, info) for of in THOUGHTS if (one := _thought(place.get(of)))), "")
        thought = thought or "".join(map(_thought, _parts(last.get("content"))))
        answer = info.get("answer_content") if thought and isinstance(info.get("answer_content"), str) else text
        yield GivenTrace(
            response=joined(thought, str(answer)) if thought else mended(text),
            is_correct=_is_correct(row),
            is_complete=_is_complete(row),
            model=_model(row),
        )


def _uses_tools(messages: Any) -> bool:
    """Whether tools answer in a conversation: its last message is no whole response then."""
    turns = messages if isinstance(messages, list) else []
    return any(isinstance(turn, dict) and turn.get("role", turn.get("from")) in TOOLS for turn in turns)


def _parts(content: Any) -> list[Any]:
    """What was thought in the parts of a message, as APIs send them."""
    return [part.get("thinking") for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _is_talk(value: Any) -> bool:
    """Whether a value is a conversation that a model ends, or its last message."""
    last = value[-1] if isinstance(value, list) and value else value
    return isinstance(last, dict) and response_of({"messages": [last]}) is not None


def _limo(row: Row) -> Iterator[GivenTrace]:
    """A solution beside a question and its answer, where the question is called one and nothing else can be checked."""
    solution = row.get("solution")
    names = {"question", "solution", "answer"}
    if not isinstance(solution, str) or not names <= row.keys() or "problem" in row or has_tests(row):
        return
    if len(solution.split()) > len(str(row["answer"]).split()):
        yield GivenTrace(response=mended(solution), model=_model(row))


def _thought(value: Any) -> str:
    is_text = isinstance(value, str) and value.strip().lower() not in _SWITCHES and not is_sentinel(value)
    return str(value) if is_text else ""


def _is_listed(row: Row, name: str) -> bool:
    """Whether a column is a list of responses, which a conversation is not."""
    return name in LISTS and isinstance(row.get(name), list) and said(row[name], "assistant") is None


def _first_text(row: Row, names: Sequence[str]) -> str | None:
    return next((text for name in names if isinstance(text := row.get(name), str)), None)


def _at(row: Row, name: str, place: int | None) -> Any:
    """A value, or the one at a place of a list; None where there is none."""
    value = row.get(name)
    if isinstance(value, list):
        place = 0 if place is None and len(value) == 1 else place
        return value[place] if place is not None and place < len(value) else None
    return value if place is None else None


def _is_correct(row: Row, place: int | None = None) -> bool | None:
    """What a set says of a response. OpenR1's second opinion was asked for where the first found nothing right."""
    verified, judged = _claim(_at(row, VERIFIED, place)), _claim(_at(row, JUDGED, place))
    if verified is not None or judged is not None:
        return verified if verified or judged is None else judged
    return next((claim for name in CORRECT if (claim := _claim(_at(row, name, place))) is not None), None)


def _said_of(row: Row, model: str) -> bool | None:
    """What a set says of the response of a model that has columns of its own."""
    names = (f"{model}_{of}" for of in ("correctness", "correct", "is_correct", "grade", "passed"))
    return next((claim for name in names if (claim := _claim(row.get(name))) is not None), None)


def _claim(value: Any) -> bool | None:
    """A value as yes or no; None for anything between, and for null."""
    told = str(value).strip().lower() if isinstance(value, str | int | float) else ""
    return True if told in _TRUE else False if told in _FALSE else None


def _is_complete(row: Row, place: int | None = None) -> bool | None:
    """False where anything says that a response was cut, True where something says that it was not."""
    told = [claim for name in COMPLETE if (claim := _claim(_at(row, name, place))) is not None]
    for name in REASONS:
        if reason := reason_in(_at(row, name, place)):
            told.append(ending_of(reason) is Ending.WHOLE)
    if place is None and stop_of(row) is not Stop.EOS:
        told.append(False)
    return all(told) if told else None


def _model(row: Row, place: int | None = None) -> str:
    """Who wrote a response; "" where nobody says."""
    names = (_at(row, name, place) or _at(row, name, None) for name in MODELS)
    return next((name.strip() for name in names if isinstance(name, str) and not is_sentinel(name)), "")


def trace_to_row(trace: GivenTrace) -> dict[str, Any]:
    """The trace as JSON values; what nobody said is left out."""
    row: dict[str, Any] = {"response": trace.response}
    row |= {} if trace.is_correct is None else {"correct": trace.is_correct}
    row |= {} if trace.is_complete is None else {"complete": trace.is_complete}
    row |= {"model": trace.model} if trace.model else {}
    return row | ({"tokens": trace.num_tokens} if trace.num_tokens else {})


def trace_from_row(row: Mapping[str, Any]) -> GivenTrace:
    """The trace that `trace_to_row` wrote."""
    return GivenTrace(
        response=row["response"],
        is_correct=row.get("correct"),
        is_complete=row.get("complete"),
        model=row.get("model", ""),
        num_tokens=row.get("tokens", 0),
    )
