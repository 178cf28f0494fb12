"""What sympy expressions come to: values that decide where math-verify looks at too little. Imports nothing of ours.

agree_where_real      formulas of variables, at random points where all their parts are real
survives_precision    exact values to a thousand digits, decimals as the roundings of such
"""

from __future__ import annotations

import functools
import random
from typing import Any

DIGITS = 1_000  # (ours) to which two exact values must agree, and twice those of their integers
MAX_DIGITS = 20_000  # (ours)
EXACT_DECIMAL = 10**5  # (ours) a decimal with at most five places is the number it writes, not the rounding of one
SURELY_DIFFERENT = 1e-3  # (ours) in proportion: beyond every rounding, and beyond a percent sign no further
VALUES = 8  # (ours) points at which formulas agree that are the same
MAX_EXPONENT, MAX_COUNT = 1_500, 1_500  # (ours) of a power, of what a factorial is taken, at such a point
HUGE = 10**5  # (ours) exponents beyond are no way to write what has none
MAX_STEEP, MAX_WIDE = 500, 10**12  # (ours) integers in formulas with and without such
ROUNDED_SHARE = 1e-4  # (ours) a decimal may differ this much from the exact value that it rounds


def largest_exponent(expression: Any) -> float:
    import sympy

    if not isinstance(expression, sympy.Basic):
        return 0.0
    return max((_size(power.exp, {}) for power in expression.atoms(sympy.Pow) if power.exp.is_number), default=0.0)


def is_undefined(expression: Any) -> bool:
    """True for 1/0, \\infty-\\infty and the like, which are no answer to anything else."""
    import sympy

    return isinstance(expression, sympy.Basic) and bool(expression.has(sympy.nan, sympy.zoo))


def with_double_factorials(expression: Any) -> Any:
    """The parser reads n!! as the factorial of n!."""
    import sympy

    if not isinstance(expression, sympy.Basic):
        return expression
    return expression.replace(
        lambda one: isinstance(one, sympy.factorial) and isinstance(one.args[0], sympy.factorial),
        lambda one: sympy.factorial2(one.args[0].args[0]),
    )


def numeric_value(expression: Any) -> Any:
    """The value of an expression without variables to 30 digits, else None."""
    import sympy

    if not isinstance(expression, sympy.Expr) or expression.free_symbols:
        return None
    try:
        value = sympy.N(expression, 30)
        return value if value.is_number and value.is_finite else None
    except MemoryError:
        raise
    except Exception:
        return None


def surely_differ(gold: Any, given: Any) -> bool:
    """True for two values that no rounding makes equal; simplifying their difference would be slow."""
    if gold is None or given is None:
        return False
    try:
        return bool(abs(gold - given) > SURELY_DIFFERENT * max(abs(gold), abs(given)))
    except (TypeError, ValueError, ArithmeticError):
        return False


def _has_value(expression: Any) -> bool:
    """Whether it is a complex number: \\zeta(1) and f(1) are none."""
    return all(part.is_Float or part.is_Rational for part in expression.evalf(15).as_real_imag())


def agree_where_real(gold: Any, given: Any) -> bool | None:
    """Whether two formulas of variables agree wherever both are real; None where values cannot tell.

    The variables of an answer are real, so ln(ab) is ln a + ln b, and sqrt(x^2) is no x. They take random values, the
    same for the same two texts; those in a factorial or a binomial take whole ones. One value decides against, VALUES
    of them decide for it.
    """
    import sympy

    if not all(isinstance(one, sympy.Expr) for one in (gold, given)):
        return None
    try:
        both = [_by_name(one).subs({sympy.Symbol("e"): sympy.E}) for one in (gold, given)]
        if any(one.has(*_not_by_values()) for one in both) or not (both[0].free_symbols | both[1].free_symbols):
            return None
        return _compare_values(both[0], both[1])
    except MemoryError:
        raise
    except Exception:  # what cannot be evaluated is left to math-verify
        return None


