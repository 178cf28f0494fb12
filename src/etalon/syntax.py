"""`ast.parse` that threads may call at the same time.

The interpreter counts the depth of the tree it builds in one place for all threads (CPython 3.11): two that parse at
once may both end with "SystemError: AST constructor recursion depth mismatch".
"""

from __future__ import annotations

import ast
import threading

_ONE_AT_A_TIME = threading.Lock()


def parse(code: str) -> ast.Module:
    """The tree of a Python program; raises what `ast.parse` raises."""
    with _ONE_AT_A_TIME:
        return ast.parse(code)
