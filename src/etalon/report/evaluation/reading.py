"""Raw samples to read: which ones, found in one pass over the texts, and shown with nothing of theirs acting.

Of each chosen problem the shortest right, the longest wrong and a truncated sample; problems that the model solves
sometimes come first. `print_sample` prints any other one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from shlex import quote

from etalon.errors import InputError
from etalon.evaluate.store import Key, Sample, Scored, names, parted, read_samples, read_scores
from etalon.report.evaluation.scorecard import Scorecard, Solved, kind_of
from etalon.report.html import Html, clip, count, cut, folded, join, tag
from etalon.report.terminal import plain
from etalon.types import Problem

NUM_SAMPLES = 60  # on a page, and of all their texts together
NUM_BYTES = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A sample on the page; its texts are cut already."""

    scored: Scored
    reasoning: str | None
    text: str
    error: str


def chosen(card: Scorecard, most: int) -> list[Scored]:
    """At most `most` samples, of the problems nearest to a solve rate of one half, an easy and a hard one in turn."""
    found: list[Scored] = []
    nearest = sorted(card.problems, key=_interest)
    sides = [
        [one for one in nearest if (one.rate is not None and one.rate >= 0.5) is is_easy] for is_easy in (True, False)
    ]
    for problem in filter(None, chain.from_iterable(zip_longest(*sides))):
        picked = _picked(problem)
        if len(found) + len(picked) > most:
            break
        found += picked
    return found


def _interest(problem: Solved) -> float:
    return 1.0 if problem.rate is None else abs(problem.rate - 0.5)


def _picked(problem: Solved) -> list[Scored]:
    kinds: dict[str, list[Scored]] = {}
    for one in sorted(problem.samples, key=lambda one: one.tokens or 0):
        kinds.setdefault(kind_of(one), []).append(one)
    first = [kinds[kind][place] for kind, place in (("right", 0), ("wrong", -1), ("truncated", 0)) if kind in kinds]
    return first or [kinds[kind][0] for kind in ("undecided", "failed") if kind in kinds][:1]


def read_shown(folder: Path, name: str, wanted: Sequence[Scored], *, num_bytes: int) -> list[Shown]:
    """The texts of these samples, at most `num_bytes` of UTF-8 each; of several rows of a sample the later counts."""
    by_key = {scored.key: scored for scored in wanted}
    found: dict[Key, Shown] = {}
    if by_key:
        for sample in read_samples(folder, name, wanted=by_key):
            found[sample.key] = _shown(sample, by_key[sample.key], num_bytes)
    return [found[key] for key in by_key if key in found]


def _shown(sample: Sample, scored: Scored, num_bytes: int) -> Shown:
    reasoning, rest = parted(sample.text)
    room = num_bytes // 2 if reasoning and rest else num_bytes
    text = cut(rest or "", room)
    reasoning = None if reasoning is None else cut(reasoning, num_bytes - len(text.encode()))
    return Shown(scored=scored, reasoning=reasoning, text=text, error=clip(sample.error, 500))


# ---- on the page


def samples_html(folder: Path, name: str, shown: Sequence[Shown], problems: Mapping[str, Problem]) -> Html:
    """The samples of one benchmark, folded, under the command that prints any other."""
    if not shown:
        return join([])
    command = f"etalon report {quote(str(folder))} --sample {quote(f'{name}/{shown[0].scored.id}')}/INDEX"
    lead = tag("p", "Any other sample, whole: ", tag("code", command), class_="note")
    grouped: dict[str, list[Html]] = {}
    for one in shown:
        grouped.setdefault(one.scored.id, []).append(_sample_html(one))
    parts = [_problem_html(key, own, problems.get(key)) for key, own in grouped.items()]
    return join([tag("h3", f"{len(shown)} samples to read"), lead, tag("div", *parts, class_="reads")])


def _problem_html(key: str, samples: Sequence[Html], problem: Problem | None) -> Html:
    asked = [tag("div", cut(problem.prompt, 8000), class_="text")] if problem else []
    answer = [tag("p", f"Reference: {clip(problem.answer, 500)}", class_="note")] if problem and problem.answer else []
    return tag("div", tag("h4", clip(key, 120)), *asked, *answer, *samples, class_="read")


def _sample_html(one: Shown) -> Html:
    scored = one.scored
    title = [f"sample {scored.index}", f"{count(scored.tokens)} tokens"]
    title += [f"answer {clip(scored.answer, 80)}"] if scored.answer is not None else []
    kind = kind_of(scored)
    thought = [] if one.reasoning is None else [folded("Reasoning", tag("pre", one.reasoning.strip()))]
    return tag(
        "details",
        tag("summary", tag("b", kind, class_=f"kind-name {kind}"), f" {', '.join(title)}"),
        tag("p", *(tag("span", fact) for fact in facts(scored)), class_="facts"),
        *([tag("p", one.error, class_="note")] if one.error else []),
        *thought,
        tag("pre", one.text.strip() or "(nothing after the reasoning)"),
    )


def facts(scored: Scored) -> Iterator[str]:
    """What is known of a sample beside its text."""
    if scored.score is not None:
        yield f"score {scored.score:g}"
    if scored.reason:
        yield f"reason {clip(scored.reason, 300)}"
    yield f"ended by {scored.stop.value}"
    if scored.no_answer:
        yield "states no answer"
    if scored.seconds is not None:
        yield f"{scored.seconds:.1f} s"


# ---- on a terminal


def print_sample(folder: Path, named: str) -> str:
    """The text of a sample named BENCHMARK/PROBLEM/INDEX, with its verdict above; what would steer a terminal is cut.

    Raises InputError where there is none of that name.
    """
    name, _, rest = named.partition("/")
    key, _, number = rest.rpartition("/")
    if not key or not number.isdecimal() or name not in names(folder):
        known = ", ".join(names(folder))
        raise InputError(f"--sample {named}: expected BENCHMARK/PROBLEM/INDEX with a benchmark of {folder}: {known}")
    found = next(reversed(list(read_samples(folder, name, wanted={(key, int(number))}))), None)
    if found is None:
        raise InputError(f"--sample {named}: {folder} has no such sample of {name}")
    scored = read_scores(folder, name).get(found.key)
    told = ", ".join([kind_of(scored), *facts(scored)]) if scored else "not scored yet"
    texts = "\n\n".join(filter(None, (found.error, found.text)))
    return plain(f"{named}: {told}\n\n{texts}")
