"""The files of a run as models whose fields are the files' keys; `load_run` reads what is there.

summary.json -> Run.summary, Run.clr      stages/STAGE/* -> Run.folders      resolved.toml, env.json -> the end
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from etalon.data.funnel.chains import Funnel
from etalon.report.read import Anything, Number, Numbers, Part, Rows, Table, Texts, Words
from etalon.report.trials import Trial
from etalon.stats import excludes_zero


class Score(Part):
    """One stage on one domain: a line of the stage table."""

    problems: Number
    k: Number
    pass1: Number
    pass1_low: Number
    pass1_high: Number
    passk: Number
    mean_tokens: Number
    correct_tokens: Number
    truncated: Number
    no_answer: Number
    undecided: Number
    delta: Number
    delta_low: Number
    delta_high: Number

    @property
    def is_clear(self) -> bool:
        """The interval of the difference excludes 0."""
        return excludes_zero(self.delta_low, self.delta_high)


class StageRow(Part):
    """A stage that left a model. source: where it starts from; same: the stage whose very weights it has."""

    name: Words
    kind: Words
    source: Words = Field(alias="from")
    seconds: Number
    trained_on: Texts
    skipped: Words
    same: Words = Field(alias="as")
    domains: Table[Score]
    sets: Table[Score]  # by DOMAIN/SOURCE, of domains whose problems come from several

    @property
    def unchanged(self) -> str:
        """Why there is no change to speak of; "" where there may be one."""
        parts = (f"as {self.same}" if self.same else "", f"skipped: {self.skipped}" if self.skipped else "")
        return "; ".join(part for part in parts if part)


class Summary(Part):
    name: Words
    seed: Number
    seconds: Number
    peak_memory_mb: Number
    stages: Rows[StageRow]
    clr: Anything
    clr_before: Table[Anything]


class Keys(Part):
    """Values of a stage's keys that the report shows."""

    gamma: Number
    strength: Number = Field(alias="lambda")  # of Long2Short; 0 is off
    group_size: Number
    prefilter_attempts: Number
    own_claims: Number  # of a distill stage: verdicts on claims that the student learns from besides
    replay: Number  # of a distill stage: traces of fine-tuning that it sees again
    general: Number  # of an RL phase: share of its prompts that are from the other domains


class Inputs(Part):
    """What a stage is: inputs.json, written before it begins."""

    kind: Words
    source: Words = Field(alias="from")
    domains: Texts  # whose problems it trains on; none named is all of them
    keys: Keys
    section: Words
    purpose: Words

    @property
    def said_in(self) -> str:
        """The section in brackets, which "(ours)" has already."""
        return self.section if self.section.startswith("(") or not self.section else f"({self.section})"


class Step(Part):
    """One line of metrics.jsonl, of SFT or of RL."""

    step: Number
    loss: Number
    grad_norm: Number
    accuracy: Number
    mean_tokens: Number
    correct_tokens: Number
    truncated: Number
    entropy: Number  # nats per token
    undecided: Number
    mean_weight: Number
    accuracies: Numbers


class Pool(Part):
    """What was left of an RL stage's prompts after those at accuracy exactly 0 or 1 were dropped."""

    prompts: Number
    kept: Number
    all_wrong: Number
    all_right: Number
    undecided: Number
    accuracies: Numbers


class Skill(Part):
    """One checkpoint on one skill; loss: nats per token of reference solutions, where it was measured."""

    pass1: Number
    passk: Number
    loss: Number


class ProbedCheckpoint(Part):
    name: Words
    step: Number
    scores: Table[Skill]


class Probe(Part):
    """What a fuse stage measured, chose by ("passk", "pass1", "loss") and took ("merge", "best", "last")."""

    choose: Words
    take: Words
    k: Number
    skills: Texts
    checkpoints: Rows[ProbedCheckpoint]
    chosen: Table[Words]
    weights: Table[Number]
    fused: Table[Skill]

    def means(self, scores: Mapping[str, Skill]) -> tuple[float | None, float | None]:
        """Pass@1 and Pass@K over all skills; None when one of them is not known."""
        found = [scores.get(skill) for skill in self.skills]
        pass1 = [skill.pass1 for skill in found if skill and skill.pass1 is not None]
        passk = [skill.passk for skill in found if skill and skill.passk is not None]
        num = len(found) or 1
        return (sum(pass1) / num if len(pass1) == num else None, sum(passk) / num if len(passk) == num else None)

    @property
    def best_single(self) -> float | None:
        """The highest mean Pass@K of one checkpoint."""
        means = [self.means(checkpoint.scores)[1] for checkpoint in self.checkpoints]
        return max((mean for mean in means if mean is not None), default=None)


class Bucket(Part):
    """Learning potentials of one domain and length bucket, with the band that was kept."""

    domain: Words
    length_low: Number
    length_high: Number
    low: Number
    high: Number
    kept: Number
    scores: Numbers


class Selection(Part):
    """Which traces a distill stage learned from. teachers: by domain, a stage or a model directory.

    choose: "band", or as many of each bucket at "random" or from the "top" of the learning potential.
    """

    choose: Words
    buckets: Rows[Bucket]
    teachers: Table[Words]


class Example(Part):
    reason: Words
    text: Words


class Gate(Part):
    gate: Words
    kept: Number
    dropped: Number
    undecided: Number
    reasons: Table[Number]
    examples: Rows[Example]


class Stratum(Part):
    """Traces of a domain in a cell of length and error rate: [low, high), an open end or no rate at all is None."""

    domain: Words
    tokens_low: Number
    tokens_high: Number
    error_low: Number
    error_high: Number
    traces: Number


@dataclass(frozen=True, kw_only=True)
class Folder:
    """stages/STAGE; a part that the stage does not write is empty."""

    name: str
    inputs: Inputs
    is_done: bool
    seconds: float | None
    skipped: str
    steps: tuple[Step, ...]
    pool: Pool | None
    probe: Probe | None
    selection: Selection
    counts: Mapping[str, float]  # what else selection.json counts
    gates: tuple[Gate, ...]
    strata: tuple[Stratum, ...]

    @property
    def kind(self) -> str:
        return self.inputs.kind


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one CLR stage found of the checkpoint of another."""

    name: str
    of: str
    skipped: str
    numbers: Mapping[str, float]
    num_trials: int
    num_disagreeing: int  # with the majority vote
    trials: tuple[Trial, ...]  # some to look at, those that disagree first


@dataclass(frozen=True, kw_only=True)
class StyleMix:
    """How the responses of one stage's evaluation are written: counts of kinds, in the order of `kinds`."""

    of: str  # what it was counted over
    stage: str
    kinds: tuple[str, ...]
    counts: tuple[int, ...]
    is_part: bool  # the file was longer than what was read of it


@dataclass(frozen=True, kw_only=True)
class Run:
    name: str
    seed: float | None
    overrides: tuple[str, ...]  # the --set that its calls gave
    summary: Summary
    listed: tuple[str, ...]  # the stages of the recipe, in its order
    folders: tuple[Folder, ...]  # of these and of what every run has, where there are any
    clr: tuple[Measured, ...]
    funnel: Funnel  # of the steps of its data, where any left a report
    folded: Mapping[str, str]  # recipe.toml, resolved.toml
    env: Mapping[str, str]
    styles: tuple[StyleMix, ...]  # in the order of the stages
    setup: Mapping[str, str]  # model, engine and device of its recipe
    is_plain: bool  # programs ran without walls
    missing: tuple[str, ...]

    def row(self, name: str) -> StageRow | None:
        """The line of a stage in the table."""
        return next((row for row in self.summary.stages if row.name == name), None)
