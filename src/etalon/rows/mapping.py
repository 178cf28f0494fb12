"""Columns under other names: `--map field=column`, and which map would do for a row that lacks a field.

    {"target": "4", "sample": {"text": "..."}}   --map answer=target --map response=sample.text
    {"answer": "4", "sample": {...}, "response": "..."}

A column goes by its name, or by the way to it inside JSON: reward_model.ground_truth, messages.-1.content.
"""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etalon.errors import ConfigError, InputError

Columns = Mapping[str, Any]

FIELDS = (
    *(
        "id",
        "domain",
        "date",
        "prompt",
        "question",
        "messages",
        "answer",
        "options",
        "tests",
        "rules",
        "rubric",
        "solution",
    ),
    *("solutions", "skill", "level", "source", "shuffle", "starter_code", "entry_point", "test", "test_list"),
    *("input_output", "instruction_id_list", "kwargs", "key", "response", "stop", "order", "mode"),
)
# a field that is mapped is meant, whatever other column could hold the same
DISPLACED: Mapping[str, tuple[str, ...]] = {
    "answer": ("final_answer", "expected_answer", "reward_model"),
    "question": ("problem", "query"),
    "prompt": ("problem", "question", "query"),
}
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "answer": (
        *("ground_truth", "gold", "gold_answer", "target", "reference", "reference_answer", "correct_answer"),
        *("short_answer", "expected", "expected_output", "label", "truth", "answer", "solution", "value"),
    ),
    "response": (
        *("output", "generation", "generations", "generated_text", "generated_solution", "completion", "completions"),
        *("prediction", "predictions", "pred", "model_output", "model_response", "model_answer", "responses"),
        *("output_text", "filtered_resps", "resps", "samples", "text"),
    ),
    "question": ("question", "problem", "query", "input", "instruction", "problem_statement", "task", "text", "prompt"),
    "prompt": ("input", "instruction", "text", "problem_statement", "body", "task", "conversations"),
    "tests": ("test_cases", "unit_tests", "public_tests", "testcases", "test"),
    "rules": ("constraints", "instructions"),
    "options": ("choices", "option"),
}


@dataclass(frozen=True, kw_only=True)
class ColumnMap:
    """Pairs of (field, column). It travels to other processes with the work that reads rows."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, table: Mapping[str, str], *, key: str) -> ColumnMap:
        """From a table of a recipe; ConfigError with the key for a field that no reader knows."""
        for field, column in table.items():
            if field not in FIELDS:
                close = difflib.get_close_matches(field, FIELDS, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"fields are {', '.join(FIELDS)}"
                raise ConfigError(f"{key}: {field}: unknown field; {hint}")
            if not column.strip():
                raise ConfigError(f"{key}: {field}: names no column")
        return cls(pairs=tuple(table.items()))

    @classmethod
    def read(cls, texts: Sequence[str]) -> ColumnMap:
        """From the values of --map; ConfigError for what is no field=column."""
        table = {}
        for text in texts:
            field, equals, column = text.partition("=")
            if not equals:
                raise ConfigError(f"--map {text}: expected FIELD=COLUMN, such as answer=target")
            table[field.strip()] = column.strip()
        return cls.of(table, key="--map")

    def apply(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row under our names. A column that is renamed is gone, one that is looked into stays."""
        if not self.pairs:
            return row
        found = {field: value_at(row, column) for field, column in self.pairs}
        gone = {column for _, column in self.pairs if column in row}
        gone.update(name for field in found for name in DISPLACED.get(field, ()))
        kept = {name: value for name, value in row.items() if name not in gone and name not in found}
        return kept | {field: value for field, value in found.items() if value is not None}


AS_NAMED = ColumnMap()  # every column under its own name


def value_at(value: Any, column: str) -> Any:
    """What stands at a column or a dotted way, None when nothing does."""
    if isinstance(value, str) and value[:1] in ("{", "["):  # JSON in a cell
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if isinstance(value, Mapping) and column in value:
        return value[column]
    head, dot, rest = column.partition(".")
    if isinstance(value, Mapping):
        inner = value.get(head) if dot else None
    elif isinstance(value, list) and re.fullmatch(r"-?\d{1,6}", head):
        place = int(head)
        inner = value[place] if -len(value) <= place < len(value) else None
    else:
        return None
    return value_at(inner, rest) if dot else inner


def missing(row: Columns, *fields: str) -> InputError:
    """The error for a row that lacks the first of these fields: the columns found, and the --map that would do."""
    maps = [f"--map {shlex.quote(f'{field}={column}')}" for field in fields if (column := _stand_in(row, field))]
    hint = f"; {' '.join(maps)} would do" if maps else ""
    return InputError(f"{fields[0]}: missing; {columns_found(row)}{hint}")


def columns_found(row: Columns) -> str:
    """The columns of a row, as messages list them."""
    names = [shortened(str(name)) for name in row]
    found = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"columns found: {found or 'none'}"


def shortened(name: str) -> str:
    """A column's name, at most 40 characters of it."""
    return name if len(name) <= 40 else f"{name[:37]}..."


def _stand_in(row: Columns, field: str) -> str | None:
    """The column that may be meant by a field: a usual name for it, with a value of its type."""
    named = [(column, _plainly(column.rpartition(".")[2] if is_inner else column), value)
             for column, value, is_inner in _columns(row)]  # fmt: skip
    for name in SYNONYMS.get(field, ()):
        for column, plain, value in named:
            if column != field and plain == name and (fitting := _fitting(column, value, field)):
                return fitting
    return _last_answer(row) if field == "response" else None


def _columns(row: Columns) -> Iterator[tuple[str, Any, bool]]:
    """(name, value, whether it is inside another) of the columns, then of those one level down."""
    for name, value in row.items():
        yield name, value, False
    for name, value in row.items():
        if isinstance(value, Mapping):
            for inner, content in value.items():
                yield f"{name}.{inner}", content, True


def _plainly(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _fitting(column: str, value: Any, field: str) -> str | None:
    """The column, or the way to the first text in it; None when what it holds is no such field."""
    if field in ("tests", "rules", "options"):
        return column if isinstance(value, list | dict) and value else None
    while isinstance(value, list) and value:
        column, value = f"{column}.0", value[0]
    kinds = str | int | float if field == "answer" else str
    return column if isinstance(value, kinds) and not isinstance(value, bool) and value != "" else None


def _last_answer(row: Columns) -> str | None:
    """The last message of a conversation that a model ends."""
    for name, value in row.items():
        if isinstance(value, list) and value and isinstance(value[-1], dict):
            last = value[-1]
            if last.get("role") == "assistant" and isinstance(last.get("content"), str):
                return f"{name}.-1.content"
    return None
