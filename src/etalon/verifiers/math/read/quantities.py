r"""Numbers with a unit, read in two ways on one table (`units`).

    mathematics   split_unit("12 \text{ cm}^2")  ->  ("12", "cm^2")    what an answer says beside its number
    STEM          split("1.5 kJ")                ->  Quantity("1.5", 1000 kg m^2 s^-2), or None

Where both sides write a unit the two agree (`conversion`, `units.ratio`): 12 m is 1200 cm and not 12 cm, 0 °C is not
273.15 K, 180 degrees are not \pi rad. A unit that only one side writes is forgiven by both. They differ on purpose in
what they take for a unit:

                      mathematics                                     STEM
    symbols           those of _IN_MATH: 5 ps, 5 cd are products      all of the table
    a single letter   where a space or \text{} sets it apart          also glued: 5m, 5J
    products, J/(mol K), \frac{m}{s}    one name, one quotient        any
    other words       a unit without a name, which is dropped and     no quantity: compared as mathematics
                      agrees with its like: 35 students
    $, %              currency in front, percent as part of number    no quantity: compared as mathematics
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from fractions import Fraction

from etalon.verifiers.math.read.numbers import parse_number
from etalon.verifiers.math.read.units import Unit, parse_unit, ratio, symbol_of

MAX_CHARS = 200  # (ours) a longer answer is no number with a unit

_SYMBOLS = (
    "mm cm m km in ft yd mi nm mg g kg lb oz t ms s min h day week month year L mL gal qt pt cup "
    "N J kJ eV W kW V A C F K Pa kPa Hz T mol rad deg °C °F mi/h km/h $ ¢ € £ ¥"
)
_IN_MATH = frozenset(_SYMBOLS.split())
_PERCENT = ("%", "percent", "pct", "percentage")
_CURRENCIES = "$€£¥₹"
_MULTIPLIERS = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "dozen": 12, "gross": 144, "score": 20, "lakh": 10**5, "crore": 10**7,
}  # fmt: skip
_NO_UNITS = (  # words that join or deny, and functions: what follows a number and is no unit
    "and or to than not if when for mod where with by of in at is are as from then else but either both neither all no "
    "except sin cos tan cot sec csc log ln exp max min gcd lcm det pi sqrt infty infinity i e plus minus times "
    "or more less at most least half third quarter incorrect wrong never too low high unless not no"
)
_DIRECTIONS = (  # and other words behind a number that their opposite makes another answer
    "up down upward downward east west north south left right clockwise counterclockwise anticlockwise increase "
    "decrease profit loss gain real complex head tail positive negative above below forward backward inward "
    "outward ppm ppb odd even more fewer greater earlier later before after ahead behind win lose upstream "
    "downstream"
)
_QUALIFIERS = frozenset(_DIRECTIONS.split())
_STOP = frozenset(_NO_UNITS.split())
_AREAS = {"square": "^2", "sq": "^2", "cubic": "^3", "cu": "^3"}
_NAME_WITH_NUMBER = re.compile(r"[A-Za-z]{2,} ?\^?\{?\d")
_OPERATORS = ("+", "-", "*", "/", "^", "=", "(", ",", "±")
_PER = re.compile(r" ?(?:/| per ) ?(?=[A-Za-z])")
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")
_COMMAND_END = re.compile(r"\\[a-zA-Z]{1,20}\{?$")
_POWER = re.compile(r"\^?\{?(-?[0-9])\}?$")
_RAISED = re.compile(r"([A-Za-z]+) (squared|cubed)\b", re.IGNORECASE)
_PART = r"(?P<number{0}>\d+(?:\.\d+)?) ?(?P<unit{0}>[A-Za-z]+\.?|°)"
_TWO_UNITS = re.compile(_PART.format(1) + r",? ?(?:and )?" + _PART.format(2))
_FEET = re.compile(r"(?:(\d+(?:\.\d+)?)')?(?: ?(\d+(?:\.\d+)?)(?:''|\"))?(?<!\d)")
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)° ?(\d+(?:\.\d+)?)(?:'|\^\{?\\prime\}?)(?: ?(\d+(?:\.\d+)?)(?:''|\"))?")
_WORD = re.compile(r"[A-Za-z]+|°[CF]?|[%¢$€£¥]")
_GLUED = re.compile(r"(.*[0-9)}\]])(°[CF]?|[A-Za-z]{2,12}(?:\^\{?[23]\}?)?)$", re.DOTALL)
_MAX_WORDS = 4
_NO_FACTOR = re.compile(r"[=<>≤≥≠≈∈,;:∪∨]")  # what no ratio multiplies: equations, lists, intervals


def split_units(text: str) -> tuple[str, str]:
    """`split_unit`, and quantities of two units: "5 ft 6 in" is ("66", "in"), 12° 30' ("25/2", "deg")."""
    if angle := _DEGREES.fullmatch(text):
        return str(sum(Fraction(part or 0) / 60**power for power, part in enumerate(angle.groups()))), "deg"
    if "'" in text and (found := _FEET.fullmatch(text)):
        inches = 12 * Fraction(found[1] or 0) + Fraction(found[2] or 0)
        return str(inches), "in"
    if found := _TWO_UNITS.fullmatch(text):
        names = [_name(found[f"unit{place}"]) for place in (1, 2)]
        units = [parse_unit(name) if name and name != "?" else None for name in names]
        if units[0] and units[1] and units[0].powers == units[1].powers and units[0].factor > units[1].factor:
            whole = Fraction(found["number1"]) * units[0].factor / units[1].factor
            return str(whole + Fraction(found["number2"])), str(names[1])
    return split_unit(text)


