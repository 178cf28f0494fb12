"""The rollout browser: every rollout that a budget allows, packed into the page, and what browse.js needs to show it.

    answers -> one line of JSON per problem, all its stages together -> gzip -> base64 -> an inert block of the page

A script element of a type that is no script's is data: a browser never runs it and a content policy need not allow it.
Base64 has no character that could end it. Texts stay as the models wrote them; the script shows them as text only.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etalon.report.html import Html, clip, count, join, tag
from etalon.report.read import number, text
from etalon.report.transcripts.rows import KINDS, Answers, Question, kind_of
from etalon.sampling.endpoint.answer import CLOSE, OPEN

SCRIPTS = ("transcripts/browse.js",)  # of a page that has a browser
BUDGET = 3_000_000  # (ours) bytes that it may add to a page
MOST_ROLLOUTS = 16  # (ours) of a problem by one stage, or at one step
MOST_CHARACTERS = 8000  # (ours) of a text: its beginning and its end
BLOCK = "rollouts-data"
PLACES = {kind: place for place, kind in enumerate(KINDS)}
UNSCRIPTED = (
    "This browser of rollouts needs JavaScript and a browser that unpacks gzip by itself (Chrome or Edge 80, "
    "Safari 16.4, Firefox 113 and later). The same rollouts are in the files of the run."
)
_SLACK = 64  # bytes that the end of a gzip stream may take


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A gzip stream of lines. num_lines: how many of those there were to pack are in it."""

    content: bytes = field(repr=False)
    num_lines: int


