"""The beta distribution, which exact binomial bounds are quantiles of. Standard library only.

P(X >= x) of a binomial X of n at p  =  regularised_beta(p, x, n - x + 1)
"""

from __future__ import annotations

import math
import sys

CLOSE = 1e-14  # relative change at which the continued fraction has converged
MOST_STEPS = 100_000  # it takes some sqrt(max(a, b))
HALVINGS = 60  # of an interval of length 1: to 1e-18


def regularised_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b), the chance that a beta variable with a, b > 0 is at most x (Abramowitz and Stegun 26.5.8)."""
    if not (a > 0 and b > 0):
        raise ValueError(f"regularised_beta: a and b must be above 0, not {a} and {b}")
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast below about the mean
        return 1.0 - _below_mean(1.0 - x, b, a)
    return _below_mean(x, a, b)


def _below_mean(x: float, a: float, b: float) -> float:
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return min(1.0, math.exp(log_front) / (a * _continued_fraction(x, a, b)))


def _continued_fraction(x: float, a: float, b: float) -> float:
    """1 + d1/(1 + d2/(1 + ...)) from the left, as Lentz (1976) does it."""
    value = above = 1.0
    below = 0.0
    for step in range(1, MOST_STEPS):
        numerator = _numerator(step, x, a, b)
        above = _not_zero(1.0 + numerator / above)
        below = 1.0 / _not_zero(1.0 + numerator * below)
        value *= above * below
        if abs(above * below - 1.0) < CLOSE:
            return value
    raise ArithmeticError(f"regularised_beta: no convergence at x={x}, a={a}, b={b}")


def _numerator(step: int, x: float, a: float, b: float) -> float:
    """d of that step, from 1."""
    half, is_odd = divmod(step, 2)
    if is_odd:
        return -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
    return half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))


def _not_zero(value: float) -> float:
    return value if abs(value) > sys.float_info.min else sys.float_info.min


def beta_quantile(probability: float, a: float, b: float) -> float:
    """x with I_x(a, b) = probability, by bisection; 0 where a is 0 and 1 where b is 0, all its mass being there."""
    if a == 0 or b == 0:
        return float(b == 0)
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if regularised_beta(middle, a, b) < probability else (low, middle)
    return high if probability > 0.5 else low
