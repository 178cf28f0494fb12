"""The documents name symbols, tests, files, commands and keys that exist, and their examples run."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from etalon.cli import app
from etalon.config import load, packaged_recipe
from etalon.config.help import field_at
from etalon.config.stages import listed
from etalon.recipe import Recipe
from etalon.studies.study import read_study

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SYMBOL = re.compile(r"`(etalon(?:\.\w+)*:\w+(?:\.\w+)*)`")
TEST = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:src|tests|docs|recipes|bench)/[\w./-]*)`")
MACHINE = re.compile(
    r"(?<![\w.:/])/(?:work|root|home|Users|tmp|mnt|opt|srv|var)\b|localhost|\bindex-url\b|pypi\.", re.IGNORECASE
)


def names(documents: list[Path]) -> list[str]:
    return [document.name for document in documents]


def fences(document: Path, tag: str) -> list[tuple[int, str]]:
    """(first line, code) of the fenced blocks with this tag."""
    content = document.read_text()
    return [(content[: m.start(2)].count("\n"), m[2]) for m in FENCE.finditer(content) if m[1].strip() == tag]


@cache
def definitions(path: Path) -> frozenset[str]:
    """Dotted names of what a module defines: functions, classes, their members, assignments."""
    return frozenset(_defined(ast.parse(path.read_text()).body, ""))


def _defined(statements: list[ast.stmt], prefix: str) -> list[str]:
    found = []
    for statement in statements:
        if isinstance(statement, ast.FunctionDef):
            found.append(prefix + statement.name)
        elif isinstance(statement, ast.ClassDef):
            found += [prefix + statement.name, *_defined(statement.body, f"{prefix}{statement.name}.")]
        else:
            targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
            found += [prefix + target.id for target in targets if isinstance(target, ast.Name)]
    return found


def module_file(module: str) -> Path:
    base = ROOT / "src" / Path(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def table_rows(document: Path) -> list[list[str]]:
    """The cells of every row of every table, headings left out."""
    lines = [line for line in document.read_text().splitlines() if line.startswith("|")]
    heads = {position - 1 for position, line in enumerate(lines) if line.startswith("|---")}
    body = [line for position, line in enumerate(lines) if position not in heads and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in body]


def test_every_row_of_the_paper_names_a_symbol_and_a_test_that_exist() -> None:
    table = table_rows(ROOT / "docs" / "paper.md")
    assert sum(len(cells) == 4 for cells in table) > 25
    missing = []
    for cells in table:
        symbol = SYMBOL.fullmatch(cells[2])
        assert symbol, f"no symbol in {cells}"
        module, _, name = symbol[1].partition(":")
        if not module_file(module).is_file() or name not in definitions(module_file(module)):
            missing.append(symbol[1])
        if len(cells) == 4:
            test = TEST.fullmatch(cells[3])
            assert test, f"no test in {cells}"
            file = ROOT / "tests" / test[1]
            if not file.is_file() or test[2] not in definitions(file):
                missing.append(f"{test[1]}::{test[2]}")
    assert not missing, f"docs/paper.md names what does not exist: {', '.join(missing)}"


def test_a_symbol_that_does_not_exist_is_noticed() -> None:
    found = definitions(ROOT / "src" / "etalon" / "types.py")
    assert {"Group.accuracy", "Domain.MATH", "REASONING_DOMAINS"} <= found
    assert not {"Group.accurracy", "accuracy"} & found


@pytest.mark.parametrize("document", DOCS, ids=names(DOCS))
def test_links_and_files_exist(document: Path) -> None:
    content = FENCE.sub("", document.read_text())
    links = [link.partition("#") for link in LINK.findall(content) if "://" not in link]
    for path, _, anchor in links:
        target = document.parent / path if path else document
        assert target.is_file(), f"{document.name}: {path} does not exist"
        assert not anchor or anchor in anchors(target), f"{document.name}: #{anchor} is no heading"
    for path in FILE.findall(content):
        assert (ROOT / path).exists(), f"{document.name}: {path} does not exist"


def anchors(document: Path) -> set[str]:
    """The anchors that a Markdown viewer gives to headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text()
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert len(pages) > 10
    assert pages <= {link.partition("#")[0] for link in LINK.findall(readme)}


