"""LiveCodeBench's own files: what its runner says of every program, and what its custom evaluator is given.

    Scenario.codegeneration_N_T_eval_all.json   [{question_id, output_list, code_list, graded_list, metadata, ...}]
    custom evaluator's input                    [{question_id, code_list}]

Neither holds tests: the problems come from the benchmark's file. `metadata` has a text of JSON for each program, its
values cut to 300 characters; it is kept as the sample's detail.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from etalon.errors import InputError
from etalon.evaluate.logs.asked import Source
from etalon.evaluate.logs.log import About, Entry, UnreadableLogError, as_share
from etalon.evaluate.store import Sample
from etalon.rows.bad import shown
from etalon.rows.files import Row
from etalon.rows.mapping import columns_found
from etalon.types import Stop

NAME = "lcb"
DETAIL = "lcb"  # of a sample: what their runner says of its program
_FILE = re.compile(r"Scenario\.codegeneration_(?P<n>\d+)_(?P<temperature>[\d.]+?)(?:_eval(?:_all)?)?\.json")
_FENCES = re.compile(r"`{3,}")


def recognises(row: Mapping[str, Any]) -> bool:
    return "question_id" in row and ("code_list" in row or "output_list" in row)


class LcbReader:
    """Reads the questions of one file; see `Reader`."""

    def __init__(self, source: Source) -> None:
        self._source, self._most = source, 0
        if source.known is None:
            raise UnreadableLogError(
                f"{source.path}: holds programs and no tests; name the livecodebench file of its problems, too"
            )

    def read(self, row: Row) -> Entry:
        columns = row.columns or {}
        if not recognises(columns):
            raise InputError(f"question_id, code_list: missing; {columns_found(columns)}")
        assert self._source.known is not None
        problem = self._source.known.find(str(columns["question_id"]))
        programs, outputs = _texts(columns, "code_list"), _texts(columns, "output_list")
        texts = [_response(code, text) for code, text in _pairs(programs, outputs)]
        self._most = max(self._most, len(texts))
        graded, told = _aligned(columns, "graded_list", texts), _aligned(columns, "metadata", texts)
        return Entry(
            problem=problem,
            samples=tuple(
                Sample(
                    id=problem.id, index=at, text=text, stop=Stop.EOS, theirs=as_share(graded[at]),
                    detail=_detail(told[at]),
                )
                for at, text in enumerate(texts)
            ),
        )  # fmt: skip

    def about(self) -> About:
        named = _FILE.fullmatch(self._source.path.name)
        settings: dict[str, Any] = {"temperature": float(named["temperature"])} if named else {}
        return About(
            name="livecodebench",
            model=self._source.path.absolute().parent.name if named else "",
            settings=settings | {"n": self._most},
            knows_cuts=False,
        )


def _texts(columns: Mapping[str, Any], name: str) -> list[str] | None:
    value = columns.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise InputError(f"{name}: found {shown(value)}, expected a list of texts")
    return value


def _pairs(programs: list[str] | None, outputs: list[str] | None) -> list[tuple[str | None, str | None]]:
    """(program, response) of each sample, where both are there as many."""
    if programs is not None and outputs is not None and len(programs) != len(outputs):
        raise InputError(f"code_list: found {len(programs)} programs, output_list has {len(outputs)}")
    size = len(programs if programs is not None else outputs or [])
    return [(programs[at] if programs else None, outputs[at] if outputs else None) for at in range(size)]


def _response(program: str | None, output: str | None) -> str:
    """The response as it was given; a program in a fence where only that is known."""
    return output if output is not None and output != program else fenced(program or "")


def fenced(program: str, language: str = "python") -> str:
    """A program as a response: in a fence longer than any in it; "" for none."""
    if not program.strip():
        return ""
    fence = "`" * max([3, *(len(run) + 1 for run in _FENCES.findall(program))])
    return f"{fence}{language}\n{program}\n{fence}"


def _aligned(columns: Mapping[str, Any], name: str, texts: list[str]) -> list[Any]:
    """The values of a column for each sample, None where the row has none."""
    value = columns.get(name)
    if value is None:
        return [None] * len(texts)
    if not isinstance(value, list) or len(value) != len(texts):
        raise InputError(f"{name}: found {shown(value)}, expected a list of {len(texts)}")
    return value


def _detail(told: Any) -> dict[str, Any] | None:
    """What their runner says of a program, which is JSON in a text."""
    try:
        found = json.loads(told) if isinstance(told, str) else told
    except (ValueError, RecursionError):
        return None
    return {DETAIL: found} if isinstance(found, dict) and found else None
