"""Kind `sft` (2.1.2): fine-tuning on traces; all of them, the long ones of hard queries, or those of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from etalon.cost import work as costs
from etalon.cost.work import Cost
from etalon.data.curriculum import strata
from etalon.data.curriculum.traces import trace_from_row
from etalon.data.records import record_of
from etalon.errors import InputError
from etalon.pipeline import held_out, reckoning
from etalon.pipeline.stage import Outputs, Stage, Work
from etalon.pipeline.stages.problems import at_most, reading_of
from etalon.pipeline.stages.training import fit, fitting, load, passed_through
from etalon.problems.formats import Reading, read_row
from etalon.problems.formats.columns import structured
from etalon.problems.texts import prompt_of, response_of
from etalon.recipe import Recipe
from etalon.rows.bad import BadRows
from etalon.rows.files import Row, read_rows
from etalon.rows.mapping import ColumnMap, missing
from etalon.sampling import attempt
from etalon.sampling.source import sampling_from
from etalon.store import hash_file, read_jsonl, write_json_atomic
from etalon.types import Domain, SamplingParams, Trace

ALL, HARD = "all", "hard"  # words of `traces`; anything else is a file
CHARACTERS = 3.0  # (ours) of a token, for a forecast: fewer than in English prose, more than in arithmetic
AROUND = 60  # (ours) tokens of a chat template with its system message, and of the instruction


@dataclass(frozen=True, kw_only=True)
class Sft(Stage):
    """Supervised fine-tuning; the last checkpoint is the stage's, all of them are kept for a fuse stage."""

    @property
    def purpose(self) -> str:
        """In words."""
        if self.spec.traces == ALL:
            return "supervised fine-tuning on everything, many checkpoints"
        return "fine-tune on long traces of hard queries only" if self.is_hard else "fine-tune on traces of a file"

    @property
    def section(self) -> str:
        """Of the 3B report."""
        return "2.1.2, stage 2" if self.is_hard else "2.1.2, stage 1"

    @property
    def is_hard(self) -> bool:
        return bool(self.spec.traces == HARD)

    @property
    def file(self) -> Path | None:
        """Where the traces are, when no stage of the run makes them."""
        return None if self.spec.traces in (ALL, HARD) else Path(self.spec.traces)

    @property
    def samples(self) -> bool:
        return self.is_hard

    @property
    def needs(self) -> tuple[str, ...]:
        if self.file:
            return super().needs if self.splits else (self.source,)
        return (*super().needs, self.data_stage()) if self.is_hard else (self.source, self.data_stage())

    @property
    def splits(self) -> frozenset[str]:
        """What a file of traces may hold of the run's own files, and must not."""
        if not self.file or self.recipe.problems.source != "files":
            return frozenset()
        return frozenset({"test", *("probe" for one in self.others if one.kind == "fuse")})

    @property
    def knobs(self) -> Any:
        hard = {"min_tokens", "min_error_rate", "difficulty_attempts", "queries"}
        spec = self.spec.model_dump(exclude=set() if self.is_hard else hard)
        return [
            spec,
            self.recipe.rl.max_tokens if self.is_hard else 0,
            *(held_out.rule_of(self.recipe) if self.file else ()),
        ]

    @property
    def outside(self) -> Mapping[str, str]:
        if not self.file or not self.file.is_file():
            return {}
        files = (str(self.file), *self.recipe.problems.test_files)
        return {file: hash_file(Path(file)) for file in files} | held_out.files_of(self.recipe)

    @property
    def cost(self) -> Cost:
        spec, recipe = self.spec, self.recipe
        mean = reckoning.mean_trace(recipe)
        shape = {"batch": spec.batch, "max_steps": spec.max_steps}
        if self.file:
            rows, whole = _size_of(self.file) if self.file.is_file() else (0, mean)
            return costs.fine_tuning(rows, spec.epochs, whole, prompt=0.0, **shape)
        if not self.is_hard:
            return costs.fine_tuning(reckoning.traces(recipe), spec.epochs, mean, **shape)
        domains = reckoning.domains_of(recipe)
        rated = sum(min(spec.queries, reckoning.queries_of(recipe, domain)) for domain in domains)
        rows = reckoning.HARD_SHARE * rated * min(recipe.data.paths, recipe.data.max_paths)
        trained = costs.fine_tuning(rows, spec.epochs, max(mean, spec.min_tokens), **shape)
        return costs.both(
            reckoning.sampling(recipe, rated * spec.difficulty_attempts, recipe.rl.max_tokens), trained
        )  # fmt: skip

    @property
    def shown(self) -> tuple[str, str]:
        epochs = f"{self.spec.epochs} epoch{'' if self.spec.epochs == 1 else 's'}"
        return f"{epochs}, up to {self.spec.max_steps}" if self.spec.max_steps else epochs, ""

    def run(self, work: Work) -> Outputs:
        if self.file:
            return tuned(work, _clean(work, self.file, _traces_of(self.file, self.name, work.recipe)))
        traces = read_traces(work, self.data_stage())
        if not self.is_hard:
            return tuned(work, traces)
        long = [trace for trace in traces if trace.num_tokens >= self.spec.min_tokens]
        hard = hard_traces(work, long, self.data_stage())
        if not hard:
            return passed_through(work, self.source, "no trace is both long and hard")
        return tuned(work, hard) | {"hard": len(hard)}


def _size_of(path: Path) -> tuple[int, float]:
    """Rows of a file of traces, and tokens of one with its prompt, by the characters of all its columns."""
    sizes = [sum(map(len, map(str, (row.columns or {}).values()))) for row in read_rows(path) if not row.is_blank]
    return len(sizes), sum(sizes) / max(1, len(sizes)) / CHARACTERS + AROUND


