r"""Numbers with a unit, for STEM answers: units are compared strictly when both sides have one.

    "1.5 kJ" -> split -> Quantity("1.5", 1000 kg m^2 s^-2)

What holds (ours):

    12 cm, 12 m                  different: the units differ
    12 m, 1200 cm; 1.5 kJ, 1500 J; 5 N/m^2, 5 Pa     equal: units of one kind convert by their exact factor
    12 cm, 12                    equal: a unit that only one side writes is forgiven
    0 \degree C, 273.15 K; 180 degrees, \pi rad      different: scales with another zero, and angles, do not convert
    25 C, 25 \degree C           equal: the sign is often left out
    12 apples, 12 oranges        no unit known here: compared as any other answer

Factors are exact by definition (SI brochure, 9th edition; international yard and pound, 1959; thermochemical calorie).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

MAX_CHARS = 200  # (ours) a longer answer is no number with a unit
BASES = ("kg", "m", "s", "A", "K", "mol", "cd", "rad", "degree", "degC", "degF")

_PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "d": -1, "c": -2, "m": -3,
    "u": -6, "n": -9, "p": -12, "f": -15, "a": -18,
    "tera": 12, "giga": 9, "mega": 6, "kilo": 3, "deci": -1, "centi": -2, "milli": -3, "micro": -6, "nano": -9,
    "pico": -12,
}  # fmt: skip
# symbol, names: factor and powers of the base units; those of the first table take SI prefixes
_PREFIXED = {
    "m meter metre": ("1", "m"), "g gram gramme": ("0.001", "kg"), "s sec second": ("1", "s"),
    "A amp ampere": ("1", "A"), "K kelvin": ("1", "K"), "mol mole": ("1", "mol"), "cd candela": ("1", "cd"),
    "Hz hertz": ("1", "s-1"), "N newton": ("1", "kg m s-2"), "Pa pascal": ("1", "kg m-1 s-2"),
    "J joule": ("1", "kg m2 s-2"), "W watt": ("1", "kg m2 s-3"), "C coulomb": ("1", "s A"),
    "V volt": ("1", "kg m2 s-3 A-1"), "F farad": ("1", "kg-1 m-2 s4 A2"), "Ω ohm": ("1", "kg m2 s-3 A-2"),
    "S siemens": ("1", "kg-1 m-2 s3 A2"), "Wb weber": ("1", "kg m2 s-2 A-1"), "T tesla": ("1", "kg s-2 A-1"),
    "H henry": ("1", "kg m2 s-2 A-2"), "Bq becquerel": ("1", "s-1"), "Gy gray": ("1", "m2 s-2"),
    "Sv sievert": ("1", "m2 s-2"), "L l liter litre": ("0.001", "m3"), "M molar": ("1000", "mol m-3"),
    "Wh": ("3600", "kg m2 s-2"), "eV electronvolt": ("1.602176634e-19", "kg m2 s-2"),
    "cal calorie": ("4.184", "kg m2 s-2"), "bar": ("100000", "kg m-1 s-2"),
}  # fmt: skip
_PLAIN = {
    "min minute": ("60", "s"), "h hr hour": ("3600", "s"), "day": ("86400", "s"), "week": ("604800", "s"),
    "in inch": ("0.0254", "m"), "ft foot feet": ("0.3048", "m"), "yd yard": ("0.9144", "m"),
    "mi mile": ("1609.344", "m"), "Å angstrom": ("1e-10", "m"), "lb lbs pound": ("0.45359237", "kg"),
    "t ton tonne": ("1000", "kg"), "atm atmosphere": ("101325", "kg m-1 s-2"), "mph": ("0.44704", "m s-1"),
    "rad radian": ("1", "rad"), "° deg degree": ("1", "degree"), "degC celsius": ("1", "degC"),
    "degF fahrenheit": ("1", "degF"),
}  # fmt: skip

Powers = tuple[int, ...]  # one per base


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A factor and the powers of the base units that it multiplies."""

    factor: Fraction
    powers: Powers

    def times(self, other: Unit, power: int) -> Unit:
        powers = tuple(a + power * b for a, b in zip(self.powers, other.powers, strict=True))
        return Unit(factor=self.factor * other.factor**power, powers=powers)


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """The text of the number, and its unit."""

    number: str
    unit: Unit


ONE = Unit(factor=Fraction(1), powers=(0,) * len(BASES))


def _unit(factor: str, powers: str) -> Unit:
    found = {m[1]: int(m[2] or 1) for m in re.finditer(r"([A-Za-z]+)(-?\d+)?", powers)}
    return Unit(factor=Fraction(factor), powers=tuple(found.get(base, 0) for base in BASES))


