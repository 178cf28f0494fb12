"""Curves over model size and what is concluded from them: numbers by hand, invariants, and the criteria one by one."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from etalon.studies.compression import curves, verdict
from etalon.studies.compression.curves import Estimate
from etalon.studies.compression.verdict import Evidence

SIZES = (10_600.0, 25_808.0, 70_048.0, 130_368.0, 213_824.0, 422_016.0, 1_161_888.0)


def exactly(value: float) -> Estimate:
    return Estimate(value=value, low=value, high=value)


@pytest.mark.parametrize(("top", "half", "steep"), [(0.9, 60_000.0, 1.7), (0.4, 20_000.0, 3.0), (1.0, 300_000.0, 0.9)])
def test_a_saturating_curve_is_found_again_from_its_points(top: float, half: float, steep: float) -> None:
    points = [(size, top / (1 + (half / size) ** steep)) for size in SIZES]
    found = curves.saturating(points)
    assert max(abs(found.at(size) - value) for size, value in points) < 0.01
    expected = half * 9 ** (1 / steep)
    assert expected / 1.25 < found.near_plateau < expected * 1.25
    assert found.at(found.near_plateau) == pytest.approx(0.9 * found.top)


def test_sizes_that_learn_nothing_have_no_plateau_and_a_flat_line_has_it_before_the_first() -> None:
    assert curves.saturating([(size, 0.0) for size in SIZES]).near_plateau == math.inf
    assert curves.saturating([(size, 0.8) for size in SIZES]).near_plateau < SIZES[0]


def test_no_plateau_is_invented_where_accuracy_still_rises_at_the_largest_size() -> None:
    points = [(size, 0.6 / (1 + (3e6 / size) ** 1.5)) for size in SIZES]
    assert curves.saturating(points).near_plateau > SIZES[-1]


def test_a_power_and_a_crossing_are_what_they_are_by_hand() -> None:
    slope, constant = curves.power([(size, 2 * size**0.8) for size in SIZES])
    assert (slope, constant) == (pytest.approx(0.8), pytest.approx(2.0))
    points = [(100.0, 0.2), (10_000.0, 0.6), (20_000.0, 1.0)]
    assert curves.crossing(points, 0.4) == pytest.approx(1000.0)  # half way between 100 and 10,000, on the logarithm
    assert curves.crossing(points, 0.1) == 100.0
    assert curves.crossing(points, 1.1) == math.inf


def test_near_copies_of_a_problem_widen_the_interval_and_seeds_alone_give_one() -> None:
    rng = random.Random(0)
    outcomes = [float(rng.random() < 0.5) for _ in range(20)]
    apart = {100.0: [{f"{i}-{copy}": (one, 1) for i, one in enumerate(outcomes) for copy in range(10)}]}
    together = {100.0: [{f"{i}": (10 * one, 10) for i, one in enumerate(outcomes)}]}

    def width(scores: curves.Scores) -> float:
        drawn = curves.drawn_means(scores, draws=400, seed=0)
        [one] = curves.by_size(curves.means(scores), drawn)
        assert one.low <= one.value <= one.high
        return one.high - one.low

    assert curves.means(apart) == curves.means(together)
    assert width(together) > 2 * width(apart)
    seeds = curves.drawn_values({1.0: [10.0, 20.0, 30.0], 2.0: [5.0, 5.0, 5.0]}, draws=300, seed=0)
    first, second = curves.by_size([(1.0, 20.0), (2.0, 5.0)], seeds)
    assert first.low < 15 < 25 < first.high
    assert (second.low, second.high) == (5.0, 5.0)


# ---- the conclusion

SUPPORTED = Evidence(
    smallest=SIZES[0], largest=SIZES[-1], top=0.85, near_plateau=Estimate(value=1.5e5, low=1.2e5, high=2e5),
    growth=Estimate(value=0.9, low=0.8, high=1.0), bits_near_plateau=exactly(9e6), recalled=0.6, seeds=3,
)  # fmt: skip


def test_an_early_plateau_and_bits_that_grow_on_support_the_hypothesis() -> None:
    found = verdict.conclude(SUPPORTED)
    assert found.state == "supported"
    for part in ("supported at this scale", "3 seeds", "150k parameters [120k, 200k]", "parameters^0.90 [0.80, 1.00]"):
        assert part in found.sentence


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"growth": Estimate(value=0.6, low=0.4, high=0.8)}, "parameters^0.60"),
        ({"growth": None}, "fewer than two sizes"),
        ({"top": 0.2}, "no size learned to reason"),
        ({"near_plateau": Estimate(value=9e5, low=5e5, high=2e6)}, "unclear"),
        ({"near_plateau": exactly(2e6)}, "no plateau in this range"),
        ({"near_plateau": exactly(2e6), "bits_near_plateau": exactly(5e5), "recalled": 1.0}, "no plateau"),
    ],
)
def test_what_the_numbers_do_not_say_cannot_be_told(change: dict[str, object], words: str) -> None:
    found = verdict.conclude(replace(SUPPORTED, **change))  # type: ignore[arg-type]
    assert found.state == "cannot be told"
    assert words in found.sentence


@pytest.mark.parametrize(
    "change",
    [
        {"growth": Estimate(value=0.1, low=0.0, high=0.2)},
        {"near_plateau": exactly(math.inf), "bits_near_plateau": exactly(5e5)},
    ],
)
def test_facts_that_stop_where_reasoning_does_or_before_it_contradict_the_hypothesis(change: dict[str, object]) -> None:
    assert verdict.conclude(replace(SUPPORTED, **change)).state == "contradicted"  # type: ignore[arg-type]


def test_models_that_know_every_fact_are_said_to_be_left_out() -> None:
    assert "which recall 99.6%" in verdict.conclude(replace(SUPPORTED, recalled=0.996)).sentence
