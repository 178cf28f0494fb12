"""Sample what is missing, score what has no verdict, benchmark by benchmark: `fill`.

    samples-NAME.jsonl -> which samples are there, which verdicts are missing
    missing samples    -> sample_singly -> appended as they come -> scored in threads -> scores-NAME.jsonl

Texts are on the disk and in the hands of a few threads, never all in memory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etalon.errors import InputError, RunError
from etalon.evaluate import store
from etalon.evaluate.pace import Pace
from etalon.evaluate.scoring import score
from etalon.evaluate.store import Key, Sample, Scored
from etalon.evaluate.task import Task
from etalon.sampling.single import Ask, prompt_hash, sample_singly, to_ask_singly
from etalon.store import append_jsonl, repair_jsonl
from etalon.types import Rollout, Sampler, Stop

if TYPE_CHECKING:
    from etalon.show.progress import StageView

WORKERS = max(4, os.cpu_count() or 1)  # (ours) threads that verify
WAITING = 64  # (ours) samples that wait for their verdict at most
TOGETHER = 32  # (ours) verdicts on kept samples that are written at once; those on new ones are written as they come
CHECK_SECONDS = 5.0  # (ours) between two questions to a server whether it is still there


def fill(task: Task, folder: Path, *, sampler: Sampler | None, seed: int, system: str, view: StageView) -> None:
    """Get every missing sample of a benchmark, and every missing verdict; without a sampler the verdicts alone.

    Raises RunError when the model's server is gone: what came is kept.
    """
    samples = store.samples_path(folder, task.name)
    by_id = {problem.id: place for place, problem in enumerate(task.problems)}
    total = len(by_id) * task.n
    with _Scoring(task, store.scores_path(folder, task.name)) as scoring:
        repair_jsonl(samples)
        there = _score_kept(task, folder, scoring, view, total)
        if sampler is None:
            return
        missing = [(place, i) for i in range(task.n) for id_, place in by_id.items() if (id_, i) not in there]
        asked = to_ask_singly(task.problems, missing, seed=seed, system=system)
        before = [one for one in store.read_scores(folder, task.name).values() if one.key in there]
        pace = Pace(view, total, before=before, done=total - len(asked), together=getattr(sampler, "together", 1))
        if asked:
            _sample(task, sampler, asked, samples, scoring, pace, seed)


def _score_kept(task: Task, folder: Path, scoring: _Scoring, view: StageView, total: int) -> set[Key]:
    """Give the samples on the disk the verdicts that they lack; the keys of those that have not failed."""
    asked = {problem.id for problem in task.problems}
    judged = store.read_scores(folder, task.name)
    old = {key for key, one in judged.items() if key[0] in asked and key[1] < task.n and not one.has_failed}
    pace = Pace(view, total, done=len(old), together=1)
    told = store.read_elsewhere(folder, task.name)
    there: set[Key] = set()
    failed: dict[Key, Sample] = {}
    for sample in store.read_samples(folder, task.name):
        if sample.id not in asked:
            continue
        if sample.has_failed:
            failed[sample.key] = sample
            continue
        there.add(sample.key)
        if sample.key not in judged or judged[sample.key].has_failed:
            said = told.get(sample.key)
            scoring.add(said.joined(sample) if said else sample, pace.scored)
    for key, sample in failed.items():
        if key not in there and key not in judged:
            scoring.add(sample, lambda one: None)
    scoring.finish(pace.scored)
    return there


def _sample(
    task: Task, sampler: Sampler, asked: Sequence[Ask], path: Path, scoring: _Scoring, pace: Pace, seed: int
) -> None:
    model: Any = innermost(sampler)
    if hasattr(model, "watch"):
        model.watch = pace.tokens
    scoring.together = 1
    checked = 0.0
    hashes: dict[int, str] = {}
    stream = sample_singly(sampler, asked, params=task.params, seed=seed)
    try:
        for place, rollout in stream:
            one = asked[place]
            if (told := hashes.get(id(one.conversation))) is None:
                told = hashes[id(one.conversation)] = prompt_hash(one.conversation)
            sent = model.seed_sent(seed, one.index) if model is sampler and hasattr(model, "seed_sent") else None
            sample = kept(rollout, seed=sent, prompt_hash=told)
            if sample.has_failed and time.monotonic() - checked >= CHECK_SECONDS:
                _still_there(model)
                checked = time.monotonic()
            append_jsonl(path, [store.sample_to_row(sample)])
            pace.ended(sample.tokens or 0)
            scoring.add(sample, pace.scored)
        scoring.finish(pace.scored)
    finally:
        stream.close()
        if hasattr(model, "watch"):
            model.watch = None


def innermost(sampler: Sampler) -> Sampler:
    """What a sampler that wraps others asks in the end: the model."""
    inner = getattr(sampler, "inner", None)
    return sampler if inner is None else innermost(inner)


def _still_there(model: Any) -> None:
    """RunError when the server of the model is gone; a model in this process is always there."""
    if not hasattr(model, "check"):
        return
    try:
        model.check()
    except InputError as error:
        raise RunError(f"the server is gone: {error}") from None


def kept(rollout: Rollout, *, seed: int | None, prompt_hash: str) -> Sample:
    """A response as the store keeps it."""
    detail = dict(rollout.detail or {})
    asked = detail.pop("prompt_tokens", None) if rollout.prompt_tokens is None else len(rollout.prompt_tokens)
    has_failed = rollout.stop is Stop.ERROR
    return Sample(
        id=rollout.problem_id, index=rollout.index, text=rollout.text, stop=rollout.stop, error=rollout.error,
        tokens=None if has_failed else rollout.num_tokens, prompt_tokens=asked, seed=seed, prompt_hash=prompt_hash,
        order=rollout.order, calls=rollout.calls, detail=detail or None, at=round(time.time(), 3),
        seconds=None if rollout.seconds is None else round(rollout.seconds, 3),
    )  # fmt: skip


class _Scoring:
    """Verdicts in threads; no more than WAITING samples wait, and what is decided is appended at once."""

    def __init__(self, task: Task, path: Path) -> None:
        self._task, self._path = task, path
        self.together = TOGETHER  # verdicts that are written at once
        self._by_id = {problem.id: problem for problem in task.problems}
        self._pending: set[Future[Scored]] = set()
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="score")

    def __enter__(self) -> _Scoring:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def add(self, sample: Sample, told: Callable[[Scored], None]) -> None:
        """One more sample; may wait for others."""
        problem = self._by_id[sample.id]
        work = self._threads.submit(score, problem, sample, answers=self._task.answers, mode=self._task.mode)
        self._pending.add(work)
        done = {one for one in self._pending if one.done()}
        if len(self._pending) >= WAITING and not done:
            done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
        if len(done) >= self.together or len(self._pending) >= WAITING:
            self._keep(done, told)

    def finish(self, told: Callable[[Scored], None]) -> None:
        """Wait for all of them."""
        self._keep(wait(self._pending)[0], told)

    def _keep(self, done: set[Future[Scored]], told: Callable[[Scored], None]) -> None:
        found = [one.result() for one in done]
        self._pending -= done
        if found:
            append_jsonl(self._path, [store.scored_to_row(one) for one in found])
        for one in found:
            told(one)


def verdicts(task: Task, folder: Path) -> dict[str, list[Scored]]:
    """The verdicts on the first n samples of each problem that is asked."""
    scored = store.read_scores(folder, task.name)
    return store.by_problem(scored, [problem.id for problem in task.problems], task.n)
