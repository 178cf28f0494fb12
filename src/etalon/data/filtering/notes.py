"""What the gates found in a row, as it travels from the process that looked to the one that counts.

{"group": ["math", "numina"], "stop": {...}, "hit": {...}} TAB the row, as it goes on     one line of bytes
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from etalon.data.gates import Decision, Fate, excerpt
from etalon.store import to_json

READ, OVERLAP, TRACE, CORRECTNESS, DUPLICATES = "read", "overlap", "trace", "correctness", "duplicates"
QUALITY, JUDGE = "quality", "judge"  # of a model, where one is named
GATES = (READ, OVERLAP, TRACE, CORRECTNESS, DUPLICATES, QUALITY, JUDGE)  # in the order that a row passes them
PER_TRACE = frozenset({TRACE, CORRECTNESS, JUDGE})  # in records, whose traces go one by one

SIZES = ("sizes", "left")
PLAIN = ("id", "share", "rates", "license", *SIZES)  # of a note, as they are in JSON; left out where they say nothing

Group = tuple[str, str]  # domain, source


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A gate that did not let a row pass, or one of a record's traces.

    told: what is wrong with the row, in full. response: of a trace that goes alone.
    """

    gate: str
    outcome: str
    reason: str
    text: str
    told: str = ""
    response: str = ""

    @classmethod
    def of(cls, gate: str, decision: Decision, *, told: str = "") -> Stop:
        """From the decision of a gate."""
        return cls(
            gate=gate, outcome=decision.outcome.value, reason=decision.reason, text=excerpt(decision.text), told=told
        )

    @property
    def passes(self) -> bool:
        """Whether what could not be decided passes all the same."""
        return self.outcome == Fate.UNDECIDED_KEPT.value

    @property
    def decision(self) -> Decision:
        """What the gate said."""
        return Decision(outcome=Fate(self.outcome), reason=self.reason, text=self.text)


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """The item of a benchmark that was found in a row (`contamination.Hit`), kept or not."""

    benchmark: str
    row: str
    share: float
    span: str
    is_near: bool


@dataclass(frozen=True, kw_only=True)
class Note:
    """What the gates say of one row.

    id: the row's own, "" without one. stop: what it was stopped by, None where it passes. hit: the item it overlaps
    with, also where it passes. share: of the best item, for the table of thresholds; 0 where nothing is shared.
    traces: the traces that a record lost; read: how many it had, None for a row that is no record.
    sizes: tokens of the traces; left: of those that are left. rates: error rates, by model.
    """

    group: Group = ("", "")
    id: str = ""
    stop: Stop | None = None
    hit: Overlap | None = None
    share: float = 0.0
    traces: tuple[Stop, ...] = ()
    read: int | None = None
    sizes: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    rates: Mapping[str, float] = field(default_factory=dict)
    license: str = ""

    @property
    def passes(self) -> bool:
        """Whether the row goes on."""
        return self.stop is None or self.stop.passes


def to_line(note: Note, row: bytes) -> bytes:
    """One line, without its end; JSON has no raw tab, so the first one ends the note."""
    told: dict[str, Any] = {"group": note.group}
    told |= {"stop": asdict(note.stop)} if note.stop else {}
    told |= {"hit": asdict(note.hit)} if note.hit else {}
    told |= {"traces": [asdict(one) for one in note.traces]} if note.traces else {}
    told |= {"read": note.read} if note.read is not None else {}
    told |= {name: value for name in PLAIN if (value := getattr(note, name))}
    return to_json(told) + b"\t" + row


def from_line(line: bytes) -> tuple[Note, bytes]:
    """The note and the row of `to_line`."""
    head, _, row = line.partition(b"\t")
    told: Mapping[str, Any] = json.loads(head)
    plain: dict[str, Any] = {
        name: tuple(told[name]) if name in SIZES else told[name] for name in PLAIN if name in told
    }  # fmt: skip
    return Note(
        group=(told["group"][0], told["group"][1]),
        stop=Stop(**told["stop"]) if "stop" in told else None,
        hit=Overlap(**told["hit"]) if "hit" in told else None,
        traces=tuple(Stop(**one) for one in told.get("traces", ())),
        read=told.get("read"),
        **plain,
    ), row
