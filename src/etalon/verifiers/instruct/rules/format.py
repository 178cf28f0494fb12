"""The rules `format:*` of IFBench: brackets, quotes, lists, lines, emoji, templates."""

from __future__ import annotations

import re
import string
from collections import defaultdict, deque
from itertools import pairwise

from etalon.verifiers.instruct.rules.sentences import split_sentences
from etalon.verifiers.instruct.rules.tokens import EDGES, tokens, without_punctuation
from etalon.verifiers.instruct.rules.wordlists import EMOJI

_PAIRS = {")": "(", "]": "[", "}": "{"}
_LETTERED = re.compile(r"\W*[aA]\W*[bB]\W*[cC]\W*")
TEMPLATE = ("My Answer:", "My Conclusion:", "Future Outlook:")


def parentheses(response: str) -> bool:
    """Brackets nest five deep, and the innermost closes as it should."""
    open_: list[str] = []
    deepest = 0
    for mark in re.findall(r"[\[({})\]]", response):
        if mark not in _PAIRS:
            open_.append(mark)
            deepest = max(deepest, len(open_))
        elif open_ and open_[-1] == _PAIRS[mark]:
            open_.pop()
            if deepest >= 5:
                return True
        else:
            open_, deepest = [], 0
    return False


def quotes(response: str) -> bool:
    """Double and single quotes nest in turn, three deep, and close."""
    open_: list[str] = []
    deepest = 0
    for mark in re.findall("[\"']", response):
        if not open_ or open_[-1] != mark:
            open_.append(mark)
            deepest = max(deepest, len(open_))
        else:
            open_.pop()
            if deepest - len(open_) >= 3:
                return True
    return False


def options(response: str, *, options: str) -> bool:
    """One of the options and nothing else; lettered ones as written, others but for case and punctuation."""
    separator = next((mark for mark in ("/", "or") if mark in options), ",")
    allowed = [option.strip() for option in options.split(separator)]
    if _LETTERED.match(options):
        return response in allowed
    return response.strip(EDGES).lower() in {option.strip(EDGES).lower() for option in allowed}


def newline(response: str) -> bool:
    """Each word is on a line of its own."""
    text = without_punctuation(response).strip()
    return sum(line != "" for line in text.split("\n")) == len(text.split())


def emoji(response: str) -> bool:
    """Each sentence ends with an emoji, or the next one starts with it."""
    bare = [without_punctuation(sentence).strip() for sentence in split_sentences(response)]
    for text, following in pairwise([*bare, ""]):
        if EMOJI.isdisjoint(text[-2:]) and EMOJI.isdisjoint(following[:1]):
            return False
    return all(bare)


def line_indent(response: str) -> bool:
    """Each line is indented by more blanks than the one before."""
    indents = [len(line) - len(line.lstrip(" ")) for line in _without_every_other_blank(response.split("\n"))]
    return all(a < b for a, b in pairwise(indents))


def _without_every_other_blank(lines: list[str]) -> list[str]:
    """The lines less blank ones: but only every other one of a run, and an equal earlier one goes first.

    The reference deletes from the list that it walks over, so a second blank line breaks the stairs.
    """
    left: dict[str, deque[int]] = defaultdict(deque)
    for k, line in enumerate(lines):
        if not line.strip():
            left[line].append(k)
    gone, k = set(), 0
    while k < len(lines):
        is_blank = not lines[k].strip()
        if is_blank:
            gone.add(left[lines[k]].popleft())
        k += 2 if is_blank else 1
    return [line for k, line in enumerate(lines) if k not in gone]


def quote_unquote(response: str) -> bool:
    """No quotation follows another one directly, nor ends the response."""
    text = "".join(response.replace("'\"'", "").split())
    if '""' in text:
        return False
    return not text.strip(string.digits + string.punctuation.replace('"', "")).endswith('"')


def list_(response: str, *, sep: str) -> bool:
    """The separator occurs at least twice."""
    # the instruction asks for it as a bullet point; the reference counts it anywhere
    return response.count(sep) >= 2


def thesis(response: str) -> bool:
    """Something in <i> or <em>, and text after it."""
    start = response.find("<i>") if "<i>" in response else response.find("<em>")
    if start < 0:
        return False
    text = response[start:]
    end = text.find("</i>") if "</i>" in text else text.find("</em>")
    if end < 0:
        return False
    # as in the reference, tags are three and four characters: of <em> and </em> a bracket stays and counts as text
    return bool(text[3:end].strip()) and bool(text[end + 4 :].strip())


def sub_bullets(response: str) -> bool:
    """After each `*` there is a `-` before the next one."""
    # as in the reference, a response without bullets passes
    return all("-" in bullet for bullet in response.split("*")[1:])


def no_bullets_bullets(response: str) -> bool:
    """At least two sentences, then at least two lines that start with `*` and nothing else."""
    # as in the reference, one blank line may stand between them, and none may follow
    sentences = bullets = 0
    is_over = False
    for line in response.split("\n"):
        text = line.strip()
        if text.startswith("*"):
            if sentences < 2:
                return False
            bullets, is_over = bullets + 1, True
        elif is_over:
            return False
        else:
            is_over = not text
            sentences += len(split_sentences(text)) if sentences < 2 else 0
    return bullets >= 2


def title_case(response: str) -> bool:
    """No word starts with a small letter, unless mixed as iPhone is."""
    # as in the reference, "of" fails, and so does "Don't", whose second token is "n't"
    return not any(token[0].islower() and (token[1:].islower() or token[1:].isupper() or len(token) == 1)
                   for token in tokens(response) if token[0].isalpha())  # fmt: skip


def output_template(response: str) -> bool:
    """The three headings of the template are there."""
    return all(heading in response for heading in TEMPLATE)


def no_whitespace(response: str) -> bool:
    """No blank of any kind."""
    return re.search(r"\s", response) is None
