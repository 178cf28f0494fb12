r"""The answer in a reference that holds more: a whole GSM8K solution, a sentence, a box.

    "... #### 18" -> "18";  "The answer is 5." -> "5";  r"so \boxed{7}" -> "7";  "nan" -> None

Data sets keep solutions in their answer column, and tables write a missing value as nan: compared as they are, such
references would call every response wrong.
"""

from __future__ import annotations

import functools
import re

from etalon.verifiers.text import last_boxed

MARK = "####"  # GSM8K's
_MISSING = frozenset({"nan", "NaN", "NAN", "null", "NULL", "N/A", "n/a", "<NA>"})
_PHRASE = re.compile(
    r"(?:^|(?<=[.!?;\n])|\b(?:so|thus|hence|therefore),?)[\s*_>$-]{0,8}"
    r"(?:the |our |my )?(?:final |correct |right )?(?:answer|solution)[ \t]{0,4}[*_]{0,3}"
    r"(?:[ \t]{0,4}(?:is\b|[:：=])){1,2}[ \t]{0,4}[*_]{0,3}(?P<answer>[^\n]*)",
    re.IGNORECASE,
)


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
