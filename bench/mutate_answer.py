"""Mutation test of the math comparison core: which one-token changes of the code do its tests not notice?

    python bench/mutate_answer.py [PER_MODULE] [MODULE ...]     mutants per module (15), drawn with a seed

Each mutant is a copy of the package with one change (a comparison negated or shifted, a boolean or an operator swapped,
a constant moved, a `not` dropped), run against the tests of the core until one fails. Prints the survivors.
"""

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = (
    "math/compare", "math/parts", "math/formula", "math/read/relations", "math/read/shapes",
    "math/read/numbers", "math/read/units", "math/read/quantities", "text",
)  # fmt: skip
TESTS = ("tests/test_answer_readings.py", "tests/test_answer_pairs.py", "tests/test_answer.py")
SECONDS = 240
SWAPS: dict[type[ast.AST], Callable[[], ast.AST]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult,
}  # fmt: skip


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """(line, what changed, source) of every mutant."""
    for index in range(len(list(ast.walk(ast.parse(source))))):
        tree = ast.parse(source)
        node = list(ast.walk(tree))[index]
        if (what := mutate(node)) is not None:
            yield getattr(node, "lineno", 0), what, ast.unparse(tree)


def mutate(node: ast.AST) -> str | None:
    """Change the node in place and say how; None when nothing here can change."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        old, node.ops[0] = node.ops[0], SWAPS[type(node.ops[0])]()  # type: ignore[assignment]
        return f"{type(old).__name__} -> {type(node.ops[0]).__name__}"
    if isinstance(node, ast.BoolOp | ast.BinOp) and type(node.op) in SWAPS:
        old_operator, node.op = node.op, SWAPS[type(node.op)]()  # type: ignore[assignment]
        return f"{type(old_operator).__name__} -> {type(node.op).__name__}"
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        node.value = not node.value
        return f"{not node.value} -> {node.value}"
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        node.value += 1
        return f"{node.value - 1} -> {node.value}"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node.op = ast.UAdd()
        node.operand = ast.Call(func=ast.Name(id="bool", ctx=ast.Load()), args=[node.operand], keywords=[])
        ast.fix_missing_locations(node)
        return "not dropped"
    return None


def is_noticed(package: Path) -> bool:
    environment = dict(os.environ, PYTHONPATH=str(package), PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *TESTS]
    try:
        found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return found.returncode != 0


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    tried, survivors = 0, []
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder)
        shutil.copytree(ROOT / "src" / "etalon", package / "etalon")
        if is_noticed(package):
            raise SystemExit("the tests fail without a mutation")
        for module in sys.argv[2:] or MODULES:
            path = package / "etalon" / "verifiers" / f"{module}.py"
            source = path.read_text()
            every = list(mutants(source))
            for line, what, mutant in random.Random(module).sample(every, min(count, len(every))):
                path.write_text(mutant)
                tried += 1
                if not is_noticed(package):
                    survivors.append(f"{module}.py:{line}: {what}")
                    print("survives:", survivors[-1], flush=True)
            path.write_text(source)
            print(f"{module}: {min(count, len(every))} of {len(every)} mutants tried", flush=True)
    print(f"{len(survivors)} of {tried} mutants survive")


if __name__ == "__main__":
    main()
