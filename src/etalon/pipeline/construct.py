"""Stages `problems` and `data` (2.1.1): where queries come from, and how traces are made of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from etalon.clr.claims import generation_conversation, load_templates
from etalon.data import decontaminate, gates, label, paths, strata
from etalon.data.expand import expand
from etalon.data.split import split_problems
from etalon.errors import InputError
from etalon.model import loader
from etalon.pipeline.samplers import named_sampler
from etalon.pipeline.stage import Outputs, Work
from etalon.pipeline.teachers import teacher_of
from etalon.problems import nano
from etalon.problems.files import read_problems
from etalon.problems.instructions import instructions
from etalon.problems.nano.documents import document
from etalon.problems.options import as_asked
from etalon.problems.rows import problem_to_row
from etalon.recipe import Recipe
from etalon.sampling import attempt
from etalon.store import append_jsonl, write_json_atomic
from etalon.types import Domain, Group, Problem, Rollout, Sampler, SamplingParams, Stop, Trace, Verdict, ask
from etalon.verifiers.judges import Judge, judge_queries
from etalon.verifiers.math import answer
from etalon.verifiers.text import extract_answer

Row = TypeVar("Row")
SPLITS: tuple[nano.Split, ...] = ("train", "probe", "rl", "test")


def problems(work: Work) -> Outputs:
    """Write problems/{split}.jsonl, and documents.jsonl when the base model is to be pretrained."""
    recipe = work.recipe
    splits = _nano_splits(recipe) if recipe.problems.source == "nano" else _file_splits(recipe)
    counts: dict[str, dict[str, int]] = {}
    for split, members in splits.items():
        path = work.directory / f"{split}.jsonl"
        path.unlink(missing_ok=True)
        append_jsonl(path, [problem_to_row(p) for p in members])
        counts[split] = {
            d.value: sum(p.domain is d for p in members) for d in Domain if any(p.domain is d for p in members)
        }
    if recipe.model.base == "scratch":
        path = work.directory / "documents.jsonl"
        path.unlink(missing_ok=True)
        append_jsonl(path, [{"text": text} for text in _documents(recipe, splits["train"])])
    work.view.note(f"train: {', '.join(f'{count} {domain}' for domain, count in counts['train'].items())}")
    return {"counts": counts}


def _nano_splits(recipe: Recipe) -> dict[nano.Split, list[Problem]]:
    return {
        split: [
            problem
            for domain in nano.MAX_LEVELS
            for problem in nano.problems(
                domain,
                split,
                wanted(recipe, split, domain),
                seed=recipe.seed,
                m=recipe.clr.m,
                operations=recipe.problems.operations,
            )
        ]
        for split in SPLITS
    }


def clr_problems(recipe: Recipe, test: Sequence[Problem]) -> list[Problem]:
    """Held-out math problems of at least `clr.min_level`, where levels are known; the nano world draws its own."""
    spec = recipe.clr
    if recipe.problems.source == "nano":
        return nano.problems(
            Domain.MATH, "test", spec.problems, seed=recipe.seed, m=spec.m, min_level=max(1, spec.min_level),
            operations=recipe.problems.operations,
        )  # fmt: skip
    return [p for p in test if p.domain is Domain.MATH and (not p.level or p.level >= spec.min_level)][: spec.problems]


def wanted(recipe: Recipe, split: str, domain: Domain) -> int:
    """How many problems of a domain a split is asked for."""
    count: int = getattr(recipe.problems, split)
    return round(count * recipe.problems.mix.get(domain.value, 1.0)) if split == "train" else count


def _file_splits(recipe: Recipe) -> dict[nano.Split, list[Problem]]:
    spec = recipe.problems
    if not spec.files:
        raise InputError("problems.files: is empty; name at least one problem file, or set problems.source to 'nano'")
    found = _distinct([(Path(file), read_problems(Path(file), prompts=recipe.prompts)) for file in spec.files])
    if not spec.shuffle:
        found = [replace(problem, shuffle=False) for problem in found]
    cut = split_problems(found, train=spec.train, probe=spec.probe, rl=spec.rl, test=spec.test, seed=recipe.seed)
    return {
        split: at_most(getattr(cut, split), {domain: wanted(recipe, split, domain) for domain in Domain})
        for split in SPLITS
    }


def _distinct(files: Sequence[tuple[Path, Sequence[Problem]]]) -> list[Problem]:
    """The problems of all files, exact copies once; an id that two files use for two problems gets the file's name."""
    found: dict[str, Problem] = {}
    for path, members in files:
        for problem in members:
            if problem.id in found and found[problem.id] != problem:
                problem = replace(problem, id=f"{path.stem}-{problem.id}")
            found.setdefault(problem.id, problem)
    return list(found.values())


