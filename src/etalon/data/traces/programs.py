"""Code answers: a fenced program in the final part, which is one."""

from __future__ import annotations

import textwrap

from etalon.data.traces.response import Fault, Response, around
from etalon.problems.syntax import parse
from etalon.types import Domain
from etalon.verifiers.code.programs import extract, other_language

LANGUAGES = ("python", "cpp")  # what the sandbox runs


def program(response: Response) -> Fault | None:
    """No program where one is asked for, or one that does not parse. A body alone passes: it continues a stub."""
    if response.domain is not Domain.CODE:
        return None
    found = extract(response.text, LANGUAGES)
    if found is None:
        if other_language(response.text, LANGUAGES):
            return None
        return Fault(kind="no program", detail=around(response.final, max(0, len(response.final) - 120)))
    if found.language == "python" and (error := _error(found.text)):
        return Fault(kind="program does not parse", detail=error)
    return None


def _error(text: str) -> str | None:
    """Why a program does not parse, with its line; None when it does, as it is or as the body of a function."""
    reason = None
    for spelled in (text, textwrap.dedent(text), "def f():\n" + textwrap.indent(textwrap.dedent(text), " ")):
        try:
            parse(spelled)
        except SyntaxError as error:
            lines = text.splitlines()
            line = lines[error.lineno - 1] if error.lineno and error.lineno <= len(lines) else ""
            reason = reason or f"line {error.lineno}: {error.msg}: {line.strip()[:120]}"
        except (ValueError, RecursionError, MemoryError) as error:
            reason = reason or str(error)
        else:
            return None
    return reason
