"""The tables of a funnel as words, for a terminal, Markdown and the page alike.

steps      records and traces in and out of every step        gates       what each gate did, and by which reasons
groups     the same by domain and source                      calls       of models, with tokens and cost
lengths    of traces, before and after                        licenses    of what came out
rates      error rates by model, before and after             examples    of what was dropped, by reason
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from etalon.data.funnel.chains import Chain, total_calls
from etalon.data.funnel.reading import UNMEASURED, StepReport, lost, seen
from etalon.data.gate_reports import GateReport
from etalon.data.step_reports import LENGTH_EDGES, RATE_EDGES, Calls, bins
from etalon.report.html import MISSING, count, duration, percent

UNKNOWN = "unknown"
RATE_NAMES = dict(
    zip(
        (*bins(RATE_EDGES), UNMEASURED),
        ("0, always right", "up to 0.25", "up to 0.5", "up to 0.75", "below 1", "1, always wrong", UNMEASURED),
        strict=True,
    )
)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells as they are shown. texts: how many columns, from the left, are words; the others are numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A line of a table of two numbers: before and after."""

    name: str
    before: int
    after: int


def tables(chain: Chain, *, is_short: bool = False) -> Iterator[Table]:
    """All tables of a chain that have rows. is_short: of gates by group only the rows that lost something."""
    rates = [_two_sided(f"Error rate of {model}", "Error rate", rate_bars(chain, model)) for model in chain.models]
    every = [
        steps(chain), gates(chain), reasons(chain), groups(chain),
        gate_groups(chain, is_short=is_short), _two_sided("Length of traces", "Tokens", length_bars(chain)),
        *rates, calls(chain), licenses(chain),
    ]  # fmt: skip
    return (table for table in every if table.rows)


def steps(chain: Chain) -> Table:
    rows = []
    for step in chain.steps:
        before, after = step.before.total, step.after.total
        taken = [*chain.sources[step.place], *outside(step, chain)]
        numbers = [count(number) for number in (before.records, after.records, before.traces, after.traces)]
        rows.append((step.step, ", ".join(taken), step.place, *numbers, duration(step.seconds)))
    head = ("Step", "From", "To", "Records in", "out", "Traces in", "out", "Time")
    return Table(title="Steps", head=head, rows=tuple(rows), texts=3)


def outside(step: StepReport, chain: Chain) -> list[str]:
    """The inputs of a step that no step of the chain wrote."""
    written = {one.output.sha256 for one in chain.steps if one.place in chain.sources[step.place]}
    return [file.name for file in step.inputs if file.sha256 not in written]


def groups(chain: Chain) -> Table:
    rows = []
    for step in chain.steps:
        for (domain, source), before in step.before.groups.items():
            after = step.after.groups[domain, source]
            numbers = (before.records, after.records, before.traces, after.traces)
            rows.append((step.step, domain, source or MISSING, *map(count, numbers)))
    head = ("Step", "Domain", "Source", "Records in", "out", "Traces in", "out")
    return Table(title="Steps by domain and source", head=head, rows=tuple(rows), texts=3)


def every_gate(chain: Chain) -> Iterator[tuple[StepReport, GateReport]]:
    return ((step, gate) for step in chain.steps for gate in step.gates)


def gates(chain: Chain) -> Table:
    rows = [
        (step.step, gate.gate, *map(count, (seen(gate), gate.kept, gate.dropped, gate.undecided)), lost_share(gate))
        for step, gate in every_gate(chain)
    ]
    head = ("Step", "Gate", "In", "Kept", "Dropped", "Undecided", "Share lost")
    return Table(title="Gates", head=head, rows=tuple(rows), texts=2)


def lost_share(gate: GateReport) -> str:
    return percent(lost(gate) / seen(gate)) if seen(gate) else MISSING


def reasons(chain: Chain) -> Table:
    rows = [
        (step.step, gate.gate, reason, count(number), percent(number / seen(gate)) if seen(gate) else MISSING)
        for step, gate in every_gate(chain)
        for reason, number in gate.reasons.items()
    ]
    return Table(title="Reasons", head=("Step", "Gate", "Reason", "Rows", "Share"), rows=tuple(rows), texts=3)


