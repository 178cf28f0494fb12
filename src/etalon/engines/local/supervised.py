"""One supervised run over token rows: checkpoints every k steps, resumable at any step."""

from __future__ import annotations

from pathlib import Path

from etalon.engines.jobs import CHECKPOINTS, OnStep, SupervisedJob
from etalon.engines.local import trainer as local
from etalon.model import loader
from etalon.model.crew import Crew
from etalon.recipe import Recompute
from etalon.sft.rows import checkpoint_steps

SAVE_EVERY = 200  # (ours) steps between resumable states, where checkpoints are further apart


def supervise(
    crew: Crew, job: SupervisedJob, *, autocast: str, recompute: Recompute = "off", on_step: OnStep
) -> list[Path]:
    """Train on the rows step by step; returns the checkpoints, oldest first (directories `step-NNNNNN`)."""
    language_model = crew.held.language_model
    trainer = local.Trainer(
        language_model, job.optim, total_steps=len(job.steps), micro_tokens=job.micro_tokens, autocast=autocast,
        recompute=recompute, crew=crew,
    )  # fmt: skip
    marks = checkpoint_steps(len(job.steps), job.num_checkpoints)

    def make_batch(step: int) -> local.Batch:
        chosen = [job.rows[i] for i in job.steps[step]]
        return local.Batch(rows=chosen, objective=local.cross_entropy(chosen))

    def keep(done: int) -> None:
        if done in marks:
            loader.save(language_model, job.directory / CHECKPOINTS / f"step-{done:06d}")

    local.run(
        trainer,
        make_batch,
        directory=job.directory,
        save_every=max(1, min(marks[0], SAVE_EVERY)),
        on_step=on_step,
        after_step=keep,
    )
    return [job.directory / CHECKPOINTS / f"step-{mark:06d}" for mark in marks]
