"""Which benchmarks a command line names, and where their files are.

aime25                   the benchmark; its file is looked for in the folders of the caller, then in those of
                         ETALON_BENCHMARKS, then in ./benchmarks
aime25=FILE              the benchmark, from this file (or a folder with its parts)
FILE                     a set of its own; one that is called like a benchmark's file is that benchmark
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from etalon.errors import InputError
from etalon.evaluate.benchmarks.catalogue import Benchmark, catalogue
from etalon.evaluate.benchmarks.chosen import Chosen

FOLDERS_ENV = "ETALON_BENCHMARKS"  # environment variable: folders of benchmarks' files
HERE = Path("benchmarks")
PACKED = ("", ".gz", ".zst")
ENDINGS = (".parquet", *(kind + packed for kind in (".jsonl", ".json", ".csv", ".tsv") for packed in PACKED))
SHOWN = ".jsonl, .csv, .parquet, ..."


def choose(arguments: Sequence[str], *, folders: Sequence[Path] = ()) -> list[Chosen]:
    """What the arguments name, in their order: NAME, NAME=FILE or FILE.

    A name of the catalogue is the benchmark, also where a file of that name lies about. A FILE that is called like a
    benchmark's file, in whatever folder (aime25.parquet, ifeval.jsonl), is that benchmark, and takes its published
    scores, n and licence; where several have the same file, the first of the catalogue. Any other FILE is a set of its
    own, named after it.

    Raises InputError, in one line, for a name that is unknown (with those close to it), a file that is not there (with
    where it is had, its licence, what it may be called, and the ways to point at it), and for what is named twice.
    """
    found: list[Chosen] = []
    for argument in arguments:
        benchmark, path = _named(argument, folders)
        if any(_is_same(benchmark, path, other) for other in found):
            raise InputError(f"{argument}: is named twice; name every benchmark and every file once")
        taken = [*catalogue(), *(other.name for other in found)]
        name = benchmark.name if benchmark else _name_of(str(path), taken)
        found.append(Chosen(name=name, benchmark=benchmark, path=path))
    return found


def _named(argument: str, folders: Sequence[Path]) -> tuple[Benchmark | None, Path | None]:
    name, equals, file = argument.partition("=")
    if equals and not file:
        raise InputError(f"{argument}: name a file after =")
    if benchmark := catalogue().get(name):
        if benchmark.generated and equals:
            raise InputError(f"{argument}: {name} is drawn, not read; leave {equals}{file} out")
        return benchmark, _checked(benchmark, Path(file)) if equals else found_in(benchmark, folders, needed=True)
    path = Path(argument)
    if path.exists():
        recognised = recognise(path)
        if path.is_dir() and recognised is None:
            raise InputError(f"{path}: is a directory, a file was expected")
        return recognised, _checked(recognised, path) if recognised else path
    raise InputError(_unknown(argument, name if equals else ""))


def recognise(path: Path) -> Benchmark | None:
    """The first benchmark of the catalogue whose file is called so; None when none is."""
    return next((one for one in catalogue().values() if not one.generated and _is_called(one, path)), None)


def _is_called(benchmark: Benchmark, path: Path) -> bool:
    return path.name in benchmark.names if path.is_dir() else path.name in file_names(benchmark)


def file_names(benchmark: Benchmark) -> list[str]:
    """Names that the benchmark's file is found under."""
    return [f"{name}{ending}" for name in benchmark.names for ending in ENDINGS]


def searched(folders: Sequence[Path] = ()) -> list[Path]:
    """The folders in which benchmarks are looked for, in order."""
    named = os.environ.get(FOLDERS_ENV, "").split(os.pathsep)
    return [*folders, *(Path(name).expanduser() for name in named if name.strip()), HERE]


def found_in(benchmark: Benchmark, folders: Sequence[Path] = (), *, needed: bool = False) -> Path | None:
    """Where the benchmark's file is; None for a set that is drawn, and where it is not unless it is needed."""
    if benchmark.generated:
        return None
    for path in _places(benchmark, folders):
        if path.is_file() or (path.is_dir() and benchmark.parts):
            return _checked(benchmark, path)
    if not needed:
        return None
    called = " or ".join(benchmark.names)
    folder = f", or the folder with {', '.join(benchmark.parts)}" if benchmark.parts else ""
    raise InputError(
        f"{benchmark.name}: its file is not here; it is had from {benchmark.had_from}; save it as {called} ({SHOWN})"
        f"{folder}, in ./{HERE} or in a folder that {FOLDERS_ENV} names, or say {benchmark.name}=FILE"
    )


def _places(benchmark: Benchmark, folders: Sequence[Path]) -> Iterator[Path]:
    for folder in searched(folders):
        for name in [*file_names(benchmark), *benchmark.names]:
            yield folder / name


def _checked(benchmark: Benchmark, path: Path) -> Path:
    """The path, when it is a file, or a folder with all parts of the benchmark."""
    if not path.exists():
        raise InputError(f"{benchmark.name}: {path}: no such file; it is had from {benchmark.had_from}")
    if path.is_dir():
        if not benchmark.parts:
            raise InputError(f"{benchmark.name}: {path}: is a directory, a file was expected")
        if gone := [part for part in benchmark.parts if not (path / part).is_file()]:
            raise InputError(f"{benchmark.name}: {path}: lacks {', '.join(gone)}; it is had from {benchmark.had_from}")
    return path


def _unknown(argument: str, name: str) -> str:
    if not name and (os.sep in argument or any(argument.endswith(ending) for ending in ENDINGS)):
        return f"{argument}: no such file"
    close = difflib.get_close_matches(name or argument, catalogue(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "`etalon eval --list` shows the names"
    return f"{name or argument}: no benchmark and no file of this name; {hint}"


def _is_same(benchmark: Benchmark | None, path: Path | None, other: Chosen) -> bool:
    if benchmark or other.benchmark:
        return benchmark is other.benchmark
    assert path is not None
    assert other.path is not None
    return path.resolve() == other.path.resolve()


def _name_of(path: str, taken: Collection[str]) -> str:
    """A name for a file's results that no other has: its own without the ending."""
    file = Path(path).name
    ending = next((one for one in sorted(ENDINGS, key=len, reverse=True) if file.endswith(one)), "")
    stem = re.sub(r"[^\w.-]+", "-", file.removesuffix(ending)).strip("-.") or "file"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name
