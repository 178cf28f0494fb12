"""Trackers beside a run that trains: a process each, which reads the run's files and cannot hold it up.

with tracked(("trackio",), run_dir, keys):      the run; a tracker that fails is said once, and the run goes on
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from etalon.processes.children import Child
from etalon.store import write_json_atomic
from etalon.track.sender import folder_of

KEYS, LOG = "keys.json", "log.txt"
LOOK_SECONDS = 0.5  # (ours)


@contextmanager
def tracked(names: Sequence[str], run_dir: Path, keys: Mapping[str, str]) -> Iterator[None]:
    """Each tracker follows the run inside the block; at its end it has the time that `processes.Child` gives.

    keys: of the stages as they are to be now; what other values made before is not sent.
    """
    with ExitStack() as stack:
        for name in dict.fromkeys(names):
            stack.enter_context(_tracked(name, run_dir, keys))
        yield


@contextmanager
def _tracked(name: str, run_dir: Path, keys: Mapping[str, str]) -> Iterator[None]:
    folder = folder_of(run_dir, name)
    write_json_atomic(folder / KEYS, dict(keys))
    child = Child([sys.executable, "-m", "etalon.track", str(run_dir), name, str(folder / KEYS)], log=folder / LOG)
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(child, over, name, run_dir), daemon=True)
    watch.start()
    try:
        yield
    finally:
        child.stop()
        over.set()
        watch.join()


def _watch(child: Child, over: threading.Event, name: str, run_dir: Path) -> None:
    """Say once that a tracker failed, when it does."""
    while child.status is None and not over.wait(LOOK_SECONDS):
        pass
    if child.status:
        why = (child.tail() or [f"ended with status {child.status}"])[-1]
        sys.stderr.write(
            f"tracker {name}: {why}; nothing of the run is lost, send it with: etalon track {run_dir} {name}\n"
        )