def split_unit(text: str) -> tuple[str, str]:
    """(quantity, unit) in mathematics; the unit is "" without one, "?" for words that are no known unit.

    Known units have one name each. Spaces still matter.
    """
    quantity, currency = _currency(text)
    quantity = _RAISED.sub(lambda found: found[1] + ("^2" if found[2].casefold() == "squared" else "^3"), quantity)
    words = _PER.sub("/", quantity).split()
    taken: list[str] = []
    while len(words) > 1 and len(taken) < _MAX_WORDS and (name := _name(words[-1])) is not None:
        taken.insert(0, name)
        words.pop()
    if taken:
        quantity = " ".join(words)
    elif (glued := _GLUED.match(quantity)) is not None:
        name = _name(glued[2])
        if name not in (None, "?", "in", "min") and not _COMMAND_END.search(glued[1]):
            quantity, taken = glued[1].rstrip(), [str(name)]
    if taken and not _is_quantity(quantity):
        return text, ""
    unit = _joined(taken) or currency
    if unit == "deg" and _TRIGONOMETRY.search(quantity):
        return text, ""
    if unit == "%":
        return quantity + "%", ""
    if unit.startswith("*"):
        number = parse_number(quantity)
        return (f"({quantity}){unit}" if number is None else str(number.value * int(unit[1:]))), currency
    return quantity, unit


@functools.lru_cache(maxsize=4096)
def conversion(expected: str, given: str, *, is_lenient: bool) -> Fraction | None:
    """How many of one unit (as `split_unit` names it) make one of the other; None when they are different units.

    is_lenient: a missing unit agrees with any, two without a name agree, and C stands for °C.
    """
    sides = expected.partition("~"), given.partition("~")
    if sides[0][2] or sides[1][2]:
        if sides[0][2] and sides[1][2] and sides[0][2] != sides[1][2]:
            return None
        expected, given = (side[0].removesuffix("?") for side in sides)
    if expected == given or (is_lenient and (not expected or not given)):
        return Fraction(1)
    if is_lenient and expected.startswith("?") and given.startswith("?"):
        return Fraction(1)
    first, second = parse_unit(expected), parse_unit(given)
    if first is None or second is None or (not is_lenient and first.powers != second.powers):
        return None
    return ratio(first, second)


def converted(number: str, factor: Fraction) -> str | None:
    """A number or formula times the ratio of two units, as text; None for what is no single value."""
    if factor == 1:
        return number
    if (known := parse_number(number)) is not None:
        return str(known.value * factor)
    return None if _NO_FACTOR.search(number) else f"({number})*{factor}"


def _currency(text: str) -> tuple[str, str]:
    for sign in _CURRENCIES:
        if text.startswith(sign) and len(text) > 1:
            return text[1:].strip(), sign
        if text.startswith("-" + sign):
            return "-" + text[2:].strip(), sign
        if text.endswith(sign) and text[:-1].count(sign) == 0 and len(text) > 1:
            return text[:-1].strip(), sign
    return text, ""


def _name(word: str) -> str | None:
    """The name of one word as a unit, "?" for a word that says none, None when it is no unit."""
    if word.endswith(".") and len(word) < 6:  # an abbreviation
        return _name(word[:-1])
    if "/" in word:
        parts = [_name(part) for part in word.split("/")]
        known = [part for part in parts if part]
        return "/".join(known) if len(known) == len(parts) == 2 else None
    power = _POWER.search(word)
    bare, exponent = (word[: power.start()], power[1]) if power else (word, "")
    if not _WORD.fullmatch(bare) or (exponent and bare in _CURRENCIES):
        return None
    lower = bare.casefold()
    if lower in _AREAS:
        return lower
    for one in (lower, lower.removesuffix("s")):
        if one in _QUALIFIERS and not exponent:
            return f"~{one}"
    if (factor := _MULTIPLIERS.get(lower.removesuffix("s") if lower != "gross" else lower)) is not None:
        return f"*{factor}"
    if symbol := "%" if lower.removesuffix("s") in _PERCENT else symbol_of(bare, among=_IN_MATH):
        return symbol + (f"^{exponent}" if exponent else "")
    if lower in _STOP or len(bare) < 3:
        return None
    return "?" if exponent in ("", "2", "3") else None


