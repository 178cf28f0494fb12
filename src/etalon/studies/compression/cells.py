"""The trained models of a study as one file that another directory can go on from: cells.jsonl.gz.

{budget, world}                 what they were trained on; another budget, or another nano world, is refused
{name, part, width, ...} ...    every cell as cells/NAME.json has it, the whole of its measurements, no weights
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from etalon.errors import InputError
from etalon.problems import nano
from etalon.store import read_json, write_atomic, write_json_atomic
from etalon.studies.compression.plan import Cell, Design

FILE = "cells.jsonl.gz"


def cell_file(run: Path, cell: Cell) -> Path:
    """What a trained model has left in the directory of its study."""
    return run / "cells" / f"{cell.name}.json"


def write_cells(directory: Path, study: Design) -> Path:
    """The cells of a study that are trained, as DIR/cells.jsonl.gz; the same bytes for the same cells."""
    files = [cell_file(directory, cell) for cell in study.cells]
    rows = [_made(study), *(read_json(file) for file in files if file.exists())]
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    path = directory / FILE
    write_atomic(path, gzip.compress(text.encode(), mtime=0))
    return path


def take_cells(source: Path, directory: Path, study: Design) -> int:
    """Cells of the study that `source`, such a file or a study's directory, has and DIR does not; how many.

    InputError for a file that is none, or whose cells were trained on something else.
    """
    path = source / FILE if source.is_dir() else source
    made, cells = _read(path)
    if made != _made(study):
        raise InputError(f"{path}: its models were trained on another budget or in another nano world")
    wanted = {cell.name: cell_file(directory, cell) for cell in study.cells}
    taken = 0
    for cell in cells:
        file = wanted.get(cell["name"])
        if file is not None and not file.exists():
            write_json_atomic(file, cell)
            taken += 1
    return taken


def _made(study: Design) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps({"budget": asdict(study.budget), "world": nano.FINGERPRINT}))
    return found


def _read(path: Path) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    try:
        rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}: is not a file of trained models, {FILE}: {error}") from None
    if not rows or not all(isinstance(row, dict) for row in rows) or any("name" not in row for row in rows[1:]):
        raise InputError(f"{path}: is not a file of trained models, {FILE}")
    return rows[0], rows[1:]
