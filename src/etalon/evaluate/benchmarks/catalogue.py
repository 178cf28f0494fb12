"""The benchmarks that have a name: each is a table of catalogue.toml, and no code.

catalogue.toml -> checked (an unknown key is an error with its place) -> {name: Benchmark}
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from etalon.config.help import EXPECTED
from etalon.errors import ConfigError, InputError
from etalon.prompts import load
from etalon.types import Answers, Domain

FILE = "catalogue.toml"
Metric = Literal["avg", "clr"]
Mode = Literal["strict", "loose"]
Generator = Literal["", "nano"]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Named = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Published:
    """A score that somebody published.

    score: a share in 0..1. source: where it stands. n: generations per problem, or runs of a CLR flow; 0 where it is
    not told. metric: avg is Pass@1 as the mean over n, clr the mean over whole CLR flows.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    model: Named
    score: Share
    source: Named
    n: Count = 0
    metric: Metric = "avg"
    settings: str = ""


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A problem set under a name: where it is had, how it is read and asked, and what was published on it.

    expected: problems that are read from the published file; 0 where nobody knows.
    source: where the file is had, and `revision` the commit there that has it ("" unknown). also: other places.
    files: names of its file, without the ending; the benchmark's own name is always one.
    parts: what is read of a folder of that name, in this order; "" where it is no folder.
    fields: the columns of the file, for errors.
    prompt: the prompt file that says how to answer; "" where the prompts of the file are complete.
    n, temperature, top_p, max_tokens: of the published protocol; max_tokens None is what the model's window leaves.
    window: first and last date of the problems that count; both count, at midnight as LiveCodeBench's loader has it.
    release: what LiveCodeBench's own checker calls the release that the window is of.
    without: ids of problems that are left out.
    mode: instruct: whether its headline is strict or loose.
    per_contest: scores are counted for each `Problem.source` as well.
    generated: no file; the test problems of the packaged recipe of this name.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    title: Named
    domain: Domain
    expected: Count = 0
    source: str = ""
    revision: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")] = ""
    also: tuple[str, ...] = ()
    licence: Named
    files: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    prompt: str = ""
    answers: Answers = Answers.BOXED
    n: Annotated[int, Field(ge=1)]
    temperature: Annotated[float, Field(ge=0)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    window: tuple[date, date] | None = None
    release: str = ""
    without: tuple[str, ...] = ()
    mode: Mode = "loose"
    per_contest: bool = False
    generated: Generator = ""
    notes: str = ""
    published: tuple[Published, ...] = ()

    def __post_init__(self) -> None:
        if self.window and self.window[0] > self.window[1]:
            raise ValueError(f"window ends on {self.window[1]}, before it begins")
        if not self.generated and not self.fields:
            raise ValueError("fields: names no columns of the file")
        try:
            _ = self.prompt and load(self.prompt)
        except InputError as error:
            raise ValueError(str(error)) from None

    @property
    def names(self) -> tuple[str, ...]:
        """What its file may be called, without the ending."""
        return tuple(dict.fromkeys((self.name, *self.files)))

    @property
    def had_from(self) -> str:
        """Where its file is had, with the revision and the licence, in one line."""
        at = f" at {self.revision[:12]}" if self.revision else ""
        return f"{self.source}{at} ({self.licence})" if self.source else f"nowhere in public ({self.licence})"


@cache
def catalogue() -> dict[str, Benchmark]:
    """Every benchmark of the package by its name, in the order of the file."""
    return read_catalogue((resources.files(__package__) / FILE).read_text(encoding="utf-8"), where=FILE)


def read_catalogue(text: str, *, where: str | Path) -> dict[str, Benchmark]:
    """The benchmarks that a text describes; ConfigError names the file, the table and the key that is wrong."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: {error}") from None
    named = {name: {**table, "name": name} if isinstance(table, dict) else table for name, table in tables.items()}
    try:
        return _ADAPTER.validate_python(named)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_told(error.errors()[0])}") from None


_ADAPTER = TypeAdapter(dict[str, Benchmark])


def _told(error: Mapping[str, Any]) -> str:
    place = ".".join(str(key) for key in error["loc"])
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{place}: unknown key"
    if error["type"] == "missing":
        return f"{place}: is missing"
    if expected := EXPECTED.get(error["type"]):
        return f"{place}: must be {expected(error.get('ctx', {}))}, found {error['input']!r:.60}"
    return f"{place}: {str(error['msg']).removeprefix('Value error, ')}"