def at_most(members: Sequence[Problem], counts: Mapping[Domain, int]) -> list[Problem]:
    """The first problems of each domain, as many as its count."""
    taken: Counter[Domain] = Counter()
    kept = []
    for problem in members:
        taken[problem.domain] += 1
        if taken[problem.domain] <= counts[problem.domain]:
            kept.append(problem)
    return kept


def _documents(recipe: Recipe, train: Sequence[Problem]) -> list[str]:
    rng = random.Random(f"documents-{recipe.seed}")
    if recipe.problems.source == "nano":
        return [document(rng, nano.is_train) for _ in range(recipe.base.documents)]
    texts = [f"{p.prompt}\n{s}" for p in train for s in p.solutions or ("",)]
    return [rng.choice(texts) for _ in range(recipe.base.documents)]


class GateLog:
    """Gates in the order they were passed, with what each dropped."""

    def __init__(self) -> None:
        self.reports: list[gates.GateReport] = []

    def passed(self, gated: gates.Gated[Row]) -> list[Row]:
        self.reports.append(gated.report)
        return list(gated.kept)

    def __str__(self) -> str:
        return "; ".join(
            f"{r.gate}: {r.kept} kept, {r.dropped} dropped{f', {r.undecided} undecided' if r.undecided else ''}"
            for r in self.reports
        )


def data(work: Work) -> Outputs:
    """Labels, traces, gates: train problems in, traces.jsonl, gates.json and strata.json out."""
    teacher = teacher_of(work)
    log = GateLog()
    queries, agreement = _queries(work, teacher, log)
    path = work.directory / "queries.jsonl"
    path.unlink(missing_ok=True)
    append_jsonl(path, [problem_to_row(p) for p in queries])
    groups = _sampled_paths(work, queries, teacher)
    failures = failed_calls(groups)
    if failures:
        work.view.note(failures)
    count_tokens = _token_counter(work)
    pairs = [
        (
            _trace(as_asked(group.problem, rollout.order), rollout.text, count_tokens, teacher.name),
            _whole(rollout, verdict),
        )
        for group in groups
        for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True)
        if rollout.stop is not Stop.ERROR
    ]
    spec = work.recipe.data
    verdicts = {id(trace): verdict for trace, verdict in pairs}
    traces = [trace for trace, _ in pairs]
    traces = log.passed(gates.ngram_gate(traces, n=spec.ngram, max_repetition=spec.max_repetition))
    traces = log.passed(gates.correctness_gate([(trace, verdicts[id(trace)]) for trace in traces]))
    traces = log.passed(gates.length_gate(traces, max_tokens=spec.max_tokens))
    traces = log.passed(paths.distinct_paths(traces, max_paths=spec.max_paths))
    write_json_atomic(work.directory / "gates.json", [report.to_row() for report in log.reports])
    if not traces:
        raise InputError(
            f"data: no trace to train on is left: {failures}{'; ' if failures else ''}{log}; examples are in "
            f"{work.directory / 'gates.json'}; use problems that come with solutions, or another data.teacher"
        )
    path = work.directory / "traces.jsonl"
    path.unlink(missing_ok=True)
    append_jsonl(path, [trace_to_row(trace) for trace in traces])
    write_json_atomic(work.directory / "strata.json", strata.table(strata.strata(traces)))
    work.view.note(str(log))
    return {"traces": len(traces), "queries": len(queries), "label_agreement": agreement}


