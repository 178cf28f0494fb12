"""The stages that change weights: base, SFT, probe and merge, RL, self-distillation, Instruct RL.

Each loads the checkpoint it needs, calls the engine, and leaves an ordinary Hugging Face directory `checkpoint/`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from etalon import distill, models
from etalon.data import strata
from etalon.engines.local import reinforcement as engine
from etalon.engines.local.supervised import supervise
from etalon.errors import ConfigError
from etalon.models import LanguageModel
from etalon.packed import TokenRow, micro_batches, pack, token_logprobs
from etalon.pipeline.construct import at_most, trace_from_row, trace_to_row
from etalon.pipeline.stage import Outputs, Work
from etalon.problems.rows import problem_from_row
from etalon.recipe import OptimSpec, Recipe
from etalon.rl.credit import CreditSpec
from etalon.sampling import attempt
from etalon.sampling.local import LocalSampler
from etalon.sft import fuse as merging
from etalon.sft import probe as probing
from etalon.sft.rows import document_row, order_of, trace_row
from etalon.store import append_jsonl, read_jsonl, write_json_atomic
from etalon.types import REASONING_DOMAINS, Domain, Group, Problem, SamplingParams, Trace


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
        models.load(path, device=recipe.device)  # a directory that cannot be loaded fails here, not hours later
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


def sft(work: Work, source: str, traces: Sequence[Trace], epochs: int) -> Outputs:
    """Fine-tune a checkpoint on traces; the last checkpoint is the stage's, all of them are kept for the probe."""
    spec = work.recipe.sft
    language_model = load(work, source)
    rows = fitting([trace_row(trace, language_model) for trace in traces], language_model, work)
    checkpoints = fit(
        work, language_model, rows, epochs=epochs, batch=spec.batch, max_steps=spec.max_steps,
        micro_tokens=spec.micro_tokens, optim=spec.optim, num_checkpoints=spec.checkpoints,
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
    long = [p for p in work.problems("train") if p.id in wanted]
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
    return sft(work, "sft-broad-fused", hard, spec.epochs) | {"hard": len(hard)}


def passed_through(work: Work, source: str, reason: str) -> Outputs:
    """A stage that had nothing to learn from leaves the checkpoint as it was, and says so wherever it is shown."""
    work.view.note(f"skipped: {reason}")
    path = work.checkpoint(source)
    inside = path.is_relative_to(work.directory.parent)
    return {"checkpoint": work.keep_checkpoint(path) if inside else str(path), "skipped": reason}


def probe_and_fuse(work: Work) -> Outputs:
    """Pass@K of every checkpoint per skill on the probing set; merge the specialists (2.1.2)."""
    source = work.stage.arguments["source"]
    done = work.outputs(source)
    skills = {p.skill or p.domain.value for p in work.problems("probe")}
    if unknown := sorted(work.recipe.probe.weights.keys() - skills):
        raise ConfigError(f"probe.weights: no skill {unknown[0]!r}; skills are {', '.join(sorted(skills))}")
    if "skipped" in done:
        return passed_through(work, source, f"{source} was skipped")
    root = work.directory.parent
    checkpoints = {Path(name).name: root / name for name in done["checkpoints"]}
    problems = str(work.directories["problems"] / "probe.jsonl")
    folder = work.directory / "probes"
    arguments = [
        (str(path), problems, work.recipe, work.seed, str(folder / f"{name}.jsonl"))
        for name, path in checkpoints.items()
    ]
    results = []
    for group_scores in work.spread(probe_checkpoint, arguments):
        results.append(group_scores)
        work.view.update(len(results), len(arguments) + 1)
    scores = dict(zip(checkpoints, results, strict=True))
    chosen = probing.choose_specialists(scores)
    weights = probing.merge_weights(chosen, work.recipe.probe.weights)
    fused = merging.fuse(
        [(checkpoints[name], weight) for name, weight in weights.items()], work.directory / "checkpoint"
    )
    [fused_scores] = work.spread(
        probe_checkpoint, [(str(fused), problems, work.recipe, work.seed, str(folder / "fused.jsonl"))]
    )
    record = {
        "k": work.recipe.probe.k,
        "skills": sorted(chosen),
        "checkpoints": [
            {"name": name, "step": int(name.rpartition("-")[2]), "scores": _score_rows(by_skill)}
            for name, by_skill in scores.items()
        ],
        "chosen": chosen,
        "weights": weights,
        "fused": _score_rows(fused_scores),
    }
    write_json_atomic(work.directory / "probe.json", record)
    work.view.note(f"merged {', '.join(f'{weight:.2f} x {name}' for name, weight in weights.items())}")
    return {"checkpoint": work.keep_checkpoint(fused), "weights": weights}


def probe_checkpoint(
    checkpoint: str, problems: str, recipe: Recipe, seed: int, path: str
) -> dict[str, probing.ProbeScore]:
    """Pass@K per skill of one checkpoint; its rollouts stay in `path`."""
    groups = attempt(
        LocalSampler(models.load(Path(checkpoint), device=recipe.device)),
        [problem_from_row(row) for row in read_jsonl(Path(problems))],
        n=recipe.probe.k,
        params=evaluation_params(recipe),
        seed=seed,
        path=Path(path),
    )
    return probing.score_skills(groups, recipe.probe.k)


def _score_rows(scores: Mapping[str, probing.ProbeScore]) -> dict[str, dict[str, float]]:
    return {skill: {"pass1": score.pass1, "passk": score.passk} for skill, score in scores.items()}


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


def self_distill(work: Work) -> Outputs:
    """Verified traces of the RL checkpoints, ranked by what the student can still learn, teach one student (2.3)."""
    recipe = work.recipe
    spec = recipe.distill
    teachers = {Domain.MATH: "rl-long2short", Domain.CODE: "rl-code", Domain.STEM: "rl-stem"}
    traces: list[Trace] = []
    rejected = 0
    for domain, source in teachers.items():
        groups = _sampled(work, domain, source)
        correct = [trace for group in groups for trace in correct_traces(group, source)]
        rejected += sum(len(group.rollouts) for group in groups) - len(correct)
        traces += correct
    if not traces:
        return passed_through(work, "rl-stem", "no checkpoint solved any of its problems")
    names = {"stem": "rl-stem", "math": "rl-long2short", "code": "rl-code", "hard": "sft-hard-fused"}
    student = load(work, names[spec.student])
    scored = with_learning_potential(student, traces, spec.micro_tokens)
    selection = distill.select(
        scored, min_tokens=spec.min_tokens, num_buckets=spec.buckets, low=spec.low, high=spec.high
    )
    write_json_atomic(work.directory / "selection.json", selection.record() | {"rejected_wrong": rejected})
    work.view.note(f"{len(selection.kept)} of {len(traces)} verified traces kept; {rejected} rollouts were not correct")
    chosen = [*selection.kept, *_replay(work)]
    if not chosen:
        return passed_through(work, names[spec.student], "no verified trace is left after selection")
    _write_traces(work.directory / "traces.jsonl", chosen)
    rows = fitting([trace_row(trace, student) for trace in chosen], student, work)
    fit(
        work, student, rows, epochs=spec.epochs, batch=spec.batch, max_steps=0, micro_tokens=spec.micro_tokens,
        optim=spec.optim, num_checkpoints=1,
    )  # fmt: skip
    return kept(work, student) | {"traces": len(selection.kept), "replayed": len(chosen) - len(selection.kept)}


def _sampled(work: Work, domain: Domain, source: str) -> list[Group]:
    recipe = work.recipe
    problems = work.problems("rl", domain)[: recipe.distill.problems]
    return attempt(
        LocalSampler(load(work, source)),
        problems,
        n=recipe.distill.n,
        params=SamplingParams(max_tokens=recipe.rl.max_tokens),
        seed=work.seed,
        path=work.directory / f"rollouts-{domain.value}.jsonl",
        watch=lambda done, total, numbers: work.view.update(done, total, **numbers),
    )


def correct_traces(group: Group, source: str) -> list[Trace]:
    """The distinct correct responses of a group (rejection sampling)."""
    texts: dict[str, int] = {}
    for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True):
        if verdict.is_correct:
            texts.setdefault(rollout.text, rollout.num_tokens)
    return [
        Trace(
            problem_id=group.problem.id, domain=group.problem.domain, prompt=group.problem.prompt, response=text,
            num_tokens=num_tokens, source=source,
        )
        for text, num_tokens in texts.items()
    ]  # fmt: skip


