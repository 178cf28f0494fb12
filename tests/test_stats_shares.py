"""Intervals of shares: exact bounds against binomial sums, the ends of the scale, coverage where it is known."""

from __future__ import annotations

import importlib.util
import math
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from etalon.stats import Interval, mean_interval, sampling_noise, share_interval
from etalon.stats.beta import beta_quantile, regularised_beta

# Clopper-Pearson 95% limits of k of n, as tabulated
TABULATED = [
    (0, 10, 0.0, 0.30850), (1, 10, 0.00253, 0.44502), (5, 10, 0.18709, 0.81291), (10, 10, 0.69150, 1.0),
    (15, 30, 0.31297, 0.68703), (27, 30, 0.73471, 0.97888), (1, 2, 0.01258, 0.98742),
]  # fmt: skip


def binomial_tail(least: int, total: int, share: float) -> float:
    """P(at least that many of total)."""
    return math.fsum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(least, total + 1))


# ---- the beta distribution


def test_the_beta_distribution_is_a_sum_of_binomials() -> None:
    for total in (1, 2, 7, 40):
        for least in range(1, total + 1):
            for share in (0.001, 0.2, 0.5, 0.77, 0.9999):
                exact = binomial_tail(least, total, share)
                assert regularised_beta(share, least, total - least + 1) == pytest.approx(exact, abs=1e-12)


def test_a_quantile_is_undone_by_the_distribution_and_has_its_ends() -> None:
    for a, b in ((0.3, 0.3), (2.5, 77.1), (9000.0, 1000.0), (5e7, 5e7)):
        quantiles = [beta_quantile(probability, a, b) for probability in (0.01, 0.3, 0.9, 0.999)]
        assert quantiles == sorted(quantiles)
        assert [regularised_beta(one, a, b) for one in quantiles[1:]] == pytest.approx([0.3, 0.9, 0.999], abs=1e-7)
    assert (beta_quantile(0.5, 0, 3), beta_quantile(0.5, 3, 0)) == (0.0, 1.0)
    assert (regularised_beta(0.0, 2, 3), regularised_beta(1.0, 2, 3)) == (0.0, 1.0)
    with pytest.raises(ValueError, match="above 0"):
        regularised_beta(0.5, 0.0, 1.0)


# ---- intervals


@pytest.mark.parametrize(("right", "total", "low", "high"), TABULATED)
def test_problems_right_or_wrong_have_the_exact_binomial_bounds(
    right: int, total: int, low: float, high: float
) -> None:
    found = share_interval([1.0] * right + [0.0] * (total - right))
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))
    assert found.mean == right / total


def test_an_interval_at_the_effective_number_worked_by_hand() -> None:
    # mean 0.5, se^2 = 16 * 0.01 / (16 * 15), n = 0.25 / se^2 * (1.95996 / 2.13145)^2 = 317.09
    found = share_interval([0.4, 0.6] * 8)
    number = 375 * (1.959964 / 2.131450) ** 2
    assert regularised_beta(found.low, number / 2, number / 2 + 1) == pytest.approx(0.025, abs=1e-6)
    assert found.high == pytest.approx(1 - found.low)
    t = mean_interval([0.4, 0.6] * 8)
    assert t.high < found.high < t.high + 0.005  # far from the ends the two hardly differ


def test_bounds_are_finite_and_hold_the_mean_whatever_the_shares() -> None:
    rng = random.Random(0)
    rows = [[rng.betavariate(a, b) for _ in range(rng.randint(1, 9))] for a in (0.01, 1, 50) for b in (0.01, 1, 50)]
    rows += [[1e-300, 0.0], [0.5, 0.5 + 1e-9], [0.5 - 1e-12, 0.5 + 1e-12], [1 - 1e-16, 1.0, 1.0], [5e-324] * 3]
    for shares in rows:
        found, mirrored = share_interval(shares), share_interval([1 - share for share in shares])
        assert 0 <= found.low <= found.mean <= found.high <= 1
        assert found.high - found.low > 1e-4
        assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-9)
    for wrong in (1.5, -0.1, math.nan):
        with pytest.raises(ValueError, match="is no share"):
            share_interval([0.5, wrong])
    with pytest.raises(ValueError, match="no problems"):
        share_interval([])


