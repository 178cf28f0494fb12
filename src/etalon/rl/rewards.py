"""What decides the rollouts of one RL phase: its domains' verifiers, a function of the user's, a judge of rubrics.

    response -> reward of the phase, or verifier of the domain -> Verdict -> rubric left open? -> judge -> Verdict

What a reward or a judge cannot decide is undecided and counted; when that is much, the run stops and says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from etalon.config.plugins import is_named_code, load_named
from etalon.errors import ConfigError, EtalonError, RunError
from etalon.recipe import RlSpec
from etalon.sampling import Judged, Review
from etalon.sampling.source import JUDGES, is_endpoint, is_program, sampler_named
from etalon.types import Domain, Group, Problem, Sampler, Verdict, Verifier
from etalon.verifiers import VERIFIERS
from etalon.verifiers.instruct.verdict import NEEDS_JUDGE
from etalon.verifiers.judges import Judge, review_rubrics

MAX_UNDECIDED = 0.2  # (ours) share of a reward's verdicts above which the run stops
MAX_UNJUDGED = 0.5  # (ours) and of the rubrics' that a judge leaves open: a server may fail for a while
FEW = 32  # (ours) verdicts before a share says anything
SECOND_LOOKS = 0.05  # (ours) share of a judge's questions that it is asked twice


def reward_verifier(text: str, *, key: str) -> Verifier:
    """The user's function as a verifier: a number from 0 to 1, True or False, or a Verdict; anything else is undecided.

    ConfigError with the key when it is not there.
    """
    function: Callable[..., Any] = load_named(text, key=key)
    if not callable(function):
        raise ConfigError(f"{key}: {text}: is a {type(function).__name__}, expected a function of (problem, response)")

    def judge(problem: Problem, response: str) -> Verdict:
        try:
            return as_verdict(function(problem, response))
        except (Exception, SystemExit) as error:  # the user's bug must never count as a wrong answer
            return Verdict(score=None, reason=f"reward_raised: {type(error).__name__}: {error}"[:200])

    return judge


def as_verdict(value: object) -> Verdict:
    """What a reward function returned; what is no score is undecided, and the reason says what it was."""
    if isinstance(value, Verdict):
        return value
    number = getattr(value, "item", None)  # of a NumPy or torch scalar
    value = number() if callable(number) else value
    if isinstance(value, bool | int | float):
        score = float(value)
        if math.isfinite(score) and 0.0 <= score <= 1.0:
            return Verdict(score=score, reason="reward")
        return Verdict(score=None, reason=f"reward_out_of_range: {score:g} is not between 0 and 1")
    kind = "nothing" if value is None else f"a {type(value).__name__}"
    return Verdict(score=None, reason=f"reward_no_number: it returned {kind}, expected a number from 0 to 1")


def check_rewards(spec: RlSpec, stage: str) -> None:
    """ConfigError for a reward or a judge that cannot be there; loads the reward's module."""
    if spec.reward:
        if not is_named_code(spec.reward):
            raise ConfigError(f"{stage}.reward: found {spec.reward!r}, expected FILE.py:FUNCTION or module:FUNCTION")
        reward_verifier(spec.reward, key=f"{stage}.reward")
    judge = spec.judge
    if judge and judge not in JUDGES and not is_endpoint(judge) and not is_program(judge) and not Path(judge).is_dir():
        known = ", ".join(map(repr, JUDGES))
        raise ConfigError(
            f"{stage}.judge: {judge}: no such model directory; a model of a server is written "
            f"NAME@http://HOST:PORT/v1, a program of ours {known}"
        )


