"""lm-eval's samples_TASK_DATE.jsonl, written with --log_samples; read as 0.4 writes them.

    {doc_id, doc, target, arguments, resps, filtered_resps, filter, metrics, METRIC: score, ...}

A row for each document and filter: of one document the first row counts, for the responses are the same in all. `resps`
has a list for each request: one, with `repeats` responses in it. Tasks that rank options by their likelihood have a
request for each option and no text. The model and the settings stand in results_DATE.json beside it, if that is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.evaluate.logs.asked import Source
from etalon.evaluate.logs.livecodebench import fenced
from etalon.evaluate.logs.log import About, Entry, UnreadableLogError, as_list, as_object, as_share
from etalon.evaluate.store import Sample
from etalon.rows.bad import shown
from etalon.rows.files import Row
from etalon.rows.mapping import columns_found
from etalon.types import Answers, Domain, Stop

NAME = "lm-eval"
MAX_RESULTS_BYTES = 64 << 20  # (ours)
METRICS = ("exact_match", "math_verify", "prompt_level_strict_acc", "pass@1", "acc")  # that are their verdict, in order
GENERATION = {"temperature": "temperature", "top_p": "top_p", "max_gen_toks": "max_tokens", "until": "stop"}
_FILE = re.compile(r"samples_(?P<task>.+?)_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl(?:\.gz|\.zst)?")
_SAYS = (  # what a filter looks for, and the convention that this is
    (re.compile(r"####"), Answers.HASH),
    (re.compile(r"boxed"), Answers.BOXED),
    (re.compile(r"answer is.{0,12}\[A[-B]", re.IGNORECASE), Answers.LETTER_SENTENCE),
    (re.compile(r"answer is", re.IGNORECASE), Answers.SENTENCE),
)


def recognises(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("doc"), dict) and "resps" in row


class LmEvalReader:
    """Reads the rows of one file; see `Reader`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._named = _FILE.fullmatch(source.path.name)
        self._results = _results(source.path, self._named)
        self._seen: dict[int, int] = {}  # hash of the responses to each document
        self._filter: str | None = None  # of the first row
        self._scores: dict[str, list[float]] = {}
        self._generation: Mapping[str, Any] = {}
        self._most = self._num_fenced = 0

    def read(self, row: Row) -> Entry | None:
        columns = row.columns or {}
        if not recognises(columns):
            raise InputError(f"doc, resps: missing; {columns_found(columns)}")
        if _is_ranked(columns):
            raise UnreadableLogError(
                f"{self._source.path}: {row.place}: options ranked by likelihood, which have no text to score again; "
                "run a task of output_type generate_until"
            )
        texts, name = _texts(columns["resps"]), str(columns.get("filter", ""))
        score = _score(columns)
        document, mark = columns.get("doc_id"), hash(texts)
        if self._seen.setdefault(hash(json.dumps([document, columns["doc"]], sort_keys=True)), mark) != mark:
            raise InputError(f"doc_id: {shown(document)} stands in an earlier row with other responses")
        if self._filter is None:
            self._filter, self._generation = name, _generation(columns)
        if score is not None:
            self._scores.setdefault(name, []).append(score)
        if name != self._filter:
            return None
        self._most = max(self._most, len(texts))
        return self._entry(columns, texts, score)

    def _entry(self, columns: Mapping[str, Any], texts: tuple[str, ...], score: float | None) -> Entry:
        asked = self._source.asked({name: columns[name] for name in ("doc", "target", "resps") if name in columns})
        problem, order = asked.problem, asked.order()
        if problem.domain is Domain.CODE:
            texts = tuple(map(self._program, texts))
        is_of_first = len(texts) == 1 or self._takes_first(columns)
        scores = [score if at == 0 and is_of_first else None for at in range(len(texts))]
        samples = (
            Sample(id=problem.id, index=at, text=text, stop=Stop.EOS, order=order, theirs=scores[at])
            for at, text in enumerate(texts)
        )
        return Entry(problem=problem, samples=tuple(samples))

    def _program(self, text: str) -> str:
        """A response to a programming problem; one without any fence is a program, or the rest of one."""
        if not text.strip() or "```" in text:
            return text
        self._num_fenced += 1
        return fenced(text)

    def _takes_first(self, columns: Mapping[str, Any]) -> bool:
        """Whether the score is that of the first of several responses, not of a vote or of all."""
        filters = map(as_object, as_list(self._task().get("filter_list")))
        own = next((one for one in filters if one.get("name") == self._filter), None)
        if own is None:
            return self._filter == "none" and columns.get("filtered_resps") == columns["resps"][0][:1]
        return as_object(next(iter(as_list(own.get("filter"))[-1:]), None)).get("function") == "take_first"

    def _task(self) -> Mapping[str, Any]:
        return as_object(as_object(self._results.get("configs")).get(self._named["task"])) if self._named else {}

    def about(self) -> About:
        asked = {**as_object(self._task().get("generation_kwargs")), **self._generation}
        settings = {ours: asked[theirs] for theirs, ours in GENERATION.items() if asked.get(theirs) is not None}
        settings["n"] = self._most
        if len(self._scores) > 1:
            settings["filters"] = {name: sum(scores) / len(scores) for name, scores in self._scores.items()}
        model = self._results.get("model_name") or as_object(self._results.get("config")).get("model")
        notes = []
        if not self._results:
            notes.append("no results_*.json of the same date beside it: the model is unknown")
        if self._num_fenced:
            notes.append(f"programs without a fence, which were put in one: {self._num_fenced:,}")
        return About(
            version=str(self._results.get("lm_eval_version") or ""),
            name=self._named["task"] if self._named else "",
            model=str(model or ""),
            settings=settings,
            told=_told(self._task()),
            notes=tuple(notes),
            knows_cuts=False,
        )


