"""How often 95% intervals of Pass@1 hold the truth, by simulation: share_interval beside what others print.

    python bench/coverage.py [--runs 2000] [--seed 0] [--format table|md]

A design is a number of problems and of samples per problem, and the distribution of solve rates that problems are drawn
from. A run draws problems, then samples; the truth is the mean rate of the distribution. A cell is coverage and, in
brackets, mean width of intervals cut to [0, 1]. The last line is of `paired_difference`, for two models on the same
problems. The bootstrap sees the first 500 runs, 1,000 resamples each.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from etalon.stats import Interval, mean_interval, paired_difference, share_interval

Z = 1.959964
BOOTSTRAP_RUNS = 500
RESAMPLES = 1000
GAIN = 0.1  # of what the first model gets wrong, the share that the second one gets right
AGREEMENT = 10.0  # how closely the rates of two models keep to the difficulty of a problem


@dataclass(frozen=True, kw_only=True)
class Design:
    """Problems x samples, their distribution of solve rates, and its mean."""

    problems: int
    samples: int
    rates: str
    truth: float
    rate: Callable[[random.Random], float]


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """share: of the intervals, those that hold the truth. width: their mean."""

    share: float
    width: float


def strong(rng: random.Random) -> float:
    """Mean 0.893."""
    return rng.betavariate(2.5, 0.3)


def saturated(rng: random.Random) -> float:
    """85% of problems always solved, the others 80% of the time in the mean: 0.97."""
    return 1.0 if rng.random() < 0.85 else rng.betavariate(4.0, 1.0)


def weak(rng: random.Random) -> float:
    """Mean 0.1."""
    return rng.betavariate(0.3, 2.7)


SIZES = ((30, 64), (198, 16), (400, 16))
DESIGNS = (
    *(Design(problems=p, samples=n, rates="Beta(2.5, 0.3)", truth=2.5 / 2.8, rate=strong) for p, n in SIZES),
    *(Design(problems=p, samples=n, rates="85% always solved", truth=0.97, rate=saturated) for p, n in SIZES),
    Design(problems=30, samples=64, rates="uniform", truth=0.5, rate=random.Random.random),
    Design(problems=30, samples=64, rates="Beta(0.3, 2.7)", truth=0.1, rate=weak),
)


# ---- intervals, of per-problem means


def pooled_binomial(means: Sequence[float], num_samples: int) -> Interval:
    """As if all samples were independent."""
    mean = math.fsum(means) / len(means)
    half_width = Z * math.sqrt(max(0.0, mean * (1 - mean)) / (len(means) * num_samples))
    return Interval(mean=mean, low=mean - half_width, high=mean + half_width)


def logit_t(means: Sequence[float], num_samples: int) -> Interval:
    """Student's t on the scale of log odds; where there are none, or no spread, that of `mean_interval`."""
    plain = mean_interval(means)
    if not 0 < plain.mean < 1:
        return plain
    half_width = (plain.high - plain.low) / 2 / (plain.mean * (1 - plain.mean))
    centre = math.log(plain.mean / (1 - plain.mean))
    low, high = (1 / (1 + math.exp(-(centre + way * half_width))) for way in (-1, 1))
    return Interval(mean=plain.mean, low=low, high=high)


def bootstrap(means: Sequence[float], num_samples: int) -> Interval:
    """Percentiles of means of resampled problems."""
    rng = random.Random(str(means))  # its own resamples for every run
    found = sorted(math.fsum(rng.choices(means, k=len(means))) / len(means) for _ in range(RESAMPLES))
    tail = RESAMPLES // 40
    return Interval(mean=math.fsum(means) / len(means), low=found[tail - 1], high=found[-tail])


METHODS: dict[str, Callable[[Sequence[float], int], Interval]] = {
    "share_interval": lambda means, _: share_interval(means),
    "Student t": lambda means, _: mean_interval(means),
    "pooled binomial": pooled_binomial,
    "bootstrap": bootstrap,
    "logit t": logit_t,
}


# ---- simulation


def drawn(rate: float, num_samples: int, rng: random.Random) -> float:
    """The share of samples that are right."""
    return sum(rng.random() < rate for _ in range(num_samples)) / num_samples


def runs_of(design: Design, seed: int) -> Iterator[list[float]]:
    """Per-problem means, one run after the other."""
    rng = random.Random(f"{seed} {design.rates} {design.problems} {design.samples}")
    while True:
        yield [drawn(design.rate(rng), design.samples, rng) for _ in range(design.problems)]


def paired_runs(problems: int, samples: int, seed: int) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """Per-problem means of two models, whose rates are drawn around the difficulty that a problem has for both."""
    rng = random.Random(f"{seed} paired {problems} {samples}")
    while True:
        before, after = {}, {}
        for problem in map(str, range(problems)):
            ease = min(max(rng.random(), 1e-6), 1 - 1e-6)
            for means, level in ((before, ease), (after, ease + GAIN * (1 - ease))):
                rate = rng.betavariate(AGREEMENT * level, AGREEMENT * (1 - level))
                means[problem] = drawn(rate, samples, rng)
        yield before, after


def covered(intervals: Sequence[Interval], truth: float, least: float) -> Coverage:
    """least: where the scale begins; it ends at 1."""
    hits = sum(one.low <= truth <= one.high for one in intervals)
    width = math.fsum(min(1.0, one.high) - max(least, one.low) for one in intervals)
    return Coverage(share=hits / len(intervals), width=width / len(intervals))


def measured(design: Design, num_runs: int, seed: int, methods: Sequence[str] = tuple(METHODS)) -> dict[str, Coverage]:
    """The coverage of every method on the same runs."""
    runs = list(islice(runs_of(design, seed), num_runs))
    found = {}
    for name in methods:
        seen = runs[:BOOTSTRAP_RUNS] if name == "bootstrap" else runs
        found[name] = covered([METHODS[name](means, design.samples) for means in seen], design.truth, 0.0)
    return found


def measured_pairs(problems: int, samples: int, num_runs: int, seed: int) -> Coverage:
    """The coverage of paired_difference; the true difference is GAIN / 2."""
    runs = islice(paired_runs(problems, samples, seed), num_runs)
    return covered([paired_difference(before, after) for before, after in runs], GAIN / 2, -1.0)


# ---- the table


def lines(num_runs: int, seed: int) -> Iterator[list[str]]:
    """The cells of the table, line by line."""
    yield ["Problems x samples", "Solve rates", "Mean", *METHODS]
    for design in DESIGNS:
        cells = (f"{one.share:.3f} ({one.width:.3f})" for one in measured(design, num_runs, seed).values())
        yield [f"{design.problems} x {design.samples}", design.rates, f"{design.truth:.3f}", *cells]
    one = measured_pairs(30, 64, num_runs, seed)
    shown = f"{one.share:.3f} ({one.width:.3f})"
    yield ["30 x 64", "paired_difference", f"{GAIN / 2:+.3f}", "", shown, *[""] * (len(METHODS) - 2)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="simulated runs of each design")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=("table", "md"), default="table")
    args = parser.parse_args()
    if args.runs < 1:
        parser.error(f"--runs {args.runs}: must be at least 1")
    widths = (18, 17, 6, *(max(len(name), 13) for name in METHODS))
    for number, cells in enumerate(lines(args.runs, args.seed)):
        padded = [f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)]
        print(f"| {' | '.join(padded)} |" if args.format == "md" else "  ".join(padded).rstrip(), flush=True)
        if args.format == "md" and number == 0:
            print(f"|{'|'.join('-' * (width + 2) for width in widths)}|")


if __name__ == "__main__":
    main()