def _joined(names: list[str]) -> str:
    """One name of several words: `square` before a length is a power; "?" when no word is a known unit."""
    said = "".join(name for name in names if name.startswith("~"))
    if said:
        return (_joined([name for name in names if not name.startswith("~")]) or "?") + said
    known = next((name for name in reversed(names) if name not in ("?", *_AREAS)), "?" if names else "")
    power = next((_AREAS[name] for name in names if name in _AREAS), "")
    return known if known == "?" or not power else known + power


def _is_quantity(text: str) -> bool:
    if _NAME_WITH_NUMBER.match(text) or text.endswith(_OPERATORS):  # sp3 hybridisation, \\ln x + C
        return False
    return any(c.isdigit() for c in text) or "\\pi" in text or "\\sqrt" in text


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """The text of the number, and its unit."""

    number: str
    unit: Unit


def _degrees(found: re.Match[str]) -> str:
    return " degC " if found[1] else " degF "


def _raised(found: re.Match[str]) -> str:
    """meters squared, square meters"""
    if found[2] in ("squared", "cubed"):
        return f"{found[1]}^{2 if found[2] == 'squared' else 3}"
    return f"{found[2]}^{2 if found[1].startswith('sq') else 3}"


_CIRCLE = r"(?:\^?\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree|°)\s*"
_SPELLINGS = (
    (re.compile(r"\\AA(?![a-zA-Z])|\\(?:mathring|r) ?\{A\}|\N{ANGSTROM SIGN}"), " Å "),
    (re.compile(r"\\(?:text|mathrm|textrm|mathsf|operatorname|unit|si|rm)\s*\{((?:[^{}]|\{[^{}]*\})*)\}"), r" \1 "),
    (re.compile(_CIRCLE + r"(?:\{?([CF])\}?)(?![A-Za-z])"), r" deg\1 "),
    (re.compile(_CIRCLE), " ° "),
    (re.compile(r"\bdeg(?:rees?|\.)?\s*(?:(C)(?:elsius|entigrade)?|(F)(?:ahrenheit)?)\b", re.IGNORECASE), _degrees),
    (re.compile(r"\\[,;:! ]|~|\\q?quad(?![a-zA-Z])|\\mathrm(?![a-zA-Z])|\$"), " "),
    (re.compile(r"\\mu\s*|[µμ]"), "u"),
    (re.compile(r"\\[Oo]mega|[ΩΩ]|\\ohm"), "Ω"),
    (re.compile(r"\bper\b"), "/"),
    (re.compile(r"\b([A-Za-z]+)\s+(squared|cubed)\b"), _raised),
    (re.compile(r"\b(square|sq\.?|cubic|cu\.?)\s+([A-Za-z]+)"), _raised),
    (re.compile(r"(?<=\d) [xX] (?=\d)|(?<=\d) ?[xX] ?(?=10 ?\^)"), "*"),
    (re.compile(r"\\cdot(?![a-zA-Z])|\\times(?=\s*[A-Za-z])|·|⋅"), "*"),
)
_UNIT_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*([A-Za-zΩ][^{}]*)\}\s*\{\s*([A-Za-zΩ][^{}]*)\}\s*$")
_DIVISOR = re.compile(r"/\s*\(([^()/]*)\)")
_NUMBER_WORDS = re.compile(r"^[^=\d]{1,40}(?:_\{?\w{1,9}\}?)?\s*=|\\[a-zA-Z]+|[eE](?=[+-]?\d)")
_NUMBER_END = re.compile(r"(?:[\d)}]|\\pi)\s*(?=[A-Za-zΩÅ°*/\\])")


def split(answer: str) -> Quantity | None:
    """The number and the known unit that a STEM answer consists of, else None."""
    if len(answer) > MAX_CHARS:
        return None
    text = answer.strip().rstrip(".")
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    text = _UNIT_FRACTION.sub(r" \1/\2 ", text)
    text = _DIVISOR.sub(lambda found: "/" + re.sub(r"[\s*]+", "/", found[1].strip()), text).strip()
    for end in _NUMBER_END.finditer(text):
        number = text[: end.end()].strip()
        if number.lstrip("{} ").startswith(("^", "_")):  # the mass of an isotope
            continue
        if (unit := parse_unit(text[end.end() :])) and not any(c.isalpha() for c in _NUMBER_WORDS.sub("", number)):
            return Quantity(number=number, unit=unit)
    return None
