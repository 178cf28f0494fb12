"""Code of ours that runs inside the sandbox, beside a program or in place of one. Standard library only.

It travels as text: `source("values", "calls")` is both modules as one, without the imports that join them here, and
already compiled for an interpreter of our version, because compiling would cost more than most programs do.
"""

from __future__ import annotations

import ast
import marshal
import sys
from functools import cache
from pathlib import Path

from etalon.problems.syntax import parse

_FOLDER = Path(__file__).parent


@cache
def source(*modules: str) -> str:
    """A program that defines what the modules define."""
    text = _joined(modules)
    code = marshal.dumps(compile(text, "guest.py", "exec", dont_inherit=True)).hex()  # no backslash to be quoted again
    version = (sys.hexversion, sys.implementation.name)
    return (
        f"import marshal, sys\nif (sys.hexversion, sys.implementation.name) == {version!r}:\n"
        f"    exec(marshal.loads(bytes.fromhex({code!r})))\nelse:\n    exec({text!r})\n"
    )


def _joined(modules: tuple[str, ...]) -> str:
    statements = [statement for name in modules for statement in parse((_FOLDER / f"{name}.py").read_text()).body]
    return ast.unparse(ast.Module(body=[s for s in statements if not _is_joint(s)], type_ignores=[])) + "\n"


def _is_joint(statement: ast.stmt) -> bool:
    """True for an import of a sibling, whose names are there already, and for one that must come first."""
    return isinstance(statement, ast.ImportFrom) and (statement.module or "").split(".")[0] in ("etalon", "__future__")
