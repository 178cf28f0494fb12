"""What a run does at this moment, in a few lines: from the inputs, the metrics and the ends of its stages."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from etalon.config.stages import EVALUATION
from etalon.errors import EtalonError
from etalon.report.html import count, duration, percent
from etalon.report.read import Reader, mapping, number, objects, text
from etalon.store import is_special, read_json

TAIL_BYTES = 1 << 16  # of metrics.jsonl, whose last line has the newest step
QUIET_SECONDS = 120.0  # (ours) without a change after which it is said that the run may have stopped
SUFFIXES = (".json", ".jsonl", ".toml")  # of the files that a report reads
OWN = ("report.html",)
Line = tuple[str, str]  # a name and its words


def fingerprint(directory: Path) -> tuple[str, float]:
    """A digest of names, sizes and times of the files that a report reads; the time of the newest, in seconds."""
    digest, newest = blake2b(digest_size=12), 0.0
    for path in (directory, *sorted(path for path in directory.glob("stages/*") if path.is_dir())):
        try:
            files = sorted((one for one in os.scandir(path) if one.name.endswith(SUFFIXES)), key=lambda one: one.name)
            stats = [(one.name, one.stat()) for one in files]
        except OSError:  # a stage that begins anew clears its directory
            continue
        for name, stat in stats:
            digest.update(f"{path.name}/{name} {stat.st_size} {stat.st_mtime_ns}\n".encode(errors="replace"))
            newest = max(newest, stat.st_mtime)
    return digest.hexdigest(), newest


def has_begun(directory: Path) -> bool:
    return (directory / "resolved.toml").is_file() or (directory / "stages").is_dir()


def lines(directory: Path, newest: float) -> list[Line]:
    """What runs now, what is done, when it changed last. newest: as `fingerprint` gives it."""
    if not has_begun(directory):
        return [("Waits", "the run has not begun: there are no stages in its directory yet")]
    reader = Reader(directory)
    listed = [text(row.get("name")) for row in objects(reader.toml("resolved.toml")[1].get("stages"))]
    folders = {path.name: path for path in directory.glob("stages/*") if path.is_dir()}
    ended = {name for name, path in folders.items() if (path / "DONE.json").is_file()}
    done = [name for name in listed if name in ended]
    num_measured = sum(name.startswith(EVALUATION) for name in ended)
    running = [line for name, path in sorted(folders.items()) if name not in ended for line in _running(name, path)]
    quiet = max(time.time() - newest, 0.0)
    is_over = (directory / "summary.json").is_file() and not running
    return [
        *(
            [("Finished", "every stage that was asked for")]
            if is_over
            else running or [("Runs now", "between two stages")]
        ),
        ("Done", f"{count(len(done))} of {count(len(listed))} stages{': ' if done else ''}{', '.join(done)}"),
        *([("Evaluated", f"{count(num_measured)} of them")] if num_measured else []),
        ("Changed", f"{duration(round(quiet))} ago{'' if is_over or quiet < QUIET_SECONDS else _quiet()}"),
    ]


def _quiet() -> str:
    return "; it may have been stopped: the command that began it goes on from here"


def _running(name: str, path: Path) -> Iterator[Line]:
    """One line for a stage that has begun and has not ended."""
    try:
        inputs = mapping(read_json(path / "inputs.json"))
    except (EtalonError, OSError):
        return
    step = _last_step(path / "metrics.jsonl")
    total = number(mapping(inputs.get("keys")).get("steps"))
    told = [text(inputs.get("purpose")) or text(inputs.get("kind")), *_step_words(step, total)]
    yield f"Runs now: {name}", "; ".join(filter(None, told))


def _step_words(step: Mapping[str, Any], total: float | None) -> Iterator[str]:
    at = number(step.get("step"))
    if at is None:
        return
    yield f"step {count(at)}{f' of {count(total)}' if total else ''}"
    for key, words, shown in (
        ("accuracy", "accuracy", percent),
        ("loss", "loss", lambda value: f"{value:.3f}"),
        ("mean_tokens", "tokens a rollout", count),
        ("truncated", "truncated", percent),
        ("tokens_per_second", "tokens/s", count),
    ):
        value = number(step.get(key))
        if value is not None and not (key == "loss" and "accuracy" in step):  # that of an RL step says nothing
            yield f"{words} {shown(value)}"


def _last_step(path: Path) -> dict[str, Any]:
    """The newest whole line of metrics; {} where there is none."""
    if is_special(path):
        return {}
    try:
        with path.open("rb") as stream:
            stream.seek(max(os.fstat(stream.fileno()).st_size - TAIL_BYTES, 0))
            tail = stream.read()
    except OSError:
        return {}
    for line in reversed(tail.split(b"\n")[:-1]):  # what follows the last line break is being written
        try:
            return mapping(json.loads(line))
        except (ValueError, RecursionError):
            continue
    return {}
