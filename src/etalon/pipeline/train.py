"""The stages that fine-tune: base and SFT; and what they share with other stages that use a model.

Each names the checkpoint it needs to the engine, and leaves ordinary Hugging Face directories.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from etalon.data import strata
from etalon.engines.jobs import CHECKPOINT, SupervisedJob, engine_of
from etalon.errors import InputError
from etalon.model import loader
from etalon.model.loader import LanguageModel
from etalon.model.packed import TokenRow
from etalon.pipeline.construct import at_most, trace_from_row
from etalon.pipeline.samplers import sampling_from
from etalon.pipeline.stage import Outputs, Work
from etalon.problems.rows import problem_from_row
from etalon.recipe import OptimSpec, Recipe
from etalon.sampling import attempt
from etalon.sampling.local import LocalSampler
from etalon.sft.rows import document_row, order_of, trace_row
from etalon.store import read_jsonl, write_json_atomic
from etalon.types import Domain, SamplingParams, Trace


def evaluation_params(recipe: Recipe) -> SamplingParams:
    """The sampling parameters of the evaluation protocol (3.1)."""
    spec = recipe.eval
    return SamplingParams(temperature=spec.temperature, top_p=spec.top_p, max_tokens=spec.max_tokens)


def load(work: Work, source: str) -> LanguageModel:
    """The checkpoint that a needed stage has left."""
    return loader.load(work.checkpoint(source), device=work.recipe.device, autocast=work.recipe.autocast)


def show(work: Work, total: int, *names: str) -> Any:
    """A callback that shows a logged row's numbers in the progress bar."""

    def on_step(done: int, row: Mapping[str, Any]) -> None:
        work.view.update(done, total, **{name: row[name] for name in names})

    return on_step


def fit(
    work: Work, source: Path, rows: Sequence[TokenRow], *, epochs: int, batch: int, max_steps: int,
    micro_tokens: int, optim: OptimSpec, num_checkpoints: int,
) -> list[Path]:  # fmt: skip
    """One supervised run of this stage; returns its checkpoints."""
    job = SupervisedJob(
        source=source,
        rows=rows,
        steps=order_of(len(rows), epochs=epochs, batch=batch, max_steps=max_steps, seed=work.seed),
        optim=optim,
        micro_tokens=micro_tokens,
        num_checkpoints=num_checkpoints,
        directory=work.directory,
    )
    return engine_of(work.recipe).supervise(job, show(work, len(job.steps), "loss", "grad_norm", "lr"))


def kept(work: Work, path: Path) -> Outputs:
    """The only checkpoint of a supervised run becomes `checkpoint/` of its stage."""
    target = work.directory / CHECKPOINT
    shutil.rmtree(target, ignore_errors=True)
    path.rename(target)
    path.parent.rmdir()
    return {"checkpoint": work.keep_checkpoint(target)}


def base(work: Work) -> Outputs:
    """The user's model as it is, or a tiny one pretrained on plain documents."""
    recipe = work.recipe
    if recipe.model.base != "scratch":
        path = Path(recipe.model.base).resolve()
        # a directory that cannot be loaded, or not be sampled from, fails here and not hours later
        LocalSampler(loader.load(path, device=recipe.device, autocast=recipe.autocast))
        work.view.note(f"base model: {path.name}")
        return {"checkpoint": str(path)}
    texts = [row["text"] for row in read_jsonl(work.directories["problems"] / "documents.jsonl")]
    language_model = loader.scratch(recipe.model, texts, seed=recipe.seed, device=recipe.device)
    start = loader.save(language_model, work.directory / "start")
    rows = [document_row(text, language_model) for text in texts]
    spec = recipe.base
    [checkpoint] = fit(
        work, start, rows, epochs=1, batch=spec.batch, max_steps=0, micro_tokens=recipe.sft.micro_tokens,
        optim=spec.optim, num_checkpoints=1,
    )  # fmt: skip
    shutil.rmtree(start)
    return kept(work, checkpoint)


def read_traces(work: Work) -> list[Trace]:
    """The traces that the data stage kept."""
    return [trace_from_row(row) for row in read_jsonl(work.directories["data"] / "traces.jsonl")]


