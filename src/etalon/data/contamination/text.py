r"""Text as decontamination compares it: words and numbers, without all that a copy may change and say the same.

    text -> entities, tags, links undone -> chunks between white space -> words and numbers of each, remembered

Undone: HTML entities and tags, Markdown, LaTeX delimiters, spacing, sizes and aliases (\left, \dfrac, \leq), case,
NFKC, invisible characters, apostrophes, dashes, thousands, trailing zeros, numbers in words, all white space.
A chunk means the same wherever it stands, so that each is read once: most rows cost a look-up per word.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import chain

from etalon.data.ngrams import CJK, THOUSANDS

NUMBER = "0"  # stands for every number where numbers are not compared
BREAK = "\x00"  # between the texts of a row
MOST_CHUNKS = 200_000  # (ours) remembered, and
TIMES_ESCAPED = 2  # (ours) entities of entities: &amp;lt;
LONGEST_CHUNK = 40  # (ours) characters of one that is
OPERATORS = "+-/=!"

_INLINE = "b|i|u|em|strong|span|a|font|mark|code|tt|small|big|strike|s|del|ins"
_BLOCK = (
    "p|br|hr|div|h[1-6]|ul|ol|li|pre|table|thead|tbody|tr|td|th|sup|sub|blockquote|center|img|section|body|html|head|"
    "article|dl|dt|dd|math|mi|mn|mo|mrow"
)
_TAGS = re.compile(
    rf"</?(?:(?P<inline>{_INLINE})|{_BLOCK})(?:\s[^<>=]{{0,60}}=[^<>]{{0,500}})?\s*/?>|<!--.{{0,500}}?-->", re.I | re.S
)
_FULL_POINT = re.compile(r"(?<=\d)。(?=\d)")
_NUMBERED = re.compile(r"(?:^|(?<=[.?!:;])[ \t]*\n|\n[ \t]*\n)[ \t>]*\d{1,2}[.)][ \t]+")  # the points of a list
_LINK = re.compile(r"\]\([^()\s]{1,500}\)")
_FRACTION = re.compile(r"\\[dtc]?frac(\d)(\d)", re.I)
_SPACED_THOUSANDS = re.compile(r"(?<=\d)(?:\\[,;!]|\{,\})(?=\d{3}(?!\d))")  # 1\,000 1{,}000
_THIN_THOUSANDS = re.compile(r"(?<![\d._^])\d{1,3}(?:[\u00a0\u2009\u202f]\d{3}| 000)+(?!\d)")
_COMMAND = re.compile(r"\\+([a-zA-Z]+)\*?|\\[^a-zA-Z]")  # of several backslashes where LaTeX stands in JSON or repr
_LINE_END = re.compile(r"\\[ntr](?![a-z])")
_ESCAPE = re.compile(r"[ntr](?![a-z])")  # the line end of a text in JSON, not \nu
_ALIASES = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom", "degree": "circ",
    "varepsilon": "epsilon", "varphi": "phi", "div": "/", "emptyset": "varnothing", "infin": "infty",
}  # fmt: skip
_SILENT = frozenset(  # commands of layout, and those whose sign is no word either
    "left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr middle displaystyle textstyle"  # noqa: SIM905
    " scriptstyle limits nolimits quad qquad text textbf textit textrm textup texttt emph underline mathrm"
    " mathbf mathit mathsf mathcal mathbb mathfrak boldsymbol bm operatorname rm bf it mbox hbox hspace vspace"
    " smallskip medskip bigskip noindent par newline begin end cdot times ast le leq leqslant ge geq geqslant"
    " ne neq lt gt ldots dots cdots dotsc dotsb to rightarrow in colon mid parallel dollar lbrace rbrace"
    " lbrack rbrack langle rangle lvert rvert vert".split()
)
NAMED = (
    "circ sqrt infty angle sum triangle triangle int cup cap perp pi theta alpha beta gamma delta lambda mu"  # noqa: SIM905
    " sigma phi omega epsilon".split()
)
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("'’‘ʼ′`´\u02b9\u2032", ""),
        **dict.fromkeys("−–‐‑‒﹣－", "-"),
        **dict.fromkeys("÷⁄∕", "/"),
        **dict(zip("авеіјкмнорстухѕο", "abeijkmhopctyxso", strict=True)),  # letters that look the same
        **{sign: f" {name} " for sign, name in zip("°√∞∠∑△∆∫∪∩⊥πθαβγδλμσφωε", NAMED, strict=True)},
    }
)
_TOKEN = re.compile(rf"[^\W\d_{CJK}]+|\d+(?:\.\d+)?|\.\d+|[{CJK}]|(?<=[\d)])!|[-+/=]|(?<=[^\W\d_])[,;:.?]")
_HYPHEN = re.compile(r"(?<=[^\W\d_]{2})-|-(?=[^\W\d_]{2})|--+")
_ASCII_SIGNS = (("'", ""), ("`", ""), ("**", ""), ("~~", ""))
_PIECES = re.compile(  # of LaTeX, whose chunks hardly ever come twice
    r"[A-Za-z]+(?:[-'][A-Za-z]+)*'?[,;:.?]?|\d+(?:(?:,|\{,\}|\\[,;!])\d{3}(?!\d))*(?:\.\d+)?|\\?\.\d+"
    r"|\\+[dtcDTC]?(?:frac|FRAC)\d\d|\\+[A-Za-z]+|\\[^A-Za-z]|\0"
)
_LETTERS = bytes(ord(chr(code).lower()) if chr(code).isalpha() else ord(" ") for code in range(128)) + b" " * 128
_APOSTROPHES = b"'`"
_PLAIN = re.compile(r"[A-Za-z]+[.,;:?!]?")
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"  # noqa: SIM905
    " seventeen eighteen nineteen".split()
)
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SPELLED = (
    {word: value for value, word in enumerate(_ONES)}
    | {word: 10 * value for value, word in enumerate(_TENS, start=2)}
    | {"fourty": 40}
)
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
NUMERALS = frozenset({*SPELLED, *SCALES})
LOOSE = frozenset({*_SILENT, *_ALIASES, *_ALIASES.values(), *NUMERALS, "and"})  # words that a copy may have otherwise
PAUSE = ","  # after a numeral in words, where another one begins: "forty, nine hundred"
_PAUSES = ",;:.?"
_PAUSING = SPELLED.keys() | {"hundred"}


def words(text: str) -> list[str]:
    """The words and numbers of a text; numbers in digits."""
    plain = _undone(text)
    is_latex = "\\" in plain and plain.isascii() and "**" not in plain and "`" not in plain and "~" not in plain
    pieces = _PIECES.findall(plain) if is_latex else plain.split()
    found = list(chain.from_iterable(map(_WORDS.__getitem__, pieces)))
    return found if NUMERALS.isdisjoint(found) else _put_together(found)


def tokens(text: str) -> list[str]:
    """The words, numbers and operators of a text; numbers in digits, those of several words put together."""
    found = list(chain.from_iterable(map(_TOKENS.__getitem__, _undone(text).split())))
    return found if NUMERALS.isdisjoint(found) else _put_together(found)


def spelled(number: int) -> list[str]:
    """The words of a number below a million, without "and"."""
    if number >= 1000:
        return [*spelled(number // 1000), "thousand", *(spelled(number % 1000) if number % 1000 else ())]
    if number >= 100:
        return [_ONES[number // 100], "hundred", *(spelled(number % 100) if number % 100 else ())]
    if number >= 20:
        return [_TENS[number // 10 - 2], *(_ONES[number % 10 : number % 10 + 1] if number % 10 else ())]
    return [_ONES[number]]


def masked(found: Iterable[str]) -> tuple[str, ...]:
    """The words with NUMBER for each number."""
    return tuple(NUMBER if token[0].isdigit() else token for token in found)


def without_markup(text: str) -> str:
    """The text without entities, tags, and the targets of links."""
    if "&" in text:
        for _ in range(TIMES_ESCAPED):
            text = html.unescape(text)
    if "<" in text:
        text = _TAGS.sub(lambda tag: "" if tag["inline"] else " ", text)
    return _LINK.sub("] ", text) if "](" in text else text


def letters(text: str) -> list[str]:
    """The words of a text as `words` has them, at less cost: without numbers, but with LOOSE ones, which differ."""
    text = without_markup(text)
    if not text.isascii():
        return list(filter(str.isalpha, words(text)))
    if "\\n" in text:
        text = _LINE_END.sub(" ", text)
    return text.encode("ascii").translate(_LETTERS, _APOSTROPHES).decode("ascii").split()


def _undone(text: str) -> str:
    """The text without what may reach over white space: markup, thousands, list numbers."""
    text = without_markup(text)
    if not text.isascii() or " 000" in text:
        text = _THIN_THOUSANDS.sub(lambda number: "".join(number[0].split()), text)
    return _NUMBERED.sub("\n", text) if "\n" in text else text


class _Remembered(dict[str, tuple[str, ...]]):
    """What each chunk means."""

    def __init__(self, *, is_exact: bool) -> None:
        self._is_exact = is_exact

    def __missing__(self, chunk: str) -> tuple[str, ...]:
        found = _tokens_of(chunk)
        if not self._is_exact:
            found = [token for token in found if token not in OPERATORS]
        meant = tuple(found)
        if len(chunk) <= LONGEST_CHUNK:
            if len(self) >= MOST_CHUNKS:
                self.clear()
            self[chunk] = meant
        return meant


_WORDS, _TOKENS = _Remembered(is_exact=False), _Remembered(is_exact=True)


def _tokens_of(chunk: str) -> list[str]:
    """Words, numbers and operators of a chunk; numbers in words stay words."""
    if _PLAIN.fullmatch(chunk):
        word = chunk.rstrip(".,;:?!").lower()
        return [word, PAUSE] if word in _PAUSING and len(word) < len(chunk) else [word]
    if chunk == BREAK:
        return [BREAK]
    plain = chunk if chunk.isascii() else _folded(chunk)
    if "\\" in plain:
        plain = _SPACED_THOUSANDS.sub("", plain)
        plain = _FRACTION.sub(r"\\frac \1 \2", plain)
        plain = _COMMAND.sub(_command, plain)
    plain = plain.lower()
    for sign, meant in _ASCII_SIGNS:
        if sign in plain:
            plain = plain.replace(sign, meant)
    if "," in plain:
        plain = THOUSANDS.sub("", plain.replace("{,}", ""))
    if "-" in plain:
        plain = _HYPHEN.sub(" ", plain)
    found = _TOKEN.findall(plain)
    return [
        PAUSE if sign in _PAUSES else _canonical(sign) if sign[0] == "0" or "." in sign else sign
        for before, sign in zip(["", *found], found, strict=False)
        if sign not in _PAUSES or before in _PAUSING
    ]


def _folded(chunk: str) -> str:
    """A chunk beyond ASCII: NFKC, case, signs that have a name or another form, nothing invisible."""
    plain = unicodedata.normalize("NFKC", chunk.replace("´", "'")).casefold().translate(_SIGNS)
    plain = _FULL_POINT.sub(".", plain) if "。" in plain else plain
    return "".join(
        str(unicodedata.decimal(one, one))
        for one in plain
        if one.isascii() or unicodedata.category(one) not in ("Cf", "Mn", "Cc")
    )


def _command(found: re.Match[str]) -> str:
    name = found[1]
    if name is None:
        return found[0][1] if found[0][1] in "$%#_.+-=" else " "
    name = name[1:] if _ESCAPE.match(name) else name
    known = name if name in _SILENT or name in _ALIASES else name.lower()
    return " " if known in _SILENT else f" {_ALIASES.get(known, known)} "


def _canonical(token: str) -> str:
    """A number without zeros that say nothing; ".5" is 0.5."""
    if "." in token:
        token = token.rstrip("0").rstrip(".") or "0"
        return f"0{token}" if token[0] == "." else token
    return token.lstrip("0") or "0"


def _put_together(found: Sequence[str]) -> list[str]:
    """The tokens with numbers in digits: "one hundred and five" is 105, "5 million" 5000000, "one two" 1 and 2.

    Pauses are gone.
    """
    put: list[str] = []
    place = 0
    while place < len(found):
        token = found[place]
        if token in SPELLED or token in SCALES or (token.isdecimal() and found[place + 1 : place + 2] in _SCALED):
            value, place = _value(found, place)
            put.append(str(value))
        else:
            if token != PAUSE:
                put.append(token)
            place += 1
    return put


_SCALED = [[name] for name in SCALES]


def _value(found: Sequence[str], place: int) -> tuple[int, int]:
    """The number whose words begin at a place, and where they end."""
    total, part, room = 0, None, 10**12  # room: below which value the next word may add to the part
    while place < len(found):
        token = found[place]
        if token in SCALES:
            scale = SCALES[token]
            if scale == 100:
                part, room = (part or 1) * 100, 100
            else:
                total, part, room = total + (part or 1) * scale, None, scale
        elif token in SPELLED and (part is None or SPELLED[token] < room):
            part, room = (part or 0) + SPELLED[token], (10 if SPELLED[token] >= 20 else 0)
        elif token.isdecimal() and part is None and total == 0:
            part, room = int(token[:300]), 0
        elif not (found[place] == "and" and room == 100 and _goes_on(found[place + 1 : place + 3])):
            break
        place += 1
    return total + (part or 0), place


def _goes_on(after: Sequence[str]) -> bool:
    """Whether "and" joins what follows to a number: "two hundred and five", not "one hundred and two hundred"."""
    return bool(after) and after[0] in SPELLED and after[1:] != ["hundred"]
