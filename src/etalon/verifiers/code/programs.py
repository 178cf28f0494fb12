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

_CLOSING = re.compile(r"(.*?)(`{3,}|~{3,})[ \t]*(?:</?\w+>|<\|[^|<>]*\|>|[.,;])*[ \t]*$")
_GLUED = re.compile(r"(?<=\S)[ \t]*(`{3,})[ \t]*([\w+]+)[ \t]*$")
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


def extract(response: str, languages: Sequence[str] = ("python",), names: Sequence[str] = ()) -> Program | None:
    """The last block in one of the languages, dedented to its fence; None if the last one was never closed.

    names: of what is tested; blocks behind the last one that defines any of them are examples.
    """
    blocks = [block for block in _blocks(response) if TAGS.get(block.tag) in languages]
    if not blocks or not blocks[-1].is_closed:
        return None
    defining = [block for block in blocks if any(_defines(block.text, name) for name in names)]
    block = (defining or blocks)[-1]
    return Program(text=block.text.removeprefix("\ufeff"), language=TAGS[block.tag])


def _defines(text: str, name: str) -> bool:
    return re.search(
        rf"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+{re.escape(name)}\b", text, re.MULTILINE
    ) is not None or (re.search(rf"^{re.escape(name)}[ \t]*(?::[^=\n]+)?=[^=]", text, re.MULTILINE) is not None)


def other_language(response: str, languages: Sequence[str]) -> str | None:
    """The tag of the last block, when it names a language that is not read here."""
    tags = [block.tag for block in _blocks(response) if block.tag in OTHERS or TAGS.get(block.tag)]
    return tags[-1] if tags and TAGS.get(tags[-1]) not in languages else None


def _blocks(response: str) -> Iterator[_Block]:
    """Fenced blocks in order, dedented to their fences; only the last may be open.

    A fence may be glued: an opening one to the words before it, a closing one to the end of the code or to what ends a
    response. Four blanks more than the opening one has are no fence but text, as in CommonMark.
    """
    fence, tag, indent = "", "", 0
    lines: list[str] = []
    for line in final_part(response).splitlines():
        if not fence:
            mark = _FENCE.match(line) or _glued_opening(line)
            if mark:
                fence, tag, lines = mark[1], mark[2].lower().strip("{}.="), []
                indent = len(line) - len(line.lstrip()) if _FENCE.match(line) else 0
            continue
        end = _CLOSING.match(line)
        is_deep = len(line) - len(line.lstrip()) >= indent + 4
        if end and end[2].startswith(fence) and (end[1].strip() or not is_deep) and "`" not in end[1]:
            yield _Block(
                tag=tag, text="\n".join([*lines, *([end[1]] if end[1].strip() else [])]) + "\n", is_closed=True
            )
            fence = ""
        else:
            lines.append(line[indent:] if not line[:indent].strip() else line)
    if fence:
        yield _Block(tag=tag, text="\n".join(lines) + "\n", is_closed=False)


def _glued_opening(line: str) -> re.Match[str] | None:
    found = _GLUED.search(line)
    return found if found and found[2].lower() in TAGS else None


def extract_program(response: str) -> str | None:
    """The text of the last Python program in a response, None if there is none."""
    program = extract(response)
    return program.text if program else None
