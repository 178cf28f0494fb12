"""The options of a multiple-choice problem in another order: the prompt, the options and the answer move together.

    problem + seed + index of the sample -> draw_order -> ("C", "A", "B") -> as_asked -> the problem this sample sees

GPQA as it is passed around has the right option first, always; a model that likes A would look able. So each sample
of a question gets an order of its own, and the order is kept with the sample: scoring never draws again.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from string import ascii_uppercase

from etalon.errors import InputError
from etalon.types import Problem

MAX_SEVERAL_CHARS = 200  # (ours) of a text that lists letters only
MAX_LISTING_CHARS = 20_000  # (ours) of a question's end, in which its options are looked for
MAX_LISTED = 5  # (ours) up to this many movable options all orders are dealt before one comes again

_AROUND_LETTERS = re.compile(r"\\(?:text|mathrm|textbf|mathbf|boxed|quad)(?![a-zA-Z])|\\[,;: {}]|[{}$*\[\]'\"]")
_LETTERS = re.compile(  # A, C   AC   (A) and (C)   Both A and C   a, c
    r"(?i:(?:both|(?:the )?(?:correct )?(?:options?|choices?|answers?)(?: are)?):? )?"
    r"(?P<letters>\(?[A-Z]\)?(?:(?:,? (?:and|&) |[,;] ?| ?)\(?[A-Z]\)?)+"
    r"|\(?[a-z]\)?(?:(?:,? (?:and|&) |[,;] ?)\(?[a-z]\)?)+)"
    r"(?i: only)?\.?",
)
OWN_LETTER = re.compile(r"\s*\(?(\w)\s*[.):]\s*(\S.*)", re.DOTALL)  # that an option, or an answer, begins with
_AT_LINES = re.compile(r"^[ \t]*\(?([A-Z])[.):：、][ \t]+", re.MULTILINE)
_IN_LATEX = re.compile(
    r"\$?\(?\\(?:textbf|text|mathrm|mathbf|bf|rm)\s*\{\s*\(?\s*([A-H])\s*\)?[.:]?(?:\\[ ,;~]|~|\s)*\}\s*[):.]?"
    r"(?:\\[ ,;~]|~)*"
)
_INLINE = re.compile(r"(?<![\w(\\^_$])(?:\(\s?(?:\\text\{)?([A-H])\}?\s?\)|\b([A-H])[.):：、](?=\s|\$|\\|\d))\s*")
_SPACING = re.compile(r"^(?:\\[ ,;!]|~|\s)+|(?:\\q?quad|\\[ ,;!]|~|\s|\\\\)+$")
_STAYS = re.compile(
    r"\b(?:all|none|any|both|neither|each)\b.{0,20}\b(?:above|below|these|those|others?)\b", re.IGNORECASE
)
_NAMES_A_LETTER = (
    r"\b(?:options?|choices?|answers?)\s+\(?{letter}\)?(?!\w)"
    r"|(?<!\w)\(?{letter}\)?\s*(?:and|or|&|,)\s*\(?{letter}\)?(?!\w)"
)


def draw_order(problem: Problem, *, seed: int, index: int) -> tuple[str, ...] | None:
    """The order in which sample `index` sees the options; None when they stay as they are.

    Orders of one problem are dealt without repetition as long as there are new ones, so that the right option is in
    every place equally often. "None of the above" keeps its place.
    """
    if not problem.shuffle or not can_shuffle(problem):
        return None
    assert problem.options is not None
    letters = list(problem.options)
    movable = [letter for letter in letters if not _STAYS.search(problem.options[letter])]
    dealt = iter(_deal(movable, f"{seed} {problem.id}", index))
    return tuple(next(dealt) if letter in movable else letter for letter in letters)


def _deal(letters: Sequence[str], key: str, index: int) -> list[str]:
    if len(letters) > MAX_LISTED:
        return random.Random(f"{key} {index}").sample(letters, len(letters))
    turn, place = divmod(index, math.factorial(len(letters)))
    orders = list(permutations(letters))
    random.Random(f"{key} {turn}").shuffle(orders)
    return list(orders[place])


def can_shuffle(problem: Problem) -> bool:
    """Whether the prompt shows the options so that they can be moved, and no option names another by its letter."""
    if not problem.options or len(problem.options) < 2:
        return False
    letter = f"[{''.join(re.escape(name) for name in problem.options if len(name) == 1)}]"
    if letter != "[]" and any(
        re.search(_NAMES_A_LETTER.format(letter=letter), content) for content in problem.options.values()
    ):
        return False
    return _listing(problem.options).search(problem.prompt) is not None


def as_asked(problem: Problem, order: Sequence[str] | None) -> Problem:
    """The problem as a sample with this order saw it; the problem itself when there is no order.

    Raises InputError when `order` is not an order of the problem's letters.
    """
    if order is None:
        return problem
    letters = list(problem.options or ())
    if sorted(order) != sorted(letters):
        raise InputError(f"order: found {', '.join(order)}; the options are {', '.join(letters) or 'missing'}")
    assert problem.options is not None
    options = {shown: problem.options[own] for shown, own in zip(letters, order, strict=True)}
    moved = {own.strip().casefold(): shown for shown, own in zip(letters, order, strict=True)}
    answer = None if problem.answer is None else moved.get(problem.answer.strip().casefold(), problem.answer)
    if answer is not None and answer == problem.answer and (several := several_letters(answer, letters)):
        answer = "".join(sorted(moved[letter.casefold()] for letter in several))
    listing = _listing(problem.options)
    prompt = listing.sub(lambda found: _relisted(found, list(options.values())), problem.prompt)
    return replace(problem, options=options, answer=answer, prompt=prompt)


def listed_options(question: str, *, fewest: int = 2) -> dict[str, str]:
    """The options that a question lists in its text, letter to content; none where it lists fewer than `fewest`.

    The last list of lines "A. .." counts, and ends at a blank line at the latest. Inline ("(A) 1 (B) 2", "A: 1 B: 2")
    and in LaTeX (\\textbf{(A)}\\ 1 \\qquad \\textbf{(B)}\\ 2) three are asked for, as a point A is no option.
    """
    question = question[-MAX_LISTING_CHARS:]
    for pattern, least in ((_AT_LINES, fewest), (_IN_LATEX, max(fewest, 3)), (_INLINE, max(fewest, 3))):
        markers = list(pattern.finditer(question))
        letters = [marker[marker.lastindex or 1] for marker in markers]
        first = max((i for i, letter in enumerate(letters) if letter == "A"), default=len(markers))
        in_order = zip(markers[first:], letters[first:], ascii_uppercase, strict=False)
        run = [marker for marker, found, letter in in_order if found == letter]
        if len(run) < least:
            continue
        ends = [*(marker.start() for marker in run[1:]), len(question)]
        contents = [_content(question[marker.end() : end]) for marker, end in zip(run, ends, strict=True)]
        if all(contents):
            return dict(zip(ascii_uppercase, contents, strict=False))
    return {}


def _content(text: str) -> str:
    """An option's text without what separates it from the next one."""
    content = text.strip().partition("\n\n")[0]
    content = _SPACING.sub("", content).strip(" \t\n;,")
    if content.count("$") % 2:  # the other one stands around the whole list
        content = content.strip("$").strip() if content.startswith("$") != content.endswith("$") else content
    return content


