"""From records to the files of a curriculum: what SFT, RL and their measurement read (2.1.1 step 5, 2.1.2, 2.2).

    records -> spool, duplicates -> one record a problem (merge) -> its part (parts) -> files
      train   stage1.jsonl   right, distinct traces                          2.1.2, stage 1
              stage2.jsonl   those of at least 5,000 tokens, of problems failed at least 3 times of 4: stage 2
      rl      rl-DOMAIN.jsonl (math, code, stem), instruct.jsonl    problems with what decides them
      held    probe.jsonl, test.jsonl

The same records in any order give the same bytes. Memory holds the questions, not the traces.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from etalon.data.curriculum.families import Families
from etalon.data.curriculum.merge import merged
from etalon.data.curriculum.outputs import Outputs, outputs
from etalon.data.curriculum.parts import Candidate, Part, Sizes, cut
from etalon.data.curriculum.paths import path_decisions
from etalon.data.curriculum.strata import is_hard
from etalon.data.curriculum.stratify import whose
from etalon.data.curriculum.traces import UNVERIFIED, right, rows_of, told_by, trace_to_row
from etalon.data.duplicates import DISAGREE, Decisions, Keyed, duplicates, keyed
from etalon.data.gates import KEEP, Decision, Sieve, drop
from etalon.data.records import Record, record_of, record_to_row
from etalon.data.step_reports import StepLog
from etalon.errors import RunError
from etalon.problems.formats.generic import lacks
from etalon.problems.rows import content_id
from etalon.store import to_json
from etalon.types import REASONING_DOMAINS, Domain, Trace

STAGE1, STAGE2, INSTRUCT = "stage1.jsonl", "stage2.jsonl", "instruct.jsonl"
RL = {domain: f"rl-{domain}.jsonl" for domain in Domain} | {Domain.INSTRUCT: INSTRUCT}
HELD = {Part.PROBE: "probe.jsonl", Part.TEST: "test.jsonl"}
NAMES = frozenset({STAGE1, STAGE2, *RL.values(), *HELD.values()})
ALWAYS = (STAGE1, STAGE2, *(RL[domain] for domain in REASONING_DOMAINS), INSTRUCT, *HELD.values())

NO_USE = "neither a right trace nor a reference"
BESIDE_TRAIN = "no right trace, and a near copy is in stage 1"
BESIDE_RL = "no reference, and a near copy is an RL problem"
BESIDE_HELD = "no reference, and a near copy is held out"
EASY, IMPOSSIBLE = "failed too rarely", "failed too often"


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """What goes into which file.

    min_tokens, min_error_rate: of stage 2 (2.1.2). reference: the model whose error rates count; None is the only one
    there is. max_paths: distinct traces of a problem. max_tokens: of a trace. unverified: whether a trace counts of
    which nothing says that it is right. error_low, error_high: RL problems have a measured rate strictly between.
    """

    min_tokens: int = 5000
    min_error_rate: float = 0.75
    reference: str | None = None
    max_paths: int = 4
    max_tokens: int | None = None
    unverified: bool = False
    error_low: float | None = None
    error_high: float | None = None
    sizes: Sizes = field(default_factory=Sizes)


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build wrote. files: name -> what the manifest says. reference: whose error rates counted, None: nobody's.

    unmeasured: traces of stage 1 of problems whose error rate nobody measured; uncounted: those without a count of
    tokens: neither can be hard. unverified: traces, and the problems they are of, that nothing calls right or wrong,
    and that are not taken. parted: see `parts.Parts`.
    """

    manifest: Path
    files: Mapping[str, Any]
    reference: str | None
    unmeasured: int
    uncounted: int
    unverified: tuple[int, int]
    parted: tuple[Domain, ...]


