"""The process beside a run: `python -m etalon.track RUN NAME KEYS.json`, ended by SIGTERM once the run has ended."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from etalon.errors import EtalonError
from etalon.store import read_json
from etalon.track.sender import follow, sending

LOOK_SECONDS = 1.0  # (ours) between two looks at the files


def main(arguments: list[str]) -> int:
    """Exit status 1, with one line last, when the tracker failed."""
    run_dir, name, keys = Path(arguments[0]), arguments[1], read_json(Path(arguments[2]))
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    try:
        with sending(run_dir, name, keys) as sender:
            follow(sender, over.is_set, pause=lambda: over.wait(LOOK_SECONDS))
    except Exception as error:  # of any kind: it is another project's code, over a network
        told = " ".join(str(error).split())
        print(told if isinstance(error, EtalonError) else f"{type(error).__name__}: {told}", flush=True)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
