"""Code of ours that runs inside the sandbox, beside a program or in place of one. Standard library only.

It travels as text: `source("nodes", "calls")` is both modules as one, without the imports that join them here, and
already compiled for an interpreter of our version, because compiling would cost more than most programs do.
"""

from __future__ import annotations

import ast
import marshal
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from etalon.problems.syntax import parse

ALONE = "__import__('sys').modules['solution'] = Solution('solution')\n"
FOLDED = 3  # elements of a set that is compiled as one constant: marshal would rebuild it in another order
_FOLDER = Path(__file__).parent


@cache
def source(*modules: str) -> str:
    """A program that defines what the modules define."""
    return _packed(ast.unparse(_joined(modules)), "globals()")


def behind(checks: ast.Module, *, helpers: bool = False) -> str:
    """Checks to run behind a program, with LeetCode's helpers, and with what runs tests of pytest and unittest.

    Our own names are in a namespace of their own; the program's gets those that begin with `etalon_`.
    """
    parts = []
    if helpers:
        parts.append(_beside("nodes", "etalon_helpers") + "etalon_helpers(globals())\n")
    text = ast.unparse(checks)
    if "etalon_run(" in text:
        parts.append(_beside("collect", "etalon_run"))
    has_sets = any(isinstance(node, ast.Set) and len(node.elts) >= FOLDED for node in ast.walk(checks))
    return "".join(parts) + (f"exec({text!r}, globals())\n" if has_sets else _packed(text, "globals()"))


@cache
def calling(function: str, starter: str) -> str:
    """Set-up code behind a program: `etalon_call` calls a function of it, with nodes for arrays where it has nodes."""
    text = ast.unparse(_joined(("nodes", "calls")))
    return (
        f"etalon_names = {{'__name__': 'guest'}}\n{_packed(text, 'etalon_names')}"
        f"etalon_names.update(FUNCTION={function!r}, STARTER={starter!r}, program=globals())\n"
        "etalon_names['etalon_helpers'](globals())\netalon_call = etalon_names['etalon_call']\n"
    )


def instead(names: Sequence[str]) -> str:
    """A program that has something by these names which agrees with all that it is asked."""
    return f"{source('alone')}globals().update((name, Anything()) for name in {list(names)!r})\n{ALONE}"


@cache
def _beside(module: str, *names: str) -> str:
    """Code that runs a module of ours in a namespace of its own, and takes some names from it."""
    text = ast.unparse(_joined((module,)))
    taken = "".join(f"{name} = etalon_names[{name!r}]\n" for name in names)
    return f"etalon_names = {{'__name__': 'guest'}}\n{_packed(text, 'etalon_names')}{taken}"


def _packed(text: str, namespace: str) -> str:
    """Code that runs `text`, compiled already where the interpreter is of our version."""
    code = marshal.dumps(compile(text, "tests.py", "exec", dont_inherit=True)).hex()  # no backslash to be quoted again
    version = (sys.hexversion, sys.implementation.name)
    return (
        f"if (__import__('sys').hexversion, __import__('sys').implementation.name) == {version!r}:\n"
        f"    exec(__import__('marshal').loads(bytes.fromhex({code!r})), {namespace})\n"
        f"else:\n    exec({text!r}, {namespace})\n"
    )


def _joined(modules: tuple[str, ...]) -> ast.Module:
    statements = [statement for name in modules for statement in parse((_FOLDER / f"{name}.py").read_text()).body]
    return ast.Module(body=[s for s in statements if not _is_joint(s)], type_ignores=[])


def _is_joint(statement: ast.stmt) -> bool:
    """True for an import of a sibling, whose names are there already, and for one that must come first."""
    return isinstance(statement, ast.ImportFrom) and (statement.module or "").split(".")[0] in ("etalon", "__future__")
