"""Why the official LiveCodeBench checker and ours may disagree on a program: the likely reason, from what both say.

Their checker runs a program inside its own process: standard input and output are imitated, an import header stands in
front, decimals are compared digit by digit. Ours gives it a process and real pipes, adds nothing, and allows a number
the error that its statement names. What neither explains is `OTHER`, with their words for it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from enum import StrEnum
from importlib import import_module
from typing import Any

from etalon.problems.syntax import parse
from etalon.verifiers.code.outputs import USUAL, Closeness, compare_output, compare_value, read_json
from etalon.verifiers.code.programs import Program

HEADER = (  # modules whose names all stand in front of a program there; each is imported by its own name, too
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing"),
)
THREADS = frozenset({"threading", "_thread", "concurrent", "multiprocessing"})
WRONG, TIME_LIMIT, DIED = -2, -3, -5  # error codes of their metadata
CUT = "...(truncated) ..."  # in a value that they shortened
_NOT_EQUAL = re.compile(r"Wrong answer at output_line_idx=\d+: (?P<output>.*) != (?P<expected>.*)", re.DOTALL)
_AS_LISTS = str.maketrans({"(": "[", ")": "]"})
_NO_NAME = re.compile(r"NameError: name '(?P<name>\w+)' is not defined")
_IMITATED = re.compile(  # uses of standard input and output that their imitation does not follow
    r"\bin\s+(?:sys\.)?stdin\b|\bopen\(0|\bos\.(?:read|write)\(|stdin\.(?:buffer\.)?(?:readline|fileno)|stdout\.buffer"
    r"|^\s*global\s|fileinput|__name__",
    re.MULTILINE,
)


class Why(StrEnum):
    """The likely reason for a disagreement."""

    UNDECIDED = "undecided here"
    NO_PACKAGE_HERE = "a package is missing here"
    NO_PACKAGE_THERE = "a package is missing there"
    TRUNCATED = "cut by the token limit, which is wrong here"
    LANGUAGE = "no Python: it is not run there"
    THREAD = "starts a thread, whose output is lost there"
    DIGITS = "a number that is close enough here, compared digit by digit there"
    TUPLE = "a tuple inside a value, which is no list there"
    TIME_THERE = "time limit there"
    TIME_HERE = "time or memory limit here"
    DIED = "killed or crashed there"
    HEADER = "a name that the import header provides there"
    IMITATED = "standard input or output used in a way that is only imitated there"
    OTHER = "other"


def likely_reason(
    program: Program | None, score: float | None, reason: str, told: Mapping[str, Any], compare: str | Closeness
) -> Why:
    """The reason for a disagreement.

    program: as it was run here, None where the response has none. score, reason: of our verdict. told: their metadata.
    compare: how the problem's outputs are compared here.
    """
    if score is None:
        return Why.NO_PACKAGE_HERE if "no library" in reason else Why.UNDECIDED
    if reason == "truncated":
        return Why.TRUNCATED
    if program is not None and program.language != "python":
        return Why.LANGUAGE
    text = program.text if program else ""
    return _wrong_there(text, told, compare) if score >= 1.0 else _wrong_here(reason)


def _wrong_there(text: str, told: Mapping[str, Any], compare: str | Closeness) -> Why:
    code, message = told.get("error_code"), f"{told.get('error', '')} {told.get('error_message', '')}"
    if "No module named" in message:
        return Why.NO_PACKAGE_THERE
    if code == TIME_LIMIT or "timeoutexception" in message.lower():
        return Why.TIME_THERE
    if code == DIED:
        return Why.DIED
    if THREADS & _imported(text) and not str(told.get("output", "")).strip():
        return Why.THREAD
    if code == WRONG and _is_close(told, compare if isinstance(compare, Closeness) else USUAL):
        return Why.DIGITS
    if code == WRONG and _is_close({**told, "output": str(told.get("output")).translate(_AS_LISTS)}, USUAL):
        return Why.TUPLE
    return Why.IMITATED if _IMITATED.search(text) else Why.OTHER


def _wrong_here(reason: str) -> Why:
    if reason.startswith(("timeout", "memory")):
        return Why.TIME_HERE
    found = _NO_NAME.search(reason)
    return Why.HEADER if found and _is_in_header(found["name"]) else Why.OTHER


def _is_in_header(name: str) -> bool:
    return name in HEADER or any(hasattr(import_module(module), name) for module in HEADER)


def _imported(text: str) -> set[str]:
    """The packages that a program imports."""
    try:
        nodes = list(ast.walk(parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names}


def _is_close(told: Mapping[str, Any], closeness: Closeness) -> bool:
    """Whether the output that they call wrong equals the expected one within the tolerance."""
    output, expected = str(told.get("output", "")), str(told.get("expected", ""))
    if CUT in output or CUT in expected:
        line = _NOT_EQUAL.fullmatch(str(told.get("error_message", "")))
        if line is None or CUT in line[0]:
            return False
        output, expected = line["output"], line["expected"]
    if compare_output(expected, output, closeness):
        return True
    try:
        return compare_value(read_json(expected), output, closeness)
    except (ValueError, RecursionError):
        return False
