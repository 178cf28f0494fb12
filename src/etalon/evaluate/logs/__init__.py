"""Logs of other tools, read to be scored again and compared: `read_log(path)`; `looks_like_log(path)` says whose it is.

lm-eval    samples_TASK_DATE.jsonl                                     lm_eval.py
inspect    .eval, and its .json form                                   inspect_ai.py, inspect_files.py
lcb        LiveCodeBench's *_eval_all.json, custom evaluator's input   livecodebench.py
ojbench    OJBench's responses, and what its judge made of them        ojbench.py
sgl-eval   a run's directory, or one output-rsN.jsonl                  nemo.py
nemo-gym   rollouts                                                    nemo.py

What a log is, its content says. All of it is untrusted: it is parsed as JSON, and nothing else is done to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.evaluate.logs import inspect_ai, inspect_files, livecodebench, lm_eval, nemo, ojbench
from etalon.evaluate.logs.asked import Known, Source
from etalon.evaluate.logs.log import Log, Reader, read_all
from etalon.rows.files import Row, read_rows
from etalon.rows.mapping import AS_NAMED, ColumnMap, columns_found
from etalon.types import Answers, Problem

__all__ = ["Log", "looks_like_log", "read_log"]


@dataclass(frozen=True, kw_only=True)
class _Tool:
    name: str
    reader: Callable[[Source], Reader]
    recognises: Callable[[Mapping[str, Any]], bool] = lambda row: False
    rows: Callable[[Path], Iterator[Row]] = read_rows


_INSPECT = _Tool(name=inspect_ai.NAME, rows=inspect_files.rows, reader=inspect_ai.InspectReader)
_PREDICTIONS = _Tool(
    name=nemo.PREDICTIONS, recognises=nemo.recognises_prediction, rows=nemo.prediction_rows,
    reader=nemo.PredictionReader,
)  # fmt: skip
_TOOLS = (  # told by the columns of the first row
    _Tool(name=lm_eval.NAME, recognises=lm_eval.recognises, reader=lm_eval.LmEvalReader),
    _Tool(name=livecodebench.NAME, recognises=livecodebench.recognises, reader=livecodebench.LcbReader),
    _Tool(name=ojbench.NAME, recognises=ojbench.recognises, reader=ojbench.OjbenchReader),
    _Tool(name=nemo.ROLLOUTS, recognises=nemo.recognises_rollout, reader=nemo.RolloutReader),
    _PREDICTIONS,
)


def looks_like_log(path: Path) -> str | None:
    """The name of the tool whose log a file or a directory is, None where it is none that is read here."""
    with suppress(InputError, OSError):
        tool = _tool(path)
        return None if isinstance(tool, str) else tool.name
    return None


def read_log(
    path: Path,
    *,
    problems: Sequence[Problem] | None = None,
    columns: ColumnMap = AS_NAMED,
    answers: Answers | None = None,
) -> Log:
    """The log of another tool: its problems, and its samples as they are read.

    Args:
        problems: the benchmark's, by which the log's are found: by what was asked, or by id. Needed where the log holds
            no tests or answers; without them the problems are those that it holds.
        columns: other names of its columns.
        answers: how its responses state their answers; None chooses what the tool asked for, or else what most do.

    Raises InputError, one line, where it is no log that is read here, of another version, or holds nothing to score.
    """
    tool = _tool(path)
    if isinstance(tool, str):
        read = ", ".join((inspect_ai.NAME, *(one.name for one in _TOOLS)))
        raise InputError(f"{path}: {tool}; logs of {read} are read")
    source = Source(path=path, known=None if problems is None else Known(problems), columns=columns)
    return read_all(tool.name, path, lambda: tool.rows(path), lambda: tool.reader(source), answers)


def _tool(path: Path) -> _Tool | str:
    """Whose log a path is, or what was found there."""
    if path.is_dir():
        return _PREDICTIONS if nemo.is_run(path) else "a directory without predictions; name one log"
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if inspect_files.is_inspect(path):
        return _INSPECT
    first = next((row for row in read_rows(path) if row.columns is not None), None)
    if first is None or first.columns is None:
        return "no row in it is a JSON object"
    columns = first.columns
    found = next((tool for tool in _TOOLS if tool.recognises(columns)), None)
    return found or f"no columns of a log; {columns_found(columns)}"