def build(
    records: Iterable[Record],
    folder: Path,
    spec: BuildSpec,
    *,
    log: StepLog,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> Built:
    """Write the curriculum to a folder; log counts what came in and went out. watch: problems done, of how many.

    Raises ConfigError where it is not clear whose error rates count, InputError for a folder in use, RunError where
    nothing is left.
    """
    with outputs(folder, NAMES, ALWAYS) as files, tempfile.TemporaryFile(dir=folder) as stream:
        pool = _Pool(stream, spec)
        decisions = pool.compared(records, log)
        writer = _Writer(files, spec, log, whose(pool.models, spec.reference, option="--reference"))
        parts = cut(pool.candidates(decisions), spec.sizes)
        for done, (node, rows) in enumerate(pool.problems(decisions)):
            record = replace(pool.merged(rows), cluster=decisions.clusters[node])
            writer.add(record, parts.of[node], decisions.of(rows[0]))
            watch(done + 1, len(decisions.texts))
        if not files.rows:
            raise RunError(f"{folder}: nothing is left to write: {writer.reasons()}")
        log.gates += writer.reports()
        settings = {**asdict(spec), "reference": writer.reference}
        manifest = files.finish(settings)
        return Built(
            manifest=manifest, files=files.table(), reference=writer.reference, unmeasured=writer.unmeasured,
            uncounted=writer.uncounted, unverified=(pool.unverified_traces, pool.unverified), parted=parts.parted,
        )  # fmt: skip


class _Pool:
    """All records, in a file without a name; of each what decides its part in memory."""

    def __init__(self, stream: BinaryIO, spec: BuildSpec) -> None:
        self._stream, self._spec = stream, spec
        self._offsets = array("Q", [0])
        self._has_reference, self._has_trace = bytearray(), bytearray()
        self._domains: list[Domain] = []
        self._ids = array("q")
        self._shared: set[int] = set()
        self._families = Families()
        self.models: set[str] = set()
        self.unverified = self.unverified_traces = 0

    def compared(self, records: Iterable[Record], log: StepLog) -> Decisions:
        """Keep every record; which are copies, and clusters in which near copies, parents and children are together."""
        found = duplicates(self._keyed(records, log))
        return replace(found, clusters=self._families.joined(found.clusters, found.nodes))

    def _keyed(self, records: Iterable[Record], log: StepLog) -> Iterator[Keyed]:
        for record in records:
            log.takes(record)
            line = to_json(record_to_row(record)) + b"\n"
            self._stream.write(line)
            self._offsets.append(self._offsets[-1] + len(line))
            self._has_reference.append(not lacks(record.problem))
            fates = [right(trace, self._spec) for trace in record.traces]
            self._has_trace.append(KEEP in fates)
            open_ones = sum(fate.reason == UNVERIFIED for fate in fates)
            self.unverified_traces += open_ones
            self.unverified += open_ones > 0
            self._domains.append(record.problem.domain)
            self._ids.append(hash(record.problem.id))
            self._families.add(record)
            self.models |= record.error_rates.keys()
            yield keyed(record)

    def candidates(self, decisions: Decisions) -> list[Candidate]:
        """What decides the part of each problem."""
        found: list[Candidate | None] = [None] * len(decisions.texts)
        for row, node in enumerate(decisions.nodes):
            one = found[node]
            found[node] = Candidate(
                text=decisions.texts[node],
                domain=min(self._domains[row], one.domain if one else self._domains[row]),
                cluster=decisions.clusters[node],
                has_reference=bool(self._has_reference[row]) or (one is not None and one.has_reference),
                has_trace=bool(self._has_trace[row]) or (one is not None and one.has_trace),
            )
        return [one for one in found if one is not None]

    def problems(self, decisions: Decisions) -> Iterator[tuple[int, list[int]]]:
        """Each problem with its rows, in an order that does not depend on that of the files."""
        self._shared = self._shared_ids(decisions)
        lots = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in decisions.texts]
        rows = sorted(range(len(decisions.nodes)), key=lambda row: (lots[decisions.nodes[row]], row))
        for node, members in groupby(rows, key=lambda row: decisions.nodes[row]):
            yield node, list(members)

    def _shared_ids(self, decisions: Decisions) -> set[int]:
        """Ids that several problems go by, as the files of several sets have them."""
        owners: dict[int, int] = {}
        return {
            name for name, node in zip(self._ids, decisions.nodes, strict=True) if owners.setdefault(name, node) != node
        }

    def merged(self, rows: Sequence[int]) -> Record:
        """The one record of a problem's rows, under an id of its own."""
        found = merged([self._read(row) for row in rows])
        if hash(found.problem.id) in self._shared:
            return replace(found, problem=replace(found.problem, id=content_id(found.problem)))
        return found

    def _read(self, row: int) -> Record:
        self._stream.seek(self._offsets[row])
        return record_of(json.loads(self._stream.read(self._offsets[row + 1] - self._offsets[row])))


