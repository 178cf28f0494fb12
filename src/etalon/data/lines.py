"""The n-gram gates (2.1.1 step 4a) over lines of JSON: overlap with evaluation sets, and degenerate repetition.

line -> row -> overlap of its prompt -> repetition in its response -> kept as it is, or the gate that stopped it and why

A line that cannot be read, or that has neither a prompt nor a response, is undecided and not kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from etalon.data.decontaminate import index
from etalon.data.gates import KEEP, OVERLAP, Decision, Outcome, Sieve, drop, excerpt
from etalon.data.repetition import degeneration, measure
from etalon.store import to_json

GATES = ("read", "overlap", "repetition")
PROMPT_KEYS = ("prompt", "question", "problem", "messages")
RESPONSE_KEYS = ("response", "completion")
KEPT = b"+"  # a line that passed, as it was
STOPPED = b"-"  # a JSON object: gate, outcome, reason, text


@dataclass(frozen=True, kw_only=True)
class GateLines:
    """evaluation: prompts that no query may share `ngram` words with. boilerplate: instructions of many prompts.

    max_repetition: share of repeated n-grams above which a response counts as degenerate.
    """

    evaluation: tuple[str, ...] = ()
    boilerplate: tuple[str, ...] = ()
    ngram: int = 10
    max_repetition: float = 0.5

    def start(self) -> Callable[[Iterable[str]], Iterator[bytes]]:
        """Build the index of the evaluation prompts; the function gives one marked line per line."""
        seen = index(self.evaluation, n=self.ngram, boilerplate=self.boilerplate)

        def decide(line: str) -> tuple[str, Decision]:
            prompt, response, problem = read_texts(line)
            if problem:
                return "read", Decision(outcome=Outcome.UNDECIDED, reason=problem, text=line.strip())
            overlap = seen.overlap(prompt) if prompt is not None else None
            if overlap is not None:
                return "overlap", drop(OVERLAP, f"{overlap} | {prompt}")
            if response is None:
                return "", KEEP
            reason = degeneration(measure(response, n=self.ngram), max_share=self.max_repetition)
            return ("", KEEP) if reason is None else ("repetition", drop(reason, response))

        return lambda lines: (marked(line, *decide(line)) for line in lines)


def read_texts(line: str) -> tuple[str | None, str | None, str]:
    """(prompt, response, "") of a line, or (None, None, why it has neither)."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None, None, "unreadable: not JSON" if line.strip() else "unreadable: a blank line"
    if not isinstance(row, dict):
        return None, None, "unreadable: not a JSON object"
    prompt = next((text for key in PROMPT_KEYS if (text := _text(row, key)) is not None), None)
    response = next((text for key in RESPONSE_KEYS if (text := _text(row, key)) is not None), None)
    if prompt is None and response is None:
        return None, None, f"unreadable: none of {', '.join(PROMPT_KEYS + RESPONSE_KEYS)} holds text"
    return prompt, response, ""


def _text(row: Mapping[str, Any], key: str) -> str | None:
    """The text of a column: a string, or what the users of a conversation say."""
    value = row.get(key)
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(message, dict) for message in value):
        said = [m.get("content") for m in value if m.get("role") in ("user", None)]
        texts = [content for content in said if isinstance(content, str)]
        return "\n".join(texts) if texts else None
    return None


def marked(line: str, gate: str, decision: Decision) -> bytes:
    """The line with KEPT before it, or STOPPED and what the counts need."""
    if decision.outcome is Outcome.KEPT:
        return KEPT + line.removesuffix("\n").encode("utf-8", "surrogateescape")
    told = {"gate": gate, "outcome": decision.outcome.value, "reason": decision.reason, "text": excerpt(decision.text)}
    return STOPPED + to_json(told)


class Sifted:
    """Takes marked lines apart: what passed, and the counts of every gate."""

    def __init__(self) -> None:
        self.sieves = {gate: Sieve(gate) for gate in GATES}

    def kept(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The lines that passed, as they were, without their ends."""
        for line in lines:
            if line.startswith(KEPT):
                for sieve in self.sieves.values():
                    sieve.passes(KEEP)
                yield line[1:]
                continue
            told = json.loads(line[1:])
            for gate, sieve in self.sieves.items():
                if gate == told["gate"]:
                    outcome = Outcome(told["outcome"])
                    sieve.passes(Decision(outcome=outcome, reason=told["reason"], text=told["text"]))
                    break
                sieve.passes(KEEP)

    def rows(self) -> list[dict[str, Any]]:
        """The report of every gate, in their order, as JSON values."""
        return [sieve.report().to_row() for sieve in self.sieves.values()]

    def __str__(self) -> str:
        reports = [sieve.report() for sieve in self.sieves.values()]
        read = reports[0].kept + reports[0].dropped + reports[0].undecided
        stopped = [f"{reason} {count}" for report in reports for reason, count in report.reasons.items()]
        return f"{read} rows: {reports[-1].kept} kept{''.join(f', {one}' for one in stopped)}"
