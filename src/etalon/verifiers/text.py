"""Where the answer is in a response: after the last `</think>`, in the last balanced box.

    response -> final_part -> last_boxed, or answer_line -> the answer's text
    reference -> final_reference (problems.golds)

Nothing here scans a reasoning trace for something that looks like an answer: a truncated trace has none.
"""

from __future__ import annotations

import re

from etalon.problems.golds import MAX_ANSWER_CHARS, final_reference, last_boxed

__all__ = ["answer_line", "extract_answer", "final_part", "final_reference", "last_boxed"]

_ANSWER_LINE = re.compile(
    r"[*_#> \t-]{0,12}(?:the )?(?:final )?answer[ \t]?[*_]{0,3}[ \t]?(?:is)?[ \t]?[:：](?P<answer>.*)", re.IGNORECASE
)
_MARKUP = "*_ \t"


def final_part(response: str) -> str:
    """The text after the last `</think>`; a `<think>` that was never closed hides all that follows it."""
    end = response.rfind("</think>")  # no copy of the trace: this runs once per rollout
    final = response[end + len("</think>") :] if end >= 0 else response
    reopened = final.find("<think>")
    return final if reopened < 0 else final[:reopened]


def answer_line(text: str) -> str | None:
    """What follows the last line-initial `Answer:` (or `Final answer:`), or None."""
    end = len(text)
    lower = upper = end
    while True:
        lower, upper = (
            text.rfind(word, 0, end) if position >= end else position
            for word, position in (("nswer", lower), ("NSWER", upper))
        )
        if lower < 0 and upper < 0:
            return None
        start = text.rfind("\n", 0, max(lower, upper)) + 1
        line = text[start : start + MAX_ANSWER_CHARS].partition("\n")[0].strip()
        if found := _ANSWER_LINE.match(line):
            return found["answer"].strip(_MARKUP) or None
        end = start


def extract_answer(response: str) -> str | None:
    """The answer as written: the last box of the final part, else its `Answer:` line, else None."""
    final = final_part(response)
    boxed = last_boxed(final)
    return boxed if boxed else answer_line(final)
