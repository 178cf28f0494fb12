"""Which step took from which, told by the hashes of their files, and what a chain of them says of before and after.

A step took the output of another where the contents are equal; of several such outputs it is the one of the same name,
and the same directory. The first steps of a chain say what there was before, the last ones what there is after.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from etalon.data.funnel.reading import Counts, File, Group, StepReport, lost, read_report, seen
from etalon.data.gate_reports import GateReport
from etalon.data.step_reports import SUFFIX, Calls, Side
from etalon.errors import InputError
from etalon.store import HASH_DIGITS

UNKNOWN = "unknown"  # of a licence that no row names
NOTHING = hashlib.sha256(b"").hexdigest()[:HASH_DIGITS]  # empty files are all alike: only a name tells them apart


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Steps that hang together, each behind those it took from. sources: place -> places of the steps it took from."""

    steps: tuple[StepReport, ...]
    sources: Mapping[str, tuple[str, ...]]

    @property
    def first(self) -> tuple[StepReport, ...]:
        """The steps that took nothing of another's."""
        return tuple(step for step in self.steps if not self.sources[step.place])

    @property
    def last(self) -> tuple[StepReport, ...]:
        """The steps of whose output nobody took."""
        taken = {source for sources in self.sources.values() for source in sources}
        return tuple(step for step in self.steps if step.place not in taken)

    @property
    def before(self) -> Counts:
        return summed(step.before for step in self.first)

    @property
    def after(self) -> Counts:
        return summed(step.after for step in self.last)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that an error rate is of, anywhere in the chain."""
        sides = [side for step in self.steps for side in (step.before, step.after)]
        return tuple(sorted({model for side in sides for model in side.error_rates}))

    @property
    def calls(self) -> tuple[tuple[StepReport, Calls], ...]:
        return tuple((step, one) for step in self.steps for one in step.calls)

    @property
    def licenses(self) -> Counter[str]:
        """Records of the last steps by licence."""
        found: Counter[str] = Counter()
        for step in self.last:
            for name, number in step.licenses.items():
                found[name or UNKNOWN] += number
        return found


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """All chains below a directory. left_out: a line for each report that could not be read."""

    chains: tuple[Chain, ...]
    left_out: tuple[str, ...] = ()


def read_funnel(directory: Path) -> Funnel:
    """The funnel that the reports below a directory tell.

    Raises InputError where there is no directory, or no report that can be read in it.
    """
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory")
    funnel = funnel_below(directory)
    if not funnel.chains and funnel.left_out:
        raise InputError("; ".join(funnel.left_out))
    if not funnel.chains:
        raise InputError(f"{directory}: holds no *{SUFFIX}; the steps of etalon data write one beside their output")
    return funnel


def funnel_below(directory: Path) -> Funnel:
    """The funnel of what can be read below a directory; none where it has no reports, or is not there."""
    reports: list[StepReport] = []
    left_out: list[str] = []
    for path in sorted(directory.rglob(f"*{SUFFIX}")):
        try:
            reports.append(read_report(path, path.relative_to(directory).as_posix()))
        except InputError as error:
            left_out.append(str(error))
    return Funnel(chains=chains_of(reports), left_out=tuple(left_out))


# ---- the order of the steps


def chains_of(reports: Sequence[StepReport]) -> tuple[Chain, ...]:
    """The reports as chains. A source that would close a circle, as copies of one content may, is left out."""
    sources: dict[str, list[str]] = {report.place: [] for report in reports}
    for is_named in (True, False):
        for report in reports:
            for file in report.inputs:
                found = _source_of(report, file, reports, is_named=is_named)
                if not found or found in sources[report.place] or _reaches(found, report.place, sources):
                    continue
                if is_named or not any(_wrote(one, file, reports) for one in sources[report.place]):
                    sources[report.place].append(found)
    ordered = _in_order(reports, sources)
    told = {place: tuple(found) for place, found in sources.items()}
    return tuple(
        Chain(steps=steps, sources={step.place: told[step.place] for step in steps})
        for steps in _connected(ordered, told)
    )


def _source_of(taker: StepReport, file: File, reports: Sequence[StepReport], *, is_named: bool) -> str:
    """The place of the step that wrote a file; "" where none of them did. is_named: under that very name."""
    found = [one for one in reports if one is not taker and one.output.sha256 == file.sha256]
    found = [one for one in found if one.output.name == file.name or not (is_named or file.sha256 == NOTHING)]
    here = PurePosixPath(taker.place).parent
    nearest = sorted(found, key=lambda one: (PurePosixPath(one.place).parent != here, one.place))
    return nearest[0].place if nearest else ""


def _wrote(place: str, file: File, reports: Iterable[StepReport]) -> bool:
    return any(one.place == place and one.output.sha256 == file.sha256 for one in reports)


def _reaches(place: str, target: str, sources: Mapping[str, Sequence[str]]) -> bool:
    """Whether a step took from another, however far back."""
    return place == target or any(_reaches(source, target, sources) for source in sources[place])


def _in_order(reports: Sequence[StepReport], sources: Mapping[str, Sequence[str]]) -> list[StepReport]:
    """Each report behind its sources; of those that could come next, one that took from the last, else by place."""
    waiting = sorted(reports, key=lambda one: one.place)
    ordered: list[StepReport] = []
    while waiting:
        done = {one.place for one in ordered}
        ready = [one for one in waiting if done.issuperset(sources[one.place])]
        follows = [one for one in ready if ordered and ordered[-1].place in sources[one.place]]
        ordered.append((follows or ready)[0])
        waiting.remove(ordered[-1])
    return ordered


def _connected(ordered: Sequence[StepReport], sources: Mapping[str, Sequence[str]]) -> list[tuple[StepReport, ...]]:
    """The reports in parts that hang together, in the order of the first of each."""
    part = {one.place: one.place for one in ordered}
    for place, found in sources.items():
        for source in found:
            old, new = part[place], part[source]
            part = {one: new if of == old else of for one, of in part.items()}
    names = list(dict.fromkeys(part[one.place] for one in ordered))
    return [tuple(one for one in ordered if part[one.place] == name) for name in names]


# ---- sums


def summed(sides: Iterable[Counts]) -> Counts:
    """The counts of several steps together."""
    groups: dict[Group, Side] = {}
    lengths: Counter[str] = Counter()
    rates: dict[str, Counter[str]] = {}
    for side in sides:
        for group, one in side.groups.items():
            total = groups.setdefault(group, Side())
            total.records += one.records
            total.traces += one.traces
        lengths.update(side.lengths)
        for model, found in side.error_rates.items():
            rates.setdefault(model, Counter()).update(found)
    return Counts(groups=groups, lengths=lengths, error_rates=rates)


def total_calls(calls: Iterable[Calls]) -> Calls:
    """The sum of calls; the cost is not known where one of them has none."""
    every = list(calls)
    names = ("asked", "answered", "failed", "remembered", "prompt_tokens", "tokens")
    costs = [one.cost for one in every]
    known = [cost for cost in costs if cost is not None]
    return Calls(
        model="",
        **{name: sum(getattr(one, name) for one in every) for name in names},
        cost=sum(known) if known and len(known) == len(costs) else None,
    )


# ---- as JSON


def funnel_to_row(funnel: Funnel) -> dict[str, Any]:
    """The funnel as JSON values; a cost that nobody knows is null, a licence that nobody named "unknown"."""
    return {"chains": [_chain_row(chain) for chain in funnel.chains], "left_out": list(funnel.left_out)}


def _chain_row(chain: Chain) -> dict[str, Any]:
    calls = {
        name: value for name, value in asdict(total_calls(one for _, one in chain.calls)).items() if name != "model"
    }
    return {
        "in": _side_row(chain.before, chain.models),
        "out": _side_row(chain.after, chain.models),
        "calls": calls,
        "licenses": dict(chain.licenses),
        "steps": [_step_row(step, chain) for step in chain.steps],
    }


def _side_row(side: Counts, models: Sequence[str]) -> dict[str, Any]:
    rates = {model: side.rates(model) for model in models}
    return asdict(side.total) | {"lengths": dict(side.lengths), "error_rates": rates}


def _step_row(step: StepReport, chain: Chain) -> dict[str, Any]:
    groups = [
        {"domain": domain, "source": source, "in": asdict(before), "out": asdict(step.after.groups[domain, source])}
        for (domain, source), before in step.before.groups.items()
    ]
    return {
        "step": step.step,
        "report": step.path,
        "from": list(chain.sources[step.place]),
        "inputs": [asdict(one) for one in step.inputs],
        "output": asdict(step.output),
        "settings": dict(step.settings),
        "seconds": step.seconds,
        "in": _side_row(step.before, chain.models),
        "out": _side_row(step.after, chain.models),
        "groups": groups,
        "gates": [gate.to_row() | {"lost": lost(gate), "share": _share(gate)} for gate in step.gates],
        "calls": [asdict(one) for one in step.calls],
        "licenses": {name or UNKNOWN: number for name, number in step.licenses.items()},
    }


def _share(gate: GateReport) -> float | None:
    """Of the rows that came, those that did not pass; None where none came."""
    return lost(gate) / seen(gate) if seen(gate) else None
