"""The program in a response: the last closed fenced block with the tag of a language, after the last `</think>`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etalon.verifiers.text import final_part

TAGS = {
    **dict.fromkeys(("python", "python3", "py", "py3", "pypy", "pypy3"), "python"),
    **dict.fromkeys(("cpp", "c++", "cc", "cxx", "c++17", "c++20", "cpp17", "cpp20"), "cpp"),
}

OTHERS = frozenset(
    {"c", "c#", "csharp", "clojure", "dart", "elixir", "erlang", "fortran", "go", "golang", "haskell", "java", "js"}
    | {"javascript", "julia", "kotlin", "lua", "matlab", "ocaml", "pascal", "perl", "php", "r", "rb", "rs", "ruby"}
    | {"rust", "scala", "sql", "swift", "ts", "typescript", "zig"}
)

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*([^\s`]*)[^`\n]*$")


@dataclass(frozen=True, kw_only=True)
class Program:
    """What is run. language: "python" or "cpp"."""

    text: str
    language: str = "python"


@dataclass(frozen=True, kw_only=True)
class _Block:
    tag: str
    text: str
    is_closed: bool


def extract(response: str, languages: Sequence[str] = ("python",)) -> Program | None:
    """The last block in one of the languages, dedented to its fence; None if the last one was never closed."""
    program: Program | None = None
    for block in _blocks(response):
        if TAGS.get(block.tag) in languages:
            program = Program(text=block.text, language=TAGS[block.tag]) if block.is_closed else None
    return program


def other_language(response: str, languages: Sequence[str]) -> str | None:
    """The tag of the last block, when it names a language that is not read here."""
    tags = [block.tag for block in _blocks(response) if block.tag in OTHERS or TAGS.get(block.tag)]
    return tags[-1] if tags and TAGS.get(tags[-1]) not in languages else None


def _blocks(response: str) -> Iterator[_Block]:
    """Fenced blocks in order, dedented to their fences; only the last may be open."""
    fence, tag, indent = "", "", 0
    lines: list[str] = []
    for line in final_part(response).splitlines():
        mark = _FENCE.match(line)
        if not fence and mark:
            fence, tag, lines = mark[1], mark[2].lower().strip("{}.="), []
            indent = len(line) - len(line.lstrip())
        elif fence and mark and not mark[2] and mark[1].startswith(fence):
            yield _Block(tag=tag, text="\n".join(lines) + "\n", is_closed=True)
            fence = ""
        elif fence:
            lines.append(line[indent:] if not line[:indent].strip() else line)
    if fence:
        yield _Block(tag=tag, text="\n".join(lines) + "\n", is_closed=False)


def extract_program(response: str) -> str | None:
    """The text of the last Python program in a response, None if there is none."""
    program = extract(response)
    return program.text if program else None
