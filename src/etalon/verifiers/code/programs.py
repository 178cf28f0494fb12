"""The program in a response: the last closed fenced block with the tag of a language, after the last `</think>`."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etalon.problems.syntax import parse
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

_ACTS = (ast.Call, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.Import, ast.ImportFrom)
_MARKS = re.compile("^\ufeff", re.MULTILINE)  # of byte order
_INDENTED = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]+[^\s#]")
# code, a fence, and what may follow it: an end token, a tag, a full stop
_CLOSING = re.compile(r"(.*?)((?<!`)`{3,}+|(?<!~)~{3,}+)[ \t]*(?:</?\w+>|<\|[^|<>]*\|>|[.,;])*[ \t]*$")
_GLUED = re.compile(r"(?<=[^\s`])[ \t]*(`{3,}+)[ \t]*([\w+]++)[ \t]*$")
_FENCE = re.compile(r"[ \t]*(`{3,}+|~{3,}+)[ \t]*([^\s`]*+)[^`\n]*+$")


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

    names: of what is tested; blocks behind the last one that defines any of them are examples. A Python block comes
    with what it uses and blocks before it define. Where no block names a language, the last one that is Python counts.
    """
    every = list(_blocks(response))
    blocks = [block for block in every if TAGS.get(block.tag) in languages]
    if not blocks and "python" in languages and not any(block.tag for block in every):
        blocks = [block for block in every if not block.is_closed or _does_something(block.text)]
    if not blocks or not blocks[-1].is_closed:
        return None
    defining = [at for at, block in enumerate(blocks) if any(_defines(block.text, name) for name in names)]
    position = defining[-1] if defining else len(blocks) - 1
    block = blocks[position]
    text, language = _MARKS.sub("", block.text), TAGS.get(block.tag, "python")
    if language == "python" and position:
        text = _with_what_it_uses(text, [one.text for one in blocks[:position]])
    return Program(text=text, language=language)


def _does_something(text: str) -> bool:
    """Whether a text is Python, and no printed value that looks like it."""
    tree = _parsed(text)
    return tree is not None and any(isinstance(node, _ACTS) for node in ast.walk(tree))


def _with_what_it_uses(text: str, before: Sequence[str]) -> str:
    """A program behind the definitions, constants and imports that it lacks and earlier blocks have."""
    tree = _parsed(text)
    missing = _missing(tree) if tree and "__future__" not in text else set()
    taken: list[ast.stmt] = []
    for block in reversed(before) if missing else ():
        statements = earlier.body if (earlier := _parsed(block)) else []
        found, count = set[int](), -1
        while len(found) > count:  # what is taken may use what stands below it
            count = len(found)
            for at in reversed(range(len(statements))):
                bound = _bound_by(statements[at])
                if at not in found and (bound & missing or "*" in bound):
                    found.add(at)
                    missing = (missing - bound) | (_missing(ast.Module([statements[at]], [])) - bound)
        taken[:0] = [statements[at] for at in sorted(found)]
    if tree is None or not taken:
        return text
    imports = [statement for statement in tree.body if isinstance(statement, ast.Import | ast.ImportFrom)]
    try:  # what is taken may use what the program imports
        return "".join(ast.unparse(statement) + "\n\n" for statement in (*imports, *taken)) + text
    except RecursionError:
        return text


def _parsed(text: str) -> ast.Module | None:
    try:
        return parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _bound_by(statement: ast.stmt) -> set[str]:
    """The names that a definition, an import or a constant at the top of a program binds; "*" for a whole module."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    is_constant = not any(_reads_or_prints(node) for node in ast.walk(statement))
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None and is_constant:
        nodes = list(ast.walk(statement))
        return {node.id for node in nodes if isinstance(node, ast.Name) and type(node.ctx) is ast.Store}
    return set()


def _reads_or_prints(node: ast.AST) -> bool:
    """Whether it may take from the input of a program, or add to its output."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in ("input", "open", "print", "exec", "eval", "stdin", "stdout", "read", "readline", "readlines")


def _missing(tree: ast.Module) -> set[str]:
    """Names that a program reads and binds nowhere, built-in ones apart."""
    read: set[str] = set()
    bound = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if type(node.ctx) is ast.Load else bound).add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
        elif name := getattr(node, "name", None):  # functions, classes, exceptions, patterns
            bound.add(name)
    return set() if "*" in bound else read - bound


def continued(text: str, stub: str) -> str:
    """A program that only continues a stub (the body of its function), behind it; any other as it is."""
    is_body = _INDENTED.match(text) is not None and _parsed(text) is None
    whole = f"{stub.rstrip()}\n{text}"
    return whole if is_body and stub.strip() and _parsed(whole) is not None else text


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
