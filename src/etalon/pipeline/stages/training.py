"""What stages that train share: loading a checkpoint, one supervised run, and passing a checkpoint through."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from etalon.engines.jobs import CHECKPOINT, SupervisedJob, engine_of
from etalon.pipeline.stage import Outputs, Work
from etalon.recipe import OptimSpec, Recipe
from etalon.types import SamplingParams

if TYPE_CHECKING:
    from etalon.model.loader import LanguageModel
    from etalon.model.packed import TokenRow


def evaluation_params(recipe: Recipe) -> SamplingParams:
    """The sampling parameters of the evaluation protocol (3.1)."""
    spec = recipe.eval
    return SamplingParams(temperature=spec.temperature, top_p=spec.top_p, max_tokens=spec.max_tokens)


def load(work: Work, checkpoint: Path) -> LanguageModel:
    """A checkpoint, with the system message that the recipe gives its model."""
    from etalon.model import loader

    recipe = work.recipe
    return loader.load(checkpoint, device=recipe.device, autocast=recipe.autocast, system=recipe.model.system)


def fit(
    work: Work, source: Path, rows: Sequence[TokenRow], *, epochs: int, batch: int, micro_tokens: int,
    optim: OptimSpec, num_checkpoints: int, max_steps: int = 0,
) -> list[Path]:  # fmt: skip
    """One supervised run of this stage; returns its checkpoints."""
    from etalon.sft.rows import order_of

    job = SupervisedJob(
        source=source,
        rows=rows,
        steps=order_of(len(rows), epochs=epochs, batch=batch, max_steps=max_steps, seed=work.seed),
        optim=optim,
        micro_tokens=micro_tokens,
        num_checkpoints=num_checkpoints,
        directory=work.directory,
    )
    on_step = work.show(len(job.steps), "loss", "grad_norm", "lr", "tokens_per_second")
    return engine_of(work.recipe).supervise(job, on_step)


def kept(work: Work, path: Path) -> Outputs:
    """The only checkpoint of a supervised run becomes `checkpoint/` of its stage."""
    target = work.directory / CHECKPOINT
    shutil.rmtree(target, ignore_errors=True)
    path.rename(target)
    path.parent.rmdir()
    return {"checkpoint": work.keep_checkpoint(target)}


def fitting(rows: Sequence[TokenRow], language_model: LanguageModel, work: Work) -> list[TokenRow]:
    """Rows no longer than the model's window; the others are counted, never cut."""
    short = [row for row in rows if len(row) <= language_model.window]
    if len(short) < len(rows):
        work.view.note(f"{len(rows) - len(short)} rows longer than the window of {language_model.window} left out")
    return short


def passed_through(work: Work, source: str, reason: str) -> Outputs:
    """A stage that had nothing to learn from leaves the checkpoint as it was, and says so wherever it is shown."""
    work.view.note(f"skipped: {reason}")
    path = work.checkpoint(source)
    inside = path.is_relative_to(work.directory.parent)
    return {"checkpoint": work.keep_checkpoint(path) if inside else str(path), "skipped": reason}
