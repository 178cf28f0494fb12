"""Kind `rl` (2.2, 2.4): MGPO on the prompts of some domains, judged by verifiers, a reward of the user's, or a judge.

pool.jsonl   n rollouts of every prompt under the starting checkpoint -> drop what carries no signal (2.2); n may be 0
the rest is the engine's: on-policy steps on what is left, as many as `steps` says or as `tokens` allows
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etalon.config.plugins import bare, fingerprint
from etalon.cost import work as costs
from etalon.cost.compute import PROMPT_TOKENS
from etalon.cost.work import Cost
from etalon.engines.jobs import RlJob, engine_of
from etalon.errors import ConfigError, RunError
from etalon.pipeline import reckoning
from etalon.pipeline.stage import Outputs, Stage, Work, known
from etalon.pipeline.stages.training import passed_through
from etalon.rl.advice import Shares, advice
from etalon.rl.credit import CreditSpec
from etalon.rl.metrics import sampled_tokens
from etalon.rl.pool import Pool, every_prompt, mixture, sort_pool
from etalon.rl.rewards import Rewards, check_rewards, judge_words, whole_usage
from etalon.sampling import attempt
from etalon.sampling.source import contents_of, sampling_from
from etalon.store import read_json, read_jsonl, write_json_atomic
from etalon.types import Domain, Group, Problem

OPERATIONAL = {"when_empty", "save_every"}  # values that change nothing that is learned


@dataclass(frozen=True, kw_only=True)
class Rl(Stage):
    """One RL phase: prefilter, then on-policy updates."""

    @property
    def purpose(self) -> str:
        """In words."""
        names = [domain.value for domain in self.domains]
        about = " and ".join(names) if names else "every domain"
        judged = ", by a reward of your own" if self.spec.reward else ""
        brevity = " with a zero-sum bonus for short correct answers" if self.spec.lambda_ else ""
        mixed = ", mixed with the other domains" if self.spec.general else ""
        return f"MGPO on {about}{brevity}{mixed}{judged}"

    @property
    def section(self) -> str:
        """Of the 3B report: Instruct RL has one of its own."""
        return "2.4" if Domain.INSTRUCT in self.domains else "2.2"

    @property
    def domains(self) -> tuple[Domain, ...]:
        return known(self.spec.domains)

    @property
    def splits(self) -> frozenset[str]:
        return frozenset({"rl"})

    @property
    def knobs(self) -> Any:
        spec = self.spec.model_dump(exclude=OPERATIONAL)
        return [spec | {"reward": bare(self.spec.reward)}, self.recipe.prompts]  # its content is in `outside`

    @property
    def outside(self) -> Mapping[str, str]:
        found = {self.spec.reward: fingerprint(self.spec.reward)} if self.spec.reward else {}
        return found | contents_of(self.spec.judge)

    def check(self) -> None:
        if self.spec.general and not self.domains:
            raise ConfigError(
                f"{self.listed.key_of('general')}: is a share of prompts of other domains than the phase's, and "
                f"{self.name} trains on all; name its `domains`"
            )
        check_rewards(self.spec, self.name)

    @property
    def cost(self) -> Cost:
        spec, recipe = self.spec, self.recipe
        domains = reckoning.trained_domains(self.listed, recipe)
        if not spec.steps or not domains:
            return Cost()
        length = reckoning.mean_response(recipe, spec.max_tokens)
        steps = self._steps(length)
        pool = recipe.problems.rl * len(domains)
        if spec.general:
            pool = round(pool / (1 - spec.general)) if spec.general < 1 else pool
        rollouts = steps * spec.prompts_per_step * spec.group_size
        sampled = reckoning.sampling(
            recipe, rollouts + pool * spec.prefilter_attempts, spec.max_tokens,
            batches=steps + (1 if spec.prefilter_attempts else 0),
        )  # fmt: skip
        row = length + PROMPT_TOKENS
        trained = Cost(steps=steps, trained=rollouts * row, trained_mean=row, prompt_mean=PROMPT_TOKENS)
        return replace(costs.both(sampled, trained), is_rl=True)

    def _steps(self, length: float) -> int:
        """Steps until the budget of tokens is reached, if a response has `length` tokens; all without a budget."""
        spec = self.spec
        if not spec.tokens:
            return int(spec.steps)
        own: int = math.ceil(spec.tokens / (spec.prompts_per_step * spec.group_size * length))
        return min(int(spec.steps), own)

    @property
    def shown(self) -> tuple[str, str]:
        spec = self.spec
        most = "up to " if spec.tokens else ""
        return f"{most}{spec.steps}", f"{most}{spec.steps * spec.prompts_per_step * spec.group_size}"

    def job(self, work: Work, problems: Sequence[Problem], directory: Path) -> RlJob:
        """The phase as an engine takes it, over these prompts."""
        return RlJob(
            source=work.source, prompts=problems, spec=self.spec, credit=CreditSpec.of(self.spec), seed=work.seed,
            directory=directory, system=self.recipe.model.system, prompts_folder=self.recipe.prompts,
            name=self.name,
        )  # fmt: skip

    def prompts(self, work: Work) -> list[Problem]:
        """The phase's own prompts in their shares, then a share of the other domains' (2.4)."""
        spec = self.spec
        asked = mixture(work.problems("rl", *self.domains), spec.shares, long_words=spec.long_words, seed=work.seed)
        if not spec.general or not asked:
            return asked
        general = [p for p in work.problems("rl") if p.domain not in self.domains]
        random.Random(work.seed).shuffle(general)
        count = round(len(asked) * spec.general / (1 - spec.general)) if spec.general < 1 else len(general)
        return [*asked, *general[:count]]

    def run(self, work: Work) -> Outputs:
        problems = self.prompts(work)
        if not problems or not self.spec.steps:
            return passed_through(work, self.source, self._nothing(work) if self.spec.steps else "it has 0 steps")
        job = self.job(work, problems, work.directory)
        rewards = Rewards.of(job)
        pool, groups = prefilter(work, job, rewards) if self.spec.prefilter_attempts else (every_prompt(problems), [])
        write_json_atomic(work.directory / "pool.json", dict(pool.record))
        counts = {name: count for name, count in pool.record.items() if name != "accuracies"}
        told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items() if count is not None)
        work.view.note(told if groups else f"{told}: prefilter_attempts is 0, so every prompt stays")
        if not pool.kept:
            return self._empty(work, groups) | {"pool": counts}
        on_step = work.show(
            job.steps, "accuracy", "mean_tokens", "no_answer", "truncated", "grad_norm", "tokens_per_second"
        )
        checkpoint = engine_of(work.recipe).reinforce(replace(job, prompts=pool.kept), on_step)
        outputs: Outputs = {"checkpoint": work.keep_checkpoint(checkpoint), "pool": counts}
        outputs |= self._spent(work, replace(job, prompts=pool.kept)) if self.spec.tokens else {}
        return outputs | ({"judge": self._judge(work, rewards)} if self.spec.judge else {})

    def _spent(self, work: Work, job: RlJob) -> dict[str, int]:
        """Steps that were taken and tokens that were sampled in them, under a budget of tokens."""
        rows = read_jsonl(work.directory / "metrics.jsonl")
        spent = sampled_tokens(rows, job.rollouts_per_step)
        reached = "reach" if job.is_over(rows) else "stay below"
        work.view.note(
            f"{len(rows)} of at most {job.steps} steps: {spent:,} sampled tokens {reached} the {self.spec.tokens:,} of "
            f"{self.listed.key_of('tokens')}"
        )
        return {"steps": len(rows), "sampled_tokens": spent}

    def _nothing(self, work: Work) -> str:
        """Why it has no prompts."""
        if not work.problems("rl", *self.domains):
            return "there are no problems of its domain"
        return f"there are no prompts of the sorts that shares names ({', '.join(self.spec.shares)})"

    def _judge(self, work: Work, rewards: Rewards) -> dict[str, Any]:
        """What the judge was asked and cost, in the prefilter and in the steps."""
        kept = work.directory / "judge.json"  # a run that is continued does not ask again
        if rewards.record()["questions"] or not kept.exists():
            write_json_atomic(kept, rewards.record())
        rows = [row["judge"] for row in read_jsonl(work.directory / "metrics.jsonl") if row.get("judge")]
        before = {"prefilter": read_json(kept)} if self.spec.prefilter_attempts else {}
        found = before | {"steps": whole_usage(rows)}
        told = [f"{name}: {judge_words(record)}" for name, record in found.items() if record]
        work.view.note(f"judge {self.spec.judge}: {'; '.join(told)}")
        return found

    def _empty(self, work: Work, groups: Sequence[Group]) -> Outputs:
        """No prompt carries a signal: say why, and what would help; end the run unless told to go on."""
        shares = Shares.of(groups)
        reason = f"none of {len(groups)} prompts has an accuracy strictly between 0 and 1 ({shares})"
        told = "; ".join(advice(shares, self.spec, stage=self.name))
        if self.spec.when_empty == "stop" and not work.goes_on:
            raise RunError(
                f"{self.name}: {reason}; {told}; --no-preflight, or {self.name}.when_empty = 'skip', goes on without it"
            )
        work.view.note(told)
        return passed_through(work, self.source, reason)


def prefilter(work: Work, job: RlJob, rewards: Rewards) -> tuple[Pool, list[Group]]:
    """Accuracy of every prompt under the phase's starting checkpoint, and the pool that is left."""
    with sampling_from(job.source, work.recipe, folder=work.directory, has_helpers=True) as sampler:
        groups = attempt(
            sampler,
            job.prompts,
            n=job.spec.prefilter_attempts,
            params=job.params,
            seed=job.seed,
            path=work.directory / "pool.jsonl",
            workers=job.workers,
            watch=work.watch,
            on_part=work.watch,
            verifier=rewards.verifier,
            review=rewards.review,
            accept=rewards.check_all,
        )
    return sort_pool(groups), groups
