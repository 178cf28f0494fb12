"""Units: what is a number with a unit, and by how much two units of one kind differ."""

from __future__ import annotations

from fractions import Fraction

import pytest

from etalon.verifiers.math.read.quantities import MAX_CHARS, split
from etalon.verifiers.math.read.units import parse_unit, ratio


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("m", "cm", "100"), ("km", "m", "1000"), ("kilometers", "km", "1"), ("metre", "meters", "1"),
        ("h", "min", "60"), ("days", "hours", "24"), ("J", "kg m^2/s^2", "1"), ("N m", "J", "1"), ("kWh", "MJ", "3.6"),
        ("Pa", "N/m²", "1"), ("L", "cm^3", "1000"), ("mol/L", "M", "1"), ("in", "cm", "2.54"), ("feet", "inches", "12"),
        ("miles per hour", "mph", "1"), ("km/h", "m s^{-1}", "5/18"), ("µm", "nm", "1000"), (r"\mu m", "nm", "1000"),
        ("Ω", "V/A", "1"), (r"\Omega", "ohms", "1"), ("eV", "J", "1.602176634e-19"), ("cal", "J", "4.184"),
        ("J/(mol K)", r"J\,mol^{-1}\,K^{-1}", "1"), (r"\mathrm{m\cdot s^{-2}}", "m/s/s", "1"), ("°C", "celsius", "1"),
        ("°", "degrees", "1"), ("T", "Wb/m^2", "1"), ("F", "C/V", "1"), ("S", "mS", "1000"), ("min", "s", "60"),
        ("Hz", "s^-1", "1"), ("atm", "kPa", "101.325"), ("mL", "cm3", "1"), ("t", "kg", "1000"),
    ],
)  # fmt: skip
def test_units_of_one_kind_convert_exactly(first: str, second: str, expected: str) -> None:
    a, b = split(f"1 {first}"), split(f"1 {second}")
    assert a is not None
    assert b is not None
    found = ratio(a.unit, b.unit)
    assert found == Fraction(expected)
    assert ratio(b.unit, a.unit) == 1 / Fraction(expected)


@pytest.mark.parametrize(
    ("first", "second"),
    [("m", "s"), ("m", "m^2"), ("J", "W"), ("°C", "K"), ("°C", "°F"), ("degrees", "rad"), ("m", "m^{-1}"), ("K", "C")],
)
def test_units_of_different_kinds_do_not_convert(first: str, second: str) -> None:
    a, b = split(f"1 {first}"), split(f"1 {second}")
    assert a is not None
    assert b is not None
    assert ratio(a.unit, b.unit) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12cm", "12"), ("-3.5 kJ", "-3.5"), (r"\frac{1}{2}\text{ kg}", r"\frac{1}{2}"), ("2.5e3 J.", "2.5e3"),
        (r"2\sqrt{3}\,cm", r"2\sqrt{3}"), ("$12$ cm", "12"), ("1,200 m", "1,200"), ("x = 5 m", "x = 5"), ("5*m", "5"),
        (r"6.02 \times 10^{23}\ \mathrm{mol}^{-1}", r"6.02 \times 10^{23}"),
    ],
)  # fmt: skip
def test_the_number_is_what_stands_before_the_unit(text: str, number: str) -> None:
    found = split(text)
    assert found is not None
    assert found.number == number


@pytest.mark.parametrize(
    "text",
    ["12", "", "m", "2x", "4ab", "12 apples", "sin 5 m", "3 m, 4 m", "5 m of rope", "70%", r"\frac{a}{b}", "5 m^x",
     "5 /", "1" * MAX_CHARS + " m"],
)  # fmt: skip
def test_anything_else_is_no_quantity(text: str) -> None:
    assert split(text) is None


def test_nothing_is_no_unit() -> None:
    assert parse_unit(" ") is None
