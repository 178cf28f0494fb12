"""A report of a step, read back and checked: a file that is none is one line that says why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.data.gate_reports import Example, GateReport
from etalon.data.step_reports import SUFFIX, Calls, Side
from etalon.errors import InputError
from etalon.rows.bad import shown

UNMEASURED = "unmeasured"  # of records without an error rate of a model
Group = tuple[str, str]  # domain and source


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that a step read or wrote, by name and content."""

    name: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What was there at one side of a step. error_rates: of the records that have one, by model."""

    groups: Mapping[Group, Side]
    lengths: Mapping[str, int]
    error_rates: Mapping[str, Mapping[str, int]]

    @property
    def total(self) -> Side:
        """Of all domains and sources."""
        sides = self.groups.values()
        return Side(records=sum(side.records for side in sides), traces=sum(side.traces for side in sides))

    def rates(self, model: str) -> dict[str, int]:
        """Records by error rate of a model, those without one as "unmeasured"."""
        measured = self.error_rates.get(model, {})
        return {**measured, UNMEASURED: self.total.records - sum(measured.values())}


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One step as its report tells. path: of the report, below the directory. licenses: of what was written."""

    path: str
    step: str
    inputs: tuple[File, ...]
    output: File
    settings: Mapping[str, Any]
    seconds: float
    before: Counts
    after: Counts
    gates: tuple[GateReport, ...]
    calls: tuple[Calls, ...]
    licenses: Mapping[str, int]

    @property
    def place(self) -> str:
        """The output, as the directory has it."""
        return self.path.removesuffix(SUFFIX)


def lost(gate: GateReport) -> int:
    """Rows that did not pass a gate: dropped, and of those it could not decide the ones it stopped."""
    if gate.groups:
        return sum(number for told in gate.groups.values() for reason, number in told.items() if reason)
    return gate.dropped + gate.undecided


def seen(gate: GateReport) -> int:
    """Rows that came to a gate."""
    return gate.kept + lost(gate)


def read_report(path: Path, place: str) -> StepReport:
    """One report; InputError that says why it is none."""
    try:
        row = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: is not JSON; run the step that wrote it again, or move it away") from None
    try:
        return _report(place, row)
    except KeyError as error:
        why = f"it has no {error.args[0]!r}"
    except (TypeError, ValueError, AttributeError) as error:
        why = str(error)
    raise InputError(f"{path}: is no report of a step: {why}; run the step again, or move the file away")


def _report(place: str, row: Any) -> StepReport:
    if not isinstance(row, dict):
        raise ValueError(f"found {shown(row)}, expected an object")
    groups = {(str(one["domain"]), str(one["source"])): one for one in row["groups"]}
    return StepReport(
        path=place,
        step=_text(row["step"]),
        inputs=tuple(_file(one) for one in row["inputs"]),
        output=_file(row["output"]),
        settings=dict(row["settings"]),
        seconds=float(row["seconds"]),
        before=_counts(groups, row, "in"),
        after=_counts(groups, row, "out"),
        gates=tuple(_gate(one) for one in row["gates"]),
        calls=tuple(_calls(one) for one in row["calls"]),
        licenses=_numbers(row["licenses"]),
    )


def _counts(groups: Mapping[Group, Any], row: Any, side: str) -> Counts:
    return Counts(
        groups={
            group: Side(records=_number(one[side]["records"]), traces=_number(one[side]["traces"]))
            for group, one in groups.items()
        },
        lengths=_numbers(row["lengths"][side]),
        error_rates={model: _numbers(rates) for model, rates in row["error_rates"][side].items()},
    )


def _file(row: Any) -> File:
    return File(name=_text(row["file"]), sha256=_text(row["sha256"]))


def _gate(row: Any) -> GateReport:
    """The report that `GateReport.to_row` wrote."""
    groups = {
        (str(one["domain"]), str(one["source"])): Counter({"": _number(one["kept"])} | _numbers(one["reasons"]))
        for one in row.get("groups", ())
    }
    return GateReport(
        gate=_text(row["gate"]),
        kept=_number(row["kept"]),
        dropped=_number(row["dropped"]),
        undecided=_number(row["undecided"]),
        reasons=_numbers(row["reasons"]),
        examples=tuple(Example(reason=_text(one["reason"]), text=_text(one["text"])) for one in row["examples"]),
        groups=groups,
    )


def _calls(row: Any) -> Calls:
    cost = row["cost"]
    return Calls(
        model=_text(row["model"]),
        **{name: _number(row[name]) for name in ("asked", "answered", "failed", "remembered")},
        **{name: _number(row[name]) for name in ("prompt_tokens", "tokens")},
        cost=None if cost is None else float(cost),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"found {shown(value)}, expected text")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"found {shown(value)}, expected a number of rows")
    return value


def _numbers(row: Any) -> dict[str, int]:
    return {name: _number(value) for name, value in row.items()}
