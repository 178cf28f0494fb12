"""The samples of an evaluation in the browser of rollouts: of every benchmark an even part of its problems."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etalon.evaluate.store import Sample, Scored, read_samples, samples_path
from etalon.report.evaluation.scorecard import Scorecard
from etalon.report.html import Html, count, join, tag
from etalon.report.transcripts import MOST_ROLLOUTS, Answers, Question, browser
from etalon.types import Problem

READ_BYTES = 20_000_000  # (ours) of all samples of an evaluation, read again for the browser
BUDGET = 2_000_000  # (ours) bytes that it may add to the page


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What is to be browsed of one benchmark. left_out: in words, what is not."""

    asked: Mapping[str, Question] = field(repr=False)
    answers: Sequence[Answers] = field(repr=False)
    left_out: tuple[str, ...]


def samples_of(folder: Path, card: Scorecard, problems: Mapping[str, Problem], *, num_bytes: int) -> Samples:
    """The first samples of the problems of one benchmark, of an even part of these where they are too many."""
    name, known = card.row.name, card.problems
    path = samples_path(folder, name)
    most = max((len(problem.samples) for problem in known), default=0)
    size = (path.stat().st_size if path.is_file() else 0) * min(MOST_ROLLOUTS, most) / max(most, 1)
    part = min(num_bytes / size, 1.0) if size else 1.0
    taken = [one for place, one in enumerate(known) if math.ceil((place + 1) * part) > math.ceil(place * part)]
    scored = {one.key: one for problem in taken for one in problem.samples[:MOST_ROLLOUTS]}
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for sample in read_samples(folder, name, wanted=scored):
        found.setdefault(sample.id, {})[sample.index] = _rollout(sample, scored[sample.key])
    answers = [
        Answers(stage=name, problem_id=f"{name}/{key}", rollouts=[own[index] for index in sorted(own)])
        for key, own in found.items()
    ]
    asked = [_question(name, key, problems.get(key)) for key in found]
    left = [f"{count(len(known) - len(taken))} problems of {name}"] if len(taken) < len(known) else []
    left += [f"samples of {name} beyond the first {MOST_ROLLOUTS} of a problem"] if most > MOST_ROLLOUTS else []
    return Samples(asked={one.id: one for one in asked}, answers=answers, left_out=tuple(left))


def _question(name: str, key: str, problem: Problem | None) -> Question:
    known = {"domain": problem.domain, "prompt": problem.prompt, "answer": problem.answer} if problem else {}
    return Question.model_validate({"id": f"{name}/{key}", **known})


def _rollout(sample: Sample, scored: Scored) -> dict[str, Any]:
    """A sample as the rows of a run keep their rollouts."""
    is_told = scored.reason.startswith("no_answer") or not scored.no_answer
    return {
        "text": sample.text,
        "stop": sample.stop.value,
        "tokens": sample.tokens,
        "score": scored.score,
        "reason": scored.reason if is_told else f"no_answer: {scored.reason}",
        **({"extracted": scored.answer} if scored.answer is not None else {}),
        **({"error": sample.error} if sample.error else {}),
        **({"order": list(sample.order)} if sample.order is not None else {}),
    }


def samples_section(found: Sequence[Samples]) -> Html:
    """The browser over all benchmarks; nothing where there are no samples."""
    answers = [one for samples in found for one in samples.answers]
    asked = {key: question for samples in found for key, question in samples.asked.items()}
    left = [words for samples in found for words in samples.left_out]
    if not answers:
        return join([])
    shown = browser(asked, answers, left_out=left, budget=BUDGET)
    return tag("section", tag("h2", "Browse the samples"), shown, id_="samples")
