"""Kind `data` (2.1.1): how traces are made of the training queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from etalon.clr.claims import generation_conversation, load_templates
from etalon.data import gates, label, paths, strata
from etalon.data.contamination.index import index
from etalon.data.contamination.items import items_of
from etalon.data.expand import expand
from etalon.data.trace_rows import trace_to_row
from etalon.errors import InputError
from etalon.pipeline.stage import Outputs, Stage, Work
from etalon.pipeline.teachers import TEACHERS, teacher_of
from etalon.problems.options import as_asked
from etalon.problems.rows import problem_to_row
from etalon.sampling import attempt
from etalon.sampling.source import is_endpoint, named_sampler
from etalon.store import append_jsonl, hash_tree, write_json_atomic
from etalon.types import Domain, Group, Problem, Sampler, SamplingParams, Stop, Trace, Verdict, ask
from etalon.verifiers.judges import Judge, judge_queries
from etalon.verifiers.math import answer
from etalon.verifiers.text import answer_of

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Data(Stage):
    """Labels, traces, gates: train problems in, traces.jsonl, gates.json and strata.json out."""

    purpose: ClassVar[str] = "label queries, distil several traces per query, gate them"
    section: ClassVar[str] = "2.1.1"
    makes_model: ClassVar[bool] = False
    trains: ClassVar[bool] = False

    @property
    def samples(self) -> bool:
        return False  # with the run's own sampler; a teacher is a knob

    @property
    def splits(self) -> frozenset[str]:
        return frozenset({"train", "probe", "test"})  # the last two for what must not be trained on

    @property
    def knobs(self) -> Any:
        return [self.spec.model_dump(), self.recipe.clr.m, self.recipe.prompts]

    @property
    def outside(self) -> Mapping[str, str]:
        named = [name for name in (self.spec.teacher, self.spec.judge) if name and name not in TEACHERS]
        return {name: hash_tree(Path(name)) for name in named if not is_endpoint(name) and Path(name).is_dir()}

    def run(self, work: Work) -> Outputs:
        teacher = teacher_of(work, self.spec)
        log = GateLog()
        queries, agreement = _queries(work, teacher, log)
        _rewrite(work.directory / "queries.jsonl", [problem_to_row(p) for p in queries])
        groups = _sampled_paths(work, queries, teacher)
        failures = failed_calls(groups)
        if failures:
            work.view.note(failures)
        traces = _gated(work, _judged_traces(work, groups, teacher.name), log)
        if not traces:
            raise InputError(
                f"{self.name}: no trace to train on is left: {failures}{'; ' if failures else ''}{log}; examples are "
                f"in {work.directory / 'gates.json'}; use problems that come with solutions, or another data.teacher; "
                "questions and answers alone are enough for a path of rl stages"
            )
        _rewrite(work.directory / "traces.jsonl", [trace_to_row(trace) for trace in traces])
        write_json_atomic(work.directory / "strata.json", strata.table(strata.strata(traces)))
        work.view.note(str(log))
        return {"traces": len(traces), "queries": len(queries), "label_agreement": agreement}


def _rewrite(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.unlink(missing_ok=True)
    append_jsonl(path, rows)


def _judged_traces(work: Work, groups: Sequence[Group], teacher: str) -> list[tuple[Trace, Verdict]]:
    """Every response as a trace, with the verdict on it; failed calls are none."""
    count_tokens = _token_counter(work)
    return [
        (
            _trace(as_asked(group.problem, rollout.order), rollout.text, count_tokens, teacher),
            verdict,
        )
        for group in groups
        for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True)
        if rollout.stop is not Stop.ERROR
    ]


def _gated(work: Work, judged: Sequence[tuple[Trace, Verdict]], log: GateLog) -> list[Trace]:
    """The traces that every gate lets pass; what each dropped goes to gates.json."""
    spec = work.stage.spec
    verdicts = {id(trace): verdict for trace, verdict in judged}
    traces = log.passed(
        gates.trace_gate([trace for trace, _ in judged], max_repetition=spec.max_repetition, thoughts=spec.thoughts)
    )
    traces = log.passed(gates.correctness_gate([(trace, verdicts[id(trace)]) for trace in traces]))
    traces = log.passed(gates.length_gate(traces, max_tokens=spec.max_tokens))
    traces = log.passed(paths.distinct_paths(traces, max_paths=spec.max_paths))
    write_json_atomic(work.directory / "gates.json", [report.to_row() for report in log.reports])
    return traces


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


def failed_calls(groups: Sequence[Group]) -> str:
    """How many calls of the teacher gave no response, and the first reason; "" when all did."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    failed = [rollout for rollout in rollouts if rollout.stop is Stop.ERROR]
    return f"{len(failed)} of {len(rollouts)} calls of the teacher gave nothing ({failed[0].error})" if failed else ""


