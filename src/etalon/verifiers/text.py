r"""Where the answer is: in a response, after the last `</think>`, in the last balanced box; in a reference.

    response -> final_part -> last_boxed, or answer_line -> the answer's text
    reference -> final_reference: "... #### 18" is "18", "The answer is 5." is "5", r"so \boxed{7}" is "7", "nan" None

Nothing here scans a reasoning trace for something that looks like an answer: a truncated trace has none. Data sets keep
solutions in their answer column, and tables write a missing value as nan: compared as they are, such references would
call every response wrong.
"""

from __future__ import annotations

import functools
import re

from etalon.verifiers.math.read.normalise import MAX_ANSWER_CHARS

MAX_BOX_ATTEMPTS = 16  # (ours) a degenerate response can hold thousands of unclosed boxes

_BOX = "\\boxed"
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_ANSWER_LINE = re.compile(
    r"[*_#> \t-]{0,12}(?:the )?(?:final )?answer[ \t]?[*_]{0,3}[ \t]?(?:is)?[ \t]?[:：](?P<answer>.*)", re.IGNORECASE
)
_MARKUP = "*_ \t"
MARK = "####"  # GSM8K's
_MISSING = frozenset({"nan", "NaN", "NAN", "null", "NULL", "N/A", "n/a", "<NA>"})
_PHRASE = re.compile(
    r"(?:^|(?<=[.!?;\n])|\b(?:so|thus|hence|therefore),?)[\s*_>$-]{0,8}"
    r"(?:the |our |my )?(?:final |correct |right )?(?:answer|solution)[ \t]{0,4}[*_]{0,3}"
    r"(?:[ \t]{0,4}(?:is\b|[:：=])){1,2}[ \t]{0,4}[*_]{0,3}(?P<answer>[^\n]*)",
    re.IGNORECASE,
)


def final_part(response: str) -> str:
    """The text after the last `</think>`; a `<think>` that was never closed hides all that follows it."""
    end = response.rfind("</think>")  # no copy of the trace: this runs once per rollout
    final = response[end + len("</think>") :] if end >= 0 else response
    reopened = final.find("<think>")
    return final if reopened < 0 else final[:reopened]


def last_boxed(text: str) -> str | None:
    r"""The content of the last balanced `\boxed{...}` of at most 4 KB, or None."""
    position = len(text)
    for _ in range(MAX_BOX_ATTEMPTS):
        position = text.rfind(_BOX, 0, position)
        if position < 0:
            return None
        content = _braced(text, position + len(_BOX))
        if content is not None:
            return content.strip()
    return None


def _braced(text: str, start: int) -> str | None:
    """The content of the brace group that opens at `start` (blanks before it allowed); None if it never closes."""
    limit = min(len(text), start + MAX_ANSWER_CHARS + 2)
    while start < limit and text[start] in " \t\n":
        start += 1
    if start >= limit or text[start] != "{":
        return None
    depth = 0
    for brace in _BRACES.finditer(text, start, limit):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return text[start + 1 : brace.start()]
    return None


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


@functools.lru_cache(maxsize=20_000)
def final_reference(reference: str) -> str | None:
    """What a reference asks for, or None when it asks for nothing; a plain answer comes back as it is."""
    answer = reference.strip()
    if MARK in answer:
        answer = answer.rpartition(MARK)[2].strip()
    boxed = last_boxed(answer)
    if boxed and answer.count("\\boxed") == 1 and any(c.isalpha() for c in answer.partition("\\boxed")[0]):
        answer = boxed
    elif phrases := list(_PHRASE.finditer(answer)):
        answer = phrases[-1]["answer"].strip(" \t*_")
    return None if answer in _MISSING or not any(not c.isspace() for c in answer) else answer
