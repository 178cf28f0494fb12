r"""One spelling per symbol: unicode and LaTeX variants of a sign become one character, dressing disappears.

    "½" "１２" "√2" "x²"  ->  "\frac{1}{2}" "12" "\sqrt2" "x^{2}"
    "\sin^{-1} x" "0.1666..."  ->  "\arcsin x" "0.1\overline{6}"
    "\leq" "<=" "\leqslant"  ->  "≤"        "\cup" -> "∪"    "\pm" -> "±"    "^\circ" -> "°"

Signs that the comparison splits at are single characters here; `to_latex` writes them back for the engine.
Every pattern is linear in the length of the text: an answer is hostile until proven otherwise.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from etalon.verifiers.math.read.arguments import braced_arguments

_SIGNS = {  # sign used here: the ways to write it
    "≤": ("\\leqslant", "\\leq", "\\le", "<=", "⩽"),
    "≥": ("\\geqslant", "\\geq", "\\ge", ">=", "⩾"),
    "≠": ("\\neq", "\\ne", "!=", "\\not="),
    "≡": ("\\equiv",),
    "≈": ("\\approx", "\\simeq"),
    "<": ("\\lt",),
    ">": ("\\gt",),
    "±": ("\\pm", "+/-"),
    "∓": ("\\mp",),
    "∪": ("\\cup", "\\bigcup"),
    "∈": ("\\in",),
    "∨": ("\\lor", "\\vee"),
    " and ": ("\\land", "\\wedge", "∧"),
    "°": ("^{\\circ}", "^\\circ", "\\degree", "\\textdegree", "{}^\\circ", "º"),
    "\\emptyset": ("\\varnothing", "∅", "\\{\\}", "\\{ \\}"),
    "\\infty": ("∞",),
    "\\pi": ("π",),
    "\\sqrt": ("√",),
    "\\theta": ("θ",),
    "\\alpha": ("α",),
    "\\beta": ("β",),
    "\\mathbb{R}": ("\\mathbf{R}", "\\R", "\\Re", "ℝ"),
    "\\mathbb{Z}": ("\\Z", "ℤ"),
    "\\mathbb{C}": ("ℂ",),
    "\\mathbb{N}": ("\\N", "ℕ"),
    "\\mathbb{Q}": ("\\Q", "ℚ"),
    "\\setminus": ("\\backslash",),
    "\\ldots": ("\\dots", "\\cdots", "…", "\\dotsc"),
    "\\frac": ("\\dfrac", "\\tfrac", "\\cfrac"),
    "\\binom": ("\\dbinom", "\\tbinom"),
    "\\overline": ("\\bar",),
    "\\{": ("\\lbrace",),
    "\\}": ("\\rbrace",),
    "(": ("\\langle", "⟨", "\\lparen"),
    ")": ("\\rangle", "⟩", "\\rparen"),
    "[": ("\\lbrack",),
    "]": ("\\rbrack",),
    "|": ("\\lvert", "\\rvert", "\\vert"),
    "-": ("−", "–", "‐", "‑", "﹣"),
    "*": ("×", "·", "∙", "⋅", "\\cdot", "\\times", "\\ast"),
    "/": ("÷", "\\div", "⁄", "∕"),
    ":": ("\\colon", "{:}", "∶"),
    "^": ("**",),
    "%": ("\\%", "％"),
    "$": ("\\$", "\\textdollar", "＄"),
    "€": ("\\euro", "\\texteuro"),
    "£": ("\\pounds", "\\textsterling"),
    ",": ("{,}", "\\,,", "，", "、"),
    ";": ("；",),
    "e": ("\\mathrm{e}", "\\text{e}", "\\rm{e}"),
    "i": ("\\mathrm{i}", "\\text{i}", "\\imath"),
    "j": ("\\jmath",),
    "'": ("^{\\prime}", "^\\prime"),
    " ": ("\\,", "\\;", "\\:", "\\ ", "\\quad", "\\qquad", "~", "\\thinspace", "\\newline", "\\enspace", "\\hspace"),
    "": (
        *("\\left.", "\\right.", "\\left", "\\right", "\\bigl", "\\bigr", "\\Bigl", "\\Bigr", "\\bigg", "\\Bigg"),
        *("\\big", "\\Big", "\\limits", "\\displaystyle", "\\textstyle", "\\!", "\\large", "\\Large", "\\LARGE"),
        *("\\huge", "\\normalsize", "\\small", "\\bf", "\\rm", "\\it", "\\boldmath", "\\mathstrut", "\\strut"),
    ),
}  # fmt: skip
_SPELLINGS = {written: sign for sign, ways in _SIGNS.items() for written in ways}
_VARIANT = re.compile(
    r"\\\\(?:\[[^\]\\]{0,12}\])?|,\\! ?"  # a row separator stays whole; "32,\! 349" is one number
    + "".join(
        "|" + re.escape(way) + ("(?![a-zA-Z])" if way[-1].isalpha() and way[0] == "\\" else "")
        for way in sorted(_SPELLINGS, key=len, reverse=True)
    )
)
_LAYOUT = re.compile(
    "|".join(re.escape(way) + ("(?![a-zA-Z])" if way[-1].isalpha() else "") for way in sorted(_SIGNS[""], reverse=True))
)
_LATEX = {
    "≤": "\\le ", "≥": "\\ge ", "≠": "\\ne ", "≈": "\\approx ", "±": "\\pm ", "∓": "\\mp ", "∪": "\\cup ",
    "≡": "\\equiv ", "∈": "\\in ", "∨": "\\text{ or }", "°": "^{\\circ}", "*": "\\cdot ",
}  # fmt: skip
_LATEX_SIGN = re.compile("[" + "".join(map(re.escape, _LATEX)) + "]")
_SUPERSCRIPT = re.compile(r"[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_SUPERSCRIPTS = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_QUOTES = str.maketrans({**dict.fromkeys("“”„‟«»", '"'), **dict.fromkeys("’‘ʼ‛′", "'")})
_VULGAR = re.compile(r"[¼-¾⅐-⅞]")
_ROOT = re.compile(r"√ ?(\d+)")
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)°")
_PRIME = re.compile(r"([a-zA-Z])(?:_(?:([a-zA-Z0-9])|\{([^{}]*)\}))?('+)")
_PRIMED = re.compile(r"([a-zA-Z])('+)_([a-zA-Z0-9]|\{[^{}]*\})")
_QUOTED = re.compile(r"(?<![\w)}'])'([^'\s][^']{0,100})'(?!\w)")
_DECIMAL_EXPONENT = re.compile(r"\^\{(-?)(\d{0,6}\.\d{1,6})\}")
_VECTOR = re.compile(  # fonts of one letter
    r"\\(?:vec|hat|overrightarrow|widehat|pmb|bm|boldsymbol|mathbf) ?(?:\{ ?([a-zA-Z]) ?\}|([a-zA-Z])(?![a-zA-Z]))"
)
_BLACKBOARD = re.compile(r"\\(?:mathbb|Bbb) ?\{? ?([A-Z]) ?\}?")
_INVERSE = re.compile(r"\\(sin|cos|tan) ?\^ ?\{ ?- ?1 ?\}")
_REPEATED = re.compile(r"(?<![\d.])(\d{0,20}\.\d{0,20}?)(?:(\d)\2{2,20}|(\d{2,6})\3{1,6})(?:\.\.\.| ?\\ldots)")
_DOTTED = re.compile(r"(\d{0,20}\.\d{0,20})(\\dot ?(?:\{\d\}|\d)(?:\d{0,20}\\dot ?(?:\{\d\}|\d))?)(?!\d)")
_CYCLE_IN_BRACKETS = re.compile(r"(?<![\w.)}])(\d{0,20}\.\d{0,20})\((\d{1,20})\)(?=$|[,;∨ )\]}%])")
_EXPONENT = re.compile(r"\^ ?([+-]\d{1,9}|\d{2,9})(?![\d.])")  # 10^23, 10^-4: no TeX, but what people type
_TIMES = re.compile(
    r"(?:(?<=[\d})]) [xX] (?=-?\d)|(?<=[1-9])[xX](?=\d))(?!-?[\d.]+ ?[a-fi-kn-rt-z](?![a-zA-Z]))"
    r"|(?<=\d) ?[xX] ?(?=10 ?\^)"
)
_LETTER_X = re.compile(r"(?<![a-zA-Z\\])[xX](?![a-zA-Z])")
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u2060-\u2064\ufe0e\ufe0f\ufeff]")


def one_spelling(text: str) -> str:
    """The text with every sign in its one spelling; spaces and words stay."""
    if not text.isascii():
        text = _plain_unicode(text)
    text = _BLACKBOARD.sub(r"\\mathbb{\1}", _INVISIBLE.sub("", text))
    text = braced_arguments(_VARIANT.sub(_replacement, text))
    if "\\" in text:
        text = _VECTOR.sub(r"\1\2", _VECTOR.sub(r"\1\2", text))
    text = _INVERSE.sub(r"\\arc\1", text)
    if "." in text:
        text = _REPEATED.sub(lambda found: f"{found[1]}\\overline{{{found[2] or found[3]}}}", text)
        text = _DOTTED.sub(_dotted, _CYCLE_IN_BRACKETS.sub(r"\1\\overline{\2}", text))
    if "'" in text:
        text = _PRIMED.sub(r"\1_\3\2", _QUOTED.sub(r"\1", text))
    if "^" in text:
        text = _EXPONENT.sub(r"^{\1}", text)
    return times_signs(text)


def undressed(text: str) -> str:
    """The text without commands that only say how it is set: \\left, \\displaystyle, \\!."""
    return _LAYOUT.sub("", text) if "\\" in text else text


def times_signs(text: str) -> str:
    """The letter x between two numbers as a times sign, unless it is the name of something as well."""
    if "x" not in text and "X" not in text:
        return text
    times = _TIMES.sub("*", text)
    return text if times == text or _LETTER_X.search(times) else times


def to_latex(text: str) -> str:
    """The text as LaTeX again; degrees inside trigonometry as radians."""
    if _TRIGONOMETRY.search(text):
        text = _DEGREES.sub(r"(\\frac{\1\\pi}{180})", text)
    text = _PRIME.sub(  # f' is not f
        lambda found: f"{found[1]}_{{{found[2] or found[3] or ''}{'q' * len(found[4])}}}", text
    )
    text = _DECIMAL_EXPONENT.sub(_fraction_of_decimal, text)
    return _LATEX_SIGN.sub(lambda sign: _LATEX[sign[0]], text)


def _fraction_of_decimal(found: re.Match[str]) -> str:
    value = Fraction(found[2])
    return f"^{{{found[1]}\\frac{{{value.numerator}}}{{{value.denominator}}}}}"


def _replacement(found: re.Match[str]) -> str:
    written = found[0]
    if written.startswith("\\\\"):
        return "\\\\"
    return "," if written.startswith(",\\!") else _SPELLINGS[written]


def _dotted(found: re.Match[str]) -> str:
    """The cycle of a decimal from its first dotted digit to its last."""
    return found[1] + "\\overline{" + re.sub(r"\\dot|[{}]", "", found[2]) + "}"


def _plain_unicode(text: str) -> str:
    """Digits of every script, superscripts, vulgar fractions, quotes and full-width forms in ASCII and LaTeX."""
    text = text.translate(_QUOTES)
    text = _SUPERSCRIPT.sub(lambda found: "^{" + found[0].translate(_SUPERSCRIPTS) + "}", text)
    text = _ROOT.sub(r"\\sqrt{\1}", _VULGAR.sub(_fraction, text))
    text = "".join(_digit(character) for character in text)
    return unicodedata.normalize("NFKC", text)


def _fraction(found: re.Match[str]) -> str:
    top, _, bottom = unicodedata.normalize("NFKC", found[0]).partition("⁄")
    return f"\\frac{{{top}}}{{{bottom}}}"


def _digit(character: str) -> str:
    value = unicodedata.decimal(character, None) if not character.isascii() else None
    return character if value is None else str(value)