class _Writer:
    """Writes each problem where it belongs, and counts what is left out."""

    def __init__(self, files: Outputs, spec: BuildSpec, log: StepLog, reference: str | None) -> None:
        self._files, self._spec, self._log, self.reference = files, spec, log, reference
        self._problems, self._traces, self._paths = Sieve("problems"), Sieve("traces"), Sieve("paths")
        self.unmeasured = self.uncounted = 0

    def add(self, record: Record, part: Part, decision: Decision) -> None:
        """Write one problem. decision: that of `duplicates` on any of its rows."""
        record = replace(record, problem=replace(record.problem, solutions=()))
        fate = decision if decision.reason == DISAGREE else KEEP
        if fate is not KEEP:
            self._problems.passes(fate, record.group)
        elif part is Part.TRAIN:
            self._train(record)
        elif part is Part.RL:
            self._prompt(record)
        elif self._problems.passes(self._unless(record, lacks(record.problem), BESIDE_HELD), record.group):
            self._row(HELD[part], replace(record, traces=()))

    def reports(self) -> list[Any]:
        """What the gates of a build did."""
        return [sieve.report() for sieve in (self._problems, self._traces, self._paths)]

    def reasons(self) -> str:
        """Why problems and traces were left out, the most frequent reason first."""
        found = [f"{reason}: {count}" for report in self.reports() for reason, count in report.reasons.items()]
        return ", ".join(found) or "there were no records"

    def _train(self, record: Record) -> None:
        given = [
            one for one in record.traces if self._traces.passes(right(one, self._spec), record.group)
        ]  # fmt: skip
        missing = BESIDE_TRAIN if not lacks(record.problem) else NO_USE
        if not self._problems.passes(self._unless(record, not given, missing), record.group):
            return
        traces = rows_of(replace(record, traces=tuple(given)), self.reference)
        decisions = path_decisions(traces, max_paths=self._spec.max_paths)
        kept = [
            trace
            for trace, decision in zip(traces, decisions, strict=True)
            if self._paths.passes(decision, record.group)
        ]
        for trace in kept:
            self._trace(STAGE1, trace, record)
            self.unmeasured += trace.error_rate is None
            self.uncounted += not trace.num_tokens
            if is_hard(trace, min_tokens=self._spec.min_tokens, min_error_rate=self._spec.min_error_rate):
                self._trace(STAGE2, trace, record)
        chosen = {trace.response for trace in kept}
        self._log.gives(replace(record, traces=tuple(one for one in given if one.response in chosen)))

    def _trace(self, name: str, trace: Trace, record: Record) -> None:
        row = trace_to_row(trace) | told_by(record)
        self._files.write(name, row, problem=record.problem.id, license=record.license)

    def _prompt(self, record: Record) -> None:
        has_trace = any(right(one, self._spec) is KEEP for one in record.traces)
        reason = (BESIDE_RL if has_trace else NO_USE) if lacks(record.problem) else self._of_rate(record)
        if self._problems.passes(self._unless(record, reason, reason), record.group):
            self._row(RL[record.problem.domain], replace(record, traces=()))

    def _of_rate(self, record: Record) -> str:
        """Why the measured error rate of a problem leaves RL nothing to learn; "" where it does not, or is unknown."""
        rate = record.error_rates.get(self.reference or "")
        low, high = self._spec.error_low, self._spec.error_high
        if rate is not None and low is not None and rate.share <= low:
            return EASY
        return IMPOSSIBLE if rate is not None and high is not None and rate.share >= high else ""

    def _row(self, name: str, record: Record) -> None:
        self._files.write(name, record_to_row(record), problem=record.problem.id, license=record.license)
        self._log.gives(record)

    @staticmethod
    def _unless(record: Record, bad: object, reason: str) -> Decision:
        return drop(reason, record.problem.prompt) if bad else KEEP
