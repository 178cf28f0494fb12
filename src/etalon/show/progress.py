"""What the user sees while a run works: one line per stage, a bar with time left, live numbers.

    progress = Progress()
    with progress.stage("math", "amplify correct solutions", "2.2") as stage:
        stage.update(step, steps, reward=0.41, gradient=1.2, tokens=5120)
        progress.say("eval-math: Pass@1 0.56")    # from any thread; the bar stays in place

A terminal gets a bar. A pipe or a log gets plain lines: the start, each quarter, every half a minute, the end.
No thread of its own, so a fork while the bar is up is safe.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

REFRESH_SECONDS = 0.2
SILENT_SECONDS = 30.0  # (ours) longest silence of a log while something is known to have moved

Number = float | int | str


class StageView(Protocol):
    """What a running stage tells the user."""

    def update(self, done: int, total: int, **numbers: Number) -> None:
        """Show that `done` of `total` steps are behind us, with up to three live numbers."""
        ...

    def note(self, text: str) -> None:
        """Print a line that stays, below the stage's own."""
        ...


class Progress:
    """Where all stages of a run report to; one stage at a time."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._lock = threading.Lock()
        self._is_busy = False

    def say(self, text: str) -> None:
        """Print a line that stays; the bar, if there is one, moves below it."""
        with self._lock:
            self._console.print(Text(text), soft_wrap=True)

    @contextmanager
    def stage(self, name: str, purpose: str, section: str = "") -> Iterator[StageView]:
        """Announce a stage and show its progress until the block ends; `section` is the paper's."""
        assert not self._is_busy, "stages run one after the other"
        self._is_busy = True
        shown = section if section.startswith("(") else f"(section {section})" if section else ""
        self.say(f"{name}: {purpose}{f' {shown}' if shown else ''}")
        started = time.monotonic()
        view = _BarView(self, self._console, name) if self._console.is_interactive else _LineView(self, name)
        try:
            yield view
        finally:
            view.close()
            self._is_busy = False
        numbers = show_numbers(view.numbers)
        self.say(f"  {name} done in {show_seconds(time.monotonic() - started)}{f', {numbers}' if numbers else ''}")


class _BarView:
    def __init__(self, progress: Progress, console: Console, name: str) -> None:
        self.numbers: Mapping[str, Number] = {}
        self._say = progress.say
        self._bar = Bar(
            TextColumn("  {task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._task = self._bar.add_task(name, total=None, numbers="")
        self._bar.start()
        self._refreshed = 0.0

    def note(self, text: str) -> None:
        self._say(f"  {text}")

    def update(self, done: int, total: int, **numbers: Number) -> None:
        self.numbers = numbers or self.numbers
        self._bar.update(self._task, completed=done, total=total, numbers=show_numbers(self.numbers))
        now = time.monotonic()
        if now - self._refreshed >= REFRESH_SECONDS or done >= total:
            self._refreshed = now
            self._bar.refresh()

    def close(self) -> None:
        self._bar.stop()


class _LineView:
    def __init__(self, progress: Progress, name: str) -> None:
        self.numbers: Mapping[str, Number] = {}
        self._say = progress.say
        self._name = name
        self._first: tuple[int, float] | None = None  # a resumed stage starts in the middle
        self._done = 0
        self._quarter = 0
        self._said = 0.0

    def note(self, text: str) -> None:
        self._say(f"  {text}")

    def update(self, done: int, total: int, **numbers: Number) -> None:
        self.numbers = numbers or self.numbers
        now = time.monotonic()
        quarter = 4 * done // total if total > 0 else 0
        if self._first is None or done < self._done:  # another part of the stage has a pace of its own
            self._first, self._quarter = (done, now), quarter
            self._done, self._said = done, self._said or now
            return
        self._done = done
        is_late = now - self._said >= SILENT_SECONDS and done < total
        if self._quarter < quarter < 4 or is_late:
            self._quarter, self._said = quarter, now
            first_done, first_time = self._first
            told = [f"{self._name} {done}/{total}"]
            if done > first_done:
                left = (now - first_time) / (done - first_done) * (total - done)
                told.append(f"{show_seconds(left)} left")
            self._say(f"  {', '.join([*told, show_numbers(self.numbers)]).rstrip(', ')}")

    def close(self) -> None:
        pass


def show_numbers(numbers: Mapping[str, Number]) -> str:
    """`reward 0.41, tokens 5120`: floats with three digits, whole numbers and text as they are."""
    return ", ".join(
        f"{name} {f'{value:.3g}' if isinstance(value, float) else value}" for name, value in numbers.items()
    )


def show_seconds(seconds: float) -> str:
    """`42s`, `3m05s`, `2h07m`: two units at most."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
