"""One interface to three trackers. A package loads when its tracker starts; all of them run without a network.

Tracker       start -> log, scores ... flush -> finish
TRACKERS      name -> who it is, and the extra that brings its package
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from etalon.errors import ConfigError, RunError

PROJECT = "etalon"
OVERALL = "overall_step"  # steps of every stage of the run so far
EVALUATIONS = "eval"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Whose rows a tracker is given. id: unique, kept with the run, so that a later process goes on with the same.

    folder: of the run's own, for what the tracker keeps on disk. calls: of `log` and `scores` in earlier processes.
    """

    name: str
    id: str
    folder: Path
    config: Mapping[str, Any]
    calls: int = 0


class Tracker(Protocol):
    """Where rows go. Any exception of it means that it failed; nobody catches it but the process it runs in."""

    def start(self, identity: Identity) -> None: ...

    def log(self, stage: str, step: int, overall: int, numbers: Mapping[str, float]) -> None:
        """Numbers of one optimiser step. step: within the stage; overall: within the run."""

    def scores(self, group: str, position: int, scores: Mapping[str, Mapping[str, float]]) -> None:
        """One evaluation: domain -> numbers, of the stage that stands at this place of the recipe's list."""

    def flush(self) -> None:
        """Hand on what was held back, as far as the tracker can be asked to."""

    def finish(self) -> None: ...


def names_of(stage: str, step: int, overall: int, numbers: Mapping[str, float]) -> dict[str, float]:
    """What one step is called: STAGE/NAME, with both of its numbers beside it."""
    return {**{f"{stage}/{name}": value for name, value in numbers.items()}, f"{stage}/step": step, OVERALL: overall}


def names_of_scores(group: str, position: int, scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """What one evaluation is called: eval/DOMAIN/NAME, over the place of its stage in the list."""
    found = {f"{group}/{domain}/{name}": value for domain, row in scores.items() for name, value in row.items()}
    return {**found, f"{group}/stage": position}


class Trackio:
    """trackio: SQLite on this machine (TRACKIO_DIR), or a Space or server that its own variables name."""

    def __init__(self) -> None:
        self._run: Any = None
        self._said: list[str] = []

    def start(self, identity: Identity) -> None:
        import trackio

        warnings.showwarning = self._hear  # it answers every failure of its own with a warning
        self._run = trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", PROJECT), name=f"{identity.name}-{identity.id}", resume="allow",
            config=dict(identity.config), embed=False, auto_log_gpu=False, auto_log_cpu=False,
        )  # fmt: skip

    def _hear(self, message: Warning | str, category: type[Warning], filename: str, *_: Any, **__: Any) -> None:
        if "trackio" in Path(filename).parts:
            self._said.append(str(message))

    def log(self, stage: str, step: int, overall: int, numbers: Mapping[str, float]) -> None:
        self._run.log(names_of(stage, step, overall, numbers), step=overall)

    def scores(self, group: str, position: int, scores: Mapping[str, Mapping[str, float]]) -> None:
        self._run.log(names_of_scores(group, position, scores), step=position)

    def flush(self) -> None:
        """Nothing: a thread of trackio's writes twice a second."""

    def finish(self) -> None:
        self._run.finish()
        if self._said:
            raise RunError(self._said[0])


class Wandb:
    """Weights & Biases, with what we log alone: no code, no console, no machine; its files lie in the run."""

    def __init__(self) -> None:
        self._run: Any = None
        self._calls = 0
        self._known: set[str] = set()

    def start(self, identity: Identity) -> None:
        import wandb

        settings = wandb.Settings(
            console="off", disable_git=True, save_code=False, x_disable_stats=True, x_disable_meta=True, silent=True
        )
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=identity.name, id=identity.id, resume="allow",
            dir=str(identity.folder), config=dict(identity.config), settings=settings,
        )  # fmt: skip
        self._calls = identity.calls

    def log(self, stage: str, step: int, overall: int, numbers: Mapping[str, float]) -> None:
        self._log(stage, f"{stage}/step", names_of(stage, step, overall, numbers))

    def scores(self, group: str, position: int, scores: Mapping[str, Mapping[str, float]]) -> None:
        self._log(group, f"{group}/stage", names_of_scores(group, position, scores))

    def _log(self, group: str, axis: str, numbers: Mapping[str, float]) -> None:
        """Its own step must never go back, so it counts calls; every group says what it is drawn over."""
        if group not in self._known:
            self._run.define_metric(f"{group}/*", step_metric=axis)
            self._known.add(group)
        self._calls += 1
        self._run.log(dict(numbers), step=self._calls)

    def flush(self) -> None:
        """Nothing: a process of wandb's has every row as soon as it is logged."""

    def finish(self) -> None:
        self._run.finish()


class TensorBoard:
    """Event files in the run; `tensorboard --logdir` of it, or of a folder of runs, shows them."""

    def __init__(self) -> None:
        self._writer: Any = None

    def start(self, identity: Identity) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer = EventFileWriter(str(identity.folder))

    def log(self, stage: str, step: int, overall: int, numbers: Mapping[str, float]) -> None:
        self._add(names_of(stage, step, overall, numbers), overall)

    def scores(self, group: str, position: int, scores: Mapping[str, Mapping[str, float]]) -> None:
        self._add(names_of_scores(group, position, scores), position)

    def _add(self, numbers: Mapping[str, float], step: int) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2

        values = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in numbers.items()]
        summary = summary_pb2.Summary(value=values)
        self._writer.add_event(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))

    def flush(self) -> None:
        self._writer.flush()

    def finish(self) -> None:
        self._writer.close()


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A tracker that a recipe can name."""

    make: Callable[[], Tracker]
    extra: str


TRACKERS = {
    "trackio": Kind(make=Trackio, extra="ui"),
    "wandb": Kind(make=Wandb, extra="wandb"),
    "tensorboard": Kind(make=TensorBoard, extra="tensorboard"),
}


def require(names: Collection[str]) -> None:
    """ConfigError for a tracker that there is not, or whose package is not installed."""
    for message in _missing(names):
        raise ConfigError(message)


def _missing(names: Collection[str]) -> Iterator[str]:
    for name in names:
        if name not in TRACKERS:
            yield f"no tracker {name!r}; there are {', '.join(TRACKERS)}"
        elif find_spec(name) is None:
            extra = TRACKERS[name].extra
            yield f"tracker {name} is not installed: in Etalon's folder run pip install -e '.[{extra}]'"