def several_letters(text: str, letters: Collection[str]) -> frozenset[str] | None:
    """The letters of two or more options that a text lists and nothing else: "A, C", "AC", "A and C"; or None."""
    if len(text) > MAX_SEVERAL_CHARS:
        return None
    plain = re.sub(r" ?([,;]) ?", r"\1 ", " ".join(_AROUND_LETTERS.sub(" ", text.replace("\\&", "&")).split()))
    if (found := _LETTERS.fullmatch(plain)) is None:
        return None
    named = re.findall(r"(?<![a-zA-Z])[a-z](?![a-zA-Z])|[A-Z]", found["letters"])
    chosen = [letter.upper() for letter in named]
    return (
        frozenset(chosen)
        if len(chosen) > 1 and len(set(chosen)) == len(chosen) and set(chosen) <= set(letters)
        else None
    )


def without_options(prompt: str, options: Mapping[str, str]) -> str:
    """The question alone, where the prompt lists the options as they are; else the prompt."""
    return _listing(options).sub("", prompt).strip()


def _listing(options: Mapping[str, str]) -> re.Pattern[str]:
    """Matches the options where a prompt lists them: "A. 12 m\\nB. 7 m", "(A) 12 m (B) 7 m", "A12 B7"."""
    shown = (rf"(\(?{re.escape(letter)}[.):]?[ \t]*){re.escape(content)}" for letter, content in options.items())
    ends_in_word = list(options.values())[-1][-1:].isalnum()
    return re.compile(r"(?<!\w)" + r"([\s;,]*)".join(shown) + (r"(?!\w)" if ends_in_word else ""))


def _relisted(found: re.Match[str], contents: Sequence[str]) -> str:
    """The same letters and separators around other contents. Groups alternate: letter, separator, letter, ..."""
    pieces = found.groups()
    separators = [*pieces[1::2], ""]
    return "".join(a + b + c for a, b, c in zip(pieces[0::2], contents, separators, strict=True))
