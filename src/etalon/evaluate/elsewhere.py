"""Problems whose tests another tool's judge has: it is asked, or told how to be (OJBench).

    kept samples that it has not judged -> logs.ojbench_judge -> elsewhere-NAME.jsonl -> scored anew, without sampling
    without a judge                     -> ojbench-NAME/responses.jsonl, and a warning that says how to judge them

What it said is kept and not asked again; only where it failed by itself (IE) the next call asks once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etalon.evaluate import store
from etalon.evaluate.logs.ojbench_judge import (
    RESPONSES,
    Place,
    Responses,
    ask_judge,
    responses_of,
    write_responses,
)
from etalon.evaluate.metrics import Row
from etalon.evaluate.run import verdicts
from etalon.evaluate.store import JUDGED, SKIPPED, Key, Sample, Told
from etalon.evaluate.task import Task
from etalon.problems.formats.ojbench import JUDGE
from etalon.store import append_jsonl
from etalon.types import Problem
from etalon.verifiers.code.verdict import NOT_HERE, judge_of

if TYPE_CHECKING:
    from etalon.show.progress import StageView

TOGETHER = 500  # (ours) responses of one run of the judge, which writes its verdicts at its end


@dataclass(frozen=True, kw_only=True)
class OjbenchJudge:
    """Has the samples of a benchmark judged by OJBench's own judge. workers: programs at a time."""

    place: Place
    workers: int

    def __call__(self, task: Task, folder: Path, view: StageView) -> bool:
        """Ask about what it has not judged; whether the benchmark has problems of its own. Raises as `ask_judge`."""
        problems = of_ojbench(task)
        if not problems:
            return False
        told = store.read_elsewhere(folder, task.name)
        missing = list(_responses(task, folder, problems, told).items())
        if missing:
            view.note(f"{len(missing)} responses go to OJBench's judge, {self.workers} at a time")
        for start in range(0, len(missing), TOGETHER):
            batch = dict(missing[start : start + TOGETHER])
            found = ask_judge(self.place, batch, out=_folder(folder, task), workers=self.workers)
            rows = [{"id": one.id, "index": one.index, "score": one.score, "word": one.word} for one in found]
            append_jsonl(store.elsewhere_path(folder, task.name), rows)
        return True


@dataclass(frozen=True, kw_only=True)
class OjbenchExport:
    """Reviews the rows of an evaluation without a judge. is_kept: its folder stays."""

    is_kept: bool

    def __call__(self, task: Task, folder: Path, row: Mapping[str, Any]) -> Row:
        """A warning where responses wait for the judge, which are written for it."""
        open_ = [one for own in verdicts(task, folder).values() for one in own if one.reason.startswith(NOT_HERE)]
        problems = of_ojbench(task)
        if not open_ or not problems:
            return {}
        path = _folder(folder, task) / RESPONSES
        if self.is_kept:
            write_responses(path, _responses(task, folder, problems, {}).values())
        where = f"what it is to be given is in {path}" if self.is_kept else "name --out DIR to keep the responses"
        how = "name it by --ojbench-judge PYTHON --ojbench-data DIR, also with --rescore DIR"
        told = f"{len(open_)} responses wait for OJBench's own judge: {how}; {where}"
        return {"warnings": [*row.get("warnings", ()), told]}


def of_ojbench(task: Task) -> dict[str, Problem]:
    """The problems that OJBench's judge decides, by id."""
    return {problem.id: problem for problem in task.problems if judge_of(problem) == JUDGE}


def _responses(task: Task, folder: Path, problems: Mapping[str, Problem], told: Mapping[Key, Told]) -> Responses:
    """What the judge is to be given: the samples that it has not judged."""
    samples = (one for one in store.read_samples(folder, task.name) if one.index < task.n)
    return responses_of((one for one in samples if not _is_judged(one, told.get(one.key))), problems)


def _is_judged(sample: Sample, told: Told | None) -> bool:
    """Whether a verdict is there, in the log that it is of or since; a problem that the judge leaves out has one."""
    sample = told.joined(sample) if told else sample
    return sample.theirs is not None or (sample.detail or {}).get(JUDGED) == SKIPPED


def _folder(folder: Path, task: Task) -> Path:
    return folder / f"{JUDGE}-{task.name}"
