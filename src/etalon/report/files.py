"""The files of a run as dataclasses whose fields are the files' keys; `load_run` reads what is there.

summary.json -> Run.stages, Run.clr        stages/NN-name/* -> Run.folders        resolved.toml, env.json -> the end
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etalon.report.read import Number
from etalon.report.trials import Trial


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row of the stage table."""

    problems: Number
    k: Number
    pass1: Number
    pass8: Number
    mean_tokens: Number
    correct_tokens: Number
    truncated: Number
    undecided: Number
    delta: Number
    delta_low: Number
    delta_high: Number

    @property
    def is_clear(self) -> bool:
        """The interval of the difference excludes 0."""
        return (
            self.delta_low is not None and self.delta_high is not None and (self.delta_low > 0 or self.delta_high < 0)
        )


@dataclass(frozen=True, kw_only=True)
class StageRow:
    name: str
    seconds: Number
    skipped: str
    domains: Mapping[str, Score]


@dataclass(frozen=True, kw_only=True)
class Summary:
    name: str
    seed: Number
    seconds: Number
    peak_memory_mb: Number
    stages: tuple[StageRow, ...]
    clr: Mapping[str, Number]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of metrics.jsonl, of SFT or of RL."""

    step: Number
    loss: Number
    grad_norm: Number
    accuracy: Number
    mean_tokens: Number
    correct_tokens: Number
    truncated: Number
    undecided: Number
    mean_weight: Number
    accuracies: tuple[Number, ...]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What was left of an RL stage's prompts after those at accuracy exactly 0 or 1 were dropped."""

    prompts: Number
    kept: Number
    all_wrong: Number
    all_right: Number
    undecided: Number
    accuracies: tuple[Number, ...]


@dataclass(frozen=True, kw_only=True)
class Skill:
    pass1: Number
    passk: Number


@dataclass(frozen=True, kw_only=True)
class ProbedCheckpoint:
    name: str
    step: Number
    scores: Mapping[str, Skill]


@dataclass(frozen=True, kw_only=True)
class Probe:
    k: Number
    skills: tuple[str, ...]
    checkpoints: tuple[ProbedCheckpoint, ...]
    chosen: Mapping[str, str]
    weights: Mapping[str, Number]
    fused: Mapping[str, Skill]

    def means(self, scores: Mapping[str, Skill]) -> Skill:
        """Over all skills; None when one of them is not known."""
        found = [scores.get(skill) for skill in self.skills]
        pass1 = [skill.pass1 for skill in found if skill and skill.pass1 is not None]
        passk = [skill.passk for skill in found if skill and skill.passk is not None]
        num = len(found) or 1
        return Skill(
            pass1=sum(pass1) / num if len(pass1) == num else None, passk=sum(passk) / num if len(passk) == num else None
        )

    @property
    def best_single(self) -> Number:
        """The highest mean Pass@K of one checkpoint."""
        means = [self.means(checkpoint.scores).passk for checkpoint in self.checkpoints]
        return max((mean for mean in means if mean is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Learning potentials of one domain and length bucket, with the band that was kept."""

    domain: str
    length_low: Number
    length_high: Number
    low: Number
    high: Number
    kept: Number
    scores: tuple[Number, ...]


@dataclass(frozen=True, kw_only=True)
class Example:
    reason: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Gate:
    gate: str
    kept: Number
    dropped: Number
    reasons: Mapping[str, Number]
    examples: tuple[Example, ...]


@dataclass(frozen=True, kw_only=True)
class Strata:
    length_edges: tuple[Number, ...]
    counts: tuple[tuple[Number, ...], ...]  # per length bucket, per difficulty


@dataclass(frozen=True, kw_only=True)
class Folder:
    """stages/NN-name; a part that the stage does not write is empty."""

    name: str
    is_done: bool
    steps: tuple[Step, ...]
    pool: Pool | None
    probe: Probe | None
    buckets: tuple[Bucket, ...]
    counts: Mapping[str, Number]  # what else selection.json counts
    gates: tuple[Gate, ...]
    strata: Mapping[str, Strata]


@dataclass(frozen=True, kw_only=True)
class RlTable:
    gamma: Number
    group_size: Number
    prefilter_attempts: Number


@dataclass(frozen=True, kw_only=True)
class Run:
    name: str
    summary: Summary
    folders: tuple[Folder, ...]
    trials: tuple[Trial, ...]
    gamma: Number
    num_bars: int  # of a histogram of p(q): the levels that the smaller of the two group sizes can take
    folded: Mapping[str, str]  # recipe.toml, resolved.toml
    env: Mapping[str, str]
    missing: tuple[str, ...]