@dataclass
class Rewards:
    """The judgement of one phase. Made by `of`; `verifier` and `review` go to `sampling.attempt`."""

    spec: RlSpec
    stage: str
    verifier: Verifier | None = None
    review: Review | None = None
    judge: Judge | None = None
    _seen: dict[str, list[int]] = field(default_factory=dict)  # who decided -> [undecided, all]
    _reasons: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, job: Any) -> Rewards:
        """For an `engines.jobs.RlJob`."""
        return cls.made(job.spec, name=job.name, prompts_folder=job.prompts_folder, seed=job.seed)

    @classmethod
    def made(cls, spec: RlSpec, *, name: str, prompts_folder: str, seed: int) -> Rewards:
        """For the phase of a name. prompts_folder: where a judge's prompts are."""
        own = cls(spec=spec, stage=name)
        if spec.reward:
            own.verifier = _of_the_phase(reward_verifier(spec.reward, key=f"{name}.reward"), spec)
        if spec.judge:
            sampler: Sampler = sampler_named(spec.judge)
            own.judge = Judge(sampler, folder=prompts_folder, seed=seed % 2**31, second_looks=SECOND_LOOKS)
            own.review = own._judged
        return own

    def _judged(self, judged: list[Judged]) -> list[Verdict]:
        assert self.judge is not None
        try:
            return review_rubrics(self.judge, judged)
        except EtalonError as error:  # a server that is not there: undecided, and counted
            lost = Verdict(score=None, reason=f"judge_unreachable: {error}"[:200])
            return [lost if one.verdict.reason.startswith(NEEDS_JUDGE) else one.verdict for one in judged]

    def check(self, groups: Sequence[Group], *, at_least: int = FEW) -> None:
        """RunError when the reward, or the judge, has left too much undecided so far, of `at_least` verdicts."""
        for group in groups:
            who = self._who(group.problem)
            if not who:
                continue
            count = self._seen.setdefault(who, [0, 0])
            for verdict in group.verdicts:
                count[1] += 1
                if verdict.is_undecided and verdict.reason != "sampling_error":
                    count[0] += 1
                    self._reasons.setdefault(who, verdict.reason)
        for who, (undecided, total) in self._seen.items():
            limit = MAX_UNDECIDED if who == "reward" else MAX_UNJUDGED
            if undecided > limit * total and total >= at_least:
                raise RunError(
                    f"{self.stage}.{who}: {undecided} of {total} responses have no verdict, more than {limit:.0%}: "
                    f"{self._reasons[who]}; mend it and run the same command again"
                )

    def check_all(self, groups: Sequence[Group]) -> None:
        """`check` of however few: the first look at a phase's prompts says whether its reward works at all."""
        self.check(groups, at_least=1)

    def _who(self, problem: Problem) -> str:
        if self.spec.reward and _is_own(problem, self.spec):
            return "reward"
        return "judge" if self.judge is not None and problem.rubric else ""

    def record(self) -> dict[str, float | int | None]:
        """What the judge was asked, what it cost and how far it agreed with itself; nothing without one."""
        return self.judge.usage.record() if self.judge is not None else {}


def _is_own(problem: Problem, spec: RlSpec) -> bool:
    return not spec.domains or problem.domain.value in spec.domains


def _of_the_phase(reward: Verifier, spec: RlSpec) -> Verifier:
    """The reward for the phase's own domains; the general prompts of others keep their verifiers."""

    def judge(problem: Problem, response: str) -> Verdict:
        decide = reward if _is_own(problem, spec) else VERIFIERS[Domain(problem.domain)]
        return decide(problem, response)

    return judge


def judge_words(record: Mapping[str, Any]) -> str:
    """`Rewards.record` as a line: questions, undecided ones, agreement with itself, cost."""
    agreement = record.get("agreement")
    agreed = f", agrees with itself in {agreement:.0%} of {record['looked_twice']}" if agreement is not None else ""
    return (
        f"{record['questions']} questions, {record['undecided']} undecided{agreed}; {record['calls']} calls, "
        f"{record['tokens']} tokens, {record['seconds']:.1f} s"
    )


def whole_usage(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What was used over all steps; rows grow from step to step, and begin again where a killed run was continued."""
    if not rows:
        return {}
    ends = [row for row, after in pairwise(rows) if after["questions"] < row["questions"]] + [rows[-1]]
    whole = {name: sum(end[name] for end in ends) for name in ends[-1] if name != "agreement"}
    return whole | {"agreement": whole["agreed"] / whole["looked_twice"] if whole["looked_twice"] else None}
