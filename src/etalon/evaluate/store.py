"""What the directory of an evaluation keeps, and how it is read back without holding its texts in memory.

    evaluation.json       what its samples depend on: model, prompts, sampling, files; a later call must agree
    samples-NAME.jsonl    every text once, appended as it comes; a sample that failed is there with its error, and the
                          next call asks for it again: of two rows of one sample the later counts
    scores-NAME.jsonl     the verdict on each sample with all that a metric needs, no text; made anew by `--rescore`
    elsewhere-NAME.jsonl  what another tool's judge said of samples whose tests it alone has; never asked for again
    problems-NAME.jsonl   problems that have no file of their own: of another tool's log, or made for the evaluation
    results.json          every number that is printed

A killed process leaves at most a torn last line, which the next call cuts off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from etalon.errors import InputError
from etalon.problems.rows import problem_from_row, problem_to_row
from etalon.sampling.endpoint.answer import CLOSE, OPEN
from etalon.store import read_json, read_jsonl, to_json, write_atomic
from etalon.types import Problem, Stop

SAMPLES, SCORES, PROBLEMS = "samples-", "scores-", "problems-"
RESULTS, MARKER = "results.json", "evaluation.json"
ELSEWHERE = "elsewhere-"
JUDGED = "verdict"  # in a sample's detail: the word of the judge that gave `theirs`
SKIPPED = "Skip"  # its word where it leaves the problem out
KINDS: Mapping[str, type | tuple[type, ...]] = {  # of what rows say, where it is there
    **dict.fromkeys(("id", "text", "reasoning", "reason", "error", "prompt_hash", "answer", "other"), str),
    **dict.fromkeys(("index", "tokens", "prompt_tokens", "seed", "calls"), int),
    **dict.fromkeys(("seconds", "at", "score", "theirs"), (int, float)),
}
One = TypeVar("One", "Sample", "Scored")
Key = tuple[str, int]  # problem, index of the sample


@dataclass(frozen=True, kw_only=True)
class _Numbered:
    """Of which problem, the how manieth, and why it ended."""

    id: str
    index: int
    stop: Stop

    @property
    def key(self) -> Key:
        return self.id, self.index

    @property
    def has_failed(self) -> bool:
        return self.stop is Stop.ERROR


@dataclass(frozen=True, kw_only=True)
class Sample(_Numbered):
    """One response as it is kept.

    seed: sent with the request. prompt_hash: of the whole conversation. tokens: of the response, prompt_tokens: of
    what was asked; None where nobody told.
    seconds: wall time of its request, or of the batch it was decoded in; at: when it ended (Unix seconds).
    order: see `etalon.types.Rollout`. theirs: the score another tool gave it, in its log or when its judge was asked.
    """

    text: str
    tokens: int | None = None
    prompt_tokens: int | None = None
    seed: int | None = None
    prompt_hash: str = ""
    seconds: float | None = None
    at: float | None = None
    order: tuple[str, ...] | None = None
    calls: int = 1
    error: str = ""
    detail: Mapping[str, Any] | None = None
    theirs: float | None = None


def sample_to_row(sample: Sample) -> dict[str, Any]:
    """The row of a sample; fields at their default are left out. `parted` says how a thought stands in it."""
    reasoning, text = parted(sample.text)
    row: dict[str, Any] = {"id": sample.id, "index": sample.index, "stop": sample.stop.value, "text": text}
    if reasoning is not None:
        row["reasoning"] = reasoning
    for name in ("seed", "tokens", "prompt_tokens", "seconds", "at", "theirs"):
        if (value := getattr(sample, name)) is not None:
            row[name] = value
    row |= {name: value for name in ("prompt_hash", "error") if (value := getattr(sample, name))}
    row |= {"order": list(sample.order)} if sample.order is not None else {}
    row |= {"calls": sample.calls} if sample.calls != 1 else {}
    row |= {"detail": dict(sample.detail)} if sample.detail else {}
    return row


def sample_from_row(row: Mapping[str, Any]) -> Sample:
    """The sample that `sample_to_row` wrote."""
    return Sample(
        id=row["id"],
        index=row["index"],
        text=whole(row.get("reasoning"), row.get("text")),
        stop=Stop(row["stop"]),
        order=tuple(row["order"]) if row.get("order") else None,
        **{name: row[name] for name in _AS_THEY_ARE if name in row},
    )


_BEGINS = re.compile(rb'\{"id": ("(?:[^"\\]|\\.)*"), "index": (\d+),')
_AS_THEY_ARE = (
    *("tokens", "prompt_tokens", "seed", "prompt_hash", "seconds", "at", "calls", "error", "detail", "theirs"),
)


def parted(text: str) -> tuple[str | None, str | None]:
    """(reasoning, the rest) of a response, without loss: no reasoning without tags, no rest where it was cut inside."""
    if not text.startswith(OPEN):
        return None, text
    reasoning, closed, rest = text.removeprefix(OPEN).partition(CLOSE)
    return reasoning, rest if closed else None


def whole(reasoning: str | None, rest: str | None) -> str:
    """The response that `parted` took apart."""
    if reasoning is None:
        return rest or ""
    return f"{OPEN}{reasoning}" if rest is None else f"{OPEN}{reasoning}{CLOSE}{rest}"


@dataclass(frozen=True, kw_only=True)
class Scored(_Numbered):
    """The verdict on one sample, and what metrics need to know of it; no text.

    score: None is undecided (failed samples too). answer: what was extracted, an option by the problem's own letter
    whatever order the sample saw. no_answer: it states none: it ended without one, or was cut in its thought; other:
    the convention by which it has one all the same. strict, loose: of each rule whether it is followed, None where
    undecided.
    """

    score: float | None
    reason: str
    tokens: int | None = None
    prompt_tokens: int | None = None
    seconds: float | None = None
    at: float | None = None
    calls: int = 1
    answer: str | None = None
    no_answer: bool = False
    strict: tuple[bool | None, ...] | None = None
    loose: tuple[bool | None, ...] | None = None
    other: str = ""
    theirs: float | None = None

    @property
    def is_right(self) -> bool:
        return self.score is not None and self.score >= 1.0


def scored_to_row(scored: Scored) -> dict[str, Any]:
    """The row of a verdict; fields at their default are left out, but a score that is null stays."""
    row: dict[str, Any] = {"id": scored.id, "index": scored.index, "score": scored.score, "reason": scored.reason}
    row["stop"] = scored.stop.value
    for name in ("tokens", "prompt_tokens", "seconds", "at", "answer", "theirs"):
        if (value := getattr(scored, name)) is not None:
            row[name] = value
    row |= {"no_answer": True} if scored.no_answer else {}
    row |= {name: list(value) for name in ("strict", "loose") if (value := getattr(scored, name)) is not None}
    row |= {"other": scored.other} if scored.other else {}
    row |= {"calls": scored.calls} if scored.calls != 1 else {}
    return row


def scored_from_row(row: Mapping[str, Any]) -> Scored:
    """The verdict that `scored_to_row` wrote."""
    lists = {name: tuple(row[name]) for name in ("strict", "loose") if name in row}
    return Scored(**{**row, **lists, "stop": Stop(row["stop"])})


def samples_path(folder: Path, name: str) -> Path:
    return folder / f"{SAMPLES}{name}.jsonl"


def scores_path(folder: Path, name: str) -> Path:
    return folder / f"{SCORES}{name}.jsonl"


def elsewhere_path(folder: Path, name: str) -> Path:
    return folder / f"{ELSEWHERE}{name}.jsonl"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What another tool's judge said of a sample. score: None where it decided nothing. word: its own word for it."""

    id: str
    index: int
    score: float | None
    word: str

    @property
    def key(self) -> Key:
        return self.id, self.index

    def joined(self, sample: Sample) -> Sample:
        """The sample with it."""
        return replace(sample, theirs=self.score, detail={**(sample.detail or {}), JUDGED: self.word})


