"""Files of the NeMo family: sgl-eval's and NeMo-Skills' predictions, and NeMo Gym's rollouts.

output-rsN.jsonl   {id, problem, expected_answer, generation, reasoning_content, finish_reason, predicted_answer,
                   num_generated_tokens, symbolic_correct, ...}: a file for each repeat, metrics.json beside them
rollouts.jsonl     {responses_create_params {input}, response {output [reasoning, message], usage, model}, reward,
                   _ng_task_index, _ng_rollout_index, expected_answer | instruction_id_list, kwargs | ...}
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.evaluate.logs.asked import Source
from etalon.evaluate.logs.log import About, Entry, UnreadableLogError, as_count, as_list, as_object, as_share
from etalon.evaluate.store import Sample, whole
from etalon.problems.endings import Ending, ending_of
from etalon.problems.texts import said
from etalon.rows.bad import shown
from etalon.rows.files import Row, read_rows
from etalon.rows.mapping import columns_found
from etalon.types import Domain, Stop

PREDICTIONS, ROLLOUTS = "sgl-eval", "nemo-gym"
MAX_METRICS_BYTES = 64 << 20  # (ours)
REPEAT = "_repeat"  # of a row: the number of the file that it stands in
GENERATION = ("temperature", "top_p", "max_tokens", "seed")
_FILE = re.compile(r"output-rs(?P<repeat>\d{1,6})\.jsonl")
_LETTER = re.compile(r"[A-Z]")


def recognises_prediction(row: Mapping[str, Any]) -> bool:
    return {"generation", "expected_answer"} <= row.keys() and not {"problem", "symbolic_correct"}.isdisjoint(row)


def recognises_rollout(row: Mapping[str, Any]) -> bool:
    return {"responses_create_params", "response", "reward"} <= row.keys()


def is_run(path: Path) -> bool:
    """Whether a directory holds predictions, a file for each repeat."""
    return path.is_dir() and bool(_files(path))


def _files(path: Path) -> list[tuple[int, Path]]:
    """(repeat, file) of a directory, or of one file; a file under another name is the first repeat."""
    files = [path] if not path.is_dir() else [one for one in path.iterdir() if _FILE.fullmatch(one.name)]
    named = [(_FILE.fullmatch(one.name), one) for one in files]
    return sorted((int(found["repeat"]) if found else 0, one) for found, one in named)


def prediction_rows(path: Path) -> Iterator[Row]:
    """The rows of all repeats, each with the number of its file."""
    for repeat, file in _files(path):
        for row in read_rows(file):
            columns = None if row.columns is None else {**row.columns, REPEAT: repeat}
            yield Row(f"{file.name} {row.place}" if path.is_dir() else row.place, columns, row.why, row.text)


class PredictionReader:
    """Reads the predictions of one run; see `Reader`."""

    def __init__(self, source: Source) -> None:
        self._source, self._most = source, 0
        self._metrics = _metrics(source.path if source.path.is_dir() else source.path.parent)

    def read(self, row: Row) -> Entry:
        columns = row.columns or {}
        if not recognises_prediction(columns):
            raise InputError(f"generation, expected_answer: missing; {columns_found(columns)}")
        text, thought = columns["generation"], columns.get("reasoning_content")
        if not isinstance(text, str):
            raise InputError(f"generation: found {shown(text)}, expected text")
        asked = {name: value for name, value in columns.items() if name in ("id", "problem", "expected_answer")}
        asked["id"] = str(asked["id"]) if asked.get("id") is not None else None
        found = self._source.asked(asked, domain=_domain(columns["expected_answer"]))
        problem = found.problem
        ending = ending_of(str(columns.get("finish_reason") or ""))
        stop = {Ending.WHOLE: Stop.EOS, Ending.CUT: Stop.LENGTH}.get(ending, Stop.ERROR)
        thought = thought if isinstance(thought, str) and thought else None
        start, end = columns.get("generation_start_time"), columns.get("generation_end_time")
        seconds = end - start if isinstance(start, int | float) and isinstance(end, int | float) else None
        self._most = max(self._most, columns[REPEAT] + 1)
        sample = Sample(
            id=problem.id, index=columns[REPEAT], stop=stop, order=found.order(), seconds=seconds,
            at=None if seconds is None else end,
            text=whole(thought, None if stop is Stop.LENGTH and not text else text),
            tokens=as_count(columns.get("num_generated_tokens")), theirs=as_share(columns.get("symbolic_correct")),
            error=str(columns["finish_reason"]) if stop is Stop.ERROR else "",
        )  # fmt: skip
        return Entry(problem=problem, samples=(sample,))

    def about(self) -> About:
        asked = as_object(self._metrics.get("gen"))
        settings = {name: asked[name] for name in GENERATION if asked.get(name) is not None}
        return About(
            version=str(self._metrics.get("sgl_eval_version") or ""),
            name=str(self._metrics.get("name") or self._source.path.absolute().parent.name),
            model=str(self._metrics.get("model") or ""),
            settings=settings | {"n": self._most},
            notes=() if self._metrics else ("no metrics.json beside it: model and settings are unknown",),
        )


def _metrics(folder: Path) -> Mapping[str, Any]:
    path = folder / "metrics.json"
    if not path.is_file() or path.stat().st_size > MAX_METRICS_BYTES:
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnreadableLogError(f"{path}: is not valid JSON: {error}") from None
    return as_object(found)


class RolloutReader:
    """Reads NeMo Gym's rollouts; see `Reader`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._counts: Counter[str] = Counter()
        self._models: Counter[str] = Counter()
        self._settings: dict[str, Any] = {}

    def read(self, row: Row) -> Entry:
        columns = row.columns or {}
        if not recognises_rollout(columns):
            raise InputError(f"responses_create_params, response, reward: missing; {columns_found(columns)}")
        asked, response = columns["responses_create_params"], columns["response"]
        if not isinstance(asked, dict) or not isinstance(response, dict):
            raise InputError(f"response: found {shown(response)}, expected an object of the Responses API")
        question = {name: value for name, value in columns.items() if name not in _OF_A_ROLLOUT}
        question["question"] = said(asked.get("input"), "user")
        is_program = "extracted_model_code" in columns
        domain = Domain.CODE if is_program else _domain(columns.get("expected_answer"))
        found = self._source.asked(question, domain=domain)
        problem = found.problem
        told = columns.get("_ng_rollout_index")
        index = told if isinstance(told, int) else self._counts[problem.id]
        self._counts[problem.id] += 1
        self._models.update([str(response.get("model") or "")])
        self._settings |= {name: response[name] for name in ("temperature", "top_p") if response.get(name) is not None}
        stop, error = _rollout_ending(response)
        usage = as_object(response.get("usage"))
        sample = Sample(
            id=problem.id, index=index, text=_rollout_text(response, stop), stop=stop, error=error, order=found.order(),
            tokens=as_count(usage.get("output_tokens")), prompt_tokens=as_count(usage.get("input_tokens")),
            theirs=as_share(columns["reward"]),
        )  # fmt: skip
        return Entry(problem=problem, samples=(sample,))

    def about(self) -> About:
        settings = self._settings | {"n": max(self._counts.values(), default=0)}
        model = self._models.most_common(1)[0][0] if self._models else ""
        return About(name=self._source.path.stem, model=model, settings=settings)