@torch.no_grad()
def with_learning_potential(student: LanguageModel, traces: Sequence[Trace], micro_tokens: int) -> list[Trace]:
    """The traces with S_LP: their mean negative log-probability per token under the student."""
    rows = [trace_row(trace, student) for trace in traces]
    potential = [0.0] * len(rows)
    for indices in micro_batches([len(row) for row in rows], micro_tokens):
        batch = pack([rows[i] for i in indices], student.device)
        logprobs_N = token_logprobs(student.model, batch)
        parts = torch.split(logprobs_N, [len(rows[i].response) for i in indices])
        for index, logprobs in zip(indices, parts, strict=True):
            potential[index] = distill.learning_potential(logprobs.tolist())
    return [replace(trace, learning_potential=p) for trace, p in zip(traces, potential, strict=True)]


def _replay(work: Work) -> list[Trace]:
    """SFT traces of the domains that no RL checkpoint covers, and of the form CLR asks for."""
    count = work.recipe.distill.replay
    others: dict[str, list[Trace]] = {}
    for trace in read_traces(work):
        if trace.domain not in REASONING_DOMAINS:
            others.setdefault(trace.domain.value, []).append(trace)
        elif trace.problem_id.endswith("-claims"):
            others.setdefault("with claims", []).append(trace)
    chosen = []
    for name, members in sorted(others.items()):
        chosen += random.Random(f"{work.seed}-{name}").sample(members, min(count, len(members)))
    return chosen


def _write_traces(path: Path, traces: Sequence[Trace]) -> None:
    path.unlink(missing_ok=True)
    append_jsonl(path, [trace_to_row(trace) for trace in traces])
