"""Rows of a file over the machines of a Ray cluster: the same function, the same output, in the same order.

JSONL -> slices of about 1 MiB that end where lines end -\
                                                          +-> Ray Dataset -> map -> output of the parts, in file order
parquet -> ranges of rows, cut where row groups end -----/

Every machine reads its own parts, so all must see the file under the same path. Ray repeats a part whose worker died
for as long as it takes; a counter ends that after MAX_TRIES. The driver checks that the parts cover the file.
"""

from __future__ import annotations

import logging
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from etalon import __version__
from etalon.errors import ConfigError, EtalonError, InputError, RunError
from etalon.rows.parts import Source
from etalon.rows.work import RowFunction, RowWork, in_order

SLICE_BYTES = 1 << 20  # (ours) what one call works on, and what is repeated when its worker dies
CONNECT_SECONDS = 10.0  # (ours)
MAX_SLICES = 10_000  # (ours) a longer file has larger parts
MAX_TRIES = 4  # (ours) of one part, by workers that die of it or under it


def map_parts(
    source: Source, work: RowWork, *, address: str, workers: int | None = None, slice_bytes: int = SLICE_BYTES
) -> Iterator[list[bytes]]:
    """The output of `work` for all rows of a file (`parts.source_of`), part by part, in order.

    Args:
        address: of a running Ray cluster: "auto" for that of this machine, or HOST:PORT.
        workers: parts worked on at a time; None is one per CPU of the cluster.

    Raises EtalonError without Ray, a cluster, or the file on every machine; RunError when a part never comes back.
    """
    with connected(address), ray_errors(source):
        expected = 0
        for row in _dataset(source, work, workers, slice_bytes).iter_rows():
            if row["error"]:
                raise RunError(row["error"])
            if row["start"] != expected:
                raise _lost(source, expected, row["start"])
            lines = row["output"].split(b"\n")[:-1]
            if source.num_rows is not None and len(lines) != row["stop"] - expected:
                raise _lost(source, expected, row["stop"])
            expected = row["stop"]
            yield lines
    if expected != source.end:
        raise _lost(source, expected, source.end)


def _lost(source: Source, start: int, stop: int) -> RunError:
    return RunError(f"{source.path}: {source.unit} {start} to {stop} never came back from Ray; run it again")


def _dataset(source: Source, work: RowWork, workers: int | None, slice_bytes: int) -> Any:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    size = max(slice_bytes, source.size // MAX_SLICES)
    parts = [{"start": start, "stop": stop} for start, stop in source.parts(size)]
    if not parts:
        return ray.data.from_items([outcome(0, 0)])
    tries = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Tries).remote()

    def run(row: dict[str, Any]) -> dict[str, Any]:
        start, stop = row["start"], row["stop"]
        if ray.get(tries.begin.remote(start)) > MAX_TRIES:
            return outcome(start, stop, error=f"{source.path}: {worn_out(start, stop, source.unit)}")
        return run_part(start, stop, source=source, work=work, version=__version__)

    compute = ray.data.TaskPoolStrategy(size=workers) if workers else None
    return ray.data.from_items(parts, override_num_blocks=len(parts)).map(run, compute=compute, num_cpus=1)


class Tries:
    """Counts how often each part was begun; an actor of the cluster."""

    def __init__(self) -> None:
        self.begun: Counter[int] = Counter()

    def begin(self, start: int) -> int:
        self.begun[start] += 1
        return self.begun[start]


def worn_out(start: int, stop: int, unit: str) -> str:
    return (
        f"every process that worked on {unit} {start} to {stop} died, {MAX_TRIES} in all, perhaps for want of memory; "
        "look at these rows on one machine; nothing was written"
    )


def outcome(start: int, stop: int, *, output: bytes = b"", error: str = "") -> dict[str, Any]:
    """What comes back for a part: its output, or why there is none."""
    return {"start": start, "stop": stop, "output": output, "error": error}


def run_part(start: int, stop: int, *, source: Source, work: RowWork, version: str) -> dict[str, Any]:
    """One part, in a process of the cluster."""
    machine = socket.gethostname()
    if version != __version__:
        error = f"machine {machine} has etalon {__version__}, this one {version}; install the same"
        return outcome(start, stop, error=error)
    try:
        size = Path(source.path).stat().st_size
        if size != source.size:
            error = f"{source.path}: has {size} bytes on machine {machine}, {source.size} here"
            return outcome(start, stop, error=error)
        rows = source.read(start, stop)
    except InputError as problem:
        return outcome(start, stop, error=f"{problem} (on machine {machine})")
    except OSError as problem:
        reason = (problem.strerror or str(problem).splitlines()[0]).lower()
        error = f"{source.path}: {reason} on machine {machine}; put it where every machine sees it"
        return outcome(start, stop, error=error)
    lines = [line + b"\n" for _, line in in_order(started(work), rows, threads=work.threads)]
    return outcome(start, stop, output=b"".join(lines))


@lru_cache(1)
def started(work: RowWork) -> RowFunction:
    """The work's function; a process keeps it, with the pools behind it, for all its parts."""
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
def ray_errors(source: Source) -> Iterator[None]:
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
            f"{source.path}: the Ray cluster failed ({type(error).__name__}); nothing was written: see ray status for "
            "what is left of it, and run the same command again"
        ) from error
