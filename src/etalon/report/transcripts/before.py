"""Six problems before and after a stage, folded under the stage: one prompt, two answers, the verdict over each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from etalon.report.html import Html, clip, count, cut, folded, join, minus, tag
from etalon.report.read import number, text
from etalon.report.transcripts.browser import told_of
from etalon.report.transcripts.pairs import NUM_BROKEN, NUM_MENDED, Change, Pair, Shift
from etalon.report.transcripts.rows import Answers, kind_of, parts_of

WORDS: Mapping[Change, str] = {
    "mended": "Mended",
    "broken": "Broken",
    "unsolved": "Wrong before and after",
    "unchanged": "Solved as often as before",
}
CLASSES = {"no answer": "none"}  # of kinds that are no class as they are


def stage_html(
    stage: str, source: str, shifts: Sequence[Shift], pairs: Sequence[Pair], *, preferred: Sequence[str], num_bytes: int
) -> Html:
    """A stage's pairs, folded; num_bytes: of every text, at most."""
    title = f"{stage} against {source}: {_counted(shifts, preferred)}"
    if not pairs:
        return folded(title, tag("p", "No problem was decided both before and after it.", class_="note"))
    parts = [_pair_html(pair, stage, source, num_bytes) for pair in pairs]
    moves = tag("p", *_moves(shifts, preferred), class_="facts", id_=f"transcripts-{stage}")
    return folded(title, moves, _short_of(pairs), *parts)


def _counted(shifts: Sequence[Shift], preferred: Sequence[str]) -> str:
    """How many problems rose and fell: those of the trained domains apart, for elsewhere a phase moves others."""
    own = [one for one in shifts if one.question.domain in preferred]
    others = [one for one in shifts if one.question.domain not in preferred]
    if not own or not others:
        up, down = _up_and_down(shifts)
        alike = len(shifts) - up - down
        return f"{count(up)} problems solved more often, {count(down)} less often, {count(alike)} as often"
    (up, down), (up_elsewhere, down_elsewhere) = _up_and_down(own), _up_and_down(others)
    names = ", ".join(dict.fromkeys(one.question.domain for one in own))
    return (
        f"of {names} {count(up)} problems solved more often, {count(down)} less often; elsewhere "
        f"{count(up_elsewhere)} more and {count(down_elsewhere)} less often"
    )


def _up_and_down(shifts: Sequence[Shift]) -> tuple[int, int]:
    return sum(one.moved > 0 for one in shifts), sum(one.moved < 0 for one in shifts)


def _moves(shifts: Sequence[Shift], preferred: Sequence[str]) -> Iterator[Html]:
    """By domain, how many problems rose and fell, and the mean of the changes; trained domains first and bold."""
    domains = list(dict.fromkeys([*preferred, *(one.question.domain for one in shifts)]))
    for domain in domains:
        moved = [one.moved for one in shifts if one.question.domain == domain]
        if not moved:
            continue
        up, down = sum(one > 0 for one in moved), sum(one < 0 for one in moved)
        mean = minus(f"{100 * sum(moved) / len(moved):+.1f}")
        name = tag("b", domain) if domain in preferred else domain
        yield tag("span", name, f": {count(up)} more, {count(down)} less often; {mean} points on average")


def _short_of(pairs: Sequence[Pair]) -> Html:
    """Says where the six are fewer, because there are no more of a kind."""
    found = Counter(pair.change for pair in pairs)
    most: dict[Change, int] = {"mended": NUM_MENDED, "broken": NUM_BROKEN}
    few = [
        f"{count(found[change]) if found[change] else 'none'} {change}"
        for change in most
        if found[change] < most[change]
    ]
    return tag("p", f"There are no more of these: {', '.join(few)}.", class_="note") if few else join([])


def _pair_html(pair: Pair, stage: str, source: str, num_bytes: int) -> Html:
    question = pair.question
    solved = f"{_solved(pair.before)} → {_solved(pair.after)}"
    known = [tag("p", f"Reference: {clip(question.answer, 500)}", class_="note")] if question.answer else []
    link = tag("a", "every answer to it", href=f"#rollouts&problem={quote(clip(question.id, 500), errors='replace')}")
    prompt = (
        cut(question.prompt, num_bytes) if question.prompt else f"(the prompt of {clip(question.id, 200)} was not read)"
    )
    return tag(
        "div",
        tag("h4", tag("span", WORDS[pair.change], class_=pair.change), f" {question.domain}, right {solved} ", link),
        tag("div", prompt, class_="text"),
        *known,
        tag(
            "div",
            _side(f"before: {source}", pair.shown_before, num_bytes),
            _side(f"after: {stage}", pair.shown_after, num_bytes),
            class_="sides",
        ),
        class_="pair",
    )


def _solved(answers: Answers) -> str:
    """`3/8`, and how many of the rollouts beyond the decided ones there are."""
    num_decided = len(answers.scores)
    undecided = len(answers.rollouts) - num_decided
    return f"{answers.num_right}/{num_decided}" + (f" ({undecided} undecided)" if undecided else "")


def _side(title: str, rollout: Mapping[str, Any], num_bytes: int) -> Html:
    """One answer: its verdict, its thought and what it says in the end."""
    kind = kind_of(rollout)
    thought, rest = parts_of(text(rollout.get("text")))
    facts = [f"{count(number(rollout.get('tokens')))} tokens"]
    told = told_of(rollout)
    facts += [f"reason: {told}"] if told and told != kind else []
    facts += [f"answer {clip(text(rollout['extracted']), 80)}"] if rollout.get("extracted") is not None else []
    ends = "(it was cut inside its thought)" if kind == "cut" else "(it ended inside its thought)"
    said = ends if rest is None else cut(rest.strip(), num_bytes) or "(nothing after the thought)"
    return tag(
        "div",
        tag("p", tag("b", kind, class_=f"kind-name {CLASSES.get(kind, kind)}"), f" {title}", class_="side-of"),
        tag("p", ", ".join(facts), class_="note"),
        *([tag("div", cut(thought.strip(), num_bytes), class_="text thought")] if thought and thought.strip() else []),
        tag("div", said, class_="text said"),
        class_="side",
    )