_OF_A_ROLLOUT = ("responses_create_params", "response", "reward", "prompt", "extracted_answer", "judge_evaluations")


def _rollout_ending(response: Mapping[str, Any]) -> tuple[Stop, str]:
    if error := response.get("error"):
        return Stop.ERROR, shown(error)
    reason = as_object(response.get("incomplete_details")).get("reason")
    if reason or response.get("status") == "incomplete":
        return (Stop.LENGTH, "") if ending_of(str(reason or "incomplete")) is Ending.CUT else (Stop.ERROR, str(reason))
    return Stop.EOS, ""


def _rollout_text(response: Mapping[str, Any], stop: Stop) -> str:
    """What was thought, as far as it is shown, and the last message."""
    items = [as_object(item) for item in as_list(response.get("output"))]
    parts = [
        as_object(part)
        for item in items
        if item.get("type") == "reasoning"
        for part in (*as_list(item.get("content")), *as_list(item.get("summary")))
    ]
    thoughts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    messages = [item for item in items if item.get("type") == "message"]
    rest = said(messages[-1:], "assistant")
    is_cut = stop is Stop.LENGTH and not rest
    return whole("\n".join(thoughts) if thoughts else None, None if is_cut else rest or "")


def _domain(expected: Any) -> Domain | None:
    """An answer that is one capital letter is an option, whose content the row may not hold."""
    return Domain.STEM if isinstance(expected, str) and _LETTER.fullmatch(expected) else None