def read_elsewhere(folder: Path, name: str) -> dict[Key, Told]:
    """What another tool's judge said of the samples of a benchmark; of several words on one sample the last."""
    return {one.key: one for one in (Told(**row) for row in read_jsonl(elsewhere_path(folder, name)))}


def keep_problems(folder: Path, name: str, problems: Iterable[Problem]) -> None:
    """Write problems that have no file of their own: another tool's log brought them, or they were made."""
    lines = (to_json(problem_to_row(problem)) + b"\n" for problem in problems)
    write_atomic(folder / f"{PROBLEMS}{name}.jsonl", b"".join(lines))


def kept_problems(folder: Path, name: str) -> list[Problem] | None:
    """The problems that were kept; None where the benchmark has a file of its own."""
    path = folder / f"{PROBLEMS}{name}.jsonl"
    return [problem_from_row(row) for row in read_jsonl(path)] if path.exists() else None


def names(folder: Path) -> list[str]:
    """The benchmarks whose samples a directory holds, by name."""
    found = sorted(folder.glob(f"{SAMPLES}*.jsonl"))
    return [path.name.removeprefix(SAMPLES).removesuffix(".jsonl") for path in found]


def read_samples(folder: Path, name: str, *, wanted: Collection[Key] | None = None) -> Iterator[Sample]:
    """The samples of a benchmark, one at a time; of several rows of one sample all are given, the later counts.

    wanted: only these; the texts of the others are not even read as JSON.
    """
    path = samples_path(folder, name)
    return (_checked(path, number, row, sample_from_row) for number, row in _numbered(path, wanted=wanted))


