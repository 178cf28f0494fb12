"""What a step did, as a JSON file beside what it wrote: OUT -> OUT.report.json. `funnel` reads them, and the report.

    {step, etalon, inputs: [{file, sha256}], output: {file, sha256}, settings, seconds,
     groups: [{domain, source, in: {records, problems?, traces}, out: {...}}],
     gates: [GateReport.to_row()], lengths: {in: {"<=1024": 3, ...}, out},
     error_rates: {in: {MODEL: {"<=0.25": 3, ...}}, out},
     calls: [{model, asked, answered, failed, remembered, prompt_tokens, tokens, cost}], licenses: {"mit": 3}}

An input is the output of an earlier step where file hashes are equal, so the order of the steps is found, not told.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from etalon import __version__
from etalon.data.gate_reports import GateReport
from etalon.data.records import Record
from etalon.problems.given.traces import GivenTrace
from etalon.store import hash_file, write_json_atomic

SUFFIX = ".report.json"
LENGTH_EDGES = tuple(2**power for power in range(6, 18))  # (ours) tokens where they were counted, else characters / 4
RATE_EDGES = (0.0, 0.25, 0.5, 0.75, 0.999999)  # (ours) always right, ..., always wrong is the last, open one
CHARACTERS_PER_TOKEN = 4  # (ours) of a response that nobody counted


@dataclass(frozen=True, kw_only=True)
class Calls:
    """What one model was asked in a step. remembered: answers that an earlier, broken off call of the step had paid.

    cost: in the user's currency, None where no price was given.
    """

    model: str
    asked: int = 0
    answered: int = 0
    failed: int = 0
    remembered: int = 0
    prompt_tokens: int = 0
    tokens: int = 0
    cost: float | None = None


@dataclass
class Side:
    """What went into a step, or came out, of one domain and source."""

    records: int = 0
    traces: int = 0


@dataclass
class StepLog:
    """Counts records as a step reads and writes them; keeps none of them."""

    step: str
    inputs: Sequence[Path]
    settings: Mapping[str, Any] = field(default_factory=dict)
    gates: list[GateReport] = field(default_factory=list)
    calls: list[Calls] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._hashes = {path: _hash(path) for path in self.inputs}  # of what will be read, whatever comes of it later
        self.read: defaultdict[tuple[str, str], Side] = defaultdict(Side)
        self.wrote: defaultdict[tuple[str, str], Side] = defaultdict(Side)
        self.lengths: dict[str, Counter[str]] = {"in": Counter(), "out": Counter()}
        self.error_rates: dict[str, defaultdict[str, Counter[str]]] = {
            "in": defaultdict(Counter), "out": defaultdict(Counter),
        }  # fmt: skip
        self.licenses: Counter[str] = Counter()

    def takes(self, record: Record) -> None:
        """One record read."""
        self.count("in", record.group, map(length_of, record.traces), _shares(record))

    def gives(self, record: Record) -> None:
        """One record written."""
        self.count("out", record.group, map(length_of, record.traces), _shares(record))
        self.licenses[record.license] += 1

    def count(
        self, side: Literal["in", "out"], group: tuple[str, str], lengths: Iterable[int], rates: Mapping[str, float]
    ) -> None:
        """One record of (domain, source), with the lengths of its traces and its error rates by model."""
        own = (self.read if side == "in" else self.wrote)[group]
        own.records += 1
        for length in lengths:
            own.traces += 1
            self.lengths[side][binned(length, LENGTH_EDGES)] += 1
        for model, share in rates.items():
            self.error_rates[side][model][binned(share, RATE_EDGES)] += 1

    def to_row(self, output: Path, *, seconds: float) -> dict[str, Any]:
        """The report as JSON values; the files are hashed now."""
        groups = sorted(self.read.keys() | self.wrote.keys())
        return {
            "step": self.step,
            "etalon": __version__,
            "inputs": [{"file": path.name, "sha256": self._hashes.get(path) or _hash(path)} for path in self.inputs],
            "output": {"file": output.name, "sha256": hash_file(output)},
            "settings": dict(self.settings),
            "seconds": round(seconds, 3),
            "groups": [
                {
                    "domain": domain,
                    "source": source,
                    "in": asdict(self.read[domain, source]),
                    "out": asdict(self.wrote[domain, source]),
                }
                for domain, source in groups
            ],
            "gates": [gate.to_row() for gate in self.gates],
            "lengths": {side: dict(counts) for side, counts in self.lengths.items()},
            "error_rates": {
                side: {model: dict(counts) for model, counts in models.items()}
                for side, models in self.error_rates.items()
            },
            "calls": [asdict(one) for one in self.calls],
            "licenses": dict(self.licenses),
        }

    def write(self, output: Path, *, seconds: float, to: Path | None = None) -> Path:
        """Write OUT.report.json beside the step's output, which is whole by now; or `to` another place."""
        path = to or report_path(output)
        write_json_atomic(path, self.to_row(output, seconds=seconds))
        return path


def _hash(path: Path) -> str:
    """Of a file's content; "" of a pipe, which can be read once."""
    return "" if path.exists() and not path.is_file() else hash_file(path)


def report_path(output: Path) -> Path:
    """Where the report of a step lies."""
    return output.with_name(output.name + SUFFIX)


def binned(value: float, edges: Sequence[float]) -> str:
    """The name of the bin that a value falls into: "<=64", ..., ">131072"."""
    place = bisect_left(edges, value)
    return f"<={edges[place]:g}" if place < len(edges) else f">{edges[-1]:g}"


def bins(edges: Sequence[float]) -> tuple[str, ...]:
    """The names of all bins, in order."""
    return (*(f"<={edge:g}" for edge in edges), f">{edges[-1]:g}")


def _shares(record: Record) -> dict[str, float]:
    return {model: rate.share for model, rate in record.error_rates.items()}


def length_of(trace: GivenTrace) -> int:
    """Tokens of a trace: as they were counted, else by its characters."""
    return trace.num_tokens or len(trace.response) // CHARACTERS_PER_TOKEN
