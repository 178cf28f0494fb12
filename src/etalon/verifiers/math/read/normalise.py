r"""The text of an answer without its dressing: `$`, `\text{}`, colours, thousands separators, spaces, full stops.

    answer -> one spelling per sign -> wrappers off -> unit apart -> words or mathematics -> Reading

Nothing here changes the value: what is forgiven (a unit, a percent sign) is decided in `compare`.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, replace

from etalon.problems.golds import MAX_ANSWER_CHARS
from etalon.verifiers.math.formula import approximate
from etalon.verifiers.math.read import dressing, relations, sets
from etalon.verifiers.math.read.numbers import Number, parse_number
from etalon.verifiers.math.read.quantities import split_units
from etalon.verifiers.math.read.relations import MAX_CONDITIONS
from etalon.verifiers.math.read.shapes import split_top
from etalon.verifiers.math.read.spelling import one_spelling, times_signs, undressed
from etalon.verifiers.math.read.units import parse_unit, ratio

MAX_WRAPPERS = 12  # (ours)
ROUNDING = 0.05  # (ours) in proportion: a decimal that is further off is another value

_WRAPPERS = (
    ("$$", "$$"),
    ("$", "$"),
    ("\\(", "\\)"),
    ("\\[", "\\]"),
    ("^", "^"),
    ("*", "*"),
    ("`", "`"),
    ("_", "_"),
    ('"', '"'),
    ("``", "''"),
)
_COMMAND_NAMES = (
    "boxed fbox text mathrm textbf mathbf textit mathit texttt mathtt mbox textrm textsf mathsf underline uline emph "
    "operatorname operatorname* mathnormal boldsymbol bm hbox ensuremath rm bf it"
)
_COMMANDS = frozenset(_COMMAND_NAMES.split())
_COMMAND = re.compile(r"\\([a-zA-Z]+\*?) ?\{")
_SYMBOLS = "infinity|infty|inf|pi|tau|phi|theta|alpha|beta|gamma|delta|sigma|omega|lambda|mu|negative|minus|plus"
_WHOLE_TEXT = re.compile(  # letters that are a word, and no product; but for words that are symbols
    rf"\$?\\(?:text|mathrm|textbf|textit|textrm|mathbf)\{{(?!(?i:{_SYMBOLS})\b)([A-Za-z]{{2,}}(?: [A-Za-z0-9]+)*)\}}\$?"
)
_TEXT = re.compile(
    r"\\(?:text|mathrm|textbf|mathbf|textit|texttt|mbox|textrm|textsf|mathit|mathsf|emph|boldsymbol|bm|operatorname\*?)"
    r" ?\{([^{}]*)\}( ?[\^_])?"
)
_BLANK = re.compile(r"\\[,;: ]|\\q?quad(?![a-zA-Z])|~")
_COLOUR = re.compile(r"\\(?:textcolor|color) ?\{[^{}]*\}")
_AND = re.compile(r"[,;]? and ", re.IGNORECASE)
_OR = re.compile(r"[,;]? or |(?<=[0-9)}])or(?=[(0-9a-z\\-])|(?<=[0-9])or(?=[A-Z])", re.IGNORECASE)
_LONG_GROUP = re.compile(r"[+-]?[1-9]\d{0,2}(?:(?:,\d{3})+|(?: \d{3})+|(?:_\d{3})+)(?:\.\d+)?%?")
_GROUP = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?!\d|,\d)")
_GROUP_IN_BRACES = re.compile(r"(?<!\\)\{ ?[1-9]\d{0,2}(?:,\d{3})+ ?\}")
_GROUP_IN_FORMULA = re.compile(r"(?<![\d,.])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])")
_BRACKETS = re.compile(r"[(\[\])]|\\[{}]")
_REVERSED = re.compile(r"((?:^|[∪∈=]) ?)([\](\[])([^\[\]]{1,200}[,;][^\[\]]{1,200})([\[\])])(?= ?(?:$|∪))")
_UNIT_IN_BRACKETS = re.compile(r"^([^()]*\d[^()]*?) ?\((?!mod|base)([A-Za-z][A-Za-z./ ]+)\)$")
_RATIO_IN_WORDS = re.compile(r"\d+(?:\.\d+)?(?: to \d+(?:\.\d+)?)+")
_VARIABLE = re.compile(r"(?<![a-zA-Z\\])[a-df-zA-Z](?![a-zA-Z])")
_TWO_NUMBERS = re.compile(r"[+-]?\d+, [+-]?\d+")
_MIXED = re.compile(r"(?<!\d)(\d+) +(\d+)/(\d+)")
_OVER = re.compile(
    r"\{?([^{}\\]{1,40}|\\[a-z]+|\\sqrt\{[^{}]*\}) ?\\over(?![a-zA-Z]) ?([^{}\\]{1,40}|\\[a-z]+|\\sqrt\{[^{}]*\})\}?"
)
_CHOOSE = re.compile(r"\{?([^{}\\]{1,40}?) ?\\choose ?([^{}\\]{1,40}?)\}?")
_BRACED = re.compile(r"(?<![^+\-*/=(,{])\{([0-9.]+|[a-zA-Z])\}")
_SPACES = re.compile(r"(?<!\d,) | (?!\d{3}(?!\d))")  # all but the one in "32, 349": a list, not a number
_NUMBERS_APART = re.compile(r"(?<=[0-9]) +(?=[0-9])")
_COMMAND_SPACE = re.compile(r"(\\[a-zA-Z]+) (?=[a-zA-Z])")  # in "\pi r" the space ends the command
_CLOCK = re.compile(r"([\d.:]+) ?([ap])\.? ?m\.?", re.IGNORECASE)
_PLAIN_WORDS = {"pi": "\\pi", "infinity": "\\infty", "inf": "\\infty"}
_FUNCTION = re.compile(r"(?<![a-zA-Z\\])(sqrt|pi|infty|infinity|sin|cos|tan|log|ln|exp)(?![a-zA-Z])")
_ROOT = re.compile(r"\\sqrt ?\(([^()]*)\)")
_ESCAPED_TWICE = re.compile(r"\\\\(?=[a-zA-Z{}(),!;:%$ ]{1,2})")
_FULL_STOPS = ".,;: \t\n"
_WORD = re.compile(r"[^\W\d_]+")
_MATHEMATICS = frozenset("\\^_=+*/<>{}()[]|≤≥≠≈±∓∪∈°%$∨")
_AND_BETWEEN = re.compile(r"(?<=\w) (?:, )?(?:and|&) (?=\w)")
_ARTICLE = re.compile(r"\b(?:the|an|a)\b (?=\w{3})")
_SAME = {  # what is said here: the other ways to say it
    "no solution": "none|no solutions|no solution exists|no solutions exist|there is no solution|"
    "there are no solutions|empty set|no real solution|no real solutions",
    "does not exist": "dne|doesn't exist|it does not exist|limit does not exist|it doesn't exist|limit doesn't exist",
    "infinitely many solutions": "infinitely many|infinite solutions|there are infinitely many solutions",
}
_SAID = {way: said for said, ways in _SAME.items() for way in ways.split("|")}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """An answer as read: its text in one spelling (no spaces inside mathematics), and the unit written with it.

    rounded: the decimal that the answer gives for its exact value as well. parameter: a letter that stands for any
    integer. is_contradictory: it says that two different values are about the same.
    """

    text: str
    unit: str = ""
    is_words: bool = False
    rounded: str = ""
    parameter: str = ""
    is_contradictory: bool = False


@functools.lru_cache(maxsize=20_000)
def read(answer: str) -> Reading:
    """The reading of an answer, cached; texts beyond MAX_ANSWER_CHARS are cut."""
    answer = answer[:MAX_ANSWER_CHARS].strip()
    if answer.isascii() and answer.isdigit():
        return Reading(text=answer)
    if whole := _WHOLE_TEXT.fullmatch(answer):
        words = dressing.without_lead(whole[1])
        named = sets.number_set(words)
        return Reading(text=named) if named else Reading(text=plain_words(words), is_words=True)
    text = _unwrap(_COLOUR.sub("", one_spelling(_escaped_once(answer)))).lstrip("=≈ ")
    text = times_signs(" ".join(_TEXT.sub(_words, text).split()))
    text = _unwrap(dressing.without_lead(_unwrap(text)))
    if (twice := dressing.said_twice(text)) and (once := _said_once(text, *twice)):
        return once
    rest, parameter = dressing.without_quantifier(text)
    return replace(_read(rest), parameter=parameter)


def _read(text: str) -> Reading:
    if clock := _CLOCK.fullmatch(text):
        return Reading(text=clock[1] + clock[2].lower() + "m")
    if named := sets.number_set(text):
        return Reading(text=named)
    if found := _RATIO_IN_WORDS.fullmatch(text):
        return Reading(text=re.sub(r" ?to ?", ":", found[0]))
    quantity, unit = split_units(_UNIT_IN_BRACKETS.sub(r"\1 \2", text) if text.endswith(")") else text)
    if is_prose(quantity):
        return Reading(text=plain_words(quantity), is_words=True)
    return Reading(text=_squeeze(quantity), unit=unit)


def _said_once(text: str, value: str, again: str, is_rounded: bool) -> Reading | None:
    """The reading of a value that is said twice; None where both cannot be told to be one.

    Two values that say they are about the same and are not are contradictory, which equals nothing; but behind a sign a
    decimal that is off is a slip, and the exact value counts.
    """
    first, second = _read(value), _read(again)
    number, other = _value(first), _value(second)
    units = [parse_unit(one.unit) if one.unit else None for one in (first, second)]
    if number is None or other is None or first.text == second.text:
        return None
    if first.unit and second.unit and first.unit != second.unit:
        factor = ratio(units[0], units[1]) if units[0] and units[1] else None
        if factor is None:
            return None
        number *= float(factor)
    written, exact = parse_number(second.text), parse_number(first.text)
    is_exact = exact is None or not exact.decimals
    is_same = abs(number - other) <= 1e-12 * abs(number)
    if not is_same and written and (is_rounded or (is_exact and written.decimals)):
        is_same = _rounds_to(number, other, written.decimals) and abs(number - other) <= ROUNDING * abs(number)
    if not is_same:
        is_slip = "≈" in text and "(" not in text and ((written and written.decimals) or "=" in first.text)
        return replace(_read(text), is_contradictory=True) if is_rounded and not is_slip else None
    return replace(first, unit=first.unit or second.unit, rounded=second.text if written and written.decimals else "")


def _rounds_to(number: float, other: float, decimals: int) -> bool:
    """Whether a number rounds, or is cut off, to another one with so many decimals."""
    unit = 10.0**-decimals
    is_cut = abs(other) <= abs(number) < abs(other) + unit and number * other >= 0
    return abs(number - other) <= 0.5 * unit * (1 + 1e-9) or (is_cut and decimals > 0)


def _value(reading: Reading) -> float | None:
    """The value of a number or a formula without letters, also one that is assigned; of an angle in radians."""
    assigned = relations.name_and_value(reading.text)
    text = assigned[1] if assigned else reading.text
    number: Number | None = parse_number(text)
    if number is not None:
        value = number.as_float()
        value = value / 100 if value is not None and number.is_percent else value
    elif reading.is_words or _VARIABLE.search(text):
        return None
    else:
        value = approximate(text, has_functions=True)
    return value * math.pi / 180 if value is not None and reading.unit == "deg" else value


def normalise(answer: str) -> str:
    """The answer in one spelling, without its unit."""
    return read(answer).text


def bare(text: str) -> str:
    """The text without what encloses all of it or only says how it is set; commands for blanks are blanks."""
    return _unwrap(_BLANK.sub(" ", undressed(text)))


def _escaped_once(text: str) -> str:
    r"""`\\\\frac` as `\\frac`: answers that went through JSON twice. A row of a matrix ends in two backslashes."""
    if "\\\\begin" in text:
        return text.replace("\\\\", "\\")
    return text if "\\begin" in text else _ESCAPED_TWICE.sub("\\\\", text)


def _words(found: re.Match[str]) -> str:
    """The words inside \\text{}, kept apart from what precedes; a power after them stays attached."""
    inside, power = found[1], found[2]
    return f" {inside.rstrip()}{power.strip()}" if power else f" {inside} "


def _unwrap(text: str) -> str:
    """Without the delimiters and commands that enclose the whole text, and without trailing punctuation."""
    for _ in range(MAX_WRAPPERS):
        text = dressing.without_mark(text.strip()).rstrip(_FULL_STOPS).strip()
        shorter = _without_delimiters(_without_command(text))
        while shorter.endswith("\\") and not shorter.endswith("\\\\\\"):
            shorter = shorter[:-1].rstrip()
        if shorter == text:
            break
        text = shorter
    return text


def _without_command(text: str) -> str:
    if text.startswith("{"):
        inside = _enclosed(text, 0)
        return text if inside is None or any(c in inside for c in ",;") else inside
    found = _COMMAND.match(text)
    if found is None or found[1] not in _COMMANDS:
        return text
    inside = _enclosed(text, found.end() - 1)
    return text if inside is None else inside


def _enclosed(text: str, start: int) -> str | None:
    """What the brace group that opens at `start` holds, if it ends where the text ends."""
    depth = 0
    for position in range(start, len(text)):
        if text[position] in "{}" and text[position - 1 : position] != "\\":
            depth += 1 if text[position] == "{" else -1
            if depth == 0:
                return text[start + 1 : position] if position == len(text) - 1 else None
    return None


def _without_delimiters(text: str) -> str:
    for opening, closing in _WRAPPERS:
        inside = text[len(opening) : len(text) - len(closing)]
        if text.startswith(opening) and text.endswith(closing) and inside and opening not in inside:
            return inside
    return text


def _squeeze(text: str) -> str:
    """Mathematics in one spelling, without spaces."""
    text = _OR.sub("∨", _conditions(text))
    text = text if "mod" in text else text.replace("≡", "=")
    text = _FUNCTION.sub(lambda found: _PLAIN_WORDS.get(found[1], "\\" + found[1]), text)
    if _LONG_GROUP.fullmatch(text):
        text = text.replace(",", "").replace(" ", "").replace("_", "")
    elif ", " in text or "; " in text:
        text = _GROUP.sub(_without_commas, text)
    elif "," in text:
        text = _GROUP_IN_BRACES.sub(_without_commas, text)
        is_all = text.count(",") == "".join(_GROUP_IN_FORMULA.findall(text)).count(",")
        if is_all and not _BRACKETS.search(text):  # 1,000\\pi, x=1,000: commas that list nothing
            text = _GROUP_IN_FORMULA.sub(_without_commas, text)
    if _TWO_NUMBERS.fullmatch(text):
        text = text.replace(", ", ";")  # 1, 2 is a list, 1,2 may be a decimal
    text = _MIXED.sub(r"\1_\2/\3", text)
    if over := _OVER.fullmatch(text):
        text = f"\\frac{{{over[1].strip()}}}{{{over[2].strip()}}}"
    if choose := _CHOOSE.fullmatch(text):
        text = f"\\binom{{{choose[1].strip()}}}{{{choose[2].strip()}}}"
    text = _REVERSED.sub(_brackets_of_interval, _ROOT.sub(r"\\sqrt{\1}", _BRACED.sub(r"\1", text)))
    if "∪" in text:
        text = "∪".join(dict.fromkeys(split_top(text, "∪")))
    text = _NUMBERS_APART.sub("\0", text) if "," not in text and "\\frac" not in text else text
    text = _COMMAND_SPACE.sub("\\1\1", text)
    text = _SPACES.sub("", text).replace("\1", " ").replace("\0", " ").replace("+\\infty", "\\infty").strip()
    return sets.in_signs(text) or text


def _brackets_of_interval(found: re.Match[str]) -> str:
    """]2,5[ as (2,5)."""
    before, opening, inside, closing = found.groups()
    return f"{before}{'(' if opening == ']' else opening}{inside}{')' if closing == '[' else closing}"


def _conditions(text: str) -> str:
    """ "and" as a comma; between conditions on one variable as what they leave together."""
    if not any(sign in text for sign in "<>≤≥≠∈") or not _AND.search(text):
        return _AND.sub(",", text)
    parts = [relations.interval_of(_SPACES.sub("", part)) for part in _AND.split(text)[: MAX_CONDITIONS + 1]]
    pairs = [pair for pair in parts if pair]
    if len(pairs) < len(parts) or len(parts) > MAX_CONDITIONS or len({name for name, _ in pairs}) > 1:
        return _AND.sub(",", text)
    common = sets.common([union for _, union in pairs])
    return _AND.sub(",", text) if common is None else f"{pairs[0][0]}∈{common}"


def _without_commas(group: re.Match[str]) -> str:
    return group[0].replace(",", "")


def is_prose(text: str) -> bool:
    """True for words rather than mathematics: no digits, no operators, no LaTeX, and a word that is no product.

    Four letters make a word, and three capitals (a triangle), and several words of which one has three letters.
    """
    if any(c.isdigit() or c in _MATHEMATICS for c in text) or text.casefold().lstrip("- ") == "infinity":
        return False
    words = [word for word in _WORD.findall(text) if word.casefold() not in ("and", "or")]
    longest = max((len(word) for word in words), default=0)
    if longest >= 4 or text.casefold() in ("yes", "no", "odd", "dne"):
        return True
    return longest == 3 and (len(words) > 1 or text.isupper())


def plain_words(text: str) -> str:
    """The text in lower case, without articles and punctuation; equal for answers that say the same."""
    text = " ".join(_ARTICLE.sub("", text.casefold()).replace("-", " ").replace(",", " , ").split())
    text = " ".join(_AND_BETWEEN.sub(" , ", text).split()).strip(" .!?\"'`")
    return _SAID.get(text, text)