def failed_calls(groups: Sequence[Group]) -> str:
    """How many calls of the teacher gave no response, and the first reason; "" when all did."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    failed = [rollout for rollout in rollouts if rollout.stop is Stop.ERROR]
    return f"{len(failed)} of {len(rollouts)} calls of the teacher gave nothing ({failed[0].error})" if failed else ""


def _queries(work: Work, teacher: Sampler, log: GateLog) -> tuple[list[Problem], float | None]:
    """Train problems without overlap with probe or test, new ones if asked for, all of them labelled."""
    spec, prompts = work.recipe.data, work.recipe.prompts
    index = decontaminate.index(
        (p.prompt for split in ("probe", "test") for p in work.problems(split)),
        n=spec.ngram,
        boilerplate=instructions(prompts),
    )
    queries = log.passed(gates.overlap_gate(work.problems("train"), index))
    if spec.judge:
        judge = Judge(named_sampler(spec.judge, work.recipe), folder=prompts)
        said = judge_queries(judge, [problem.prompt for problem in queries])
        verdicts = {problem.id: verdict for problem, verdict in zip(queries, said, strict=True)}
        queries = log.passed(gates.quality_gate(queries, lambda problem: verdicts[problem.id]))
    if spec.expand:
        params = SamplingParams(max_tokens=spec.max_tokens)
        grown = expand(queries, teacher, count=spec.expand, params=params, seed=work.seed, prompts=prompts)
        queries += log.passed(gates.overlap_gate(log.passed(grown), index))
    return _labelled(work, queries, teacher, log)


def _labelled(work: Work, queries: list[Problem], teacher: Sampler, log: GateLog) -> tuple[list[Problem], float | None]:
    """Pseudo-labels for queries without an answer, and for a share of the labelled ones as a check of the vote.

    Returns the labelled queries and the share of voted labels that equal the withheld ones (None without any).
    """
    spec = work.recipe.data
    votable = [p for p in queries if p.domain in (Domain.MATH, Domain.FACTS, Domain.STEM)]
    known = [p for p in votable if p.answer is not None and p.domain is Domain.MATH]
    withheld = {p.id: p.answer for i, p in enumerate(known) if (i * spec.relabel) % 1 < spec.relabel}
    unlabelled = [replace(p, answer=None) for p in votable if p.answer is None or p.id in withheld]
    if not unlabelled:
        return queries, None
    params = SamplingParams(max_tokens=spec.max_tokens)
    conversations = [ask(p.prompt) for p in unlabelled]
    sampled = dict(teacher.sample(conversations, n=spec.label_votes, params=params, seed=work.seed + 1))
    pairs = [
        (p, [extract_answer(r.text) for r in sampled[i] if r.stop is not Stop.ERROR]) for i, p in enumerate(unlabelled)
    ]
    labelled = log.passed(label.label_problems(pairs, agreement=spec.agreement))
    checked = [answer.are_equal(p.answer, withheld[p.id]) for p in labelled if p.id in withheld]
    asked = {p.id for p in unlabelled}
    others = [p for p in queries if p.id not in asked]
    return others + labelled, sum(checked) / len(checked) if checked else None


def _sampled_paths(work: Work, queries: Sequence[Problem], teacher: Sampler) -> list[Group]:
    """Several responses per query; some math queries once more in the form CLR asks for."""
    recipe = work.recipe
    params = SamplingParams(max_tokens=recipe.data.max_tokens)
    if recipe.data.teacher == "reference":  # its solutions name the letters of the order they were written for
        queries = [replace(problem, shuffle=False) for problem in queries]
    groups = attempt(
        teacher,
        queries,
        n=recipe.data.paths,
        params=params,
        seed=work.seed,
        path=work.directory / "rollouts.jsonl",
        watch=lambda done, total, numbers: work.view.update(done, total, **numbers),
    )
    templates = load_templates(recipe.prompts)
    asked = []
    for problem in [p for p in queries if p.domain is Domain.MATH][: recipe.data.claims]:
        text = generation_conversation(ask(problem.prompt), templates.generate, recipe.clr.m)[-1].content
        asked.append(replace(problem, id=f"{problem.id}-claims", prompt=text))
    path = work.directory / "claims.jsonl"
    return groups + attempt(teacher, asked, n=1, params=params, seed=work.seed + 2, path=path)


def _whole(rollout: Rollout, verdict: Verdict) -> Verdict:
    """A cut response is no trace, even when its answer was already there: SFT would teach to end in mid-sentence."""
    return Verdict(score=0.0, reason="truncated") if rollout.stop is Stop.LENGTH else verdict


def _trace(problem: Problem, response: str, count_tokens: Callable[[str], int], source: str) -> Trace:
    return Trace(
        problem_id=problem.id,
        domain=problem.domain,
        prompt=problem.prompt,
        response=response,
        num_tokens=count_tokens(response),
        source=source,
    )


def _token_counter(work: Work) -> Callable[[str], int]:
    """Length in tokens of the real tokenizer (2.1.1)."""
    tokenizer = loader.load_tokenizer(work.checkpoint("base"))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def trace_to_row(trace: Trace) -> dict[str, Any]:
    """The trace as JSON values."""
    return asdict(trace)


def trace_from_row(row: dict[str, Any]) -> Trace:
    """The trace that `trace_to_row` wrote."""
    return Trace(**{**row, "domain": Domain(row["domain"])})
