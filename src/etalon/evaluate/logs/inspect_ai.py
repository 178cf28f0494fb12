"""inspect's samples, of its .eval and .json logs of version 2, read without inspect.

    {id, epoch, input, choices, target, messages, output, scores, metadata, error, limit, ...}

multiple_choice(shuffle=True) puts prompt and answer back into the sample's own order before they are logged, unless the
response named no option: then the prompt shows the order that the sample saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from string import ascii_uppercase
from typing import Any

from etalon.errors import InputError
from etalon.evaluate.logs.asked import Source
from etalon.evaluate.logs.inspect_files import header
from etalon.evaluate.logs.log import About, Entry, as_count, as_list, as_object, as_share
from etalon.evaluate.store import Sample, whole
from etalon.problems.endings import Ending, ending_of
from etalon.problems.texts import said
from etalon.rows.bad import shown
from etalon.rows.files import Row
from etalon.rows.mapping import columns_found
from etalon.types import Stop

NAME = "inspect"
LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # right, partly, wrong, no answer
CUTS = ("token", "context")  # limits of a sample that cut its response
ATTACHED = "attachment://"
GENERATION = ("temperature", "top_p", "top_k", "max_tokens", "seed")


class InspectReader:
    """Reads the samples of one log; see `Reader`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._header = header(source.path)
        self._eval: Mapping[str, Any] = self._header["eval"]
        named = [as_object(one).get("name") for one in as_list(self._eval.get("scorers"))]
        self._scorers = [name for name in named if isinstance(name, str)]
        self._has_order = False

    def read(self, row: Row) -> Entry:
        sample = row.columns or {}
        epoch, output = sample.get("epoch"), sample.get("output")
        if "id" not in sample or not isinstance(epoch, int) or not isinstance(output, dict):
            raise InputError(f"id, epoch, output: missing or of another type; {columns_found(sample)}")
        asked = self._source.asked(_question(sample))
        problem, seen = asked.problem, _order(sample)
        stop, error = _ending(sample, output)
        usage = as_object(output.get("usage"))
        self._has_order = self._has_order or seen is not None
        return Entry(
            problem=problem,
            samples=(
                Sample(
                    id=problem.id, index=epoch - 1, text="" if error else _text(sample, output, stop), stop=stop,
                    tokens=as_count(usage.get("output_tokens")), prompt_tokens=as_count(usage.get("input_tokens")),
                    seconds=_number(output.get("time")) or _number(sample.get("total_time")), error=error,
                    at=_time(sample.get("completed_at")), order=asked.order(seen),
                    theirs=self._score(sample.get("scores")),
                ),
            ),
        )  # fmt: skip

    def _score(self, scores: Any) -> float | None:
        """What the first scorer of the task says."""
        found = as_object(scores)
        name = next((name for name in (*self._scorers, *found) if name in found), "")
        value = as_object(found.get(name)).get("value")
        return LETTERS.get(value) if isinstance(value, str) else as_share(value)

    def about(self) -> About:
        plan = as_object(self._header.get("plan"))
        asked = {**as_object(self._eval.get("model_generate_config")), **as_object(plan.get("config"))}
        settings = {name: asked[name] for name in GENERATION if asked.get(name) is not None}
        settings["n"] = as_object(self._eval.get("config")).get("epochs") or 1
        settings |= {"scorers": self._scorers} if self._scorers else {}
        status = self._header.get("status", "started")
        notes = [] if status == "success" else [f"the run's status is {shown(status)}: samples may be missing"]
        if self._has_order:
            notes.append("some samples saw their options in an order of their own, which the prompt shows")
        return About(
            version=str(as_object(self._eval.get("packages")).get("inspect_ai", "")),
            name=str(self._eval.get("task") or ""),
            model=str(self._eval.get("model") or ""),
            settings=settings,
            notes=tuple(notes),
        )


def _question(sample: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a sample's problem: what decides it stands in choices, target or metadata."""
    target, choices = sample.get("target"), sample.get("choices")
    targets = [one for one in (target if isinstance(target, list) else [target]) if one not in (None, "")]
    if len(targets) > 1 and not choices:
        raise InputError(f"target: found {len(targets)} answers of which any is right; one is read")
    row = {"id": str(sample["id"]), "question": said(sample.get("input"), "user"), "metadata": sample.get("metadata")}
    if isinstance(choices, list) and choices:
        return row | {"choices": choices, "answer": ", ".join(map(str, targets))}
    return row | ({"target": targets[0]} if targets else {})


def _ending(sample: Mapping[str, Any], output: Mapping[str, Any]) -> tuple[Stop, str]:
    """Why the response ended, and the error of a sample that failed."""
    if error := sample.get("error"):
        return Stop.ERROR, str(as_object(error).get("message") or error)
    if as_object(sample.get("limit")).get("type") in CUTS:
        return Stop.LENGTH, ""
    choice = _choice(output)
    if choice is None:
        return (Stop.ERROR, str(output["error"])) if output.get("error") else (Stop.EOS, "")
    ending = ending_of(str(choice.get("stop_reason") or ""))
    if ending in (Ending.FAILED, Ending.WITHHELD):
        return Stop.ERROR, str(output.get("error") or choice.get("stop_reason"))
    return (Stop.LENGTH if ending is Ending.CUT else Stop.EOS), ""


def _choice(output: Mapping[str, Any]) -> Mapping[str, Any] | None:
    first = as_object(next(iter(as_list(output.get("choices"))), None))
    return first if isinstance(first.get("message"), dict) else None


def _text(sample: Mapping[str, Any], output: Mapping[str, Any], stop: Stop) -> str:
    """The response, with the reasoning that a server sent apart between the tags of a thought."""
    choice = _choice(output)
    content = output.get("completion") if choice is None else choice["message"].get("content")
    if isinstance(content, str):
        return _attached(sample, content)
    parts = [as_object(part) for part in as_list(content)]
    thoughts = [_thought(part) for part in parts if part.get("type") == "reasoning"]
    texts = [part["text"] for part in parts if part.get("type") == "text" and isinstance(part.get("text"), str)]
    reasoning = "\n".join(_attached(sample, text) for text in thoughts) if thoughts else None
    rest = "".join(_attached(sample, text) for text in texts)
    return whole(reasoning, None if stop is Stop.LENGTH and not rest else rest)


def _thought(part: Mapping[str, Any]) -> str:
    text = part.get("summary") if part.get("redacted") else part.get("reasoning")
    return text if isinstance(text, str) else ""


def _attached(sample: Mapping[str, Any], text: str) -> str:
    """A text, or the one that it only refers to."""
    if not text.startswith(ATTACHED):
        return text
    return str(as_object(sample.get("attachments")).get(text.removeprefix(ATTACHED), text))


def _order(sample: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The sample's own letters in the order in which its prompt shows the options; None for their own order."""
    choices, messages = sample.get("choices"), sample.get("messages")
    if not isinstance(choices, list) or not isinstance(messages, list) or len(set(map(str, choices))) < len(choices):
        return None
    asked = [one for one in messages if isinstance(one, dict) and one.get("role") == "user"]
    prompt = f"{_attached(sample, said(asked[-1:], 'user') or '')}\n"
    own = dict(zip(map(str, choices), ascii_uppercase, strict=False))
    shown_at = [next((own[one] for one in own if f"\n{letter}) {one}\n" in prompt), "") for letter in own.values()]
    letters = list(own.values())
    return tuple(shown_at) if sorted(shown_at) == letters and shown_at != letters else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _time(value: Any) -> float | None:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None
    except ValueError:
        return None
