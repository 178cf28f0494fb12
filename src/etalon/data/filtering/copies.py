"""The first pass over a file, where copies are looked for: what of each row is compared, one after the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from etalon.data.duplicates import Decisions, Keyed, duplicates, keyed
from etalon.data.filtering.gate_rows import read
from etalon.errors import InputError
from etalon.rows.files import Row
from etalon.rows.mapping import AS_NAMED, ColumnMap
from etalon.rows.work import RowFunction
from etalon.store import to_json


@dataclass(frozen=True, kw_only=True)
class KeyRows:
    """One line per row: what is compared as JSON, or nothing for a row that no gate can read."""

    columns: ColumnMap = AS_NAMED
    threads: int = 1

    def start(self) -> RowFunction:
        return self._line

    def _line(self, row: Row) -> bytes:
        try:
            found, _, traces = read(row, self.columns)
        except InputError:
            return b""
        try:
            return to_json(asdict(keyed(found)))
        except InputError:  # a response without a question is compared with nothing
            own = hashlib.blake2b("\n".join(trace.response for trace in traces).encode("utf-8", "surrogatepass"))
            return to_json(asdict(Keyed(text=own.hexdigest())))


def compared(lines: Iterable[tuple[str, bytes]]) -> Decisions:
    """What is to become of each row that can be read, by its number from 0; lines: (place, line of `KeyRows`)."""
    return duplicates(_keys(lines))


def _keys(lines: Iterable[tuple[str, bytes]]) -> Iterator[Keyed]:
    for _, line in lines:
        if line:
            told = json.loads(line)
            yield Keyed(**{**told, "traces": tuple(told["traces"])})
