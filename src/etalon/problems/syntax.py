"""`ast.parse` that threads may call at the same time.

CPython 3.11 counts the depth of the tree it builds in one place for all threads. While it builds, the garbage collector
may let another thread parse, or end an object whose traceback is printed, for which Python parses, too; then both end
with "SystemError: AST constructor recursion depth mismatch".
"""

from __future__ import annotations

import ast
import gc
import threading

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
