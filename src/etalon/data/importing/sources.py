"""Which files an import reads: FILE, a directory of shards, or a data set in the Hub's cache on this machine.

    rows.jsonl.gz        -> itself
    shards/              -> all files of rows below it, in the order of their names
    hf:open-r1/OpenR1    -> HF_HUB_CACHE/datasets--open-r1--OpenR1/snapshots/REVISION, all files of rows in it
    hf:openai/gsm8k/main -> those in its folder main

Nothing is downloaded: of a data set that is not there, the error says where it was looked for and how to get it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from etalon.errors import InputError

HUB = "hf:"
_NAME = re.compile(r"([\w.-]+(?:/[\w.-]+)?)((?:/[\w.-]+)*)")
_ROWS = re.compile(r"\.(?:jsonl|json|ndjson|csv|tsv|parquet)(?:\.gz|\.zst)?$", re.IGNORECASE)
_SHARD = re.compile(r"-\d+-of-\d+$")
# files that lie beside rows and are none: a data set's description, what the steps here leave
_BESIDE = re.compile(
    r"(?:^(?:dataset_infos?|dataset_dict|state|croissant)\.json|\.(?:report|strata)\.json|\.(?:skipped|calls)\.jsonl|\.part)$"
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file, as messages and origins call it, and the name of the set that it belongs to."""

    path: Path
    name: str
    set_name: str


def sources(arguments: list[str], *, split: str = "", environment: Mapping[str, str] = os.environ) -> list[Source]:
    """The files of all arguments, in order; each comes once.

    Args:
        split: only files that say this split in their name or a folder's: train-00000-of-00002.parquet, train/a.jsonl.

    Raises InputError for a file, a directory or a data set that is not there or holds no rows.
    """
    found = [source for argument in arguments for source in _of(argument, split, environment)]
    return list({source.path.resolve(): source for source in reversed(found)}.values())[::-1]


def _of(argument: str, split: str, environment: Mapping[str, str]) -> list[Source]:
    if argument.startswith(HUB):
        return _of_hub(argument, split, environment)
    path = Path(argument)
    if not path.is_dir():
        return [Source(path=path, name=argument, set_name=set_name(path))]
    files = [Source(path=file, name=str(file), set_name=path.resolve().name) for file in _files(path)]
    if not files:
        raise InputError(f"{argument}: a directory without files of rows (JSONL, JSON, CSV, parquet)")
    return _of_split(files, path, split, argument)


def set_name(path: Path) -> str:
    """The name of the set in a file, where nothing else says it: the file's, without what packs or numbers it."""
    return _SHARD.sub("", _ROWS.sub("", path.name)) or path.name


def _files(folder: Path) -> list[Path]:
    """Files of rows below a folder, hidden ones and what describes them left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if _ROWS.search(path.name)
        and not _BESIDE.search(path.name)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not path.is_dir()
    )


def _of_split(files: list[Source], folder: Path, split: str, argument: str) -> list[Source]:
    if not split:
        return files
    of_it = re.compile(rf"(?:^|[/._-]){re.escape(split)}(?=[/._-])")
    kept = [source for source in files if of_it.search(source.path.relative_to(folder).as_posix())]
    if not kept:
        there = ", ".join(source.path.relative_to(folder).as_posix() for source in files[:6])
        more = f" and {len(files) - 6} more" if len(files) > 6 else ""
        raise InputError(f"{argument}: no file of split {split!r}; there are {there}{more}")
    return kept


def _of_hub(argument: str, split: str, environment: Mapping[str, str]) -> list[Source]:
    named = _NAME.fullmatch(argument.removeprefix(HUB))
    if named is None or ".." in argument:
        raise InputError(f"{argument}: expected hf:NAME or hf:ORGANISATION/NAME, and perhaps a folder of it")
    name, inner = named[1], named[2].strip("/")
    cache = hub_cache(environment)
    snapshot = _snapshot(cache / f"datasets--{name.replace('/', '--')}")
    if snapshot is None:
        get = f"hf download {name} --repo-type dataset"
        raise InputError(f"{argument}: not in the Hub cache {cache}; where there is a network: {get}")
    folder = snapshot / inner
    files = [
        Source(path=file, name=f"{HUB}{name}/{file.relative_to(snapshot).as_posix()}", set_name=name)
        for file in _files(folder)
    ]
    if not files:
        raise InputError(f"{argument}: no files of rows in {folder}; expected JSONL, JSON, CSV or parquet")
    return _of_split(files, folder, split, argument)


def hub_cache(environment: Mapping[str, str]) -> Path:
    """Where the Hub's client keeps what it downloaded, by the variables it reads itself."""
    if cache := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        return Path(cache).expanduser()
    home = environment.get("HF_HOME") or str(Path(environment.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return Path(home).expanduser() / "hub"


def _snapshot(repository: Path) -> Path | None:
    """The folder of the revision that `main` names, else of the newest that is there."""
    main = repository / "refs" / "main"
    if main.is_file() and (found := repository / "snapshots" / main.read_text().strip()).is_dir():
        return found
    revisions = [path for path in (repository / "snapshots").glob("*") if path.is_dir()]
    return max(revisions, key=lambda path: path.stat().st_mtime, default=None)