def gate_groups(chain: Chain, *, is_short: bool = False) -> Table:
    rows = []
    for step, gate in every_gate(chain):
        for (domain, source), told in gate.groups.items():
            came = sum(told.values())
            if is_short and came == told[""]:
                continue
            share = percent((came - told[""]) / came) if came else MISSING
            rows.append((step.step, gate.gate, domain, source or MISSING, count(came), count(told[""]), share))
    head = ("Step", "Gate", "Domain", "Source", "In", "Kept", "Share lost")
    title = "Gates by domain and source" + (" that lost something" if is_short else "")
    return Table(title=title, head=head, rows=tuple(rows), texts=4)


def length_bars(chain: Chain) -> tuple[Bar, ...]:
    """Traces by tokens; the lines in front of the first and behind the last that hold any are left out."""
    before, after = chain.before.lengths, chain.after.lengths
    names = bins(LENGTH_EDGES)
    held = [place for place, name in enumerate(names) if before.get(name) or after.get(name)]
    return tuple(
        Bar(name=_length_name(name), before=before.get(name, 0), after=after.get(name, 0))
        for name in (names[held[0] : held[-1] + 1] if held else ())
    )


def _length_name(name: str) -> str:
    edge = count(int(name.lstrip("<=>")))
    return f"up to {edge}" if name.startswith("<") else f"more than {edge}"


def rate_bars(chain: Chain, model: str) -> tuple[Bar, ...]:
    """Records by how often a model fails; what it was never asked is a line of its own."""
    before, after = chain.before.rates(model), chain.after.rates(model)
    return tuple(Bar(name=name, before=before.get(key, 0), after=after.get(key, 0)) for key, name in RATE_NAMES.items())


def _two_sided(title: str, name: str, bars: Sequence[Bar]) -> Table:
    rows = tuple((bar.name, count(bar.before), count(bar.after)) for bar in bars)
    return Table(title=title, head=(name, "Before", "After"), rows=rows)


def calls(chain: Chain) -> Table:
    rows = [(step.step, one.model, *_call_cells(one)) for step, one in chain.calls]
    if len(rows) > 1:
        rows.append(("all", "", *_call_cells(total_calls(one for _, one in chain.calls))))
    head = ("Step", "Model", "Asked", "Answered", "Failed", "Remembered", "Prompt tokens", "Tokens", "Cost")
    return Table(title="Calls of models", head=head, rows=tuple(rows), texts=2)


def _call_cells(one: Calls) -> list[str]:
    tokens = [count(number) for number in (one.prompt_tokens, one.tokens)]
    if one.answered and not one.tokens:  # of a program nobody counts them
        tokens = [UNKNOWN, UNKNOWN]
    return [*map(count, (one.asked, one.answered, one.failed, one.remembered)), *tokens, cost(one.cost)]


def cost(amount: float | None) -> str:
    """In the currency that the prices were given in; nobody's guess where none were given."""
    return UNKNOWN if amount is None else f"{amount:,.2f}" if amount >= 1 or not amount else f"{amount:.2g}"


def licenses(chain: Chain) -> Table:
    found = sorted(chain.licenses.items(), key=lambda pair: (-pair[1], pair[0]))
    total = sum(number for _, number in found)
    rows = tuple((name, count(number), percent(number / total)) for name, number in found if total)
    return Table(title="Licences of what came out", head=("Licence", "Records", "Share"), rows=rows)


def examples(chain: Chain) -> Iterator[tuple[str, Sequence[tuple[str, str]]]]:
    """(step and gate, (reason, text) of what it dropped) for every gate that has some."""
    for step, gate in every_gate(chain):
        if gate.examples:
            told = sorted(gate.examples, key=lambda one: _rank(one.reason, gate.reasons))
            yield ", ".join(dict.fromkeys((step.step, gate.gate))), [(one.reason, one.text) for one in told]


def _rank(reason: str, known: Iterable[str]) -> int:
    return [*known, reason].index(reason)
