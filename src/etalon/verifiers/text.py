"""Where the answer is in a response: after the last `</think>`, in the last balanced box.

    response -> final_part -> last_boxed, or answer_line -> the answer's text
    reference -> final_reference (problems.golds)

Nothing here scans a reasoning trace for something that looks like an answer: a truncated trace has none.
"""

from __future__ import annotations

import re

from etalon.problems.golds import MAX_ANSWER_CHARS, final_reference, last_boxed
from etalon.types import Rollout, Stop

__all__ = ["answer_line", "answer_of", "extract_answer", "final_part", "final_reference", "last_boxed"]

# of an answer line: markup, emoji, a number of a list, bars of a table
_DECORATION = r"(?:[^\w\s\\$({\[\"'<]|[ \t]){0,16}(?:\d{1,2}[.)][ \t]*)?[*_#>|~ \t-]{0,12}"
_ANSWER_LINE = re.compile(
    _DECORATION + r"(?:the )?(?:final )?answer[ \t]?[*_]{0,3}[ \t]?(?:is)?[ \t]?[:：](?P<answer>.*)", re.IGNORECASE
)
_HEADING = re.compile(r"(?:#{1,6}[ \t]|\*\*)[*_ \t]{0,6}(?:the )?(?:final )?answer[ \t*_]{0,6}", re.IGNORECASE)
_HOPED = re.compile(r"(?:The final answer is )?(.*?)\.? I hope it is correct\.?", re.DOTALL)  # Minerva's
_END_TOKENS = re.compile(r"(?:\s*(?:<\|[^|<>\s]{1,40}\|>|</s>|<eos>|<end_of_turn>|<[｜|][^<>]{1,40}[｜|]>))+\s*$")
_DISPLAYED = re.compile(r"\\\[(.+?)\\\]|\$\$(.+?)\$\$", re.DOTALL)
_MARKUP = "*_ \t"
END_CHARACTERS = 200  # (ours) of a response, in which its turn may be said to end


def final_part(response: str) -> str:
    """The text after the last `</think>`, without what ends a turn; a `<think>` never closed hides all that follows."""
    end = response.rfind("</think>")  # no copy of the trace: this runs once per rollout
    final = response[end + len("</think>") :] if end >= 0 else response
    reopened = final.find("<think>")
    final = final if reopened < 0 else final[:reopened]
    if not final.rstrip().endswith(">"):
        return final
    ended = _END_TOKENS.search(final, max(0, len(final) - END_CHARACTERS))
    return final[: ended.start()] if ended else final


def answer_line(text: str) -> str | None:
    """What follows the last line-initial `Answer:` (or `Final answer:`), on its line or below; or None."""
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
            is_cell = line.startswith("|") and line.endswith("|")
            answer = found["answer"].rstrip("|" if is_cell else None).strip(_MARKUP)
            if said := _HOPED.fullmatch(answer):
                answer = said[1]
            return answer or _below(text, start + len(line))
        if _HEADING.fullmatch(line):
            return _below(text, start + len(line))
        end = start


def _below(text: str, start: int) -> str | None:
    """The first line with something in it below an empty answer line; the content of a displayed formula."""
    below = text[start : start + MAX_ANSWER_CHARS].partition("\n")[2].strip()
    if found := _DISPLAYED.match(below):
        return (found[1] or found[2]).strip()
    return below.partition("\n")[0].strip(_MARKUP) or None


def is_cut_thought(rollout: Rollout) -> bool:
    """Whether a response may have been cut inside its thought, which then holds no answer: templates that open the
    thought themselves send no tag.
    """
    return rollout.stop is Stop.LENGTH and "</think>" not in rollout.text


def answer_of(rollout: Rollout) -> str | None:
    """The answer of a rollout, cut after it or not; None for a failed call and for a thought that was cut."""
    return None if rollout.stop is Stop.ERROR or is_cut_thought(rollout) else extract_answer(rollout.text)


def extract_answer(response: str) -> str | None:
    """The answer as written: the last box of the final part, else its `Answer:` line, else None."""
    final = final_part(response)
    boxed = last_boxed(final)
    return boxed if boxed else answer_line(final)
