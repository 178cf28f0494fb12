"""The funnel of the data as a page of its own, and as a part of the report of a run.

write_page(funnel, path): chart of records, gates with reasons and examples, lengths, error rates, calls, licences
chain_parts(chain): the same of one chain, for a section of another page
"""

from __future__ import annotations

from pathlib import Path

from etalon.data.funnel.chains import Chain, Funnel, total_calls
from etalon.data.funnel.reading import lost, seen
from etalon.report.charts import svg
from etalon.report.data import tables
from etalon.report.data.charts import flow, pairs
from etalon.report.data.tables import Table, cost
from etalon.report.html import CHARTS, Html, clip, count, document, figure, folded, grid, join, percent, section, tag
from etalon.store import write_atomic

LEAD = (
    "Every step with the records that it took and gave, from the report beside its output. A step follows another "
    "where it took what that one wrote, told by the content of the file."
)
KEPT = [("kept", "kept"), ("lost", "lost")]
TWO = [("before", "before"), ("bar", "after")]
MOST_ROWS = 12  # (ours) of a table that stands open


def write_page(funnel: Funnel, path: Path, *, name: str) -> Path:
    """Write the funnel as one file without network or a second file. name: of the directory, for its title."""
    write_atomic(path, document(f"{name}: data funnel", page(funnel, name), scripts=CHARTS))
    return path


def page(funnel: Funnel, name: str) -> Html:
    """The whole body."""
    steps = sum(len(chain.steps) for chain in funnel.chains)
    facts = [f"{steps} steps", f"{len(funnel.chains)} chains"] if len(funnel.chains) > 1 else [f"{steps} steps"]
    head = [tag("h1", f"Data funnel of {name}"), tag("p", *(tag("span", fact) for fact in facts), class_="facts")]
    if funnel.left_out:
        head.append(tag("p", "Not in this funnel: ", "; ".join(funnel.left_out), class_="note"))
    if len(funnel.chains) > 1:
        names = enumerate(map(chain_name, funnel.chains), start=1)
        head.append(tag("nav", *(tag("a", name, href=f"#chain-{place}") for place, name in names)))
    parts = [
        section(f"chain-{place}", chain_name(chain), LEAD, tiles(chain), *chain_parts(chain))
        for place, chain in enumerate(funnel.chains, start=1)
    ]
    return tag("body", tag("header", *head), *parts)


def chain_name(chain: Chain) -> str:
    """What goes in and what comes out, by the names of the files."""
    inputs = [name for step in chain.first for name in tables.outside(step, chain)]
    return clip(f"{', '.join(dict.fromkeys(inputs))} → {', '.join(step.place for step in chain.last)}", 120)


def tiles(chain: Chain) -> Html:
    """The numbers that are asked for first."""
    before, after, calls = chain.before.total, chain.after.total, total_calls(one for _, one in chain.calls)
    files = f"in {len(chain.last)} files, " if len(chain.last) > 1 else ""
    found = [
        ("Records", count(after.records), files + _of(after.records, before.records, is_part=not files)),
        ("Traces", count(after.traces), files + _of(after.traces, before.traces, is_part=not files)),
    ]
    if chain.calls:
        asked = f"{count(calls.asked)} calls, {count(calls.failed)} failed, {count(calls.remembered)} remembered"
        is_counted = calls.tokens or not calls.answered
        found.append(("Tokens generated", count(calls.tokens) if is_counted else "unknown", asked))
        priced = "of all calls" if calls.cost is not None else "the price of a model is not known"
        found.append(("Cost", cost(calls.cost), priced))
    boxes = [
        tag("div", tag("b", name), tag("strong", number), tag("span", told), class_="tile")
        for name, number, told in found
    ]
    return tag("div", *boxes, class_="tiles")


def _of(after: int, before: int, *, is_part: bool) -> str:
    """How many there were, and the share that is left where these are a part of those."""
    if after > before:
        return f"made from {count(before)}" if before else "made here"
    share = f", {percent(after / before)}" if is_part and before > 0 else ""
    return f"of {count(before)}{share}"


def chain_parts(chain: Chain) -> list[Html]:
    """The chart, the tables and the examples of one chain."""
    chart = figure("Records through the steps", flow(chain, "Records through the steps"), legend=KEPT)
    parts = [
        tag("div", chart, class_="wide scroll", tabindex="0"),
        tag("h3", "Steps"),
        _grid(tables.steps(chain)),
        _gates(chain),
    ]
    parts += [
        folded(f"{title}: examples of what was dropped", *(example(reason, text) for reason, text in found))
        for title, found in tables.examples(chain)
    ]
    for table in (tables.groups(chain), tables.gate_groups(chain)):
        if table.rows:
            parts.append(folded(table.title, _grid(table)))
    parts.append(tag("div", *_two_sided(chain), class_="charts"))
    for table in (tables.calls(chain), tables.licenses(chain)):
        if table.rows:
            shown = _grid(table)
            parts += [tag("h3", table.title), shown] if len(table.rows) <= MOST_ROWS else [folded(table.title, shown)]
    return parts


def _two_sided(chain: Chain) -> list[Html]:
    """Lengths and difficulty before and after."""
    lengths = tables.length_bars(chain)
    found = [("Length of traces, in tokens", lengths)] if lengths else []
    found += [(f"Error rate of {model}", tables.rate_bars(chain, model)) for model in chain.models]
    return [figure(title, pairs(title, bars), legend=TWO) for title, bars in found]


def _gates(chain: Chain) -> Html:
    """Gates with their reasons under their names, and the share that each lost as a bar."""
    table, every = tables.gates(chain), list(tables.every_gate(chain))
    if not every:
        return join([])
    rows = []
    for cells, (_, gate) in zip(table.rows, every, strict=True):
        words = ", ".join(f"{reason} {count(number)}" for reason, number in gate.reasons.items())
        step_and_gate = ", ".join(dict.fromkeys(cells[:2]))
        name = join([f"{step_and_gate} ", tag("small", words or "nothing was stopped", class_="soft")])
        share = lost(gate) / seen(gate) if seen(gate) else 0.0
        rows.append([name, *cells[2:], svg.bar(share)])
    return join([tag("h3", "Gates"), grid(("Gate", *table.head[2:], ""), rows)])


def _grid(table: Table) -> Html:
    return grid(table.head, table.rows, styles=dict.fromkeys(range(table.texts), "left"))


def example(reason: str, words: str) -> Html:
    """A row that was dropped, under the reason."""
    return join([tag("p", reason, class_="note"), tag("pre", clip(words, 600))])
