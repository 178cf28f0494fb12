"""Sends what a run directory has and a tracker has not. RUN/track/NAME/sent.jsonl keeps what was sent, also over kills.

A stage that was redone with other values is another one: STAGE.2. Redone with the same, its steps are not sent again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from etalon.store import RunLock, append_jsonl, read_jsonl
from etalon.track.feed import Feed, StageFiles, step_numbers
from etalon.track.trackers import EVALUATIONS, TRACKERS, Identity, Tracker

FOLDER, JOURNAL = "track", "sent.jsonl"
ID_BYTES = 4
LOCK_SECONDS = 15.0  # (ours) how long to wait for the process of an earlier call that is ending


def folder_of(run_dir: Path, name: str) -> Path:
    """Where a run keeps what belongs to a tracker."""
    return run_dir / FOLDER / name


class Sent:
    """What a tracker has of a run. steps: (stage, key) -> the last one; overall, calls: so far, of all stages."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.steps: dict[tuple[str, str], int] = {}
        self.overall = self.calls = 0
        self.id = ""
        for row in read_jsonl(path):
            self._take(row)
        if not self.id:
            self._add({"id": os.urandom(ID_BYTES).hex()})

    def steps_of(self, stage: StageFiles) -> int:
        """The last step of a stage that was sent; of an evaluation 1 once its scores were."""
        return self.steps.get((stage.name, stage.key), 0)

    def group(self, stage: StageFiles) -> str:
        """What its numbers are called: its name, with a number where values were changed and it was redone."""
        keys = [key for name, key in self.steps if name == stage.name]
        attempt = (keys.index(stage.key) if stage.key in keys else len(keys)) + 1
        name = EVALUATIONS if stage.is_evaluation else stage.name
        return name if attempt == 1 else f"{name}.{attempt}"

    def add(self, stage: StageFiles, *, step: int, overall: int, calls: int) -> None:
        """Note how far a stage is."""
        self._add({"stage": stage.name, "key": stage.key, "step": step, "overall": overall, "calls": calls})

    def _add(self, row: Mapping[str, Any]) -> None:
        append_jsonl(self._path, [row])
        self._take(row)

    def _take(self, row: Mapping[str, Any]) -> None:
        if "id" in row:
            self.id = row["id"]
            return
        self.steps[(row["stage"], row["key"])] = row["step"]
        self.overall, self.calls = row["overall"], row["calls"]


class Sender:
    """One tracker that follows one run directory. keys: of a run under way, the stages as they are to be now."""

    def __init__(self, feed: Feed, tracker: Tracker, sent: Sent, *, keys: Mapping[str, str] | None = None) -> None:
        self._feed, self._tracker, self._sent, self._keys = feed, tracker, sent, keys
        self._scored: set[tuple[str, str]] = set()  # finished, and no more to come of it

    def catch_up(self) -> int:
        """Send what is new; returns how many rows and evaluations that was."""
        before = self._sent.calls
        for stage in self._feed.stages(self._keys):
            if not stage.is_evaluation:
                self._send_rows(stage)
            self._send_scores(stage)
        return self._sent.calls - before

    def _send_rows(self, stage: StageFiles) -> None:
        sent = self._sent
        rows = self._feed.rows(stage, after=sent.steps_of(stage))
        if not rows:
            return
        group, first, taken = sent.group(stage), sent.overall + 1, 0
        try:
            for taken, row in enumerate(rows):
                self._tracker.log(group, row["step"], first + taken, step_numbers(row))
            taken = len(rows)
            self._tracker.flush()
        finally:  # also what was taken before a tracker failed is not sent again
            if taken:
                step = rows[taken - 1]["step"]
                sent.add(stage, step=step, overall=sent.overall + taken, calls=sent.calls + taken)

    def _send_scores(self, stage: StageFiles) -> None:
        mark = (stage.name, stage.key)
        if mark in self._scored or self._sent.steps_of(stage):
            return
        scores = self._feed.scores(stage)
        if scores is None:
            return
        self._scored.add(mark)
        if scores:
            sent = self._sent
            self._tracker.scores(sent.group(stage) if stage.is_evaluation else stage.name, stage.position, scores)
            self._tracker.flush()
            sent.add(stage, step=1, overall=sent.overall, calls=sent.calls + 1)


@contextmanager
def sending(run_dir: Path, name: str, keys: Mapping[str, str] | None = None) -> Iterator[Sender]:
    """A sender with its tracker started, and finished behind it. RunError while another process sends the same."""
    folder = folder_of(run_dir, name)
    feed = Feed(run_dir)
    with RunLock(folder, wait_seconds=LOCK_SECONDS):
        sent = Sent(folder / JOURNAL)
        tracker = TRACKERS[name].make()
        tracker.start(
            Identity(name=run_dir.resolve().name, id=sent.id, folder=folder, config=feed.config, calls=sent.calls)
        )
        try:
            yield Sender(feed, tracker, sent, keys=keys)
        finally:
            tracker.finish()


def follow(sender: Sender, is_over: Callable[[], bool], *, pause: Callable[[], object] = lambda: time.sleep(1)) -> None:
    """Catch up again and again; once more when it is over."""
    while not is_over():
        sender.catch_up()
        pause()
    sender.catch_up()