def _is_ranked(columns: Mapping[str, Any]) -> bool:
    """Whether the requests are continuations, and the responses likelihoods."""
    first = as_object(next(iter(as_object(columns.get("arguments")).values()), None))
    if "arg_1" in first:
        return isinstance(first["arg_1"], str)
    return any(isinstance(one, list) for inner in as_list(columns["resps"]) for one in as_list(inner))


def _texts(resps: Any) -> tuple[str, ...]:
    inner = resps[0] if isinstance(resps, list) and len(resps) == 1 else None
    texts = [inner] if isinstance(inner, str) else inner
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise InputError(f"resps: found {shown(resps)}, expected the responses to one request: [[text, ...]]")
    return tuple(texts)


def _score(columns: Mapping[str, Any]) -> float | None:
    """Their verdict: the first metric of the field that is a score, else the first that is one."""
    own = [name for name in as_list(columns.get("metrics")) if isinstance(name, str)]
    scores = (as_share(columns.get(name)) for name in [*(m for m in METRICS if m in own or not own), *own])
    return next((score for score in scores if score is not None), None)


def _generation(columns: Mapping[str, Any]) -> Mapping[str, Any]:
    return as_object(as_object(as_object(columns.get("arguments")).get("gen_args_0")).get("arg_1"))


def _told(task: Mapping[str, Any]) -> tuple[Answers, str] | None:
    """The convention that the task's first filter looks for."""
    first = as_object(next(iter(as_list(task.get("filter_list"))), None))
    for step in as_list(first.get("filter")):
        pattern = str(as_object(step).get("regex_pattern") or "")
        for looks_for, answers in _SAYS:
            if looks_for.search(pattern):
                return answers, f"the task's filter {first.get('name')} looks for {shown(pattern)}"
    return None


def _results(path: Path, named: re.Match[str] | None) -> Mapping[str, Any]:
    """The results of the same run, {} where there are none."""
    beside = path.with_name(f"results_{named['date']}.json") if named else None
    if beside is None or not beside.is_file() or beside.stat().st_size > MAX_RESULTS_BYTES:
        return {}
    try:
        found = json.loads(beside.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnreadableLogError(f"{beside}: is not valid JSON: {error}") from None
    return as_object(found)
