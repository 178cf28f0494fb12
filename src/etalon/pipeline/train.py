"""The stages that train: base, SFT, RL, Instruct RL; and what they share with `probe` and `self_distill`.

Each loads the checkpoint it needs, calls the engine, and leaves an ordinary Hugging Face directory `checkpoint/`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from etalon import models
from etalon.data import strata
from etalon.engines.local import reinforcement as engine
from etalon.engines.local.supervised import supervise
from etalon.errors import InputError
from etalon.models import LanguageModel
from etalon.packed import TokenRow
from etalon.pipeline.construct import at_most, trace_from_row
from etalon.pipeline.stage import Outputs, Work
from etalon.problems.rows import problem_from_row
from etalon.recipe import OptimSpec, Recipe
from etalon.rl.credit import CreditSpec
from etalon.sampling import attempt
from etalon.sampling.local import LocalSampler
from etalon.sft.rows import document_row, order_of, trace_row
from etalon.store import read_jsonl, write_json_atomic
from etalon.types import REASONING_DOMAINS, Domain, Problem, SamplingParams, Trace


def evaluation_params(recipe: Recipe) -> SamplingParams:
    """The sampling parameters of the evaluation protocol (3.1)."""
    spec = recipe.eval
    return SamplingParams(temperature=spec.temperature, top_p=spec.top_p, max_tokens=spec.max_tokens)


def load(work: Work, source: str) -> LanguageModel:
    """The checkpoint that a needed stage has left."""
    return models.load(work.checkpoint(source), device=work.recipe.device)


def kept(work: Work, language_model: LanguageModel) -> Outputs:
    """Save the final weights of the stage and name them."""
    return {"checkpoint": work.keep_checkpoint(models.save(language_model, work.directory / "checkpoint"))}


def show(work: Work, total: int, *names: str) -> Any:
    """A callback that shows a logged row's numbers in the progress bar."""

    def on_step(done: int, row: Mapping[str, Any]) -> None:
        work.view.update(done, total, **{name: row[name] for name in names})

    return on_step


def fit(
    work: Work, language_model: LanguageModel, rows: Sequence[TokenRow], *, epochs: int, batch: int, max_steps: int,
    micro_tokens: int, optim: OptimSpec, num_checkpoints: int,
) -> list[Path]:  # fmt: skip
    """One supervised run of this stage; returns its checkpoints."""
    steps = order_of(len(rows), epochs=epochs, batch=batch, max_steps=max_steps, seed=work.seed)
    return supervise(
        language_model,
        rows,
        steps=steps,
        spec=optim,
        micro_tokens=micro_tokens,
        autocast=work.recipe.autocast,
        directory=work.directory,
        num_checkpoints=num_checkpoints,
        on_step=show(work, len(steps), "loss", "grad_norm", "lr"),
    )


def base(work: Work) -> Outputs:
    """The user's model as it is, or a tiny one pretrained on plain documents."""
    recipe = work.recipe
    if recipe.model.base != "scratch":
        path = Path(recipe.model.base).resolve()
        # a directory that cannot be loaded, or not be sampled from, fails here and not hours later
        LocalSampler(models.load(path, device=recipe.device))
        work.view.note(f"base model: {path.name}")
        return {"checkpoint": str(path)}
    texts = [row["text"] for row in read_jsonl(work.directories["problems"] / "documents.jsonl")]
    language_model = models.scratch(recipe.model, texts, seed=recipe.seed, device=recipe.device)
    rows = [document_row(text, language_model) for text in texts]
    spec = recipe.base
    fit(
        work, language_model, rows, epochs=1, batch=spec.batch, max_steps=0, micro_tokens=recipe.sft.micro_tokens,
        optim=spec.optim, num_checkpoints=1,
    )  # fmt: skip
    return kept(work, language_model)


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
        work, language_model, rows, epochs=epochs, batch=spec.batch, max_steps=spec.max_steps,
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
    reference = load(work, "sft-broad-fused")
    traces = [t for t in read_traces(work) if t.num_tokens >= spec.min_tokens]
    wanted = {t.problem_id for t in traces}
    queries = [problem_from_row(row) for row in read_jsonl(work.directories["data"] / "queries.jsonl")]
    long = [p for p in queries if p.id in wanted]
    candidates = at_most(long, dict.fromkeys(Domain, spec.queries))
    groups = attempt(
        LocalSampler(reference),
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


def _phase(work: Work, steps: int, lr: float, brevity: float) -> engine.Phase:
    spec = work.recipe.rl
    return engine.Phase(
        spec=spec,
        credit=CreditSpec(
            gamma=spec.gamma,
            std_ddof=spec.std_ddof,
            std_epsilon=spec.std_epsilon,
            brevity=brevity,
            clip_epsilon=spec.clip_epsilon,
        ),
        steps=steps,
        lr=lr,
        seed=work.seed,
        autocast=work.recipe.autocast,
        directory=work.directory,
    )


def reinforce(work: Work) -> Outputs:
    """One RL phase on one domain (2.2): prefilter, then on-policy updates."""
    source, name = work.stage.arguments["source"], work.stage.arguments["phase"]
    problems = work.problems("rl", Domain(work.stage.arguments["domain"]))
    spec = getattr(work.recipe.rl, name)
    phase = _phase(work, spec.steps, spec.lr, work.recipe.rl.lambda_ if name == "long2short" else 0.0)
    return run_phase(work, source, problems, phase)


def run_phase(work: Work, source: str, problems: Sequence[Problem], phase: engine.Phase) -> Outputs:
    """Prefilter and train; with nothing to learn from, the checkpoint passes through and the reason is kept."""
    if not problems or not phase.steps:
        return passed_through(work, source, "there are no problems of its domain" if phase.steps else "it has 0 steps")
    language_model = load(work, source)
    pool = engine.prefilter(
        language_model, problems, phase, watch=lambda done, total, numbers: work.view.update(done, total, **numbers)
    )
    counts = {name: pool.record[name] for name in ("prompts", "kept", "all_wrong", "all_right", "undecided")}
    work.view.note(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items()))
    if not pool.kept:
        reason = f"none of {len(problems)} prompts has an accuracy strictly between 0 and 1"
        return passed_through(work, source, reason) | {"pool": counts}
    on_step = show(work, phase.steps, "accuracy", "mean_tokens", "grad_norm")
    engine.train_phase(language_model, pool.kept, phase, on_step=on_step)
    return kept(work, language_model) | {"pool": counts}


def instruct(work: Work) -> Outputs:
    """RL on rule-checked instructions, mixed with general examples of the other domains (2.4)."""
    spec = work.recipe.instruct
    asked = work.problems("rl", Domain.INSTRUCT)
    general = work.problems("rl", *REASONING_DOMAINS, Domain.CLAIMS)
    random.Random(work.seed).shuffle(general)
    wanted = round(len(asked) * spec.general / (1 - spec.general)) if spec.general < 1 else len(general)
    problems = [*asked, *general[:wanted]] if asked else []
    return run_phase(work, "distill", problems, _phase(work, spec.steps, spec.lr, 0.0))
