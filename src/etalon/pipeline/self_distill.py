"""Stage `distill`: verified traces of the RL checkpoints, ranked by what the student can still learn (2.3)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from etalon import distill
from etalon.model.loader import LanguageModel
from etalon.model.packed import micro_batches, pack, token_logprobs
from etalon.pipeline.construct import trace_to_row
from etalon.pipeline.own_claims import own_claim_traces
from etalon.pipeline.samplers import sampling_from
from etalon.pipeline.stage import Outputs, Work
from etalon.pipeline.train import fit, fitting, kept, load, passed_through, read_traces
from etalon.problems.options import as_asked
from etalon.sampling import attempt
from etalon.sft.rows import trace_row
from etalon.store import append_jsonl, write_json_atomic
from etalon.types import REASONING_DOMAINS, Domain, Group, SamplingParams, Stop, Trace

STUDENTS = {"stem": "rl-stem", "math": "rl-long2short", "code": "rl-code", "hard": "sft-hard-fused"}


def self_distill(work: Work) -> Outputs:
    """Verified traces of the RL checkpoints, ranked by what the student can still learn, teach one student (2.3)."""
    recipe = work.recipe
    spec = recipe.distill
    if not spec.epochs:
        return passed_through(work, STUDENTS[spec.student], "it has 0 epochs")
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
    student = load(work, STUDENTS[spec.student])
    scored = with_learning_potential(student, traces, spec.micro_tokens)
    selection = distill.select(
        scored, min_tokens=spec.min_tokens, num_buckets=spec.buckets, low=spec.low, high=spec.high
    )
    write_json_atomic(work.directory / "selection.json", selection.record() | {"rejected_wrong": rejected})
    work.view.note(f"{len(selection.kept)} of {len(traces)} verified traces kept; {rejected} rollouts were not correct")
    own = own_claim_traces(work, work.checkpoint(STUDENTS[spec.student])) if spec.own_claims else []
    if spec.own_claims:
        work.view.note(f"{len(own)} lists of the student's own claims judged by the teacher")
    chosen = [*selection.kept, *_replay(work), *own]
    if not chosen:
        return passed_through(work, STUDENTS[spec.student], "no verified trace is left after selection")
    _write_traces(work.directory / "traces.jsonl", chosen)
    rows = fitting([trace_row(trace, student) for trace in chosen], student, work)
    [checkpoint] = fit(
        work, work.checkpoint(STUDENTS[spec.student]), rows, epochs=spec.epochs, batch=spec.batch, max_steps=0,
        micro_tokens=spec.micro_tokens, optim=spec.optim, num_checkpoints=1,
    )  # fmt: skip
    counts = {"traces": len(selection.kept), "with_replay": len(chosen), "own_claims": len(own)}
    return kept(work, checkpoint) | counts


def _sampled(work: Work, domain: Domain, source: str) -> list[Group]:
    recipe = work.recipe
    problems = work.problems("rl", domain)[: recipe.distill.problems]
    with sampling_from(work.checkpoint(source), recipe, folder=work.directory) as sampler:
        return attempt(
            sampler,
            problems,
            n=recipe.distill.n,
            params=SamplingParams(max_tokens=recipe.rl.max_tokens),
            seed=work.seed,
            path=work.directory / f"rollouts-{domain.value}.jsonl",
            watch=lambda done, total, numbers: work.view.update(done, total, **numbers),
        )


def correct_traces(group: Group, source: str) -> list[Trace]:
    """The distinct correct responses of a group (rejection sampling)."""
    found: dict[tuple[str, str], int] = {}
    for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True):
        if verdict.is_correct and rollout.stop is Stop.EOS:  # a cut response must not be taught to end there
            prompt = as_asked(group.problem, rollout.order).prompt
            found.setdefault((prompt, rollout.text), rollout.num_tokens)
    return [
        Trace(
            problem_id=group.problem.id, domain=group.problem.domain, prompt=prompt, response=text,
            num_tokens=num_tokens, source=source,
        )
        for (prompt, text), num_tokens in found.items()
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
