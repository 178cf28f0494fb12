"""The stages that reinforce: MGPO on one domain, and Instruct RL.

pool.jsonl   n rollouts of every prompt under the starting checkpoint -> drop accuracy exactly 0 or 1 (2.2)
the rest is the engine's: on-policy steps on what is left
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from etalon.engines.jobs import RlJob, engine_of
from etalon.pipeline.samplers import sampling_from
from etalon.pipeline.stage import Outputs, Work
from etalon.pipeline.train import passed_through, show
from etalon.recipe import InstructSpec, RlStageSpec
from etalon.rl.credit import CreditSpec
from etalon.rl.pool import Pool, sort_pool
from etalon.sampling import attempt
from etalon.store import write_json_atomic
from etalon.types import REASONING_DOMAINS, Domain, Problem


def reinforce(work: Work) -> Outputs:
    """One RL phase on one domain (2.2): prefilter, then on-policy updates."""
    name = work.stage.arguments["phase"]
    problems = work.problems("rl", Domain(work.stage.arguments["domain"]))
    spec = getattr(work.recipe.rl, name)
    brevity = work.recipe.rl.lambda_ if name == "long2short" else 0.0
    return run_phase(work, work.stage.arguments["source"], problems, spec, brevity=brevity)


def instruct(work: Work) -> Outputs:
    """RL on rule-checked instructions, mixed with general examples of the other domains (2.4)."""
    spec = work.recipe.instruct
    asked = work.problems("rl", Domain.INSTRUCT)
    general = work.problems("rl", *REASONING_DOMAINS, Domain.CLAIMS)
    random.Random(work.seed).shuffle(general)
    wanted = round(len(asked) * spec.general / (1 - spec.general)) if spec.general < 1 else len(general)
    problems = [*asked, *general[:wanted]] if asked else []
    return run_phase(work, "distill", problems, spec)


def run_phase(
    work: Work, source: str, problems: Sequence[Problem], phase: RlStageSpec | InstructSpec, *, brevity: float = 0.0
) -> Outputs:
    """Prefilter and train; with nothing to learn from, the checkpoint passes through and the reason is kept."""
    if not problems or not phase.steps:
        return passed_through(work, source, "there are no problems of its domain" if phase.steps else "it has 0 steps")
    spec = work.recipe.rl
    if isinstance(phase, RlStageSpec):
        spec = spec.model_copy(update={"max_tokens": spec.window(phase)})
    job = RlJob(
        source=work.checkpoint(source),
        prompts=problems,
        spec=spec,
        credit=CreditSpec.of(spec, brevity=brevity),
        steps=phase.steps,
        lr=phase.lr,
        seed=work.seed,
        directory=work.directory,
    )
    pool = prefilter(work, job)
    counts = {name: pool.record[name] for name in ("prompts", "kept", "all_wrong", "all_right", "undecided")}
    work.view.note(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items()))
    if not pool.kept:
        reason = f"none of {len(problems)} prompts has an accuracy strictly between 0 and 1"
        return passed_through(work, source, reason) | {"pool": counts}
    on_step = show(work, job.steps, "accuracy", "mean_tokens", "grad_norm")
    checkpoint = engine_of(work.recipe).reinforce(replace(job, prompts=pool.kept), on_step)
    return {"checkpoint": work.keep_checkpoint(checkpoint), "pool": counts}


def prefilter(work: Work, job: RlJob) -> Pool:
    """Accuracy of every prompt under the phase's starting checkpoint, and the pool that is left."""
    with sampling_from(job.source, work.recipe, folder=work.directory) as sampler:
        groups = attempt(
            sampler,
            job.prompts,
            n=job.spec.prefilter_attempts,
            params=job.params,
            seed=job.seed,
            path=work.directory / "pool.jsonl",
            workers=job.workers,
            watch=lambda done, total, numbers: work.view.update(done, total, **numbers),
        )
    pool = sort_pool(groups)
    write_json_atomic(work.directory / "pool.json", dict(pool.record))
    return pool
