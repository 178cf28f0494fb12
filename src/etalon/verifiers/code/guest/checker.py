"""In place of a program: asks a problem's checker whether an output is a right answer.

A checker defines `check(input, expected, output)`, which returns a bool or a score; or it is a script in the manner of
Codeforces, called with the names of three files (input, expected, output) and printing a score. All texts are data.
"""

from __future__ import annotations

import builtins
import io
import sys
from typing import Any

FILES = ("input.txt", "expected.txt", "output.txt")


def etalon_check(order: dict[str, Any]) -> float:
    """{checker, input, expected, output} -> the score; what the checker raises is raised."""
    texts = dict(zip(FILES, (order["input"], order["expected"], order["output"]), strict=True))
    namespace: dict[str, Any] = {"__name__": "checker"}
    code = compile(order["checker"], "checker.py", "exec")
    if "check" not in code.co_names:
        return _run_script(code, texts)
    exec(code, namespace)  # noqa: S102
    return float(namespace["check"](*texts.values()))


def _run_script(code: Any, texts: dict[str, str]) -> float:
    printed, real_open = io.StringIO(), builtins.open

    def open_text(name: Any, *arguments: Any, **named: Any) -> Any:
        return io.StringIO(texts[name]) if name in texts else real_open(name, *arguments, **named)

    sys.argv = ["checker.py", *FILES]
    builtins.open, sys.stdout = open_text, printed  # type: ignore[assignment]
    try:
        exec(code, {"__name__": "__main__", "__file__": "checker.py", "__builtins__": builtins})  # noqa: S102
    except SystemExit as end:
        if end.code not in (None, 0) and not printed.getvalue().strip():
            return 0.0
    finally:
        builtins.open, sys.stdout = real_open, sys.__stdout__
    words = printed.getvalue().split()
    return float(words[-1])
