"""What a gate says of its rows, light to load: those who only read reports need none of the gates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Example:
    reason: str
    text: str


@dataclass(frozen=True, kw_only=True)
class GateReport:
    """What a gate did. kept: rows that passed; dropped: rows that failed; undecided: rows it could not decide.

    Undecided rows are never among `dropped`; where they pass (a judge's, `asking.quality`) they are also among `kept`.
    """

    gate: str
    kept: int
    dropped: int
    undecided: int
    reasons: dict[str, int]
    examples: tuple[Example, ...]
    groups: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)  # (domain, source) -> reason, "" is kept

    def to_row(self) -> dict[str, Any]:
        """The report as JSON values."""
        examples = [{"reason": example.reason, "text": example.text} for example in self.examples]
        counts = {"kept": self.kept, "dropped": self.dropped, "undecided": self.undecided}
        row = {"gate": self.gate, **counts, "reasons": dict(self.reasons), "examples": examples}
        if self.groups:
            row["groups"] = [
                {"domain": domain, "source": source, "kept": told[""], "reasons": {k: n for k, n in told.items() if k}}
                for (domain, source), told in sorted(self.groups.items())
            ]
        return row