def read_traces(work: Work, stage: str) -> list[Trace]:
    """The traces that a data stage kept."""
    return [trace_from_row(row) for row in read_jsonl(work.directories[stage] / "traces.jsonl")]


def _traces_of(path: Path, stage: str, recipe: Recipe) -> list[Trace]:
    """Traces of a file of rows: a prompt and a response are enough, or a problem that comes with solutions.

    `problems.map` and `problems.max_bad` hold.
    """
    columns, bad = ColumnMap.of(recipe.problems.map, key="problems.map"), BadRows(str(path), recipe.problems.max_bad)
    reading = reading_of(recipe)
    traces = []
    for row in read_rows(path):
        if row.is_blank:
            continue
        try:
            traces += _traces_in(row, columns, reading)
        except InputError as error:
            bad.count(row.place, str(error))
        else:
            bad.count(row.place)
    try:
        bad.check()
    except InputError as error:
        raise InputError(f"{stage}.traces: {error}") from None
    bad.warn()
    if not traces:
        raise InputError(f"{stage}.traces: {path}: has no rows")
    return traces


def _clean(work: Work, path: Path, traces: list[Trace]) -> list[Trace]:
    """The traces of a file that hold nothing of what the recipe names as held out; what went is in gates.json."""
    own = {split: work.problems(split) for split in sorted(work.stage.splits)}
    gated = held_out.from_outside(work.recipe, traces, own)
    if gated is None:
        return traces
    write_json_atomic(work.directory / "gates.json", [gated.report.to_row()])
    if not gated.kept:
        raise InputError(f"{work.stage.name}.traces: {path}: every trace holds a held-out item (gates.json)")
    if gated.report.dropped:
        work.view.note(
            f"{gated.report.dropped} of {len(traces)} traces hold a held-out item and are left out (gates.json)"
        )
    return list(gated.kept)


def _traces_in(row: Row, columns: ColumnMap, reading: Reading) -> list[Trace]:
    if row.columns is None:
        raise InputError(row.why)
    found = structured(columns.apply(row.columns))
    prompt, response = prompt_of(found), response_of(found)
    if not prompt or not response:
        lacking = missing(found, *(name for name, text in (("prompt", prompt), ("response", response)) if not text))
        if response:
            raise lacking
        return _solutions(found, row.place, reading, lacking)
    own, tokens = found.get("domain"), found.get("num_tokens")
    return [
        Trace(
            problem_id=str(found.get("problem_id", row.place)),
            domain=Domain(own) if own in list(Domain) else Domain.MATH,
            prompt=prompt,
            response=response,
            num_tokens=tokens if isinstance(tokens, int) else 0,
        )
    ]


def _solutions(columns: Mapping[str, Any], place: str, reading: Reading, lacking: InputError) -> list[Trace]:
    """The solutions that the problem in a row came with, each as a trace."""
    try:
        _, problem = read_row(columns, reading)
    except InputError as error:
        raise InputError(f"{lacking}; as a problem with solutions: {error}") from None
    about: dict[str, Any] = {"problem_id": problem.id or place, "domain": problem.domain, "num_tokens": 0}
    traces = [Trace(prompt=problem.prompt, response=text, **about) for text in problem.solutions if text.strip()]
    if not traces:
        raise InputError(f"{lacking}; and no solution came with it")
    return traces


def tuned(work: Work, traces: Sequence[Trace]) -> Outputs:
    """Fine-tune the checkpoint that the stage starts from."""
    from etalon.sft.rows import trace_row

    spec = work.stage.spec
    language_model = load(work, work.source)
    rows = fitting([trace_row(trace, language_model) for trace in traces], language_model, work)
    if not rows:
        raise InputError(
            f"{work.stage.name}: every trace is longer than the model's window of {language_model.window} tokens; "
            "set data.max_tokens below it, or take a base model with a longer window"
        )
    checkpoints = fit(
        work, work.source, rows, epochs=spec.epochs, batch=spec.batch, max_steps=spec.max_steps,
        micro_tokens=spec.micro_tokens, optim=spec.optim.scaled(spec.lr_scale), num_checkpoints=spec.checkpoints,
    )  # fmt: skip
    names = [work.keep_checkpoint(path) for path in checkpoints]
    return {"checkpoint": names[-1], "checkpoints": names, "rows": len(rows)}


def hard_traces(work: Work, traces: Sequence[Trace], data_stage: str) -> list[Trace]:
    """Those of queries that the model mostly fails (2.1.2; that the reference model is the stage's own is (ours))."""
    recipe, spec = work.recipe, work.stage.spec
    asked_about = {trace.problem_id for trace in traces}
    queries = [record_of(row).problem for row in read_jsonl(work.directories[data_stage] / "queries.jsonl")]
    candidates = at_most([p for p in queries if p.id in asked_about], dict.fromkeys(Domain, spec.queries))
    with sampling_from(work.source, recipe, folder=work.directory, has_helpers=True) as reference:
        groups = attempt(
            reference,
            candidates,
            n=spec.difficulty_attempts,
            params=SamplingParams(max_tokens=recipe.rl.max_tokens),
            seed=work.seed,
            path=work.directory / "difficulty.jsonl",
            watch=work.watch,
            on_part=work.watch,
        )
    error_rates = {g.problem.id: 1 - g.accuracy for g in groups if g.accuracy is not None}
    rated = [replace(t, error_rate=error_rates.get(t.problem_id)) for t in traces]
    write_json_atomic(work.directory / "strata.json", strata.table(strata.strata(rated)))
    hard = [t for t in rated if strata.is_hard(t, min_tokens=spec.min_tokens, min_error_rate=spec.min_error_rate)]
    work.view.note(
        f"{len(hard)} of {len(traces)} long traces belong to queries with error rate >= {spec.min_error_rate}"
    )
    return hard
