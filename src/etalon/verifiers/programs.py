"""The program in a response: the last closed fenced block with the tag of a language, after the last `</think>`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from etalon.verifiers.text import final_part

TAGS = {
    **dict.fromkeys(("python", "python3", "py", "py3", "pypy", "pypy3"), "python"),
    **dict.fromkeys(("cpp", "c++", "cc", "cxx", "c++17", "c++20", "cpp17", "cpp20"), "cpp"),
}

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([^\s`]*)[^`\n]*$")


@dataclass(frozen=True, kw_only=True)
class Program:
    """What is run. language: "python" or "cpp"."""

    text: str
    language: str = "python"


def extract(response: str, languages: Sequence[str] = ("python",)) -> Program | None:
    """The last block in one of the languages, dedented to its fence; None if the last one was never closed."""
    program: Program | None = None
    fence, tag, indent = "", "", 0
    lines: list[str] = []
    for line in final_part(response).splitlines():
        mark = _FENCE.match(line)
        if not fence and mark:
            fence, tag, lines = mark[1], mark[2].lower().strip("{}.="), []
            indent = len(line) - len(line.lstrip())
        elif fence and mark and not mark[2] and mark[1].startswith(fence):
            if TAGS.get(tag) in languages:
                program = Program(text="\n".join(lines) + "\n", language=TAGS[tag])
            fence = ""
        elif fence:
            lines.append(line[indent:] if not line[:indent].strip() else line)
    return None if fence and TAGS.get(tag) in languages else program


def extract_program(response: str) -> str | None:
    """The text of the last Python program in a response, None if there is none."""
    program = extract(response)
    return program.text if program else None
