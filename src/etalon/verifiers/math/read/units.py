r"""The one table of units: symbols and names, each a factor and powers of base units.

    "km", "kilometres"  ->  "km"  ->  Unit(1000, m)          "N/m^2"  ->  Unit(1, kg m^-1 s^-2)

Units of one kind convert by their exact factor (`ratio`); scales with another zero, and angles, do not. Factors are
exact by definition: SI brochure, 9th edition; international yard and pound, 1959; US gallon; thermochemical calorie.
Both mathematics and STEM read units with this table; `quantities` says which of them where.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

BASES = (  # money has kinds of its own, a month no fixed length
    *("kg", "m", "s", "A", "K", "mol", "cd", "rad", "degree", "degC", "degF"),
    *("month", "usd", "eur", "gbp", "cny"),
)
_PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T tera": 12, "G giga": 9, "M mega": 6, "k kilo": 3, "h": 2, "da": 1,
    "d deci": -1, "c centi": -2, "m milli": -3, "u micro": -6, "n nano": -9, "p pico": -12, "f": -15, "a": -18,
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
    "min minute": ("60", "s"), "h hr hour": ("3600", "s"), "day": ("86400", "s"), "week wk": ("604800", "s"),
    "month": ("1", "month"), "year yr": ("12", "month"),
    "in inch inches": ("0.0254", "m"), "ft foot feet": ("0.3048", "m"), "yd yard": ("0.9144", "m"),
    "mi mile": ("1609.344", "m"), "Å angstrom": ("1e-10", "m"), "lb lbs pound": ("0.45359237", "kg"),
    "oz ounce": ("0.028349523125", "kg"), "t ton tonne": ("1000", "kg"), "gal gallon": ("0.003785411784", "m3"),
    "qt quart": ("0.000946352946", "m3"), "pt pint": ("0.000473176473", "m3"), "cup": ("0.0002365882365", "m3"),
    "ha hectare": ("10000", "m2"), "acre": ("4046.8564224", "m2"), "knot kn": ("463/900", "m s-1"),
    "psi": ("6894.757293168", "kg m-1 s-2"), "torr mmHg": ("20265/152", "kg m-1 s-2"), "erg": ("1e-7", "kg m2 s-2"),
    "dyn dyne": ("1e-5", "kg m s-2"), "Btu BTU": ("1055.05585262", "kg m2 s-2"), "gauss": ("1e-4", "kg s-2 A-1"),
    "amu dalton": ("1.66053906892e-27", "kg"), "AU": ("149597870700", "m"), "ly lightyear": ("9460730472580800", "m"),
    "atm atmosphere": ("101325", "kg m-1 s-2"), "mi/h mph": ("0.44704", "m s-1"), "km/h kph": ("5/18", "m s-1"),
    "rad radian": ("1", "rad"), "deg degree °": ("1", "degree"), "°C degC celsius": ("1", "degC"),
    "°F degF fahrenheit": ("1", "degF"),
    "$ dollar usd buck": ("1", "usd"), "¢ cent": ("0.01", "usd"), "€ euro eur": ("1", "eur"), "£ gbp": ("1", "gbp"),
    "¥ yuan rmb yen": ("1", "cny"),
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


ONE = Unit(factor=Fraction(1), powers=(0,) * len(BASES))


def _unit(factor: str, powers: str) -> Unit:
    found = {m[1]: int(m[2] or 1) for m in re.finditer(r"([A-Za-z]+)(-?\d+)?", powers)}
    return Unit(factor=Fraction(factor), powers=tuple(found.get(base, 0) for base in BASES))


def _tables() -> tuple[dict[str, str], dict[str, Unit]]:
    """The symbol of every way to write a unit, and the unit of every symbol."""
    symbols: dict[str, str] = {}
    units: dict[str, Unit] = {}
    for names, (factor, powers) in (_PREFIXED | _PLAIN).items():
        symbol, *_ = names.split()
        units[symbol] = _unit(factor, powers)
        symbols |= dict.fromkeys(names.split(), symbol)
    for names, (factor, powers) in _PREFIXED.items():
        for prefixes, exponent in _PREFIXES.items():
            symbol = prefixes.split()[0] + names.split()[0]
            units.setdefault(symbol, _unit(factor, powers).times(_unit(f"1e{exponent}", ""), 1))
            for prefix in prefixes.split():
                for name in names.split():
                    if (len(prefix) > 2) == (len(name) > 3):  # "kilometer" and "km", not "kmeter"
                        symbols.setdefault(prefix + name, symbol)
    return symbols, units


_SYMBOLS, _UNITS = _tables()
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_FACTOR = re.compile(
    r"\s*([*/]|-(?=[A-Za-zΩÅ°]))?\s*([A-Za-zΩÅ°$¢€£¥]+)(?:(?:\s*\^\s*\{?\s*)?([-⁻]?[0-9⁰¹²³⁴⁵⁶⁷⁸⁹])\s*\}?)?"
)


def symbol_of(word: str, *, among: Collection[str] = _UNITS) -> str | None:
    """The symbol of a unit by any of its names, also in the plural or in capitals; a single letter keeps its case."""
    for spelling in (word, word.casefold(), word.casefold().removesuffix("s")):
        symbol = _SYMBOLS.get(spelling)
        if symbol in among and (len(spelling) > 1 or spelling == word):
            return symbol
    return None


def parse_unit(text: str) -> Unit | None:
    """The unit that a text spells out: known symbols and names, `*`, `-`, `/`, blanks and powers; None for any other.

    All that follows a slash stands under it: J/mol*K is J/(mol*K).
    """
    unit, position, text, is_under = ONE, 0, text.strip(), False
    while position < len(text):
        factor = _FACTOR.match(text, position)
        symbol = symbol_of(factor[2]) if factor else None
        if factor is None or symbol is None:
            return None
        power = int(factor[3].translate(_RAISED)) if factor[3] else 1
        is_under = is_under or factor[1] == "/"
        unit = unit.times(_UNITS[symbol], -power if is_under else power)
        position = factor.end()
    return None if position == 0 else unit


def ratio(reference: Unit, answer: Unit) -> Fraction | None:
    """How many of the answer's unit make one of the reference's; None for units of different kinds.

    The sign of a degree is often left out: 25 C and 25 °C are one.
    """
    if reference.powers == answer.powers:
        return reference.factor / answer.factor
    return Fraction(1) if {reference, answer} in (_CELSIUS, _FAHRENHEIT) else None


_CELSIUS = {_UNITS["C"], _UNITS["°C"]}
_FAHRENHEIT = {_UNITS["F"], _UNITS["°F"]}
