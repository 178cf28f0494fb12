"""One cell in a process of its own: a model of one size trained on one thing, and what it can do afterwards.

    python -m etalon.studies.compression.cell RUN NAME       writes RUN/cells/NAME.json, whole or not at all
    python -m etalon.studies.compression.cell RUN --time     writes RUN/speed.json: tokens per second of every size

Killed, it goes on from its last state in RUN/work/NAME. Facts are measured as Allen-Zhu & Li 2024 (Physics of Language
Models 3.3) do: bits stored = N x (bits of a fact - what the model is surprised by its value, in bits), and beside that
by exact recall: the value as the model writes it greedily, character by character the same.
"""

from __future__ import annotations

import math
import random
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from etalon.engines.local import trainer as local
from etalon.model import loader
from etalon.model.loader import LanguageModel
from etalon.model.packed import TokenRow, micro_batches, pack, token_logprobs
from etalon.problems.clusters import read_clusters
from etalon.problems.nano.facts import BITS, facts
from etalon.sampling import attempt, sample
from etalon.sampling.local import LocalSampler
from etalon.sft.rows import document_row, order_of, trace_row
from etalon.store import read_json, read_jsonl, write_json_atomic
from etalon.studies.compression import world
from etalon.studies.compression.plan import OPTIM, Budget, Cell, Design, model_of
from etalon.types import Domain, Problem, SamplingParams, Trace

MICRO_TOKENS = 4096  # (ours) tokens of a forward pass
SAVE_EVERY = 200  # (ours) steps between resumable states
CURVE_POINTS = 60  # (ours) of a loss curve
# (ours) mean loss of a pass, in nats per token, at which nothing is left to learn: under 1% of a fact's bits
LEARNED = 0.01
TIMED_STEPS = 4  # (ours) after one that warms up
GREEDY = 0.0
Steps = Sequence[Sequence[int]]


class LearnedError(Exception):
    """Every fact is known: further passes would change nothing."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Rows to train on, and the rows of every step. passes: steps of one pass over the facts; 0 for traces."""

    rows: Sequence[TokenRow]
    steps: Steps
    per_pass: int = 0


def scratch(width: int, texts: list[str], seed: int) -> LanguageModel:
    """The untrained model of a width; the tokenizer is the same whatever the width and the seed."""
    return loader.scratch(model_of(width), world.tokenizer_corpus(texts), seed=seed, device="cpu")


def reasoning_task(folder: Path, language_model: LanguageModel, budget: Budget, seed: int) -> Task:
    """The documents once, then the traces `epochs` times, under one schedule."""
    plain = [document_row(text, language_model) for text in world.documents(folder)]
    traces = [
        trace_row(_trace(Domain(row["domain"]), row["prompt"], row["response"]), language_model)
        for row in read_jsonl(folder / "traces.jsonl")
    ]
    over_documents, over_traces, _ = budget.batches
    steps = order_of(len(plain), epochs=1, batch=over_documents, max_steps=0, seed=seed)
    after = order_of(len(traces), epochs=budget.epochs, batch=over_traces, max_steps=0, seed=seed + 1)
    return Task(rows=[*plain, *traces], steps=[*steps, *([len(plain) + i for i in step] for step in after)])


