r"""Responses that stop before their end: in a word, a formula, a fence, a box, or a sentence before any answer.

What a data set says (`is_complete`) counts first: a response that ended by itself is not asked for a full stop.
"""

from __future__ import annotations

import re

from etalon.data.traces.response import Fault, Response, without_code
from etalon.types import Domain
from etalon.verifiers.conventions import after_hash, in_sentence
from etalon.verifiers.text import extract_answer

TAIL = 120  # characters shown
MIN_WORDS = 12  # (ours) of a final part that ends without a mark
SENTENCE_WORDS = 6  # (ours) of its last sentence: a heading, an item and a signature are shorter
BRACKET_WORDS = 30  # (ours) behind the last bracket that is open
HALF_WORDS = 20_000  # (ours) characters before a word that may be cut, in which it is looked for
LINES = 12  # that are looked at for the one above the last
FORMULA = 1500  # (ours) characters behind the last mark of an open formula

_OPENS = frozenset("=+^_({[,<−×·≤≥≈≠→⇒∈&|:;“‘「（《/\\")
_LEADS_ON = re.compile(
    r"(?<=[ \n])(?:the|an?|of|and|or|to|is|are|was|were|that|which|with|for|by|in|on|at|from|as|we|if|then|because"
    r"|since|where|let|its|their|these|into|when|ha[sd]|have|can|will|would|should|must|but|thus|therefore|hence|our|every|than"
    r"|between|about|such|while|although|however|so|also|i'm|it's|we'll|let's|that's|using|gives|get)$"
)
_ENDS_IN_WORD = re.compile(r"[^\W\d_]+(?:'[a-z]+)?$")
_BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_OPEN_TAG = re.compile(r"<(?:/|/?[a-z]{2,12}|\|[a-z_]{0,20})$", re.IGNORECASE)
_COMMAND_END = re.compile(
    r"\\(?:d?frac|sqrt|left|right|cdot|times|text|mathrm|begin|end|sum|int|boxed|le|ge|neq?|in|to)$"
)
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{(\w+\*?)\}")
_COMMAND = re.compile(r"\\(?!boxed|text)[A-Za-z(\[]")
_FORMULA_START = re.compile(r"-?\d*[A-Za-z]\w?(?:\^|_| ?[=+<>-])|[^\n]*\^")
_IS_FORMULA = re.compile(r"(?:\\[A-Za-z]+|[^\sA-Za-z.]|[A-Za-z]{1,2}(?![A-Za-z])|[ .](?! *\n)){1,300}")
_DISPLAY = re.compile(r"(?<!\\)\\([\[\]()])")
_WORD = re.compile(r"[^\W\d_]+")
_INFLECTION = re.compile(r"|s|es|e?d|ing|ly|e?r|e?n|y|ns?t?|ally|al|ness")
_SIGN_OFF = re.compile(
    r"hope|let me know|feel free|happy to|good luck|thank|q\.?e\.?d|cheers|enjoy|desired|required|prove|proof|done"
    r"|claim"
    r"|complete|regards|sincerely|yours",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?][\s*_$)\"”]+")
_NO_SENTENCE = re.compile(r"\s*(?:[-*•>#|]|\d+[.)]|\[|@)")
_HEADING = re.compile(r"#{1,3} [^\W\d_]{3}")
_ITEM = re.compile(r"[ \t]*(?:\*\*)?(?:\d{1,3}[.)]|[-*•]|(?:Step|Case) \d{1,3}[.:]?)[ \t]*")
_JSON = re.compile(r"\s*[{\[][\s{\[]*\"[^\"\n]{1,80}\"\s*[:,]")
_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"")
_ANSWER_TAGS = re.compile(r"<(/?)(?:answer|solution|output)>", re.IGNORECASE)


def truncation(response: Response) -> Fault | None:
    """Why a response counts as cut."""
    text = response.final.rstrip()
    if response.is_complete is False:
        return _cut("truncated", text or response.text)
    if reason := open_part(text) or open_row(text):
        return _cut(reason, text)
    is_asked = response.is_complete is None and response.domain is not Domain.INSTRUCT
    if is_asked and (is_cut(text) or _breaks_off(text, response)):
        return _cut("truncated", text)
    return None


def open_part(text: str) -> str | None:
    """What was opened in a text and never closed: a fence, a box, an environment, a formula, a tag."""
    if len(re.findall(r"(?<!`)`{3,}", text)) % 2:
        return "unclosed code fence"
    plain = without_code(text)
    boxes = list(_BARE_BOX.finditer(plain))
    if boxes and not _closes(plain, boxes[-1].end()):
        return "unclosed box"
    if _is_open_formula(plain):
        return "unclosed formula"
    tags = [tag[1] for tag in _ANSWER_TAGS.finditer(plain)]
    if _OPEN_TAG.search(text) or (tags and tags[-1] == "" and len(tags) % 2):
        return "unclosed tag"
    return None


def open_row(text: str) -> str | None:
    """What a last line begins and does not end: an item without a word, a row of a table, a value of JSON."""
    *above, line = text.split("\n")[-LINES:]
    before = next((one.strip() for one in reversed(above) if one.strip()), "")
    if _ITEM.fullmatch(line) and _ITEM.match(before) and not _ITEM.fullmatch(before):
        return "unclosed list"
    is_row = before.startswith("|") and before.endswith("|") and line.startswith("|")
    if is_row and (not line.endswith("|") or line.count("|") < before.count("|")):
        return "unclosed table"
    if _JSON.match(text):
        plain = _STRING.sub('""', text)
        if sum(map(plain.count, "{[")) > sum(map(plain.count, "}]")):
            return "unclosed JSON"
    return None


