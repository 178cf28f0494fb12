"""OJBench's own judge, run as a program: responses in its format, its verdicts read back.

    samples -> responses.jsonl -> PYTHON -c (ojbench.init, ojbench.judge_jsonl) -> judged.jsonl -> logs.ojbench -> Told

It is AGPL-3.0 and stands on DMOJ, PyPy 3 and g++: it has an interpreter of its own, and nothing of it is imported here.
It sees what follows a response's thought, of which it takes the last fence of the problem's language. Variables of the
environment that are named like secrets are withheld.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etalon.errors import InputError, RunError
from etalon.evaluate.logs import read_log
from etalon.evaluate.store import JUDGED, Key, Sample, Told
from etalon.problems.formats.ojbench import DATASETS
from etalon.processes.children import Child, secrets
from etalon.store import to_json, write_atomic
from etalon.types import Problem
from etalon.verifiers.text import final_part

RESPONSES, OUTPUT, LOG, WORKER_LOGS = "responses.jsonl", "judged.jsonl", "judge.log", "workers"
SILENT_SECONDS = 3600.0  # (ours) without a line of its log: a worker that died leaves it waiting for ever
# fork: its workers inherit what init() set
PROGRAM = """\
import multiprocessing, pathlib, sys
import ojbench
responses, judged, workers, logs, *problems = sys.argv[1:]
multiprocessing.set_start_method("fork")
ojbench.init(problem_dirs=[pathlib.Path(one) for one in problems])
ojbench.judge_jsonl(responses, judged, num_workers=int(workers), worker_log_path=logs)
"""
_ASK = "import dmoj, ojbench"

Responses = dict[Key, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the judge is. python: an interpreter that imports ojbench and dmoj. data: a folder with NOI, ICPC."""

    python: Path
    data: Path

    @property
    def problem_dirs(self) -> list[Path]:
        return [self.data.absolute() / name for name in DATASETS if (self.data / name).is_dir()]

    def check(self) -> None:
        """InputError, in one line, where there is no judge or there are no tests."""
        try:
            command = [str(self.python.absolute()), "-c", _ASK]
            answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
            told = "" if not answer.returncode else f" ({(answer.stderr.splitlines() or ['no word'])[-1]})"
            is_there = not answer.returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            told, is_there = f" ({error})", False
        if not is_there:
            raise InputError(f"{self.python}: expected a Python interpreter that imports ojbench and dmoj{told}")
        if not self.problem_dirs:
            raise InputError(f"{self.data}: expected OJBench_testdata, with the folders {' and '.join(DATASETS)}")


def responses_of(samples: Iterable[Sample], problems: Mapping[str, Problem]) -> Responses:
    """The rows that the judge reads, in the order of the problems; failed samples and other problems have none."""
    found = {one.key: _row(problems[one.id], one) for one in samples if one.id in problems and not one.has_failed}
    places = {id_: place for place, id_ in enumerate(problems)}
    return dict(sorted(found.items(), key=lambda pair: (places[pair[0][0]], pair[0][1])))


def _row(problem: Problem, sample: Sample) -> dict[str, Any]:
    told = {name: value for name, value in (problem.tests or {}).items() if name not in ("judge", "id")}
    return {"id": (problem.tests or {})["id"], "prompt": problem.prompt, **told, "content": final_part(sample.text)}


def write_responses(path: Path, responses: Iterable[Mapping[str, Any]]) -> None:
    """A file for the judge, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, b"".join(to_json(row) + b"\n" for row in responses))


def ask_judge(place: Place, responses: Responses, *, out: Path, workers: int) -> list[Told]:
    """What the judge says of each response.

    out: folder of what it is given, its logs and its output. workers: programs at a time.
    Raises RunError, with its last lines, where it fails or falls silent, InputError where its output is of something
    else than it was given.
    """
    path, output = out.absolute() / RESPONSES, out.absolute() / OUTPUT
    write_responses(path, responses.values())
    output.unlink(missing_ok=True)
    numbers = [str(min(workers, len(responses))), str(out.absolute() / WORKER_LOGS)]
    command = [str(place.python.absolute()), "-c", PROGRAM, str(path), str(output), *numbers]
    command += map(str, place.problem_dirs)
    name = f"OJBench's judge ({len(responses)} responses)"
    log = out.absolute() / LOG
    with Child(command, log=log, withheld=secrets()) as child:
        child.wait(_hearing(log, name), name=name)
    if not output.is_file():
        raise InputError(f"{output}: the judge ended well and did not write it; another version of ojbench?")
    return _read(output, list(responses))


def _hearing(log: Path, name: str) -> Callable[[], None]:
    """Raises RunError when the log has not grown for too long."""
    size, since = -1, time.monotonic()

    def hear() -> None:
        nonlocal size, since
        if (now := log.stat().st_size) != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > SILENT_SECONDS:
            logs = log.with_name(WORKER_LOGS)
            raise RunError(f"{name}: has said nothing for {SILENT_SECONDS:.0f} s; see {log} and {logs}")

    return hear


def _read(output: Path, keys: Sequence[Key]) -> list[Told]:
    """Its verdicts: it keeps the order of what it was given."""
    log = read_log(output)
    samples = [] if log.num_bad else list(log.samples)
    if [one.id for one in samples] != [id_ for id_, _ in keys]:
        told = log.bad[0] if log.bad else f"{len(samples)} responses in another order, or of other problems"
        raise InputError(f"{output}: expected the {len(keys)} responses that the judge was given: {told}")
    return [
        Told(id=id_, index=index, score=one.theirs, word=str((one.detail or {}).get(JUDGED, "none")))
        for (id_, index), one in zip(keys, samples, strict=True)
    ]
