"""`fault`: the first thing that is wrong with a response, of all that rules can see."""

from __future__ import annotations

from collections.abc import Callable

from etalon.data.traces.conclusions import contradiction, two_answers
from etalon.data.traces.endings import truncation
from etalon.data.traces.loops import repeated_lines, row_loop, sentences, template_loop
from etalon.data.traces.marks import character_runs, control_characters, control_tokens, garbage, mojibake
from etalon.data.traces.programs import program
from etalon.data.traces.response import Fault, Response, around, response_of, without_code
from etalon.data.traces.sayings import echo, given_answer, refusal
from etalon.data.traces.scripts import other_scripts
from etalon.data.traces.thoughts import Thoughts, broken_thought
from etalon.data.traces.turns import other_turns
from etalon.data.traces.wording import circling, gibberish
from etalon.types import Domain

MARKS: tuple[Callable[[Response], Fault | None], ...] = (
    control_characters,
    control_tokens,
    mojibake,
    character_runs,
    garbage,
    gibberish,
)
WORDS: tuple[Callable[[Response], Fault | None], ...] = (
    other_scripts,
    refusal,
    given_answer,
    other_turns,
    truncation,
    echo,
    program,
    two_answers,
    contradiction,
)

MIN_LINES = 300  # (ours) characters of a part whose lines are compared: a small grid has the same one often


def fault(
    response: str,
    *,
    prompt: str = "",
    answer: str | None = None,
    domain: Domain | None = None,
    is_complete: bool | None = None,
    thoughts: Thoughts = "whole",
    max_share: float = 0.5,
) -> Fault | None:
    """What is wrong with a response, None when no rule finds anything. Linear in its length.

    Args:
        prompt: the problem; what it is itself about passes (control tokens, another script, a solution to check).
        answer: the reference, where a problem may ask for several values.
        domain: None where it is not known; programs are looked for in code only.
        is_complete: what is known of its end; None lets the text decide.
        thoughts: "any" lets empty ones pass, "needed" asks every response for one.
        max_share: (ours) of stale n-grams in a stretch, and of repeated lines in a part, that are no loop.
    """
    found = response_of(response, prompt=prompt, answer=answer, domain=domain, is_complete=is_complete)
    for check in MARKS:
        if (why := check(found)) is not None:
            return why
    if (why := repetition(found, max_share=max_share)) or (why := broken_thought(found, thoughts)):
        return why
    return next((why for check in WORDS if (why := check(found)) is not None), None)


def repetition(response: Response, *, max_share: float = 0.5) -> Fault | None:
    """A loop, or too many repeated lines, in the thought or in the final part, each on its own."""
    for part in response.parts:
        found = sentences(part)
        if loop := row_loop(found) or template_loop(found, max_share=max_share) or circling(found):
            return Fault(kind=loop.kind, detail=around(part, loop.start))
        if len(part) > MIN_LINES and repeated_lines(without_code(part)) > max_share:
            return Fault(kind="repeated lines", detail=around(part, len(part) // 2))
    return None
