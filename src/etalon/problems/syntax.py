"""`ast.parse` that threads may call at the same time, and the values that Python's literals write.

CPython 3.11 counts the depth of the tree it builds in one place for all threads. While it builds, the garbage collector
may let another thread parse, or end an object whose traceback is printed, for which Python parses, too; then both end
with "SystemError: AST constructor recursion depth mismatch".
"""

from __future__ import annotations

import ast
import gc
import threading
from typing import Any

MAX_LITERAL = 8 << 20  # (ours) characters; a tree takes a hundred bytes for each
_ONE_AT_A_TIME = threading.Lock()


def parse(code: str) -> ast.Module:
    """The tree of a Python program; raises what `ast.parse` raises. Nothing is collected meanwhile."""
    with _ONE_AT_A_TIME:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return ast.parse(code)
        finally:
            if was_enabled:
                gc.enable()


def literal(text: str) -> Any:
    """The value of a Python literal such as {'a': [None, 1]}; None where the text is none, or is too long to be one."""
    if len(text) > MAX_LITERAL:
        return None
    try:
        [statement] = parse(text.strip()).body
        return ast.literal_eval(statement.value) if isinstance(statement, ast.Expr) else None
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
