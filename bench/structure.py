"""Measures of how the code is laid out: modules, folders, functions, cycles, names that mean two things.

    python bench/structure.py [TREE] [--against TREE]      TREE holds src/etalon; the default is this checkout

Prints one table; with --against the other tree's numbers beside it. Standard library only; nothing of the tree is run.
A cycle is a set of modules that import each other when they are loaded (imports inside functions and under
TYPE_CHECKING do not count). A name means two things when two modules, or two classes, have it.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "etalon"
OWN_WORDS = {"__init__"}  # module names that say nothing by design


@dataclass(frozen=True, kw_only=True)
class Module:
    """One file: its dotted name, its tree, its lines."""

    name: str
    path: Path
    tree: ast.Module
    lines: int


def modules_of(tree: Path) -> list[Module]:
    """Every module of the package in a checkout."""
    root = tree / "src" / PACKAGE
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        found.append(Module(name=name, path=path, tree=ast.parse(text), lines=text.count("\n")))
    if not found:
        raise SystemExit(f"{root}: holds no module")
    return found


def loaded_imports(module: Module, known: set[str]) -> set[str]:
    """The modules of the package that are imported when this one is."""
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    found: set[str] = set()
    for node in _top_level(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: len(package.split(".")) - node.level + 1], base]).rstrip(".")
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names}
    return (found & known) - {module.name}


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.If | ast.Try):
            waiting += [*node.body, *node.orelse, *getattr(node, "finalbody", [])]
        else:
            yield node


def cycles(modules: list[Module]) -> list[list[str]]:
    """Sets of modules that import each other: strongly connected components of more than one (Tarjan)."""
    known = {module.name for module in modules}
    edges = {module.name: sorted(loaded_imports(module, known)) for module in modules}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in edges[name]:
            if other not in index:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == index[name]:
            members = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(members) > 1:
                found.append(sorted(members))

    for name in sorted(edges):
        if name not in index:
            visit(name)
    return found


def functions(modules: list[Module]) -> list[tuple[int, str]]:
    """(lines, module:function) of every function, longest first."""
    return sorted(
        (
            (node.end_lineno - node.lineno + 1, f"{module.name}:{node.name}")
            for module in modules
            for node in ast.walk(module.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
        ),
        reverse=True,
    )


def shared_names(modules: list[Module]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Names of modules, and of public classes, that several have."""
    by_module, by_class = defaultdict(list), defaultdict(list)
    for module in modules:
        last = module.name.rpartition(".")[2]
        if module.path.name != "__init__.py" and last not in OWN_WORDS:
            by_module[last].append(module.name)
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                by_class[node.name].append(module.name)
    return tuple(  # type: ignore[return-value]
        {name: places for name, places in sorted(found.items()) if len(places) > 1} for found in (by_module, by_class)
    )


def measures(tree: Path) -> tuple[dict[str, str], list[str]]:
    """The table's rows, and the details behind them."""
    modules = modules_of(tree)
    folders = Counter(module.path.parent for module in modules)
    largest, count = folders.most_common(1)[0]
    long = functions(modules)
    circles = cycles(modules)
    same_modules, same_classes = shared_names(modules)
    root = tree / "src"
    biggest = max(modules, key=lambda module: module.lines)
    rows = {
        "modules": str(len(modules)),
        "lines": f"{sum(module.lines for module in modules):,}",
        "folders": str(len(folders)),
        "largest folder": f"{count} ({largest.relative_to(root)})",
        "folders over 16": str(sum(size > 16 for size in folders.values())),
        "largest module": f"{biggest.lines} ({biggest.name})",
        "modules over 400 lines": str(sum(module.lines > 400 for module in modules)),
        "longest function": f"{long[0][0]} ({long[0][1]})",
        "functions over 50 lines": str(sum(lines > 50 for lines, _ in long)),
        "import cycles": str(len(circles)),
        "module names used twice": str(len(same_modules)),
        "class names used twice": str(len(same_classes)),
    }
    details = [f"over 50 lines: {lines} {name}" for lines, name in long if lines > 50]
    details += [f"cycle: {' '.join(circle)}" for circle in circles]
    details += [f"module name {name}: {', '.join(places)}" for name, places in same_modules.items()]
    details += [f"class name {name}: {', '.join(places)}" for name, places in same_classes.items()]
    return rows, details


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", nargs="?", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--against", type=Path, help="another checkout, shown as before")
    arguments = parser.parse_args()
    rows, details = measures(arguments.tree)
    before = measures(arguments.against)[0] if arguments.against else {}
    for name, value in rows.items():
        print(f"{name:<26}{before.get(name, ''):<52}{value}" if before else f"{name:<26}{value}")
    print(*details, sep="\n")


if __name__ == "__main__":
    main()