def test_the_first_screen_of_the_readme_has_the_demo_eight_rows_and_three_doors() -> None:
    screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:50])
    rows = [line for line in screen.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 8
    assert "`make demo`" in screen
    assert re.findall(r"^```sh\netalon (\w+)", screen, re.MULTILINE) == ["run", "rl", "serve"]


def test_the_numbers_of_the_readme_are_those_of_the_table() -> None:
    readme, results = ((ROOT / name).read_text() for name in ("README.md", "docs/results.md"))
    [rows] = re.findall(r"<!-- rows:begin -->\n(.*)<!-- rows:end -->", readme, re.DOTALL)
    [table] = re.findall(r"<!-- table:begin -->\n(.*)<!-- table:end -->", results, re.DOTALL)
    numbers = re.findall(r"[+-]?\d+\.\d", rows)
    assert len(numbers) > 20
    assert set(numbers) <= set(re.findall(r"[+-]?\d+\.\d", table))


def test_the_documents_name_files_and_links() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(LINK.findall(readme)) > 5
    assert len(FILE.findall(readme)) > 15
    assert len(SYMBOL.findall((ROOT / "docs" / "paper.md").read_text())) > 25


@pytest.mark.parametrize("document", DOCS, ids=names(DOCS))
def test_no_document_knows_a_machine(document: Path) -> None:
    assert not MACHINE.findall(document.read_text())


def shown_commands(document: Path) -> list[list[str]]:
    """The words of every `etalon ...` command line, in sh blocks and in code spans."""
    content = document.read_text()
    spans = re.findall(r"`(etalon [^`]+)`", FENCE.sub("", content))
    lines = [line for _, code in fences(document, "sh") for line in code.replace("\\\n", " ").splitlines()]
    found = [re.search(r"(?:^|[\s/|])etalon (.+?)(?:\s{2,}#.*)?$", line) for line in lines]
    return [span.split()[1:] for span in spans] + [match[1].split() for match in found if match]


def parameters(commands: Mapping[str, Any], words: Sequence[str]) -> list[Any]:
    """What the command that a line starts with takes; `data filter` is one command, `data` alone a group."""
    command = commands[words[0]]
    inner = getattr(command, "commands", {})
    return list((inner[words[1]] if inner and len(words) > 1 else command).params)


def test_every_command_shown_exists_with_its_options() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    shown = [words for document in DOCS for words in shown_commands(document)]
    assert len(shown) > 10
    for words in shown:
        assert words[0] in commands, f"etalon {words[0]} does not exist"
        options = {name for parameter in parameters(commands, words) for name in (*parameter.opts, "--help")}
        for word in words[1:]:
            assert not word.startswith("--") or word in options, f"etalon {words[0]} has no {word}"
    page = ROOT / "docs" / "commands.md"
    told = {line.split()[0] for cells in table_rows(page) for line in re.findall(r"`etalon ([^`]+)`", cells[0])}
    examples = "\n".join(code for _, code in fences(page, "sh"))
    assert told == set(commands), "docs/commands.md tells of every command"
    assert all(f"etalon {name}" in examples for name in commands), "and shows each"
    for cells in table_rows(page):
        for line in re.findall(r"`etalon ([^`]+)`", cells[0]):
            command = line.split()[0]
            options = {name for parameter in parameters(commands, line.split()) for name in parameter.opts}
            named = set(re.findall(r"`(--?[a-z][a-z-]*)", cells[1]))
            assert named <= options, f"etalon {command} has no {', '.join(named - options)}"


def test_every_key_shown_exists() -> None:
    text = "\n".join(document.read_text() for document in DOCS)
    keys = re.findall(r"--set ([a-z][\w.]*)=", text)
    dotted = re.findall(
        r"`((?:model|problems|base|data|sft|fuse|rl|distill|eval|clr|sampler|sandbox|trl|hardware)\.[a-z_.0-9]+)`",
        text,
    )
    assert len(keys) > 1
    assert len(dotted) > 2
    files = ("jsonl", "json", "py", "toml")
    for key in [*keys, *(name for name in dotted if not name.endswith(files))]:
        assert field_at(tuple(key.split("."))) is not None, f"{key} is no key of a recipe"


def test_the_nano_recipe_takes_files_and_a_model_as_the_page_says() -> None:
    lines = [words for words in shown_commands(ROOT / "docs" / "recipe.md") if words.count("--set") > 1]
    assert lines
    overrides = [lines[0][i + 1] for i, word in enumerate(lines[0]) if word == "--set"]
    recipe = load(packaged_recipe("nano"), overrides).resolved()
    assert (recipe.problems.source, recipe.data.teacher, recipe.prompts) == ("files", "reference", "default")


@pytest.mark.parametrize("document", DOCS, ids=names(DOCS))
def test_every_recipe_and_part_of_one_loads(document: Path, tmp_path: Path) -> None:
    for _, code in fences(document, "python"):
        named = re.match(r"# (\w+\.py)\n", code)
        if named:  # what a recipe beside it names
            (tmp_path / named[1]).write_text(code)
    for line, code in fences(document, "toml"):
        path = tmp_path / f"line-{line}.toml"
        path.write_text(code)
        load(path)


def test_the_study_of_the_page_loads(tmp_path: Path) -> None:
    [(_, code)] = fences(ROOT / "docs" / "studies.md", "toml study")
    path = tmp_path / "study.toml"
    path.write_text(code)
    assert read_study(path).baseline.sets == ("rl-math.gamma=0",)


def test_the_pages_show_recipes() -> None:
    shown = {document.name: len(fences(document, "toml")) for document in DOCS}
    assert shown["paths.md"] == 10
    assert shown["recipe.md"] > 1
    assert sum(shown.values()) > 12


def test_defaults_are_the_values_of_the_papers() -> None:
    recipe = Recipe()
    sft, rl, scored = recipe.sft, recipe.rl, recipe.eval
    assert (sft.batch, sft.optim.lr, sft.optim.final_lr, sft.optim.warmup) == (128, 5e-5, 8e-8, 0.05)  # 2.1.2
    assert (sft.epochs, sft.min_tokens, sft.min_error_rate, sft.difficulty_attempts) == (5, 5000, 0.75, 8)  # 2.1.2
    [hard] = [stage for stage in listed(recipe) if stage.kind == "sft" and stage.spec.traces == "hard"]
    assert hard.spec.epochs == 2  # 2.1.2
    assert recipe.data.ngram == 10  # 1.5B
    assert recipe.fuse.weights == {}  # 1.5B: uniform
    assert (rl.max_tokens, rl.std_ddof, rl.lambda_) == (65536, 0, 0.0)  # 2.2; 1.5B section 2
    [short] = [stage for stage in listed(recipe) if stage.kind == "rl" and stage.spec.lambda_]
    assert short.spec.lambda_ == 0.2  # 2.2
    assert (scored.n, scored.temperature, scored.top_p) == (64, 1.0, 0.95)  # 3.1
    assert (recipe.clr.k, recipe.clr.m) == (32, 5)  # CLR


def test_the_commands_of_the_readme_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    readme = (ROOT / "README.md").read_text()
    [offline] = re.findall(r"^OFFLINE := (.+)$", makefile, re.MULTILINE)
    assert f"{offline} .venv/bin/python -m pytest -n 2 --dist loadfile\n" in readme
    assert "$(OFFLINE) $(BIN)/python -m pytest -n 2 --dist loadfile\n" in makefile
    assert '-e ".[train,dev]" -c constraints.txt' in makefile
    assert '-e ".[train,dev]" -c constraints.txt' in readme


@pytest.mark.live
def test_examples_run_without_torch() -> None:
    document = ROOT / "docs" / "extend.md"
    examples = fences(document, "python run")
    assert len(examples) >= 5
    program = ["import sys"]
    for line, code in examples:  # blank lines in front: a traceback names the line of the document
        program.append(f"exec(compile({chr(10) * line + code!r}, {document.name!r}, 'exec'), {{}})")
    program.append("assert 'torch' not in sys.modules, 'an example loads torch'")
    ran = subprocess.run([sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