def test_problems_that_agree_and_problems_alone_are_no_certainty() -> None:
    some = share_interval([0.5] * 50)  # unseen_share(50) is 0.0711
    assert (some.low, some.high) == (
        pytest.approx(0.5 - 0.07112 / 2, abs=1e-5),
        pytest.approx(0.5 + 0.07112 / 2, abs=1e-5),
    )
    assert share_interval([1.0]) == Interval(mean=1.0, low=0.0, high=1.0)
    assert share_interval([0.2, 0.4], clusters=["a", "a"]) == Interval(mean=pytest.approx(0.3), low=0.0, high=1.0)


def test_a_little_more_solved_never_lowers_the_upper_bound_below_that_of_nothing() -> None:
    bounds = [share_interval([0.0] * 29 + [right / 64]).high for right in range(65)]
    assert bounds == sorted(bounds)
    assert bounds[0] == pytest.approx(0.11570, abs=1e-5)  # 0 of 30


def test_clusters_count_once_in_the_bounds_of_a_share() -> None:
    rng = random.Random(2)
    shares = [rng.random() for _ in range(20)]
    once, thrice = share_interval(shares), share_interval(shares * 3, clusters=[i % 20 for i in range(60)])
    assert (thrice.mean, thrice.low, thrice.high) == pytest.approx((once.mean, once.low, once.high))
    none = share_interval([0.0] * 12, clusters=[i % 4 for i in range(12)])
    assert (none.low, none.high) == (0.0, pytest.approx(0.60236, abs=1e-5))  # 0 of 4


# ---- sampling noise


def test_sampling_noise_worked_by_hand() -> None:
    # 1/4 of 4: 3/64; 1/2 of 2: 1/8; 8 of 8 and 1 of 1: 0; a problem without a decided sample is left out
    counts = [(4, 1), (2, 1), (8, 8), (1, 1), (0, 0)]
    assert sampling_noise(counts) == pytest.approx(math.sqrt(3 / 64 + 1 / 8) / 4)
    assert sampling_noise([(8, 8), (8, 0)]) == 0
    assert sampling_noise([(1, 1), (1, 0), (0, 0)]) is None
    assert sampling_noise([]) is None
    with pytest.raises(ValueError, match="3 right of 2"):
        sampling_noise([(2, 3)])


def test_sampling_noise_is_the_spread_of_runs_on_the_same_problems() -> None:
    rng = random.Random(4)
    rates = [rng.random() for _ in range(10)]
    noises, means = [], []
    for _ in range(400):
        counts = [(32, sum(rng.random() < rate for _ in range(32))) for rate in rates]
        noises.append(sampling_noise(counts) or 0.0)
        means.append(sum(right for _, right in counts) / 320)
    mean = sum(means) / len(means)
    spread = math.sqrt(sum((one - mean) ** 2 for one in means) / len(means))
    assert sum(noises) / len(noises) == pytest.approx(spread, rel=0.1)


# ---- coverage


def coverage() -> Any:
    path = Path(__file__).resolve().parents[1] / "bench" / "coverage.py"
    spec = importlib.util.spec_from_file_location("bench_coverage", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their module
    spec.loader.exec_module(module)
    return module


@pytest.mark.live
def test_intervals_of_shares_cover_where_the_t_interval_does_not() -> None:
    bench = coverage()
    for design in (bench.DESIGNS[0], bench.DESIGNS[3]):  # 30 x 64 of a strong model, and of one near the ceiling
        found = bench.measured(design, 250, 0, ("share_interval", "Student t", "pooled binomial"))
        assert found["share_interval"].share >= 0.95
        assert found["pooled binomial"].share < 0.7
        assert found["share_interval"].share > found["Student t"].share
        assert found["share_interval"].width < 2 * found["Student t"].width
    assert 0.92 <= bench.measured_pairs(20, 16, 250, 0).share <= 0.98
