"""A step of the nano model with helper processes and without, in one run: base, supervised and RL.

The same seeds and batches; a second look checks that losses and rollouts are the same to the bit. Wall milliseconds:
helpers need cores of their own, so nothing else should be busy.

    HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 python bench/helpers.py [--helpers 1]
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from etalon.engines.local.reinforcement import rl_batch
from etalon.engines.local.trainer import Batch, Trainer, cross_entropy
from etalon.model import loader
from etalon.model.crew import Crew
from etalon.model.packed import TokenRow
from etalon.problems import nano
from etalon.recipe import ModelSpec, OptimSpec
from etalon.rl.credit import CreditSpec
from etalon.sampling.local import LocalSampler
from etalon.types import Domain, Group, Problem, Rollout, SamplingParams, Verdict, ask

KINDS = {"base": (64, 10, 55), "sft": (20, 25, 70)}  # rows of a step, fewest and most tokens of a response
SFT_MICRO, RL_MICRO = 800, 2560  # of the recipe nano
PROMPTS, ROLLOUTS, MAX_TOKENS = 32, 8, 55
STEPS = 10
Found = dict[str, tuple[float, list[float]]]  # part -> milliseconds a step, and what shows that it is the same step


def rows_of(kind: str, vocabulary: int) -> list[TokenRow]:
    rng = random.Random(kind)
    count, fewest, most = KINDS[kind]

    def ids(size: int) -> tuple[int, ...]:
        return tuple(rng.randrange(5, vocabulary) for _ in range(size))

    return [TokenRow(prompt=ids(rng.randint(8, 14)), response=ids(rng.randint(fewest, most))) for _ in range(count)]


def judged(problem: Problem, rollouts: Sequence[Rollout]) -> Group:
    """Right or wrong by chance, the same for the same tokens."""
    scores = [float(sum(rollout.tokens or ()) % 3 == 0) for rollout in rollouts]
    return Group(
        problem=problem, rollouts=tuple(replace(rollout, problem_id=problem.id) for rollout in rollouts),
        verdicts=tuple(Verdict(score=score, reason="by chance") for score in scores),
    )  # fmt: skip


def measure(helpers: int) -> Found:
    problems = nano.problems(Domain.MATH, "rl", PROMPTS, seed=0)
    language_model = loader.scratch(ModelSpec(), [problem.prompt for problem in problems], seed=0, device="cpu")
    with torch.no_grad():
        language_model.model.lm_head.weight[language_model.end_token] *= 3
    crew = Crew(language_model, helpers)
    found: Found = {}
    try:
        for kind in KINDS:
            spec = OptimSpec(name="muon", lr=3e-3, final_lr=3e-4, muon_lr=0.01)
            trainer = Trainer(language_model, spec, total_steps=10**6, micro_tokens=SFT_MICRO, crew=crew)
            rows = rows_of(kind, len(language_model.tokenizer))
            batch = Batch(rows=rows, objective=cross_entropy(rows))
            found[kind] = timed(lambda step, t=trainer, b=batch: t.step(step, b)["loss"])  # type: ignore[misc]
        spec = OptimSpec(lr=1e-5, final_lr=1e-5, warmup=0.0)
        trainer = Trainer(language_model, spec, total_steps=10**6, micro_tokens=RL_MICRO, crew=crew)
        sampler = LocalSampler(language_model, crew=crew)

        def step(seed: int) -> float:
            params = SamplingParams(max_tokens=MAX_TOKENS)
            drawn = dict(sampler.sample([ask(p.prompt) for p in problems], n=ROLLOUTS, params=params, seed=seed))
            groups = [judged(problem, drawn[index]) for index, problem in enumerate(problems)]
            return trainer.step(0, rl_batch(groups, CreditSpec(gamma=1.0)))["grad_norm"]

        found["rl"] = timed(step)
    finally:
        crew.close()
    return found


def timed(step: object) -> tuple[float, list[float]]:
    """Milliseconds of a step after two outside the clock, and what all of them returned."""
    assert callable(step)
    told = [step(0), step(1)]
    started = time.perf_counter()
    told += [step(number) for number in range(2, STEPS + 2)]
    return 1000 * (time.perf_counter() - started) / STEPS, told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--helpers", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    alone, shared = measure(0), measure(args.helpers)
    for part, (taken, told) in alone.items():
        others, again = shared[part]
        same = "same bits" if told == again else "OTHER BITS"
        print(f"{part:5} {taken:6.0f} ms alone, {others:6.0f} ms with helpers, {taken / others:.2f}x, {same}")


if __name__ == "__main__":
    main()
