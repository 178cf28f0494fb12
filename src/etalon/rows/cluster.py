"""Lines of a file over the machines of a Ray cluster: the same function, the same output, in the same order.

file -> slices of about 1 MiB that end where lines end -> Ray Dataset -> map -> output of the slices, in file order

Every machine reads its own slices, so all must see the file under the same path. Ray repeats a slice whose worker
died for as long as it takes; a counter ends that after MAX_TRIES. The driver checks that the slices cover the file.
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from etalon import __version__
from etalon.errors import ConfigError, EtalonError, InputError, RunError
from etalon.rows.files import Row, row_of
from etalon.rows.packed import MARK
from etalon.rows.work import RowFunction, RowWork, in_order

SLICE_BYTES = 1 << 20  # (ours) what one call works on, and what is repeated when its worker dies
CONNECT_SECONDS = 10.0  # (ours)
MAX_SLICES = 10_000  # (ours) a longer file has larger slices
MAX_TRIES = 4  # (ours) of one slice, by workers that die of it or under it


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that every machine sees: absolute path and size in bytes."""

    path: str
    size: int


def source_of(path: Path) -> Source:
    """The file as it is now; InputError when there is none."""
    try:
        return Source(path=str(path.resolve()), size=path.stat().st_size)
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or str(error)).lower()}") from None


def slices(source: Source, size: int) -> list[tuple[int, int]]:
    """(start, stop) of the parts of a file, in bytes; each ends behind a newline or at the end of the file."""
    cuts = [0]
    with open(source.path, "rb") as stream:
        for position in range(size, source.size, size):
            if position <= cuts[-1]:
                continue
            stream.seek(position - 1)
            stream.readline()
            cuts.append(min(stream.tell(), source.size))
    cuts.append(source.size)
    return [(start, stop) for start, stop in pairwise(cuts) if start < stop]


def read_slice(source: Source, start: int, stop: int) -> list[Row]:
    """The rows of a slice, as `read_rows` gives them, but for their places: which line it is, nobody here knows."""
    with open(source.path, "rb") as stream:
        stream.seek(start)
        text = stream.read(stop - start)
    lines = (text if start else text.removeprefix(MARK)).split(b"\n")
    return [row_of("", line) for line in (lines if lines[-1] else lines[:-1])]


def map_lines(
    path: Path, work: RowWork, *, address: str, workers: int | None = None, slice_bytes: int = SLICE_BYTES
) -> Iterator[list[bytes]]:
    """The output of `work` for all lines of a file, slice by slice, in order.

    Args:
        address: of a running Ray cluster: "auto" for that of this machine, or HOST:PORT.
        workers: slices worked on at a time; None is one per CPU of the cluster.

    Raises EtalonError without Ray, a cluster, or the file on every machine; RunError when a slice never comes back.
    """
    source = source_of(path)
    with connected(address), ray_errors(path):
        expected = 0
        for row in _dataset(source, work, workers, slice_bytes).iter_rows():
            if row["error"]:
                raise RunError(row["error"])
            if row["start"] != expected:
                raise RunError(f"{path}: bytes {expected} to {row['start']} never came back from Ray; run it again")
            expected = row["stop"]
            yield row["output"].split(b"\n")[:-1]
    if expected != source.size:
        raise RunError(f"{path}: bytes {expected} to {source.size} never came back from Ray; run it again")


def _dataset(source: Source, work: RowWork, workers: int | None, slice_bytes: int) -> Any:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    size = max(slice_bytes, source.size // MAX_SLICES)
    parts = [{"start": start, "stop": stop} for start, stop in slices(source, size)]
    if not parts:
        return ray.data.from_items([outcome(0, 0)])
    tries = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Tries).remote()

    def run(row: dict[str, Any]) -> dict[str, Any]:
        start, stop = row["start"], row["stop"]
        if ray.get(tries.begin.remote(start)) > MAX_TRIES:
            return outcome(start, stop, error=f"{source.path}: {worn_out(start, stop)}")
        return run_slice(start, stop, source=source, work=work, version=__version__)

    compute = ray.data.TaskPoolStrategy(size=workers) if workers else None
    return ray.data.from_items(parts, override_num_blocks=len(parts)).map(run, compute=compute, num_cpus=1)


class Tries:
    """Counts how often each slice was begun; an actor of the cluster."""

    def __init__(self) -> None:
        self.begun: Counter[int] = Counter()

    def begin(self, start: int) -> int:
        self.begun[start] += 1
        return self.begun[start]


def worn_out(start: int, stop: int) -> str:
    return (
        f"every process that worked on bytes {start} to {stop} died, {MAX_TRIES} in all, perhaps for want of memory; "
        "look at these lines with etalon verify on one machine; nothing was written"
    )


def outcome(start: int, stop: int, *, output: bytes = b"", error: str = "") -> dict[str, Any]:
    """What comes back for a slice: its output, or why there is none."""
    return {"start": start, "stop": stop, "output": output, "error": error}


def run_slice(start: int, stop: int, *, source: Source, work: RowWork, version: str) -> dict[str, Any]:
    """One slice, in a process of the cluster."""
    machine = socket.gethostname()
    if version != __version__:
        error = f"machine {machine} has etalon {__version__}, this one {version}; install the same"
        return outcome(start, stop, error=error)
    try:
        size = Path(source.path).stat().st_size
        rows = read_slice(source, start, stop)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        error = f"{source.path}: {reason} on machine {machine}; put it where every machine sees it"
        return outcome(start, stop, error=error)
    if size != source.size:
        error = f"{source.path}: has {size} bytes on machine {machine}, {source.size} here"
        return outcome(start, stop, error=error)
    lines = [line + b"\n" for _, line in in_order(started(work), rows, threads=work.threads)]
    return outcome(start, stop, output=b"".join(lines))


@lru_cache(1)
def started(work: RowWork) -> RowFunction:
    """The work's function; a process keeps it, with the pools behind it, for all its slices."""
    return work.start()


@contextmanager
def connected(address: str) -> Iterator[None]:
    """A connection to a running cluster; one that is already there is used and left open."""
    if find_spec("ray") is None or find_spec("pyarrow") is None:
        raise EtalonError("--ray needs Ray Data: in Etalon's folder run pip install -e '.[ray]'")
    import ray

    with quiet():
        if ray.is_initialized():
            yield
            return
        _connect(address)
        try:
            yield
        finally:
            ray.shutdown()


@contextmanager
def quiet() -> Iterator[None]:
    """No log lines meanwhile: Ray Data reports its plans, and failures that the caller reports in one line."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def _connect(address: str) -> None:
    import ray

    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        if host and port.isdigit():  # Ray itself waits for minutes
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        ray.init(address=address, log_to_driver=False)
    except (OSError, RuntimeError, ValueError, OverflowError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ConfigError(f"--ray {address}: {reason}; start a cluster with: ray start --head") from None


@contextmanager
def ray_errors(path: Path) -> Iterator[None]:
    """What the machines of a cluster can do to a run becomes one line; an error of ours keeps its traceback."""
    from ray.exceptions import RayError, RayTaskError

    try:
        yield
    except RayTaskError as error:
        if "No module named 'etalon" in str(error):
            raise RunError("a machine of the Ray cluster has no etalon; install the same version on all") from None
        raise
    except RayError as error:
        raise RunError(
            f"{path}: the Ray cluster failed ({type(error).__name__}); nothing was written: see ray status for what is "
            "left of it, and run the same command again"
        ) from error