def browser(
    asked: Mapping[str, Question],
    answers: Sequence[Answers],
    *,
    first: Sequence[str] = (),
    left_out: Sequence[str] = (),
    budget: int = BUDGET,
    unit: str = "tokens",
) -> Html:
    """The browser over these answers, and above it in words what is in it and what is not.

    Answers with a step are of training, those without of an evaluation. first: ids of problems that must not be
    missing. unit: what "tokens" of a rollout counts. A page with it passes SCRIPTS to `document`.
    """
    stages = {name: place for place, name in enumerate(dict.fromkeys(one.stage for one in answers))}
    by_problem: dict[str, list[Answers]] = {}
    for one in answers:
        by_problem.setdefault(one.problem_id, []).append(one)
    order = _in_order(asked, by_problem, first)
    head = {"stages": list(stages), "kinds": KINDS, "unit": unit, "thought": [OPEN, CLOSE]}
    lines = (_line(asked.get(key), key, by_problem[key], stages) for key in order)
    packed = pack([_encoded(head)], lines, budget=budget * 3 // 4)
    shown = [one for key in order[: packed.num_lines] for one in by_problem[key]]
    told = [*_left_out(order[packed.num_lines :], by_problem, shown, budget), *left_out]
    num_rollouts = sum(min(len(one.rollouts), MOST_ROLLOUTS) for one in shown)
    lead = f"{count(num_rollouts)} rollouts of {count(packed.num_lines)} problems are in this page. "
    lead += f"Not in it: {'; '.join(told)}." if told else "None of those that were read is left out."
    block = tag("script", Html(base64.b64encode(packed.content).decode()), type_="application/gzip", id_=BLOCK)
    return join(
        [tag("p", lead, class_="note"), tag("div", tag("p", UNSCRIPTED), id_="rollouts", class_="browse"), block]
    )


def _left_out(
    missing: Sequence[str], by_problem: Mapping[str, Sequence[Answers]], shown: Sequence[Answers], budget: int
) -> Iterator[str]:
    """What the bounds of this page cost, in words."""
    if missing:
        lost = sum(len(one.rollouts) for key in missing for one in by_problem[key])
        what = f"{count(len(missing))} problems with {count(lost)} rollouts"
        yield f"{what}, for which its {budget / 1e6:g} MB have no room"
    more = sum(max(len(one.rollouts) - MOST_ROLLOUTS, 0) for one in shown)
    if more:
        yield f"{count(more)} rollouts of groups of more than {MOST_ROLLOUTS}"
    long = sum(
        len(text(rollout.get("text"))) > MOST_CHARACTERS for one in shown for rollout in one.rollouts[:MOST_ROLLOUTS]
    )
    if long:
        yield f"the middle of {count(long)} texts of more than {count(MOST_CHARACTERS)} characters"


def _in_order(
    asked: Mapping[str, Question], by_problem: Mapping[str, Sequence[Answers]], first: Sequence[str]
) -> list[str]:
    """Ids: those that must be there, those of evaluations, those of training alone; domains take turns."""
    tiers: tuple[dict[str, list[str]], ...] = ({}, {})
    wanted = [key for key in dict.fromkeys(first) if key in by_problem]
    known = set(wanted)
    for key, own in by_problem.items():
        if key not in known:
            tier = tiers[all(one.step is not None for one in own)]
            tier.setdefault(asked[key].domain if key in asked else "", []).append(key)
    turns = [
        ids[place]
        for tier in tiers
        for place in range(max(map(len, tier.values()), default=0))
        for ids in tier.values()
        if place < len(ids)
    ]
    return [*wanted, *turns]


def _line(question: Question | None, key: str, own: Sequence[Answers], stages: Mapping[str, int]) -> bytes:
    """A problem as a line: domain, id, prompt, reference, its different rollouts, [stage, step, which] by group."""
    domain, prompt, answer = (question.domain, question.prompt, question.answer) if question else ("", "", "")
    places: dict[object, int] = {}
    different: list[list[Any]] = []
    groups = []
    for one in own:
        which = []
        for rollout in one.rollouts[:MOST_ROLLOUTS]:
            try:
                place = places.setdefault(tuple(rollout.items()), len(different))
            except TypeError:  # a value that is a list or an object
                place = len(different)
            if place == len(different):
                different.append(_short(rollout))
            which.append(place)
        groups.append([stages[one.stage], one.step, which])
    return _encoded([domain, clip(key, 500), _ends(prompt), clip(answer, 500), different, groups])


def _short(rollout: Mapping[str, Any]) -> list[Any]:
    """A rollout as a list: text, place of its kind, tokens, reason, extracted answer."""
    words, tokens, extracted = rollout.get("text"), rollout.get("tokens"), rollout.get("extracted")
    return [
        _ends(words if isinstance(words, str) else text(words)),
        PLACES[kind_of(rollout)],
        tokens if type(tokens) is int else number(tokens),
        told_of(rollout),
        None if extracted is None else clip(text(extracted), 300),
    ]


def told_of(rollout: Mapping[str, Any]) -> str:
    """Why the verdict is what it is, with the part of a score and the order of shuffled options where there are any."""
    score, order = rollout.get("score"), rollout.get("order")
    reason = rollout.get("error") or rollout.get("reason")
    told = clip(reason if isinstance(reason, str) else text(reason), 300)
    if isinstance(score, float) and 0 < score < 1:
        told += f", score {score:g}"
    if isinstance(order, list):
        told += f", it saw the options in the order {clip(' '.join(map(text, order)), 100)}"
    return told


def _ends(words: str) -> str:
    """A text, or the beginning and the end of a long one."""
    if len(words) <= MOST_CHARACTERS:
        return words
    half = MOST_CHARACTERS // 2
    return f"{words[:half]}\n\n… {len(words) - 2 * half:,} characters left out …\n\n{words[-half:]}"


def _encoded(value: object) -> bytes:
    """JSON in ASCII: lone surrogates, which UTF-8 does not have, survive as escapes."""
    return json.dumps(value, separators=(",", ":")).encode()


def pack(head: Sequence[bytes], lines: Iterable[bytes], *, budget: int) -> Packed:
    """One gzip stream of the head and of as many of the lines, from the first on, as `budget` bytes hold."""
    stream = zlib.compressobj(5, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    parts: list[bytes] = []
    size = pending = num_lines = 0

    def add(content: bytes) -> None:
        nonlocal size
        parts.append(content)
        size += len(content)

    for line in head:
        add(stream.compress(line) + stream.flush(zlib.Z_SYNC_FLUSH))
    for line in lines:
        entry = b"\n" + line
        if size + pending + pending // 1000 + len(entry) + _SLACK > budget:  # only now look closely
            add(stream.flush(zlib.Z_SYNC_FLUSH))
            pending = 0
            tried = stream.copy()
            grown = len(tried.compress(entry) + tried.flush(zlib.Z_SYNC_FLUSH))
            if size + grown + _SLACK > budget:
                break
        add(stream.compress(entry))
        pending += len(entry)
        num_lines += 1
    add(stream.flush())
    return Packed(content=b"".join(parts), num_lines=num_lines)
