r"""The arguments of LaTeX commands in braces: TeX takes the next token where there are none.

    "\frac12" "\frac\pi{12}" "\sqrt[3]4" "x^\frac12"  ->  "\frac{1}{2}" "\frac{\pi}{12}" "\sqrt[3]{4}" "x^{\frac{1}{2}}"

One pass over the text. `\sqrt13` is the root of 13, as its writers mean it; TeX would draw the bar over the 1 only.
"""

from __future__ import annotations

import re

MAX_DEPTH = 40  # (ours) of commands within commands

_ARGUMENTS = {"\\frac": 2, "\\binom": 2, "\\sqrt": 1, "^": 1, "_": 1}
_LACKING = re.compile(
    r"\\(?:frac|binom)(?![a-zA-Z]) ?(?!\{)|\\(?:frac|binom) ?\{[^{}]*\} ?(?![ {])|"
    r"\\sqrt ?[^{\[ a-zA-Z]|\\sqrt [a-zA-Z]|"
    r"\\sqrt ?\[[^\]]*\] ?(?![ {])|[\^_] ?\\"
)
_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|.", re.DOTALL)
_DEGREE = re.compile(r" ?\[[^\[\]]{1,20}\]")
_DIGITS = re.compile(r"\d+")


class _LacksArgumentError(ValueError):
    pass


def braced_arguments(text: str) -> str:
    """The text with every argument of `\\frac`, `\\binom`, `\\sqrt`, `^` and `_` in braces where one was without.

    What lacks an argument altogether comes back as it is.
    """
    if _LACKING.search(text) is None:
        return text
    try:
        return _braced(text, 0, len(text), 0)
    except _LacksArgumentError:
        return text


def _braced(text: str, start: int, end: int, depth: int) -> str:
    pieces = []
    while start < end:
        piece, start = _piece(text, start, end, depth)
        pieces.append(piece)
    return "".join(pieces)


def _piece(text: str, start: int, end: int, depth: int) -> tuple[str, int]:
    """The next token with its arguments, and where it ends."""
    found = _TOKEN.match(text, start, end)
    if found is None or depth > MAX_DEPTH:
        raise _LacksArgumentError
    command, start = found[0], found.end()
    count = _ARGUMENTS.get(command, 0)
    if not count or (len(command) == 1 and not text.startswith(("\\", " \\"), start)):  # x^2 stays as it is
        return command, start
    if command == "\\sqrt" and (degree := _DEGREE.match(text, start, end)):
        command, start = command + degree[0].strip(), degree.end()
    if command.startswith("\\sqrt") and text.startswith(("(", " ("), start):  # sqrt(2) of programs: read elsewhere
        return command, start
    arguments = []
    for _ in range(count):
        argument, start = _argument(text, start, end, depth, is_whole_number=command.startswith("\\sqrt"))
        arguments.append(argument)
    return command + "".join(arguments), start


def _argument(text: str, start: int, end: int, depth: int, *, is_whole_number: bool) -> tuple[str, int]:
    while start < end and text[start] == " ":
        start += 1
    if start >= end or text[start] in "}])&,;=+":
        raise _LacksArgumentError
    if text[start] == "{":
        close = _closing(text, start, end)
        return "{" + _braced(text, start + 1, close, depth + 1) + "}", close + 1
    if is_whole_number and (digits := _DIGITS.match(text, start, end)):
        return "{" + digits[0] + "}", digits.end()
    piece, start = _piece(text, start, end, depth + 1)
    return "{" + piece + "}", start


def _closing(text: str, start: int, end: int) -> int:
    """Where the brace group that opens at `start` closes."""
    depth, position = 0, start
    while position < end:
        if text[position] == "\\":
            position += 1
        elif text[position] in "{}":
            depth += 1 if text[position] == "{" else -1
            if depth == 0:
                return position
        position += 1
    raise _LacksArgumentError
