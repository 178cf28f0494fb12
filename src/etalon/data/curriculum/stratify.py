"""Records by length in tokens and by difficulty (2.1.1 step 5): counts of tokens, and the table of what is there.

    records -> counted (the real tokenizer) -> Stratified.add -> cells of traces and of problems

Difficulty is the error rate of one model, which the table names. A problem that it was not measured on stands in a
column of its own, never in that of 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from etalon.data.curriculum.strata import Strata, table
from etalon.data.records import Record
from etalon.errors import ConfigError

TOGETHER = 64  # (ours) records whose traces are counted at once


def counted(records: Iterable[Record], count: Callable[[Sequence[str]], list[int]]) -> Iterator[Record]:
    """The records with the length in tokens of every trace, counted anew."""
    rest = iter(records)
    while part := list(islice(rest, TOGETHER)):
        lengths = iter(count([trace.response for record in part for trace in record.traces]))
        for record in part:
            yield replace(record, traces=tuple(replace(one, num_tokens=next(lengths)) for one in record.traces))


def whose(models: Iterable[str], asked: str | None, *, option: str) -> str | None:
    """The model whose error rates count: the one asked for, else the only one there is; None where there is none.

    Raises ConfigError, which names the option, where that is not there, or where there are several.
    """
    there = sorted(models)
    if asked is not None and asked not in there:
        others = f"those of {', '.join(there)} are there" if there else "the records have none"
        raise ConfigError(f"{option} {asked}: no record has an error rate of this model; {others}")
    if asked is None and len(there) > 1:
        raise ConfigError(f"{option}: name the model whose error rates count, one of {', '.join(there)}")
    return asked or next(iter(there), None)


class Stratified:
    """Counts records as they come, once for every model that has error rates; keeps no texts."""

    def __init__(self) -> None:
        self._bare, self._of_model = _Counts(), dict[str, _Counts]()
        self.uncounted = 0  # traces whose tokens nobody counted; they are in no cell

    def add(self, record: Record) -> None:
        """One record more."""
        self.uncounted += sum(not trace.num_tokens for trace in record.traces)
        for model in record.error_rates.keys() - self._of_model.keys():
            self._of_model[model] = self._bare.copied()  # nobody before had a rate of this model
        self._bare.add(record, None)
        for model, counts in self._of_model.items():
            counts.add(record, model)

    def table(self, model: str | None = None) -> dict[str, Any]:
        """{model, uncounted, traces: [Stratum], problems: [Stratum]}; problems with and without traces, lengths open.

        Raises ConfigError where it is not clear whose error rates count.
        """
        name = whose(self._of_model, model, option="--model")
        counts = self._of_model[name] if name else self._bare
        cells = {"traces": table(counts.traces.cells()), "problems": table(counts.problems.cells())}
        return {"model": name, "uncounted": self.uncounted, **cells}


class _Counts:
    def __init__(self) -> None:
        self.traces, self.problems = Strata(), Strata(token_edges=())

    def copied(self) -> _Counts:
        found = _Counts()
        found.traces, found.problems = self.traces.copied(), self.problems.copied()
        return found

    def add(self, record: Record, model: str | None) -> None:
        rate = record.error_rates.get(model or "")
        share = None if rate is None else rate.share
        domain, name = record.problem.domain, record.problem.id
        self.problems.add(domain=domain, num_tokens=0, error_rate=share, problem_id=name)
        for trace in (one for one in record.traces if one.num_tokens):
            self.traces.add(domain=domain, num_tokens=trace.num_tokens, error_rate=share, problem_id=name)
