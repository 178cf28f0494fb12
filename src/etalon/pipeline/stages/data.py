"""Kind `data` (2.1.1): how traces are made of the training queries.

train problems -> labelled queries (pipeline.queries) -> responses of a teacher, with verdicts -> gates -> traces
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from etalon import __version__
from etalon.clr.claims import generation_conversation, load_templates
from etalon.config.stages import SCRATCH, base_model
from etalon.data import gates
from etalon.data.calls.remembered import Remembered
from etalon.data.contamination.index import Index
from etalon.data.curriculum import paths, strata
from etalon.data.curriculum.traces import trace_to_row
from etalon.data.records import Record
from etalon.errors import InputError
from etalon.pipeline import held_out
from etalon.pipeline.queries import labelled_queries
from etalon.pipeline.stage import Outputs, Stage, Work
from etalon.pipeline.steps import Steps
from etalon.pipeline.teachers import REFERENCE, TEACHERS, teacher_of
from etalon.problems import nano
from etalon.problems.given.traces import GivenTrace
from etalon.problems.options import as_asked
from etalon.sampling import attempt
from etalon.sampling.source import contents_of, identity_of, named_sampler
from etalon.store import hash_file, stable_hash, write_json_atomic
from etalon.types import Domain, Group, Problem, Sampler, SamplingParams, Stop, Trace, Verdict, ask

CALLS = "calls"  # folder of the run: answers that were paid for outlive a stage that is done anew


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
    def awaits(self) -> frozenset[str]:
        """The scratch model, of whose tokenizer alone it has use, and late; beside it no teacher computes."""
        is_program = self.spec.teacher in TEACHERS and not self.spec.judge
        bases = [one for one in self.others if one.kind == "base" and base_model(one, self.recipe)[1] == SCRATCH]
        return frozenset({self.source} & {one.name for one in bases} if is_program else ())

    @property
    def splits(self) -> frozenset[str]:
        return frozenset({"train", "probe", "test"})  # the last two for what must not be trained on

    @property
    def knobs(self) -> Any:
        return [self.spec.model_dump(), self.recipe.data.against, self.recipe.clr.m, self.recipe.prompts]

    @property
    def outside(self) -> Mapping[str, str]:
        named = [name for name in (self.spec.teacher, self.spec.judge) if name not in TEACHERS]
        return contents_of(*named) | held_out.files_of(self.recipe)

    def run(self, work: Work) -> Outputs:
        spec = self.spec
        steps = Steps(work.directory, work.problem_file("train"))
        splits = {split: work.problems(split) for split in held_out.HELD_OUT}
        forbidden = held_out.index_of(work.recipe, splits, common=(p.prompt for p in work.problems("train")))
        with ExitStack() as open_files:
            teacher = open_files.enter_context(_remembered(work, teacher_of(work, spec), "teacher", spec.teacher))
            judge = None
            if spec.judge:
                named = named_sampler(spec.judge, work.recipe)
                judge = open_files.enter_context(_remembered(work, named, "judge", spec.judge))
            queries, agreement = labelled_queries(work, teacher, judge, forbidden, steps)
            labels = {} if agreement is None else {"label_agreement": agreement}
            steps.done("label", queries, queries, file="queries.jsonl", calls=[teacher.calls], settings=labels)
            groups = _sampled_paths(work, [query.problem for query in queries], teacher)
            calls = teacher.calls
        if failures := failed_calls(groups):
            work.view.note(failures)
        traces = _gated(work, _judged_traces(groups, teacher.name), forbidden, steps)
        steps.leave_out(sum(work.waits))
        write_json_atomic(work.directory / "gates.json", [report.to_row() for report in steps.all_gates])
        if not traces:
            raise InputError(
                f"{self.name}: no trace to train on is left: {failures}{'; ' if failures else ''}{steps}; examples are "
                f"in {work.directory / 'gates.json'}; use problems that come with solutions, or another data.teacher; "
                "questions and answers alone are enough for a path of rl stages"
            )
        steps.done(
            "distill", _with(queries, _sampled(groups)), _with(queries, _by_problem(traces)), file="traces.jsonl",
            calls=[calls], rows=[trace_to_row(trace) for trace in traces],
        )  # fmt: skip
        write_json_atomic(work.directory / "strata.json", strata.table(strata.strata(traces)))
        work.view.note(str(steps))
        return {"traces": len(traces), "queries": len(queries), "label_agreement": agreement}


def _remembered(work: Work, sampler: Sampler, role: str, name: str) -> Remembered:
    """A teacher or a judge whose answers are kept beside the stages, for as long as they would be the same."""
    folder = work.directory.parent.parent / CALLS
    folder.mkdir(exist_ok=True)
    if name in TEACHERS:  # programs of ours, and solutions of these very problems
        world = [name, __version__, nano.FINGERPRINT, work.recipe.clr.m, hash_file(work.problem_file("train"))]
        identity = stable_hash(world)
    else:
        identity = identity_of(name)
    path = folder / f"{work.stage.name}-{role}.jsonl"
    return Remembered(sampler, path, identity=identity, retry_failed=True, watch=work.watch)


def _with(queries: Sequence[Record], traces: Mapping[str, Sequence[GivenTrace]]) -> list[Record]:
    """The queries with these traces, by their ids."""
    return [replace(query, traces=tuple(traces.get(query.problem.id, ()))) for query in queries]


def _sampled(groups: Sequence[Group]) -> dict[str, list[GivenTrace]]:
    return {
        group.problem.id: [
            GivenTrace(response=rollout.text, num_tokens=rollout.num_tokens)
            for rollout in group.rollouts
            if rollout.stop is not Stop.ERROR
        ]
        for group in groups
    }


def _by_problem(traces: Sequence[Trace]) -> dict[str, list[GivenTrace]]:
    found: dict[str, list[GivenTrace]] = {}
    for trace in traces:
        given = GivenTrace(response=trace.response, num_tokens=trace.num_tokens)
        found.setdefault(trace.problem_id, []).append(given)
    return found


def _judged_traces(groups: Sequence[Group], teacher: str) -> list[tuple[Trace, Verdict]]:
    """Every response as a trace whose tokens are not counted yet, with the verdict on it; failed calls are none."""
    return [
        (_trace(as_asked(group.problem, rollout.order), rollout.text, teacher), verdict)
        for group in groups
        for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True)
        if rollout.stop is not Stop.ERROR
    ]


def _gated(work: Work, judged: Sequence[tuple[Trace, Verdict]], forbidden: Index, steps: Steps) -> list[Trace]:
    """The traces that every gate lets pass."""
    spec = work.stage.spec
    verdicts = {id(trace): verdict for trace, verdict in judged}
    traces = steps.passed(
        gates.trace_gate([trace for trace, _ in judged], max_repetition=spec.max_repetition, thoughts=spec.thoughts)
    )
    traces = steps.passed(gates.trace_overlap_gate(traces, forbidden, drop_near=spec.drop_near))
    traces = steps.passed(gates.correctness_gate([(trace, verdicts[id(trace)]) for trace in traces]))
    count_tokens = _token_counter(work)  # of a model that may still be trained
    traces = [replace(trace, num_tokens=count_tokens(trace.response)) for trace in traces]
    traces = steps.passed(gates.length_gate(traces, max_tokens=spec.max_tokens))
    return steps.passed(paths.distinct_paths(traces, max_paths=spec.max_paths))


def failed_calls(groups: Sequence[Group]) -> str:
    """How many calls of the teacher gave no response, and the first reason; "" when all did."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    failed = [rollout for rollout in rollouts if rollout.stop is Stop.ERROR]
    return f"{len(failed)} of {len(rollouts)} calls of the teacher gave nothing ({failed[0].error})" if failed else ""


