"""What the study trains: sizes x seeds x parts, as cells that can run in any order.

A cell trains one model on one thing. Reasoning: documents and verified traces of the nano world's math, stem and code,
the same tokens in the same number for every size. Facts: N names with their values, each seen `exposures` times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from etalon.cost.shapes import ModelShape
from etalon.errors import ConfigError
from etalon.recipe import ModelSpec, OptimSpec
from etalon.types import Domain

REASONING = "reasoning"
FACTS = "facts"
DOMAINS = (Domain.MATH, Domain.STEM, Domain.CODE)
VOCABULARY = 512
LAYERS = 3
# Of the recipe nano: what its base and sft stages train with. (ours) the same for every size
OPTIM = OptimSpec(name="muon", lr=3e-3, final_lr=3e-4, muon_lr=0.01)
# (ours) width -> heads, and heads of keys and values; feed-forward layers are three times as wide, as in the recipe
HEADS = {8: (2, 1), 12: (3, 1), 16: (2, 1), 24: (3, 1), 32: (4, 2), 48: (6, 2), 64: (4, 2), 96: (6, 2), 168: (12, 4),
         288: (12, 4)}  # fmt: skip
MIN_SIZES, MIN_SEEDS = 3, 2  # fewer give no curve, or no interval


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What every cell is given. The defaults are (ours): two hours on two idle cores.

    train: problems per domain that traces are made of; paths: traces asked for per problem; documents: of plain text
    before the traces; epochs: passes over the traces; test: held-out problems per domain; exposures: of every fact,
    and more of them where they would make fewer than `least_steps` steps; batches: rows of a step over documents, of
    traces, of facts; max_tokens: of an answer.
    """

    train: int = 2600
    paths: int = 3
    documents: int = 14000
    epochs: int = 4
    test: int = 200
    exposures: int = 60
    least_steps: int = 2000
    batches: tuple[int, int, int] = (16, 20, 64)
    max_tokens: int = 200

    def passes(self, facts: int) -> int:
        """Exposures of each of so many facts."""
        return max(self.exposures, math.ceil(self.least_steps / math.ceil(facts / self.batches[2])))


@dataclass(frozen=True, kw_only=True)
class Design:
    """The whole study. widths: hidden sizes of the models; facts: the numbers of facts, each a part of its own."""

    widths: tuple[int, ...] = (8, 16, 32, 48, 64, 96, 168)
    seeds: tuple[int, ...] = (0, 1, 2)
    facts: tuple[int, ...] = (500, 2000, 8000)
    budget: Budget = Budget()

    @property
    def cells(self) -> list[Cell]:
        """Seed by seed, so that every seed that is whole is a study of its own; the largest models first."""
        return [
            Cell(width=width, seed=seed, facts=facts)
            for seed in self.seeds
            for width in sorted(self.widths, reverse=True)
            for facts in (*sorted(self.facts, reverse=True), 0)
        ]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @staticmethod
    def of(row: dict[str, Any]) -> Design:
        """The study that `to_json` wrote."""
        budget: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in row["budget"].items()}
        return Design(
            widths=tuple(row["widths"]), seeds=tuple(row["seeds"]), facts=tuple(row["facts"]), budget=Budget(**budget)
        )


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One model trained on one thing: `facts` of them, or the traces where that is 0."""

    width: int
    seed: int
    facts: int = 0

    @property
    def part(self) -> str:
        return FACTS if self.facts else REASONING

    @property
    def name(self) -> str:
        """Also the name of its files."""
        return f"{self.part}{self.facts or ''}-w{self.width}-s{self.seed}"


# (ours) of minutes: for a first look, for learners and for tests; it shows the machinery, and decides nothing
SMALL = Design(
    widths=(8, 24, 64),
    seeds=(0, 1),
    facts=(50, 200),
    budget=Budget(train=1000, paths=2, documents=4000, epochs=3, test=40, exposures=30, least_steps=300),
)


def checked(study: Design) -> Design:
    """The same study; ConfigError for sizes, seeds or numbers of facts that it cannot be made with."""
    unknown = [width for width in study.widths if width not in HEADS]
    if unknown:
        raise ConfigError(f"--sizes: no model of width {unknown[0]}; there are {', '.join(map(str, HEADS))}")
    for option, values, least in (
        ("--sizes", study.widths, MIN_SIZES), ("--seeds", study.seeds, MIN_SEEDS), ("--facts", study.facts, 1),
    ):  # fmt: skip
        if len(set(values)) < len(values) or len(values) < least:
            raise ConfigError(f"{option}: {_listed(values)}; name at least {least} different ones")
    if min(study.facts) < 10:
        raise ConfigError(f"--facts: {min(study.facts)}; name 10 or more")
    return study


def _listed(values: Sequence[int]) -> str:
    return ",".join(map(str, values))


def model_of(width: int) -> ModelSpec:
    """The scratch model of a width, otherwise as the recipe nano has it."""
    heads, kv_heads = HEADS[width]
    return ModelSpec(
        vocabulary=VOCABULARY, hidden=width, layers=LAYERS, heads=heads, kv_heads=kv_heads, mlp=3 * width
    )  # fmt: skip


def shape_of(width: int, *, layers: int = LAYERS) -> ModelShape:
    """Its shape, from which its parameters are counted; a cell counts the real ones."""
    spec = model_of(width) if width in HEADS else ModelSpec(hidden=width, heads=max(1, width // 16), kv_heads=1)
    return ModelShape(
        layers=layers, hidden=width, heads=spec.heads, kv_heads=spec.kv_heads, head_size=width // spec.heads,
        mlp=3 * width, vocabulary=VOCABULARY, window=spec.max_positions, is_tied=False, has_bias=True,
    )  # fmt: skip