def sft(work: Work, source: str, traces: Sequence[Trace], epochs: int, *, lr_scale: float = 1.0) -> Outputs:
    """Fine-tune a checkpoint on traces; the last checkpoint is the stage's, all of them are kept for the probe."""
    spec = work.recipe.sft
    language_model = load(work, source)
    rows = fitting([trace_row(trace, language_model) for trace in traces], language_model, work)
    if not rows:
        raise InputError(
            f"{work.stage.name}: every trace is longer than the model's window of {language_model.window} tokens; "
            "set data.max_tokens below it, or take a base model with a longer window"
        )
    checkpoints = fit(
        work, work.checkpoint(source), rows, epochs=epochs, batch=spec.batch, max_steps=spec.max_steps,
        micro_tokens=spec.micro_tokens, optim=spec.optim.scaled(lr_scale), num_checkpoints=spec.checkpoints,
    )  # fmt: skip
    names = [work.keep_checkpoint(path) for path in checkpoints]
    return {"checkpoint": names[-1], "checkpoints": names, "rows": len(rows)}


def fitting(rows: Sequence[TokenRow], language_model: LanguageModel, work: Work) -> list[TokenRow]:
    """Rows no longer than the model's window; the others are counted, never cut."""
    short = [row for row in rows if len(row) <= language_model.window]
    if len(short) < len(rows):
        work.view.note(f"{len(rows) - len(short)} rows longer than the window of {language_model.window} left out")
    return short


def sft_broad(work: Work) -> Outputs:
    """Stage 1 of the curriculum: everything that passed the gates."""
    return sft(work, "base", read_traces(work), work.recipe.sft.broad.epochs)


def sft_hard(work: Work) -> Outputs:
    """Stage 2: long traces of queries that the broad model mostly fails (the reference model is (ours))."""
    recipe = work.recipe
    spec = recipe.sft.hard
    if not spec.epochs:
        return passed_through(work, "sft-broad-fused", "it has 0 epochs")
    traces = [t for t in read_traces(work) if t.num_tokens >= spec.min_tokens]
    wanted = {t.problem_id for t in traces}
    queries = [problem_from_row(row) for row in read_jsonl(work.directories["data"] / "queries.jsonl")]
    long = [p for p in queries if p.id in wanted]
    candidates = at_most(long, dict.fromkeys(Domain, spec.queries))
    with sampling_from(work.checkpoint("sft-broad-fused"), recipe, folder=work.directory) as reference:
        groups = attempt(
            reference,
            candidates,
            n=recipe.data.difficulty_attempts,
            params=SamplingParams(max_tokens=recipe.rl.max_tokens),
            seed=work.seed,
            path=work.directory / "difficulty.jsonl",
            watch=lambda done, total, numbers: work.view.update(done, total, **numbers),
        )
    error_rates = {g.problem.id: 1 - g.accuracy for g in groups if g.accuracy is not None}
    rated = [replace(t, error_rate=error_rates.get(t.problem_id)) for t in traces]
    write_json_atomic(work.directory / "strata.json", strata.table(strata.strata(rated)))
    hard = [t for t in rated if strata.is_hard(t, min_tokens=spec.min_tokens, min_error_rate=spec.min_error_rate)]
    work.view.note(
        f"{len(hard)} of {len(traces)} long traces belong to queries with error rate >= {spec.min_error_rate}"
    )
    if not hard:
        return passed_through(work, "sft-broad-fused", "no trace is both long and hard")
    return sft(work, "sft-broad-fused", hard, spec.epochs, lr_scale=spec.lr_scale) | {"hard": len(hard)}


def passed_through(work: Work, source: str, reason: str) -> Outputs:
    """A stage that had nothing to learn from leaves the checkpoint as it was, and says so wherever it is shown."""
    work.view.note(f"skipped: {reason}")
    path = work.checkpoint(source)
    inside = path.is_relative_to(work.directory.parent)
    return {"checkpoint": work.keep_checkpoint(path) if inside else str(path), "skipped": reason}