def _table() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for names, (factor, powers) in (_PREFIXED | _PLAIN).items():
        table |= dict.fromkeys(names.split(), _unit(factor, powers))
    for names, (factor, powers) in _PREFIXED.items():
        for name in names.split():
            for prefix, exponent in _PREFIXES.items():
                if (len(prefix) > 2) == (len(name) > 3):  # "kilometer" and "km", not "kmeter"
                    table.setdefault(prefix + name, _unit(factor, powers).times(_unit(f"1e{exponent}", ""), 1))
    return table


_UNITS = _table()
_CIRCLE = r"(?:\^?\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree|°)\s*"
_SPELLINGS = (
    (re.compile(r"\\(?:text|mathrm|textrm|mathsf|operatorname|unit|si|rm)\s*\{((?:[^{}]|\{[^{}]*\})*)\}"), r" \1 "),
    (re.compile(_CIRCLE + r"(?:\{?([CF])\}?)(?![A-Za-z])"), r" deg\1 "),
    (re.compile(_CIRCLE), " ° "),
    (re.compile(r"\\[,;:! ]|~|\\q?quad(?![a-zA-Z])|\\mathrm(?![a-zA-Z])|\$"), " "),
    (re.compile(r"\\mu\s*|[µμ]"), "u"),
    (re.compile(r"\\[Oo]mega|[ΩΩ]|\\ohm"), "Ω"),
    (re.compile(r"\bper\b"), "/"),
    (re.compile(r"\\cdot(?![a-zA-Z])|\\times(?=\s*[A-Za-z])|·|⋅"), "*"),
)
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_FACTOR = re.compile(r"\s*([*/]?)\s*([A-Za-zΩÅ°]+)(?:\s*\^?\s*\{?\s*([-⁻]?[0-9⁰¹²³⁴⁵⁶⁷⁸⁹])\s*\}?)?")
_UNIT_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*([A-Za-zΩ][^{}]*)\}\s*\{\s*([A-Za-zΩ][^{}]*)\}\s*$")
_DIVISOR = re.compile(r"/\s*\(([^()/]*)\)")
_NUMBER_WORDS = re.compile(r"\\[a-zA-Z]+|[eE](?=[+-]?\d)|^[a-zA-Z](?:_\w+)?\s*=")
_NUMBER_END = re.compile(r"(?:[\d)}]|\\pi)\s*(?=[A-Za-zΩÅ°*/\\])")


def split(answer: str) -> Quantity | None:
    """The number and the known unit that an answer consists of, else None."""
    if len(answer) > MAX_CHARS:
        return None
    text = answer.strip().rstrip(".")
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    text = _UNIT_FRACTION.sub(r" \1/\2 ", text)
    text = _DIVISOR.sub(lambda found: "/" + re.sub(r"[\s*]+", "/", found[1].strip()), text).strip()
    for end in _NUMBER_END.finditer(text):
        number = text[: end.end()].strip()
        if (unit := parse_unit(text[end.end() :])) and not any(c.isalpha() for c in _NUMBER_WORDS.sub("", number)):
            return Quantity(number=number, unit=unit)
    return None


def parse_unit(text: str) -> Unit | None:
    """The unit that a text spells out: known symbols and names, `*`, `/`, blanks and powers; None for any other."""
    unit, position, text = ONE, 0, text.strip()
    while position < len(text):
        factor = _FACTOR.match(text, position)
        known = _known(factor[2]) if factor else None
        if factor is None or known is None:
            return None
        power = int(factor[3].translate(_RAISED)) if factor[3] else 1
        unit = unit.times(known, -power if factor[1] == "/" else power)
        position = factor.end()
    return None if position == 0 else unit


def _known(name: str) -> Unit | None:
    spellings = (name, name.lower(), name.lower().removesuffix("s"), name.lower().removesuffix("es"))
    return next((_UNITS[spelling] for spelling in spellings if spelling in _UNITS), None)


def ratio(reference: Unit, answer: Unit) -> Fraction | None:
    """How many of the answer's unit make one of the reference's; None for units of different kinds."""
    if reference.powers == answer.powers:
        return reference.factor / answer.factor
    return Fraction(1) if {reference, answer} in (_CELSIUS, _FAHRENHEIT) else None


_CELSIUS = {_UNITS["C"], _UNITS["degC"]}
_FAHRENHEIT = {_UNITS["F"], _UNITS["degF"]}
