"""One supervised run over token rows: checkpoints every k steps, resumable at any step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from etalon import models
from etalon.engines.local import trainer as local
from etalon.models import LanguageModel
from etalon.packed import TokenRow
from etalon.recipe import OptimSpec
from etalon.sft.rows import checkpoint_steps


def supervise(
    language_model: LanguageModel,
    rows: Sequence[TokenRow],
    *,
    steps: Sequence[Sequence[int]],
    spec: OptimSpec,
    micro_tokens: int,
    autocast: str,
    directory: Path,
    num_checkpoints: int,
    on_step: Callable[[int, dict[str, Any]], None],
) -> list[Path]:
    """Train on the rows step by step; returns the checkpoints, oldest first (directories `step-NNNNNN`)."""
    trainer = local.Trainer(language_model, spec, total_steps=len(steps), micro_tokens=micro_tokens, autocast=autocast)
    marks = checkpoint_steps(len(steps), num_checkpoints)

    def make_batch(step: int) -> local.Batch:
        chosen = [rows[i] for i in steps[step]]
        return local.Batch(rows=chosen, objective=local.cross_entropy(chosen))

    def keep(done: int) -> None:
        if done in marks:
            models.save(language_model, directory / "checkpoints" / f"step-{done:06d}")

    local.run(
        trainer,
        make_batch,
        directory=directory,
        save_every=max(1, min(marks[0], 200)),
        on_step=on_step,
        after_step=keep,
    )
    return [directory / "checkpoints" / f"step-{mark:06d}" for mark in marks]
