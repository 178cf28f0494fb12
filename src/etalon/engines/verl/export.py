"""Problems and token rows as the parquet files that verl reads.

problems    {data_source, prompt: [{role, content}], ability, reward_model: {style, ground_truth}, extra_info}
token rows  {prompt: [ids], response: [ids]}
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from etalon.errors import ConfigError
from etalon.model.packed import TokenRow
from etalon.problems.options import as_asked, draw_order
from etalon.problems.rows import problem_to_row
from etalon.store import to_json, writing
from etalon.types import Problem


def write_problems(path: Path, problems: Sequence[Problem], *, seed: int, system: str = "") -> Path:
    """One row per problem, in order; a problem may come again, for another step. system: message before every prompt.

    The problem is in extra_info as JSON text: parquet would merge the fields of different tests into one struct.
    """
    return _write(path, [problem_row(one, index, seed=seed, system=system) for index, one in enumerate(problems)])


def problem_row(problem: Problem, index: int, *, seed: int, system: str = "") -> dict[str, Any]:
    """The row of one problem; `index` is its place in the file.

    A problem whose options are shuffled gets one order per row: verl samples a whole group from one prompt. The
    ground truth is the problem's id, which verl's dumps of rollouts repeat; the reference is in extra_info.
    """
    order = draw_order(problem, seed=seed, index=index)
    asked = as_asked(problem, order)
    before = [{"role": "system", "content": system}] if system else []
    return {
        "data_source": f"etalon/{problem.domain.value}",
        "prompt": [*before, {"role": "user", "content": asked.prompt}],
        "ability": problem.domain.value,
        "reward_model": {"style": "rule", "ground_truth": problem.id},
        "extra_info": {
            "index": index,
            "id": problem.id,
            "problem": to_json(problem_to_row(problem)).decode(),
            "order": list(order or ()),
        },
    }


def write_token_rows(path: Path, rows: Iterable[TokenRow]) -> Path:
    """One row of ids per token row, in order."""
    return _write(path, [{"prompt": list(row.prompt), "response": list(row.response)} for row in rows])


def write_order(path: Path, steps: Sequence[Sequence[int]]) -> Path:
    """The rows of every step, end to end."""
    return _write(path, [{"row": row} for step in steps for row in step])


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    arrow, parquet = _arrow()
    temporary = path.with_name(f".{path.name}.partial")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(arrow.Table.from_pylist(list(rows)), temporary)
        os.replace(temporary, path)
    return path


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError("engine: 'verl' writes parquet files; install pyarrow with: pip install pyarrow") from None
    return pyarrow, pyarrow.parquet
