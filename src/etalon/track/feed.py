"""What a run directory has for a tracker: the stages in their order, new rows of steps, scores of evaluations.

resolved.toml -> names in order, config without secrets
stages/NAME   -> inputs.json (whose) -> metrics.jsonl (rows) -> DONE.json (scores)
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.config.stages import EVALUATION
from etalon.errors import InputError
from etalon.processes.children import secrets
from etalon.redact import MIN_CHARS, Redactor
from etalon.store import StageDir, is_special, read_json

NUMBERS = ("accuracy", "mean_tokens", "truncated", "entropy", "grad_norm")  # of a step, where it has them
LOSS = "loss"  # of a step without an accuracy: in RL it says nothing
SCORES = ("pass1", "passk", "mean_tokens", "truncated")  # of a domain
VOTES = "votes"
LARGEST = 1e300  # of a number; what is beyond is none, a NaN neither
CLR = ("pass1", "cons_k", "cons_2k", "clr")  # of a stage of kind clr
# tables and keys of a recipe that say where things run and not what is learned; addresses and arguments may hold keys
KEPT_HERE = (
    ("track",), ("hardware",), ("sandbox",), ("sampler", "arguments"), ("trl", "vllm_server"),
    ("verl", "address"), ("verl", "overrides"),
)  # fmt: skip
USER = re.compile(r"(?<=://)[^/@\s\"]+@")  # NAME:PASSWORD@ of an address
QUERY = re.compile(r"(://[^\s\"?]+)\?[^\s\"]*")  # ?key=... of an address


@dataclass(frozen=True, kw_only=True)
class StageFiles:
    """One stage as far as it has come. position: of the stage it is about in the recipe's list, from 1."""

    name: str
    key: str
    position: int
    path: Path

    @property
    def is_evaluation(self) -> bool:
        return self.name.startswith(EVALUATION)


class Feed:
    """A run directory, read again and again while it grows; each row once."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._offsets: dict[Path, int] = {}
        self.recipe = _recipe(run_dir)

    @property
    def config(self) -> Mapping[str, Any]:
        """The recipe as it ran, without what must not leave this machine; names of stages by their position."""
        recipe = json.loads(json.dumps(self.recipe, default=str))
        for *tables, key in KEPT_HERE:
            inner = recipe
            for table in tables:
                inner = _table(inner.get(table))
            inner.pop(key, None)
        recipe["positions"] = {str(place): name for place, name in enumerate(self.listed, start=1)}
        config: Mapping[str, Any] = json.loads(without_secrets(json.dumps(recipe, ensure_ascii=False)))
        return config

    @property
    def listed(self) -> list[str]:
        """Names of the recipe's stages, as listed."""
        stages = self.recipe.get("stages")
        rows = stages if isinstance(stages, list) else []
        return [str(stage["name"]) for stage in rows if isinstance(stage, dict) and "name" in stage]

    def stages(self, keys: Mapping[str, str] | None = None) -> Iterator[StageFiles]:
        """The stages that have begun, as listed, evaluations last. keys: leave out what was made with another one."""
        for name in (*self.listed, *(f"{EVALUATION}{name}" for name in self.listed)):
            path = self.run_dir / "stages" / name
            if not (path / "inputs.json").exists():
                continue
            key = _key_of(path / "inputs.json")
            if keys is None or keys.get(name) == key:
                position = self.listed.index(name.removeprefix(EVALUATION)) + 1
                yield StageFiles(name=name, key=key, position=position, path=path)

    def rows(self, stage: StageFiles, *, after: int) -> list[dict[str, Any]]:
        """The rows of steps behind `after` that are whole; a file that a resumed stage cut is read anew."""
        path = stage.path / "metrics.jsonl"
        offset = self._offsets.get(path, 0)
        rows, end = whole_rows(path, offset)
        if offset and (rows is None or (rows and rows[0]["step"] != after + 1)):
            rows, end = whole_rows(path, 0)
        self._offsets[path] = end
        return [row for row in rows or () if row["step"] > after]

    def scores(self, stage: StageFiles) -> Mapping[str, Mapping[str, float]] | None:
        """Domain -> numbers of a finished evaluation, or of the one it names; {} where there is none, None: not yet."""
        done = StageDir(stage.path).done()
        if done is None or done.get("key") != stage.key:
            return None
        outputs = _table(done.get("outputs"))
        if "as" in outputs:
            same = StageDir(stage.path.with_name(f"{EVALUATION}{outputs['as']}")).done()
            if same is None:
                return None
            outputs = _table(same.get("outputs"))
        found = {domain: numbers_of(_table(row), SCORES) for domain, row in _table(outputs.get("scores")).items()}
        if isinstance(outputs.get("clr"), dict):
            found[VOTES] = numbers_of(outputs["clr"], CLR)
        return {domain: numbers for domain, numbers in found.items() if numbers}


def whole_rows(path: Path, offset: int) -> tuple[list[dict[str, Any]] | None, int]:
    """The whole rows of a JSONL file from a byte on, and where they end; None where no row begins there."""
    if is_special(path):
        raise InputError(f"{path}: is a pipe or a device, a JSONL file was expected")
    try:
        with path.open("rb") as stream:
            before = stream.read(1) if offset and stream.seek(offset - 1) >= 0 else b"\n"
            content = stream.read()
    except FileNotFoundError:
        return [], 0
    if before != b"\n":
        return None, 0
    whole = content[: content.rfind(b"\n") + 1]
    try:
        rows = [json.loads(line) for line in whole.split(b"\n")[:-1]]
    except (ValueError, RecursionError):
        rows = [None]
    if all(isinstance(row, dict) and type(row.get("step")) is int for row in rows):
        return rows, offset + len(whole)
    if not offset:
        raise InputError(f"{path}: holds a line that is no step as JSON")
    return None, 0


def step_numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """The few numbers of a logged step that a tracker gets."""
    return numbers_of(row, NUMBERS if "accuracy" in row else (LOSS, *NUMBERS))


def numbers_of(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, float]:
    """Those of these names that are numbers."""
    found = {name: row.get(name) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, int | float) and abs(value) < LARGEST}


def without_secrets(text: str) -> str:
    """Text without users and queries of addresses, and without the values of variables that are named like secrets."""
    text = QUERY.sub(r"\1", USER.sub("", text))
    for value in {os.environ[name] for name in secrets()}:
        if len(value) >= MIN_CHARS:
            text = Redactor(value).text(text)
    return text


def _key_of(path: Path) -> str:
    """Whose directory it is."""
    found = read_json(path)
    if not isinstance(found, dict) or "key" not in found:
        raise InputError(f"{path}: does not say whose directory it is")
    return str(found["key"])


def _table(found: object) -> dict[str, Any]:
    """A JSON object; an empty one in place of something else."""
    return found if isinstance(found, dict) else {}


def _recipe(run_dir: Path) -> dict[str, Any]:
    path = run_dir / "resolved.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{run_dir}: is not a run directory: it has no resolved.toml") from None
    except ValueError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
