"""`data export`: records as rows that a trainer reads (`exchange`), in JSONL or parquet, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, BinaryIO

from etalon.data.exporting.exchange import Columns, trl_rows, verl_row
from etalon.data.records import Record, record_to_row
from etalon.errors import InputError
from etalon.store import to_json

BATCH_BYTES = 8 << 20  # (ours) of JSON that is written as one batch of a row group
GROUP_BYTES = 128 << 20  # (ours) of JSON in a row group


class Target(StrEnum):
    """Who reads the rows; JSONL is the records themselves."""

    VERL = "verl"
    TRL = "trl"
    JSONL = "jsonl"


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """How many records of a file have traces, and how many have none."""

    with_traces: int = 0
    without: int = 0

    @classmethod
    def of(cls, records: Iterable[Record]) -> Kinds:
        have = [0, 0]
        for record in records:
            have[bool(record.traces)] += 1
        return cls(with_traces=have[1], without=have[0])


def rows_for(records: Iterable[Record], target: Target, *, kinds: Kinds, split: str = "train") -> Iterator[Columns]:
    """The rows of the records, in order.

    kinds: of all records; TRL has completions where a record has traces, solutions where one has none, and where a file
    has both, both columns in every row. split: what verl's rows call themselves.
    """
    for index, record in enumerate(records):
        row = record_to_row(record)
        if target is Target.VERL:
            yield verl_row(row, index=index, split=split)
        elif target is Target.TRL:
            yield from trl_rows(row, completion=kinds.with_traces > 0, solution=kinds.without > 0)
        else:
            yield row


def write_jsonl(rows: Iterable[Columns], stream: BinaryIO) -> int:
    """One row a line; how many there were."""
    count = 0
    for row in rows:
        stream.write(to_json(row) + b"\n")
        count += 1
    return count


def write_parquet(rows: Iterable[Columns], stream: BinaryIO) -> int:
    """A table whose types are those of the first row, which all rows share; how many rows there were."""
    arrow, parquet = _arrow()
    writer, count = None, 0
    group: list[Any] = []
    size = 0
    try:
        for batch, num_bytes in _batches(rows):
            schema = writer.schema if writer is not None else arrow.schema(_types(arrow, batch[0]))
            writer = writer or parquet.ParquetWriter(stream, schema, compression="zstd")
            group.append(arrow.RecordBatch.from_pylist(batch, schema=schema))
            count, size = count + len(batch), size + num_bytes
            if size >= GROUP_BYTES:
                writer.write_table(arrow.Table.from_batches(group))
                group, size = [], 0
        if writer is not None and group:
            writer.write_table(arrow.Table.from_batches(group))
    finally:
        if writer is not None:
            writer.close()
    return count


def _batches(rows: Iterable[Columns]) -> Iterator[tuple[list[Columns], int]]:
    """(rows, bytes of JSON) of some BATCH_BYTES each."""
    batch: list[Columns] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += len(to_json(row))
        if size >= BATCH_BYTES:
            yield batch, size
            batch, size = [], 0
    if batch:
        yield batch, size


def _types(arrow: Any, row: Columns) -> list[tuple[str, Any]]:
    """Column -> type; messages are what lists hold, also where the first row's is empty."""
    message = arrow.struct([("role", arrow.string()), ("content", arrow.string())])

    def type_of(value: Any) -> Any:
        if isinstance(value, list):
            return arrow.list_(message)
        if isinstance(value, dict):
            return arrow.struct([(name, type_of(inner)) for name, inner in value.items()])
        return arrow.int64() if isinstance(value, int) else arrow.large_string()

    return [(name, type_of(value)) for name, value in row.items()]


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError("parquet needs pyarrow; run: pip install pyarrow") from None
    return pyarrow, pyarrow.parquet