@functools.lru_cache(maxsize=1)
def _not_by_values() -> tuple[Any, ...]:
    """What has no value, or none in reasonable time."""
    import sympy
    from sympy.core.function import AppliedUndef

    return (
        sympy.Float, sympy.I, sympy.Symbol("i"), sympy.Integral, sympy.Sum, sympy.Product, sympy.Limit,
        sympy.Derivative, sympy.MatrixBase, AppliedUndef, sympy.Max, sympy.Min, sympy.floor, sympy.ceiling, sympy.Mod,
        sympy.sign, sympy.Piecewise, sympy.Heaviside, sympy.frac,
    )  # fmt: skip


def _compare_values(gold: Any, given: Any) -> bool | None:
    """Half of the points are far out, beyond the integers of both formulas: |x-1000| is no 1000-x."""
    import sympy

    both = (gold, given)
    symbols = sorted(gold.free_symbols | given.free_symbols, key=lambda symbol: symbol.name)
    counting = (sympy.factorial, sympy.binomial, sympy.gamma, sympy.factorial2, sympy.subfactorial)
    calls = [call for one in both for call in one.atoms(*counting)]
    powers = sorted((power for one in both for power in one.atoms(sympy.Pow)), key=sympy.count_ops)  # inner ones first
    is_steep = calls or any(power.exp.free_symbols for power in powers)
    whole = {symbol for call in calls for symbol in call.free_symbols}
    wide = 15 + max((abs(n) for one in both for r in one.atoms(sympy.Rational) for n in (r.p, r.q)), default=0)
    if wide > (MAX_STEEP if is_steep else MAX_WIDE) or any(arg.has(*counting) for call in calls for arg in call.args):
        return None
    if any(not power.exp.free_symbols and _size(power.exp, {}) > MAX_EXPONENT for power in powers):
        return None
    draw = random.Random(f"{gold}|{given}")
    agreed = 0
    for attempt in range(8 * VALUES):
        scale = (1, 17, 5 * wide, 3 * wide)[attempt % 4]  # below 1, where many logarithms are real; near; far
        least = 2 if attempt % 4 < 2 else wide
        point = {
            symbol: sympy.Integer(draw.randint(least, 15 + 2 * least)) if attempt % 4 == 3 or symbol in whole
            else _sign(attempt // 4, k) * scale * sympy.Rational(draw.randint(22, 60), 61)
            for k, symbol in enumerate(symbols)
        }  # fmt: skip
        if any(_size(power.exp, point) > MAX_EXPONENT for power in powers) or any(
            _size(arg, point) > MAX_COUNT for call in calls for arg in call.args
        ):
            continue
        values = [one.subs(point) for one in both]
        parts = [part.subs(point) for one in both for part in one.atoms(sympy.Pow, sympy.log)]
        if not all(_is_real(value) for value in (*values, *parts)):  # where sqrt(a)sqrt(b) is sqrt(ab)
            continue
        if _is_surely_not_zero(values[0] - values[1]):
            return False
        agreed += 1
        if agreed == VALUES:
            return True
    return None


def _sign(turn: int, number: int) -> int:
    """Of a variable: all are negative once, then every other one, then none, as logarithms want it."""
    return -1 if turn == 0 or (turn < 3 and (number + turn) % 2) else 1


def _size(expression: Any, point: dict[Any, Any]) -> float:
    """How large a value is, as a float; infinite where that is unknown."""
    try:
        return float(abs(expression.subs(point)))
    except (TypeError, ValueError, OverflowError):
        return float("inf")


def _is_real(value: Any) -> bool:
    import sympy

    if value.is_Rational:
        return True
    if not value.is_number or value.has(sympy.nan, sympy.zoo, sympy.oo):
        return False
    real, imaginary = sympy.N(value, 30).as_real_imag()
    return bool(real.is_finite and (imaginary == 0 or abs(imaginary) < sympy.Float("1e-20") * abs(real)))


def is_same_with_constants(gold: Any, given: Any) -> bool:
    """Equal once the letters i and e are constants in both: math-verify reads them as variables, of two kinds."""
    import sympy

    constants = {"i": sympy.I, "e": sympy.E}
    both = [gold, given]
    if not all(isinstance(e, sympy.Expr) for e in both):
        return False
    names = {symbol.name for e in both for symbol in e.free_symbols}
    if not names & set(constants):
        return False
    plain = {name: constants.get(name) or sympy.Symbol(name) for name in names}
    both = [e.subs({symbol: plain[symbol.name] for symbol in e.free_symbols}) for e in both]
    try:
        if not any(e.free_symbols for e in both):
            if not all(map(_has_value, both)):
                return False
            return _is_never_different(_without_decimals(both[0]), _without_decimals(both[1]))
        return bool(sympy.simplify((both[0] - both[1]).doit()) == 0)
    except MemoryError:
        raise
    except Exception:
        return False


def survives_precision(gold: Any, given: Any, *, is_exact: bool) -> bool:
    """False for what math-verify calls equal and is not: it looks no further than some places.

    Exact formulas must not differ at all, as far as DIGITS and the size of their integers let one see; variables stand
    for fixed numbers, an equation for its sides. A long decimal may round an exact value (or is exact too: is_exact).
    """
    import sympy

    both = (gold, given)
    if not all(isinstance(e, (sympy.Expr, sympy.Eq)) for e in both):
        return True
    try:
        decimals = [sympy.nsimplify(f, rational=True) for e in both for f in e.atoms(sympy.Float)]
        if is_exact or all((value * EXACT_DECIMAL).is_Integer for value in decimals):
            return _is_never_different(*(_by_name(_without_decimals(e)) for e in both))
        if any(not isinstance(e, sympy.Expr) or e.free_symbols for e in both):
            return True
        numbers = [e.doit().evalf(DIGITS) for e in both]
        scale = max(abs(number) for number in numbers)
        return bool(abs(numbers[0] - numbers[1]) <= scale * ROUNDED_SHARE)
    except MemoryError:
        raise
    except Exception:  # what cannot be evaluated keeps math-verify's word
        return True


def _by_name(expression: Any) -> Any:
    """With one symbol per name: math-verify makes several kinds."""
    import sympy

    return expression.subs({symbol: sympy.Symbol(symbol.name) for symbol in expression.free_symbols})


def _without_decimals(expression: Any) -> Any:
    import sympy

    return sympy.nsimplify(expression, rational=True) if expression.has(sympy.Float) else expression


def _is_never_different(gold: Any, given: Any) -> bool:
    """False when both surely differ for some values of the variables; equations may differ by a factor."""
    import sympy

    if isinstance(gold, sympy.Eq) or isinstance(given, sympy.Eq):
        if not (isinstance(gold, sympy.Eq) and isinstance(given, sympy.Eq)):
            return True
        gold, given = gold.lhs - gold.rhs, given.lhs - given.rhs
        one, other = (_at(gold, given, shift) for shift in (0, 1))
        return not _is_surely_not_zero(one[0] * other[1] - one[1] * other[0])
    first, second = _at(gold, given, 0)
    return not _is_surely_not_zero(first - second)


def _at(gold: Any, given: Any, shift: int) -> tuple[Any, Any]:
    """Both at one point: each variable a fixed fraction between 0 and 1."""
    import sympy

    symbols = sorted(gold.free_symbols | given.free_symbols, key=lambda symbol: symbol.name)
    point = {symbol: sympy.Rational(3 + shift + 2 * k, 11 + 3 * shift + 5 * k) for k, symbol in enumerate(symbols)}
    return gold.subs(point).doit(), given.subs(point).doit()


def _is_surely_not_zero(difference: Any) -> bool:
    import sympy

    if difference.is_Rational:
        return not difference.is_zero
    size = sum(len(str(abs(part))) for r in difference.atoms(sympy.Rational) for part in (r.p, r.q))
    value = difference.evalf(5, maxn=min(DIGITS + 2 * size, MAX_DIGITS))
    if value.has(sympy.nan, sympy.zoo, sympy.oo):
        return True
    return any(part.is_Float and part._prec > 1 and not part.is_zero for part in value.as_real_imag())