def read_scores(folder: Path, name: str) -> dict[Key, Scored]:
    """The verdicts of a benchmark."""
    path = scores_path(folder, name)
    found = (_checked(path, number, row, scored_from_row) for number, row in _numbered(path))
    return {one.key: one for one in found}


def _checked(path: Path, number: int, row: dict[str, Any], read: Callable[[Mapping[str, Any]], One]) -> One:
    """What a row comes to; InputError, with its place, for one that nobody here wrote."""
    try:
        found = read(row)
        for name, value in row.items():
            kinds = KINDS.get(name)
            if kinds and value is not None and (isinstance(value, bool) or not isinstance(value, kinds)):
                raise TypeError(f"{name}: found {value!r}")
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: line {number}: {error}; delete the line to ask for it again") from None
    return found


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The whole rows of a JSONL file, one at a time; none where there is no file. A torn last line is left out."""
    return (row for _, row in _numbered(path))


def _numbered(path: Path, *, wanted: Collection[Key] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with the numbers of their lines."""
    if not path.exists():
        return
    with open(path, "rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                return
            if wanted is not None and (key := _key_in(line)) is not None and key not in wanted:
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path}: line {number} is not valid JSON: {error}") from None
            if not isinstance(row, dict) or not {"id", "index", "stop"} <= row.keys():
                raise InputError(f"{path}: line {number}: expected a row with id, index and stop")
            yield number, row


def _key_in(line: bytes) -> Key | None:
    """The key that a row of ours begins with; None where it begins otherwise."""
    found = _BEGINS.match(line)
    return None if found is None else (json.loads(found[1]), int(found[2]))


def counted(folder: Path, name: str) -> dict[Key, Scored]:
    """The verdicts that the benchmark's numbers are made of: on the problems and generations last asked for."""
    marker = folder / MARKER
    entry = read_json(marker).get("benchmarks", {}).get(name, {}) if marker.exists() else {}
    n, ids = entry.get("n"), entry.get("ids")
    asked = None if ids is None else set(ids)
    found = read_scores(folder, name)
    return {key: one for key, one in found.items()
            if (n is None or key[1] < n) and (asked is None or key[0] in asked)}  # fmt: skip


def by_problem(scored: Mapping[Key, Scored], problem_ids: Sequence[str], n: int) -> dict[str, list[Scored]]:
    """The first n samples of each problem, as far as they are there, in order."""
    return {one: [scored[one, i] for i in range(n) if (one, i) in scored] for one in problem_ids}
