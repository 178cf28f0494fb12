r"""Text that is no formula, whatever the engine would make of it after its deadline: `\{\{\{...`, `½½½½½½½½½`."""

from __future__ import annotations

import re

MAX_UNMATCHED = 8  # (ours) brackets that open and never close, or the other way round
MAX_FRACTIONS = 8  # (ours) numeric fractions side by side, with no sign between them

_FRACTIONS = re.compile(rf"(?:\\frac(?:\{{\d{{1,9}}\}}){{2}}){{{MAX_FRACTIONS + 1}}}")


def is_nonsense(text: str) -> bool:
    """True when the brackets do not pair up by far, or many fractions follow each other like digits."""
    ends = sum(map(text.count, "([{")), sum(map(text.count, ")]}"))  # together: [0,1) is an interval
    return abs(ends[0] - ends[1]) > MAX_UNMATCHED or _FRACTIONS.search(text) is not None
