"""The table of docs/rules.md: every rule with its arguments, what it asks, and what decides it."""

from __future__ import annotations

import inspect

from etalon.verifiers.instruct.rules.arguments import parameters
from etalon.verifiers.instruct.rules.registry import IFEVAL, NEEDS, RULES, SPLITS_SENTENCES


def table() -> str:
    """Markdown, one line per rule, in the order of the registry."""
    rows = ["| id | set | arguments | followed when | decided by |", "|---|---|---|---|---|"]
    for rule, check in RULES.items():
        arguments = ", ".join(f"`{name}`" for name in parameters(check)) or "none"
        asks = (inspect.getdoc(check) or "").splitlines()[0]
        rows.append(f"| `{rule}` | {_set(rule)} | {arguments} | {asks} | {_decided_by(rule)} |")
    return "\n".join(rows)


def _set(rule: str) -> str:
    return "IFEval" if rule in IFEVAL else "IFBench"


def _decided_by(rule: str) -> str:
    if rule in NEEDS:
        return NEEDS[rule]
    return "sentences: punkt or regex" if rule in SPLITS_SENTENCES else "here"
