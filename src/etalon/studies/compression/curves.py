"""Curves over model size: a saturating one for accuracy, a power for bits, and what chance leaves open of both.

    accuracy(P) = top / (1 + (half / P) ^ steep)       P parameters; the plateau is `top`, at most 1
    size at 90% of the plateau = half * 9 ^ (1 / steep)
    bits(P) = constant * P ^ slope                     a straight line between logarithms

Intervals are percentile bootstraps (Efron 1979): every draw takes seeds anew within each size, and, for accuracies,
clusters of near-copies of problems anew, the same ones for all sizes, for they were all asked the same. Pure functions.
"""

from __future__ import annotations

import itertools
import math
import operator
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

NEAR_PLATEAU = 0.9
DRAWS = 200  # (ours)
REACH = 30.0  # (ours) how far beyond the sizes a curve may have its middle, as a factor
STEEPS = (0.4, 0.6, 0.8, 1.0, 1.4, 2.0, 3.0, 4.5, 7.0)
HALVES = 32  # (ours) tried middles of the first round
ROUNDS = 4  # (ours) of looking closer
Point = tuple[float, float]
# size -> seed -> cluster of problems -> (sum of scores, how many)
Scores = Mapping[float, Sequence[Mapping[str, tuple[float, int]]]]


@dataclass(frozen=True, kw_only=True)
class Saturating:
    """A curve that rises to `top`; half: the size of half of it; steep: how fast."""

    top: float
    half: float
    steep: float

    def at(self, size: float) -> float:
        return self.top * _rise(size, self.half, self.steep)

    @property
    def near_plateau(self) -> float:
        """The size at which it is at NEAR_PLATEAU of its plateau; infinite for a curve that never rises."""
        return math.inf if self.top == 0 else self.half * math.pow(NEAR_PLATEAU / (1 - NEAR_PLATEAU), 1 / self.steep)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its 95% interval; infinite where a plateau is beyond what can be said."""

    value: float
    low: float
    high: float


def _rise(size: float, half: float, steep: float) -> float:
    return 1 / (1 + math.pow(half / size, steep))


def saturating(points: Sequence[Point], *, most: float = 1.0) -> Saturating:
    """The least-squares curve through points (size, value), by search: middles and steepnesses, then closer.

    most: largest plateau. Values of 0 alone give a top of 0.
    """
    sizes, values = (tuple(axis) for axis in zip(*points, strict=True))
    best = min((_fitted(shape, values, most) for shape in _shapes(sizes)), key=lambda one: one[0])
    width, factor = _spacing(sizes), 1.4
    for _ in range(ROUNDS):
        width, factor = width / 2, math.sqrt(factor)
        half, steep = math.log(best[1].half), best[1].steep
        near = [
            _shape(sizes, half + step * width, min(max(steep * factor**turn, STEEPS[0]), STEEPS[-1]))
            for step, turn in itertools.product((-1, 0, 1), repeat=2)
        ]
        best = min([best, *(_fitted(shape, values, most) for shape in near)], key=lambda one: one[0])
    return best[1]


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """A curve without its top. rises: its share of the top at every size; square: the sum of their squares."""

    half: float
    steep: float
    rises: tuple[float, ...]
    square: float


def _shape(sizes: tuple[float, ...], log_half: float, steep: float) -> _Shape:
    half = math.exp(log_half)
    rises = tuple(_rise(size, half, steep) for size in sizes)
    return _Shape(half=half, steep=steep, rises=rises, square=sum(rise * rise for rise in rises))


@cache
def _shapes(sizes: tuple[float, ...]) -> list[_Shape]:
    """Those of the first round: the same for every draw."""
    low = math.log(min(sizes)) - math.log(REACH)
    halves = [low + place * _spacing(sizes) for place in range(HALVES)]
    return [_shape(sizes, half, steep) for half in halves for steep in STEEPS]


def _spacing(sizes: Sequence[float]) -> float:
    return (math.log(max(sizes) / min(sizes)) + 2 * math.log(REACH)) / (HALVES - 1)


def _fitted(shape: _Shape, values: Sequence[float], most: float) -> tuple[float, Saturating]:
    """The best top for a shape, and the squared error left but for the sum of squared values."""
    product = sum(map(operator.mul, shape.rises, values))
    top = min(max(product / shape.square, 0.0), most)
    error = top * (top * shape.square - 2 * product)
    return error, Saturating(top=top, half=shape.half, steep=shape.steep)


def power(points: Sequence[Point]) -> tuple[float, float]:
    """(slope, constant) of value = constant * size^slope, least squares of logarithms; values above 0."""
    logs = [(math.log(size), math.log(value)) for size, value in points]
    mean_x, mean_y = (sum(axis) / len(logs) for axis in zip(*logs, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in logs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in logs) / spread
    return slope, math.exp(mean_y - slope * mean_x)


def crossing(points: Sequence[Point], level: float) -> float:
    """The size at which values first reach a level, between sizes on the logarithm; infinite where none does.

    The smallest size where that is at the level already.
    """
    ordered = sorted(points)
    for (a, low), (b, high) in itertools.pairwise(ordered):
        if low >= level:
            return a
        if high >= level:
            return math.exp(math.log(a) + (level - low) / (high - low) * (math.log(b) - math.log(a)))
    return ordered[-1][0] if ordered[-1][1] >= level else math.inf


def means(scores: Scores, weights: Mapping[str, int] | None = None) -> list[Point]:
    """(size, mean score over seeds and problems); weights: how often each cluster counts, once where None."""
    found = []
    for size, seeds in sorted(scores.items()):
        total = count = 0.0
        for clusters in seeds:
            for name, (summed, number) in clusters.items():
                times = 1 if weights is None else weights.get(name, 0)
                total, count = total + times * summed, count + times * number
        found.append((size, total / count if count else 0.0))
    return found


def drawn_means(scores: Scores, *, draws: int, seed: int) -> list[list[Point]]:
    """`means`, as chance could have had it: seeds of every size, and clusters, drawn with replacement."""
    rng = random.Random(f"curves-{seed}")
    names = sorted({name for seeds in scores.values() for clusters in seeds for name in clusters})
    found = []
    for _ in range(draws):
        weights: dict[str, int] = {}
        for name in rng.choices(names, k=len(names)):
            weights[name] = weights.get(name, 0) + 1
        again = {size: rng.choices(list(seeds), k=len(seeds)) for size, seeds in sorted(scores.items())}
        found.append(means(again, weights))
    return found


def drawn_values(values: Mapping[float, Sequence[float]], *, draws: int, seed: int) -> list[list[Point]]:
    """Mean of a value by size, seeds drawn with replacement."""
    rng = random.Random(f"curves-{seed}")
    found = []
    for _ in range(draws):
        found.append([(size, _mean(rng.choices(list(own), k=len(own)))) for size, own in sorted(values.items())])
    return found


def estimate(
    value: Callable[[Sequence[Point]], float], points: Sequence[Point], drawn: Sequence[Sequence[Point]]
) -> Estimate:
    """A value of the points, with its interval over the draws."""
    found = sorted(value(one) for one in drawn)
    low, high = (found[min(len(found) - 1, max(0, round(share * (len(found) - 1))))] for share in (0.025, 0.975))
    return Estimate(value=value(points), low=low, high=high)


def by_size(points: Sequence[Point], drawn: Sequence[Sequence[Point]]) -> list[Estimate]:
    """Each point's value with its interval."""
    return [estimate(partial(_value_at, place), points, drawn) for place in range(len(points))]


def _value_at(place: int, points: Sequence[Point]) -> float:
    return points[place][1]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
