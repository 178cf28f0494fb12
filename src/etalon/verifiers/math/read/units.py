r"""Units after (and currency signs before) a quantity: `12 \text{ cm}^2`, `90°`, `$5`, `35 students`.

`split_unit` separates quantity and unit. Known units have one name each, so that "cm" and "centimetres" agree and
"cm" and "m" do not; any other plain word is a unit without a name: it is dropped, and agrees with everything.
A single letter is a unit only where a space or \text{} sets it apart: `5 m` is a length, `5m` a product.
"""

from __future__ import annotations

import re

_NAMES = {
    "mm": "millimeter millimetre", "cm": "centimeter centimetre", "m": "meter metre", "km": "kilometer kilometre",
    "in": "inch inches", "ft": "foot feet", "yd": "yard", "mi": "mile", "nm": "nanometer nanometre",
    "mg": "milligram", "g": "gram", "kg": "kilogram", "lb": "pound lbs", "oz": "ounce", "t": "ton tonne",
    "ms": "millisecond", "s": "second sec", "min": "minute mins", "h": "hour hr hrs", "day": "", "week": "wk",
    "month": "", "year": "yr", "L": "liter litre l", "mL": "milliliter millilitre ml", "gal": "gallon",
    "N": "newton", "J": "joule", "kJ": "kilojoule", "eV": "", "W": "watt", "kW": "kilowatt", "V": "volt",
    "A": "ampere amp", "C": "coulomb", "F": "farad", "K": "kelvin", "Pa": "pascal", "kPa": "", "Hz": "hertz",
    "T": "tesla",
    "mol": "mole", "rad": "radian", "deg": "degree °", "°C": "celsius", "°F": "fahrenheit", "mph": "", "kph": "",
    "$": "dollar usd buck", "¢": "cent", "€": "euro eur", "£": "gbp", "¥": "yuan rmb yen",
    "%": "percent pct percentage",
}  # fmt: skip
_KNOWN = {way: name for name, ways in _NAMES.items() for way in (name, *ways.split())}
_SPEEDS = {"mph": "mi/h", "kph": "km/h"}
_CURRENCIES = "$€£¥₹"
_MULTIPLIERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_NO_UNITS = (  # words that join or deny, and functions: what follows a number and is no unit
    "and or to than not if when for mod where with by of in at is are as from then else but either both neither all no "
    "except sin cos tan cot sec csc log ln exp max min gcd lcm det pi sqrt infty infinity i e plus minus times "
    "or more less at most least up down half third quarter"
)
_STOP = frozenset(_NO_UNITS.split())
_AREAS = {"square": "^2", "sq": "^2", "cubic": "^3"}
_PER = re.compile(r" ?(?:/| per ) ?(?=[A-Za-z])")
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")
_COMMAND_END = re.compile(r"\\[a-zA-Z]{1,20}\{?$")
_POWER = re.compile(r"\^?\{?(-?[0-9])\}?$")
_WORD = re.compile(r"[A-Za-z]+|°[CF]?|[%¢$€£¥]")
_GLUED = re.compile(r"(.*[0-9)}\]])(°[CF]?|[A-Za-z]{2,12}(?:\^\{?[23]\}?)?)$", re.DOTALL)
_MAX_WORDS = 4


def split_unit(text: str) -> tuple[str, str]:
    """(quantity, unit); the unit is "" without one, "?" for words that are no known unit. Spaces still matter."""
    quantity, currency = _currency(text)
    words = _PER.sub("/", quantity).split()
    taken: list[str] = []
    while len(words) > 1 and len(taken) < _MAX_WORDS and (name := _unit(words[-1])) is not None:
        taken.insert(0, name)
        words.pop()
    if taken:
        quantity = " ".join(words)
    elif (glued := _GLUED.match(quantity)) is not None:
        name = _unit(glued[2])
        if name not in (None, "?", "in", "min") and not _COMMAND_END.search(glued[1]):
            quantity, taken = glued[1].rstrip(), [str(name)]
    if taken and not _is_quantity(quantity):
        return text, ""
    unit = _joined(taken) or currency
    unit = _SPEEDS.get(unit, unit)
    if unit == "deg" and _TRIGONOMETRY.search(quantity):
        return text, ""
    if unit == "%":
        return quantity + "%", ""
    if unit.startswith("10^"):
        return f"{quantity}*{unit}", currency
    return quantity, unit


def agree(a: str, b: str) -> bool:
    """False for two different units of which at least one is known; a missing one agrees with any."""
    return a == b or not a or not b or (a.startswith("?") and b.startswith("?"))


def _currency(text: str) -> tuple[str, str]:
    for sign in _CURRENCIES:
        if text.startswith(sign) and len(text) > 1:
            return text[1:].strip(), sign
        if text.startswith("-" + sign):
            return "-" + text[2:].strip(), sign
        if text.endswith(sign) and text[:-1].count(sign) == 0 and len(text) > 1:
            return text[:-1].strip(), sign
    return text, ""


def _unit(word: str) -> str | None:
    """The name of one word as a unit, "" for a word that adds nothing, None when it is no unit."""
    if "/" in word:
        parts = [_unit(part) for part in word.split("/")]
        known = [part for part in parts if part]
        return "/".join(known) if len(known) == len(parts) == 2 else None
    power = _POWER.search(word)
    bare, exponent = (word[: power.start()], power[1]) if power else (word, "")
    if not _WORD.fullmatch(bare):
        return None
    if bare.casefold() in _AREAS:
        return bare.casefold()
    if bare.casefold() in _MULTIPLIERS:
        return f"10^{{{_MULTIPLIERS[bare.casefold()]}}}"
    for candidate in (bare, bare.casefold(), bare.casefold().removesuffix("s")):
        if candidate in _KNOWN and (len(candidate) > 1 or candidate == bare):
            return _KNOWN[candidate] + (f"^{exponent}" if exponent else "")
    if bare.casefold() in _STOP or len(bare) < 3:
        return None
    return "?" if not exponent else None


def _joined(names: list[str]) -> str:
    """One name of several words: `square` before a length is a power; "?" when no word is a known unit."""
    known = next((name for name in reversed(names) if name not in ("?", *_AREAS)), "?" if names else "")
    power = next((_AREAS[name] for name in names if name in _AREAS), "")
    return known if known == "?" or not power else known + power


def _is_quantity(text: str) -> bool:
    return any(c.isdigit() for c in text) or "\\pi" in text or "\\sqrt" in text
