"""Stage `preflight` (ours): a look at the given model before anything is trained, and what the run will take here.

16 prompts x 4 -> shares of right, wrong, no answer, truncated; usable prompts; tokens per second -> forecast, or stop
Where RL comes first, half of them are enough if not one of their responses has an answer.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from etalon.config.plugins import bare
from etalon.config.stages import PREFLIGHT
from etalon.errors import RunError
from etalon.pipeline import machine
from etalon.pipeline.stage import Outputs, Stage, Work, peak_memory_mb
from etalon.pipeline.stages.rl import Rl
from etalon.recipe import OptimSpec
from etalon.rl.advice import Shares, advice
from etalon.rl.rewards import Rewards
from etalon.sampling import attempt
from etalon.sampling.source import sampling_from
from etalon.store import read_jsonl, write_json_atomic
from etalon.types import Group, Problem, Sampler, SamplingParams, ask

if TYPE_CHECKING:
    from etalon.model.loader import LanguageModel
    from etalon.model.packed import TokenRow

PROMPTS, ROLLOUTS = 16, 4
HALF = PROMPTS // 2
MB = 1024**2
TIMED_TOKENS = 256  # (ours) tokens of the one training pass that is timed


@dataclass(frozen=True, kw_only=True)
class Preflight(Stage):
    """Looks at the starting model before it is trained."""

    section: ClassVar[str] = "(ours)"
    purpose: ClassVar[str] = f"{PROMPTS} prompts x {ROLLOUTS} of the starting model, before anything is trained"
    makes_model: ClassVar[bool] = False
    trains: ClassVar[bool] = False
    runs_alone: ClassVar[bool] = True

    first: Stage  # that trains

    @property
    def splits(self) -> frozenset[str]:
        return frozenset({self._split})

    @property
    def _split(self) -> str:
        return "rl" if isinstance(self.first, Rl) else "train" if "data" in self._kinds else "test"

    @property
    def _kinds(self) -> set[str]:
        return {one.kind for one in self.others}

    @property
    def _optims(self) -> dict[str, OptimSpec]:
        """The optimisers of the recipe by their names; an RL phase has AdamW."""
        return {"adamw": OptimSpec()} | {
            one.spec.optim.name: one.spec.optim for one in self.others if hasattr(one.spec, "optim")
        }

    @property
    def window(self) -> int:
        """Longest response."""
        return int(self.first.spec.max_tokens if isinstance(self.first, Rl) else self.recipe.eval.max_tokens)

    @property
    def knobs(self) -> Any:
        keys = ("domains", "general", "shares", "long_words", "reward", "judge")
        asked = {key: getattr(self.first.spec, key) for key in keys} if isinstance(self.first, Rl) else {}
        if asked:
            asked["reward"] = bare(asked["reward"])
        return [self._split, self.window, asked, self.recipe.prompts, sorted(self._optims)]

    @property
    def outside(self) -> Mapping[str, str]:
        return self.first.outside if isinstance(self.first, Rl) else {}

    def run(self, work: Work) -> Outputs:
        problems = self._problems(work)
        rewards = self._rewards(work, problems)
        with sampling_from(work.source, work.recipe, folder=work.directory) as sampler:
            groups, seconds = self._look(work, sampler, problems, rewards)
            shares = Shares.of(groups)
            stops = not work.goes_on and self._teaches_nothing(shares)
            trained = TrainingPass() if stops else training_pass(sampler, groups)
            optims = {} if stops else optimiser_seconds(sampler, self._optims)
        tokens = sum(rollout.num_tokens for group in groups for rollout in group.rollouts)
        prompts = [len(r.prompt_tokens) for group in groups for r in group.rollouts if r.prompt_tokens is not None]
        record = {
            **asdict(shares),
            "mean_tokens": tokens / max(1, shares.rollouts),
            "prompt_tokens": sum(prompts) / len(prompts) if prompts else None,
            "sampled_per_second": tokens / seconds if seconds else None,
            "trained_per_second": trained.tokens_per_second,
            "optimiser_seconds": optims,
            "kb_per_token": trained.kb_per_token,
            "weights_mb": trained.weights_mb,
            "held_mb": trained.held_mb,
            "peak_memory_mb": peak_memory_mb(),
        }
        write_json_atomic(work.directory / "preflight.json", record)
        for line in shown(record):
            work.view.note(line)
        if stops:
            raise self._nothing_to_learn(shares)
        return {"preflight": record}

    def _problems(self, work: Work) -> list[Problem]:
        """A sample of what the first stage trains on; it does not depend on how many there are to choose from."""
        if isinstance(self.first, Rl):
            there = self.first.prompts(replace(work, stage=self.first))
        else:
            there = work.problems(self._split)
        return random.Random(work.seed).sample(there, min(PROMPTS, len(there)))

    def _rewards(self, work: Work, problems: Sequence[Problem]) -> Rewards | None:
        if not isinstance(self.first, Rl):
            return None
        job = self.first.job(replace(work, stage=self.first), problems, work.directory)
        return Rewards.of(job)

    def _look(
        self, work: Work, sampler: Sampler, problems: Sequence[Problem], rewards: Rewards | None
    ) -> tuple[list[Group], float]:
        """The rollouts, and the seconds that sampling and judging them took; 0 when they were there already."""
        started = time.perf_counter()
        path = work.directory / "rollouts.jsonl"
        there, groups = len(read_jsonl(path)), []
        for some in (problems[:HALF], problems):
            if there <= len(some):
                groups = attempt(
                    sampler, some, n=ROLLOUTS, params=SamplingParams(max_tokens=self.window), seed=work.seed,
                    path=path, chunk=HALF, watch=work.watch, on_part=work.watch,
                    verifier=rewards.verifier if rewards else None, review=rewards.review if rewards else None,
                    accept=rewards.check_all if rewards else None,
                )  # fmt: skip
                shares = Shares.of(groups)
                if self._teaches_nothing(shares) and not shares.has_answers:
                    break
        return groups, 0.0 if there else time.perf_counter() - started

    def _teaches_nothing(self, shares: Shares) -> bool:
        """Whether no prompt carries a signal: RL would train on nothing."""
        is_rl = isinstance(self.first, Rl) and self.first.spec.when_empty != "skip"
        return is_rl and bool(shares.prompts) and not shares.usable

    def _nothing_to_learn(self, shares: Shares) -> RunError:
        told = "; ".join(advice(shares, self.first.spec, stage=self.first.name))
        return RunError(
            f"{PREFLIGHT}: none of {shares.prompts} prompts x {ROLLOUTS} has an accuracy strictly between 0 and 1 "
            f"({shares}), so {self.first.name} has nothing to learn from; {told}; --no-preflight goes on all the same"
        )

    def afterwords(self, directories: Mapping[str, Path], stages: Sequence[Stage]) -> list[str]:
        return machine.measured(stages, self.recipe, directories)


def shown(record: Mapping[str, Any]) -> list[str]:
    """The table: what became of the responses, and how fast they came."""
    total = record["rollouts"]
    names = {"right": "right", "partial": "partly right", "wrong": "wrong", "no_answer": "no answer"}
    names |= {"truncated": "truncated", "undecided": "undecided"}
    lines = [
        f"{word:<14}{record[name]:>5.0%}  {round(record[name] * total):>3} of {total}" for name, word in names.items()
    ]
    lines.append(f"{'usable':<14}{record['usable'] / max(1, record['prompts']):>5.0%}  {record['usable']:>3} of "
                 f"{record['prompts']} prompts (0 < accuracy < 1, or rewards that differ)")  # fmt: skip
    speed = [f"{record['mean_tokens']:.0f} tokens a response"]
    if record["sampled_per_second"]:
        speed.append(f"{record['sampled_per_second']:.0f} tokens/s sampled")
    if record["trained_per_second"]:
        speed.append(f"{record['trained_per_second']:.0f} tokens/s trained")
    return [*lines, ", ".join([*speed, f"peak memory {record['peak_memory_mb']:,.0f} MB"])]


@dataclass(frozen=True, kw_only=True)
class TrainingPass:
    """One forward and backward pass over some of the rollouts, as this machine did it.

    held_mb: memory of the process before it, the weights among it. kb_per_token: what it kept for the backward pass.
    """

    tokens_per_second: float | None = None
    kb_per_token: float | None = None
    weights_mb: float = 0.0
    held_mb: float = 0.0


def training_pass(sampler: Sampler, groups: Sequence[Group]) -> TrainingPass:
    """Time and memory of a pass over at most TIMED_TOKENS; nothing known for a model elsewhere."""
    language_model: LanguageModel | None = getattr(sampler, "language_model", None)
    if language_model is None:
        return TrainingPass()
    model = language_model.model
    weights = sum(p.numel() * p.element_size() for p in model.parameters()) / MB
    rows = _timed_rows(language_model, groups)
    if not rows:
        return TrainingPass(weights_mb=weights, held_mb=held_mb())
    import torch

    from etalon.engines.local.passes import casting
    from etalon.model.activations import kept_bytes
    from etalon.model.packed import pack, token_logprobs

    held, kept, seconds, tokens = held_mb(), 0, float("inf"), 0
    model.train()
    for _ in range(2):  # the first pass also pays for what is made once
        started = time.perf_counter()
        batch = pack(rows, language_model.device)
        with casting(language_model, language_model.autocast):
            logprobs, kept = kept_bytes(model, partial(token_logprobs, model, batch))
        torch.autograd.backward(logprobs.sum())
        tokens = len(batch.tokens_T)  # a prompt of several rows stands there once, as in a step
        model.zero_grad(set_to_none=True)
        if language_model.device.type == "cuda":
            torch.cuda.synchronize(language_model.device)
        seconds = min(seconds, time.perf_counter() - started)
    model.eval()
    return TrainingPass(
        tokens_per_second=tokens / seconds, kb_per_token=kept / 1024 / tokens, weights_mb=weights, held_mb=held
    )  # fmt: skip


def optimiser_seconds(sampler: Sampler, optims: Mapping[str, OptimSpec]) -> dict[str, float]:
    """Name -> seconds of a step of such an optimiser; nothing known for a model elsewhere."""
    language_model: LanguageModel | None = getattr(sampler, "language_model", None)
    if language_model is None:
        return {}
    from etalon.engines.local.optim import step_seconds

    return {name: step_seconds(language_model.model, spec) for name, spec in optims.items()}


def _timed_rows(language_model: LanguageModel, groups: Sequence[Group]) -> list[TokenRow]:
    """Rollouts as training rows, as many as TIMED_TOKENS hold."""
    from etalon.model.packed import TokenRow

    rows: list[TokenRow] = []
    room = TIMED_TOKENS
    for group in groups:
        prompt = tuple(language_model.render(ask(group.problem.prompt)))
        room -= len(prompt) if rows else 0  # the first is taken however long
        for rollout in group.rollouts:
            response = tuple(language_model.encode(rollout.text))[: max(0, room)]
            if response:
                rows.append(TokenRow(prompt=prompt, response=response))
                room -= len(response)
    return rows


def held_mb() -> float:
    """Resident memory of this process now; its peak where that cannot be read."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return peak_memory_mb()
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