def facts_task(known: Sequence[Problem], language_model: LanguageModel, budget: Budget, seed: int) -> Task:
    """Every fact as often as the budget has it: its question, and its value and nothing else as the response."""
    rows = [trace_row(_trace(Domain.FACTS, p.prompt, str(p.answer)), language_model) for p in known]
    batch = budget.batches[2]
    passes = budget.passes(len(rows))
    steps = order_of(len(rows), epochs=passes, batch=batch, max_steps=0, seed=seed)
    return Task(rows=rows, steps=steps, per_pass=len(steps) // passes)


def _trace(domain: Domain, prompt: str, response: str) -> Trace:
    return Trace(problem_id="", domain=domain, prompt=prompt, response=response, num_tokens=0)


def train(language_model: LanguageModel, task: Task, directory: Path, beat: Callable[[int, int], None]) -> list[float]:
    """Train as the task says; the loss of every step (nats per token). beat: told steps done, of how many."""
    trainer = local.Trainer(language_model, OPTIM, total_steps=len(task.steps), micro_tokens=MICRO_TOKENS)
    directory.mkdir(parents=True, exist_ok=True)
    losses: list[float] = []

    def make_batch(step: int) -> local.Batch:
        chosen = [task.rows[i] for i in task.steps[step]]
        return local.Batch(rows=chosen, objective=local.cross_entropy(chosen))

    def resume(done: int) -> None:
        losses.extend(row["loss"] for row in read_jsonl(directory / "metrics.jsonl")[:done])

    def on_step(done: int, row: Mapping[str, Any]) -> None:
        losses.append(row["loss"])
        beat(done, len(task.steps))
        if is_learned(losses, task.per_pass):
            raise LearnedError

    with suppress(LearnedError):
        local.run(trainer, make_batch, directory=directory, save_every=SAVE_EVERY, on_step=on_step, resume=resume)
    return losses


def is_learned(losses: Sequence[float], per_pass: int) -> bool:
    """Whether a pass over the facts has just ended in which their mean loss was below LEARNED."""
    if not per_pass or len(losses) % per_pass:
        return False
    return sum(losses[-per_pass:]) / per_pass < LEARNED


def reasoning_result(language_model: LanguageModel, folder: Path, max_tokens: int) -> dict[str, Any]:
    """Whether each held-out problem is solved, greedily: domain, level and cluster beside it; None is undecided."""
    problems = world.test_problems(folder)
    clusters = read_clusters(folder)
    params = SamplingParams(temperature=GREEDY, max_tokens=max_tokens)
    groups = attempt(LocalSampler(language_model), problems, n=1, params=params, seed=0)
    return {
        "problems": [
            {
                "id": group.problem.id, "domain": group.problem.domain.value, "level": group.problem.level,
                "cluster": clusters.get(group.problem.id, group.problem.id), "score": group.verdicts[0].score,
                "stop": group.rollouts[0].stop.value,
            }
            for group in groups
        ]
    }  # fmt: skip


def facts_result(language_model: LanguageModel, known: Sequence[Problem], rows: Sequence[TokenRow]) -> dict[str, Any]:
    """facts, recalled (written exactly), surprise (mean bits of a value and its end), bits stored in all."""
    nats = 0.0
    with torch.no_grad():
        for indices in micro_batches(rows, MICRO_TOKENS):
            nats -= float(token_logprobs(language_model.model, pack([rows[i] for i in indices])).sum())
    surprise = nats / len(rows) / math.log(2)
    longest = max(len(row.response) for row in rows)
    params = SamplingParams(temperature=GREEDY, max_tokens=longest)
    written = sample(LocalSampler(language_model), known, n=1, params=params, seed=0)
    recalled = sum(rollouts[0].text == problem.answer for problem, rollouts in zip(known, written, strict=True))
    return {
        "facts": len(rows), "recalled": recalled, "surprise": surprise, "bits_each": BITS,
        "bits": len(rows) * max(0.0, BITS - surprise),
    }  # fmt: skip


def thinned(losses: Sequence[float]) -> list[list[float]]:
    """A loss curve as at most CURVE_POINTS means: [last step of the part, mean loss in nats per token]."""
    cuts = sorted({round(len(losses) * (place + 1) / CURVE_POINTS) for place in range(CURVE_POINTS)} - {0})
    starts = [0, *cuts]
    return [[end, round(sum(losses[a:end]) / (end - a), 5)] for a, end in zip(starts, cuts, strict=False)]


def parameters_of(language_model: LanguageModel) -> dict[str, int]:
    """Real parameters: all, and without the two embeddings (of tokens, and of the head)."""
    model = language_model.model
    total = sum(parameter.numel() for parameter in model.parameters())
    embeddings = {id(part.weight): part.weight.numel() for part in
                  (model.get_input_embeddings(), model.get_output_embeddings())}  # fmt: skip
    return {"all": total, "body": total - sum(embeddings.values())}


def compute(run: Path, cell: Cell, beat: Callable[[int, int], None]) -> None:
    """Train and measure one cell, and write its file last."""
    study = Design.of(read_json(run / "study.json"))
    folder, directory = run / world.FOLDER, run / "work" / cell.name
    started = time.process_time()
    language_model = scratch(cell.width, world.documents(folder), cell.seed)
    known = facts(cell.facts, seed=cell.seed)
    if cell.facts:
        task = facts_task(known, language_model, study.budget, cell.seed)
    else:
        task = reasoning_task(folder, language_model, study.budget, cell.seed)
    losses = train(language_model, task, directory, beat)
    if cell.facts:
        found = facts_result(language_model, known, task.rows)
        found["exposures"] = len(losses) / task.per_pass
    else:
        found = reasoning_result(language_model, folder, study.budget.max_tokens)
    logged = read_jsonl(directory / "metrics.jsonl")
    write_json_atomic(
        run / "cells" / f"{cell.name}.json",
        {
            "name": cell.name, "part": cell.part, "width": cell.width, "seed": cell.seed,
            "parameters": parameters_of(language_model), **found, "steps": len(losses),
            "tokens": sum(row["tokens"] for row in logged), "train_seconds": sum(row["seconds"] for row in logged),
            "cpu_seconds": time.process_time() - started, "loss": thinned(losses),
        },
    )  # fmt: skip
    shutil.rmtree(directory)


def speeds(widths: Sequence[int], budget: Budget) -> dict[str, float]:
    """Tokens per second of every width, over a few steps of facts: as many tokens a step as traces have."""
    known = facts(budget.batches[2] * (TIMED_STEPS + 1), seed=0)
    texts = [f"{problem.prompt} {problem.answer}" for problem in known]
    found = {}
    for width in widths:
        language_model = scratch(width, texts, 0)
        task = facts_task(known, language_model, budget, 0)
        trainer = local.Trainer(language_model, OPTIM, total_steps=TIMED_STEPS + 1, micro_tokens=MICRO_TOKENS)
        tokens, started = 0.0, 0.0
        for step in range(TIMED_STEPS + 1):
            if step == 1:
                started = time.perf_counter()
            chosen = [task.rows[i] for i in task.steps[step]]
            taken = trainer.step(step, local.Batch(rows=chosen, objective=local.cross_entropy(chosen)))
            tokens += taken["tokens"] if step else 0
        found[str(width)] = tokens / (time.perf_counter() - started)
    return found


def _beat(path: Path) -> Callable[[int, int], None]:
    """Writes how far a cell is, at most once a second."""
    told = 0.0

    def beat(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told > 1 or done == total:
            told = time.monotonic()
            write_json_atomic(path, {"done": done, "total": total})

    return beat


def main(arguments: Sequence[str]) -> None:
    """See the module's first lines."""
    run, name = Path(arguments[0]), arguments[1]
    torch.set_num_threads(1)
    study = Design.of(read_json(run / "study.json"))
    if name == "--time":
        write_json_atomic(run / "speed.json", speeds(study.widths, study.budget))
        return
    cell = next(cell for cell in study.cells if cell.name == name)
    random.seed(cell.seed)
    compute(run, cell, _beat(run / "work" / f"{name}.beat.json"))


if __name__ == "__main__":
    main(sys.argv[1:])
