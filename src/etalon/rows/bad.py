"""Rows that cannot be read: how they are called, how many there are, and when that is too many."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from etalon.errors import InputError

LOG = logging.getLogger(__name__)

MAX_BAD = 0.01  # (ours) share of a file's rows that may be bad


def shown(value: object) -> str:
    """A value as an error message quotes it: JSON, at most 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


@dataclass
class BadRows:
    """Counts the rows of one file, or of several whose places name them (`name` is "").

    max_bad: share of bad rows above which `check` raises.
    """

    name: str
    max_bad: float = MAX_BAD
    rows: int = 0
    bad: int = 0
    first: str = ""

    def count(self, place: str, why: str = "") -> None:
        """One row more; `why` it cannot be read, if it cannot."""
        self.rows += 1
        if why:
            self.bad += 1
            self.first = self.first or ": ".join(told for told in (self.name, place, why) if told)

    @property
    def are_too_many(self) -> bool:
        """More than may be, or all there are."""
        return self.bad > self.max_bad * self.rows or 0 < self.bad == self.rows

    def check(self) -> None:
        """InputError that names the first bad row, when they are too many."""
        if not self.are_too_many:
            return
        if self.bad == self.rows:
            told = f"none of {self.rows} rows can be read" if self.rows > 1 else "the only row there is"
        else:
            told = f"{self.bad} of {self.rows} rows cannot be read, max_bad allows {100 * self.max_bad:g}%"
        raise InputError(f"{self.first} ({told})")

    def warn(self) -> None:
        """Say in the log what was left out."""
        if self.bad:
            LOG.warning("%s (%d of %d rows cannot be read and are left out)", self.first, self.bad, self.rows)