def _queries(work: Work, teacher: Sampler, log: GateLog) -> tuple[list[Problem], float | None]:
    """Train problems without overlap with probe or test, new ones if asked for, all of them labelled."""
    spec, prompts = work.stage.spec, work.recipe.prompts
    held = [problem for split in ("probe", "test") for problem in work.problems(split)]
    held_out = index(items_of("held out", held, prompts=prompts), short=spec.ngram)
    queries = log.passed(gates.overlap_gate(work.problems("train"), held_out))
    if spec.judge:
        judge = Judge(named_sampler(spec.judge, work.recipe), folder=prompts)
        said = judge_queries(judge, [problem.prompt for problem in queries])
        verdicts = {problem.id: verdict for problem, verdict in zip(queries, said, strict=True)}
        queries = log.passed(gates.quality_gate(queries, lambda problem: verdicts[problem.id]))
    if spec.expand:
        params = SamplingParams(max_tokens=spec.max_tokens)
        grown = expand(queries, teacher, count=spec.expand, params=params, seed=work.seed, prompts=prompts)
        queries += log.passed(gates.overlap_gate(log.passed(grown), held_out))
    return _labelled(work, queries, teacher, log)


def _labelled(work: Work, queries: list[Problem], teacher: Sampler, log: GateLog) -> tuple[list[Problem], float | None]:
    """Pseudo-labels for queries without an answer, and for a share of the labelled ones as a check of the vote.

    Returns the labelled queries and the share of voted labels that equal the withheld ones (None without any).
    """
    spec = work.stage.spec
    votable = [p for p in queries if p.domain in (Domain.MATH, Domain.FACTS, Domain.STEM)]
    known = [p for p in votable if p.answer is not None and p.domain is Domain.MATH]
    withheld = {p.id: p.answer for i, p in enumerate(known) if (i * spec.relabel) % 1 < spec.relabel}
    unlabelled = [replace(p, answer=None) for p in votable if p.answer is None or p.id in withheld]
    if not unlabelled:
        return queries, None
    params = SamplingParams(max_tokens=spec.max_tokens)
    conversations = [ask(p.prompt) for p in unlabelled]
    sampled = dict(teacher.sample(conversations, n=spec.label_votes, params=params, seed=work.seed + 1))
    pairs = [(p, [answer_of(r) for r in sampled[i] if r.stop is not Stop.ERROR]) for i, p in enumerate(unlabelled)]
    labelled = log.passed(label.label_problems(pairs, agreement=spec.agreement))
    checked = [answer.are_equal(p.answer, withheld[p.id]) for p in labelled if p.id in withheld]
    asked = {p.id for p in unlabelled}
    others = [p for p in queries if p.id not in asked]
    return others + labelled, sum(checked) / len(checked) if checked else None


def _sampled_paths(work: Work, queries: Sequence[Problem], teacher: Sampler) -> list[Group]:
    """Several responses per query; some math queries once more in the form CLR asks for."""
    recipe, spec = work.recipe, work.stage.spec
    params = SamplingParams(max_tokens=spec.max_tokens)
    if spec.teacher == "reference":  # its solutions name the letters of the order they were written for
        queries = [replace(problem, shuffle=False) for problem in queries]
    groups = attempt(
        teacher,
        queries,
        n=spec.paths,
        params=params,
        seed=work.seed,
        path=work.directory / "rollouts.jsonl",
        watch=work.watch,
        on_part=work.watch,
    )
    templates = load_templates(recipe.prompts)
    asked = []
    for problem in [p for p in queries if p.domain is Domain.MATH][: spec.claims]:
        text = generation_conversation(ask(problem.prompt), templates.generate, recipe.clr.m)[-1].content
        asked.append(replace(problem, id=f"{problem.id}-claims", prompt=text))
    path = work.directory / "claims.jsonl"
    return groups + attempt(teacher, asked, n=1, params=params, seed=work.seed + 2, path=path)


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
    from etalon.model import loader

    tokenizer = loader.load_tokenizer(work.source)
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))
