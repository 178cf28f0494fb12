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
    return load_checkpoint(work.recipe, checkpoint)


def load_checkpoint(recipe: Recipe, checkpoint: Path) -> LanguageModel:
    """`load` where there is no work."""
    from etalon.model import loader

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


def response_logprobs(language_model: LanguageModel, rows: Sequence[TokenRow], micro_tokens: int) -> list[list[float]]:
    """Log-probabilities of the response tokens of every row, in nats; micro_tokens: per forward pass."""
    import torch

    from etalon.model.packed import micro_batches, pack, token_logprobs

    found: list[list[float]] = [[] for _ in rows]
    for indices in micro_batches(rows, micro_tokens):
        batch = pack([rows[i] for i in indices], language_model.device)
        with torch.no_grad():
            logprobs_N = token_logprobs(language_model.model, batch)
        parts = torch.split(logprobs_N, [len(rows[i].response) for i in indices])
        for index, logprobs in zip(indices, parts, strict=True):
            found[index] = logprobs.tolist()
    return found


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