def _sampled_paths(work: Work, queries: Sequence[Problem], teacher: Sampler) -> list[Group]:
    """Several responses per query; some math queries once more in the form CLR asks for."""
    recipe, spec = work.recipe, work.stage.spec
    params = SamplingParams(max_tokens=spec.max_tokens)
    if spec.teacher == REFERENCE:  # its solutions name the letters of the order they were written for
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
    count = 0 if spec.teacher == REFERENCE else spec.claims  # no problem comes with claims
    for problem in [p for p in queries if p.domain is Domain.MATH][:count]:
        text = generation_conversation(ask(problem.prompt), templates.generate, recipe.clr.m)[-1].content
        asked.append(replace(problem, id=f"{problem.id}-claims", prompt=text))
    path = work.directory / "claims.jsonl"
    return groups + attempt(teacher, asked, n=1, params=params, seed=work.seed + 2, path=path)


def _trace(problem: Problem, response: str, source: str) -> Trace:
    return Trace(
        problem_id=problem.id,
        domain=problem.domain,
        prompt=problem.prompt,
        response=response,
        num_tokens=0,
        source=source,
    )


def _token_counter(work: Work) -> Callable[[str], int]:
    """Length in tokens of the real tokenizer (2.1.1)."""
    from etalon.model import loader
    from etalon.model.tokens import encodable

    tokenizer = loader.load_tokenizer(work.source)
    return lambda text: len(tokenizer.encode(encodable(text), add_special_tokens=False))