def _breaks_off(text: str, response: Response) -> bool:
    """Whether it ends in a heading, or the last three words begin what stands in full elsewhere: "the red rope wa"."""
    line = text[text.rfind("\n") + 1 :]
    if (len(line) > 2 and line.startswith("**") and line.count("**") == 1) or _HEADING.match(line):
        return True
    words = text[-TAIL:].split()[-3:]
    if len(words) < 3 or not text[-1].isalpha():
        return False
    end, rest = (
        " ".join(words),
        " ".join(f"{response.prompt}\n{response.text[: response.text.rfind(text[-TAIL:])]}".split()),
    )
    is_whole = re.search(rf"(?<!\w){re.escape(words[-1])}(?!\w)", rest, re.IGNORECASE) is not None
    return not is_whole and re.search(rf"(?<!\w){re.escape(end)}\w", rest) is not None


def is_cut(text: str) -> bool:
    """Whether a text ends where no sentence does: behind an operator, a word that leads on, or in a sentence."""
    last = text[-1:]
    if not last or text.endswith(("---", "***", "===", "**", "__", "```", ":)", ":(", ";)", ":/", "</", "|")):
        return False
    if _SIGN_OFF.search(text[-40:]):
        return False
    if last in _OPENS or _COMMAND_END.search(text[-20:]):
        return True
    if _is_open_bracket(text[text.rfind("\n") + 1 :]):
        return True
    word = _ENDS_IN_WORD.search(text[-40:].replace("’", "'"))
    if _LEADS_ON.search(text[-40:].replace("’", "'")):
        return True
    if word and _is_half(word[0], text):
        return True
    return bool(word or last.isdigit()) and _is_open_sentence(text)


def _closes(text: str, start: int) -> bool:
    """Whether the brace group whose content starts there ends."""
    depth = 1
    for brace in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if not depth:
            return True
    return False


def _is_open_formula(text: str) -> bool:
    depth: dict[str, int] = {}
    for found in _ENVIRONMENT.finditer(text):
        depth[found[2]] = depth.get(found[2], 0) + (1 if found[1] == "begin" else -1)
    last = {mark[1]: mark.start() for mark in _DISPLAY.finditer(text)}
    if any(last.get(opens, -1) > last.get(closes, -1) for opens, closes in ("[]", "()")):
        return True
    if any(count > 0 for count in depth.values()) and text.rfind("\\begin") > text.rfind("\\end"):
        return True
    plain = text.replace("\\$", "  ")
    displayed = plain[plain.rfind("$$") + 2 :]  # "$a$$b$" has no display
    if plain.count("$$") % 2 and len(displayed) < FORMULA and "$" not in displayed:
        return True
    behind = plain[plain.rfind("$") + 1 :]
    is_odd = plain.replace("$$", "").count("$") % 2 == 1  # or an amount of dollars stands somewhere
    is_latex = _COMMAND.search(text) is not None and re.match(r"\S[^=+<>-]*[=+<>-]", behind) is not None
    is_formula = "\\" in behind or is_latex or _FORMULA_START.match(behind) is not None
    return is_odd and is_formula and _IS_FORMULA.fullmatch(behind) is not None


def _is_open_sentence(text: str) -> bool:
    """Whether the last sentence has some words and no end, and is no answer, value, item of a list or heading."""
    line = text[text.rfind("\n") + 1 :]
    ends = list(_SENTENCE.finditer(line))
    sentence = line[ends[-1].end() :] if ends else line
    if len(text.split()) < MIN_WORDS or _NO_SENTENCE.match(line) or _SIGN_OFF.search(sentence) or "=" in sentence:
        return False
    above = text[: len(text) - len(sentence)]
    is_verse = above[-1:] == "\n" and above[-2:-1].isalpha()
    if is_verse or "```" in text or not _SENTENCE.search(above):
        return False
    if len(sentence.split()) < SENTENCE_WORDS:
        return _has_no_answer(text) and not any(map(str.isdigit, sentence))
    return _has_no_answer(sentence)


def _has_no_answer(text: str) -> bool:
    return extract_answer(text) is None and after_hash(text) is None and in_sentence(text) is None


def _is_open_bracket(line: str) -> bool:
    """Whether a line ends inside a bracket that has words in it; an interval may close with another kind."""
    opened, closed = (sum(map(line.count, marks)) for marks in (("(", "[", "<<"), (")", "]", ">>")))
    return (
        opened > closed and len(line[max(line.rfind("("), line.rfind("["), line.rfind("<<")) :].split()) < BRACKET_WORDS
    )


def _is_half(word: str, text: str) -> bool:
    """Whether a last word is the beginning of words that the text has, and is none of them, nor a form of one."""
    known = [found[0] for found in _WORD.finditer(text, max(0, len(text) - HALF_WORDS), len(text) - len(word))]
    longer = [one.removeprefix(word) for one in known if one.startswith(word)]
    return len(word) > 1 and bool(longer) and not any(map(_INFLECTION.fullmatch, longer))


def _cut(kind: str, text: str) -> Fault:
    return Fault(kind=kind, detail=f"... {' '.join(text[-TAIL:].split())}")
