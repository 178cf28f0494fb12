"""OJBench: {id, prompt, dataset, language, difficulty}; each problem comes twice, for Python and for C++.

The prompt is complete. The tests lie in folders beside it and are read by OJBench's own judge alone, a program apart:
what a row is judged by is that judge's name, and what it is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etalon.problems.formats.columns import row_id, text
from etalon.problems.formats.reading import Reading
from etalon.types import Domain, Problem

JUDGE = "ojbench"
DATASETS = ("NOI", "ICPC")
TOLD = ("id", "dataset", "language", "difficulty")
LEVELS = {"easy": 1, "medium": 2, "hard": 3}


def recognises(row: Mapping[str, Any]) -> bool:
    return row.get("dataset") in DATASETS and all(isinstance(row.get(name), str) for name in ("prompt", "language"))


def read(row: Mapping[str, Any], reading: Reading) -> Problem:
    language = text(row, "language")
    return Problem(
        id=f"{row['dataset']}-{row_id(row, 'id')}-{language}",
        domain=Domain.CODE,
        prompt=text(row, "prompt").strip(),
        tests={"judge": JUDGE} | {name: row[name] for name in TOLD if row.get(name) is not None},
        skill=language,
        level=LEVELS.get(str(row.get("difficulty")), 0),
        source=f"{JUDGE} {row['dataset']}",
    )
