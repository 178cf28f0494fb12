"""docs/recipe.md: its tables are those of recipe.py, every key is explained, and every key of the language is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from etalon import config
from etalon.config import reference
from etalon.config.stages import KINDS
from etalon.errors import ConfigError
from etalon.recipe import Recipe

PAGE = Path(__file__).parents[1] / "docs" / "recipe.md"
MODELS = reference.models()


def test_the_page_is_what_the_generator_makes_of_it() -> None:
    page = PAGE.read_text()
    assert reference.written(page) == page, "run: python -m etalon.config.reference docs/recipe.md"


@pytest.mark.parametrize("name", MODELS)
def test_every_key_is_there_once_with_words(name: str) -> None:
    fields = MODELS[name].model_fields
    rows = reference.rows(MODELS[name])
    own = [
        field.alias or key
        for key, field in fields.items()
        if not (name == "recipe" and (key in MODELS or key == "stages"))
    ]
    assert [row.key for row in rows] == own
    assert not [row.key for row in rows if not row.meaning], "a comment in recipe.py explains each key"


def test_every_table_of_a_recipe_and_every_kind_has_its_place() -> None:
    tables = {key for key, value in Recipe().model_dump().items() if isinstance(value, dict)}
    assert tables | {"recipe", "stages", "optim"} == set(MODELS)
    assert KINDS.keys() <= MODELS.keys()
    page = PAGE.read_text()
    assert all(f"| `{kind}` |" in page for kind in KINDS), "the table of kinds"


def test_a_default_in_the_page_is_the_value_of_the_code(tmp_path: Path) -> None:
    for name in set(MODELS) - {"recipe", "stages", "optim"}:
        keys = [row for row in reference.rows(MODELS[name]) if row.default != "required"]
        lines = [f"{row.key} = {row.default.strip('`')}" for row in keys]
        written = tmp_path / f"{name}.toml"
        written.write_text("\n".join([f"[{name}]", *lines]) + "\n")
        assert tomllib.loads(written.read_text())[name].keys() == {row.key for row in keys}
        assert config.load(written) == Recipe(), name


def test_a_comment_that_names_its_section_is_parted_from_it() -> None:
    rows = {row.key: row for row in reference.rows(MODELS["rl"])}
    assert (rows["lambda"].source, rows["lambda"].kind) == ("2.2", "number, at least 0")
    assert rows["std_ddof"].source == "1.5B section 2"
    assert (rows["steps"].source, rows["group_size"].kind) == ("(ours)", "whole number, at least 2")
    assert rows["judge"].meaning.startswith("who judges rubrics"), "a comment above its key"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<!-- keys: rll -->\n<!-- end -->\n", "there is no such table"),
        ("", "stands there 0 times"),
        ("<!-- keys: rl -->\n<!-- end -->\n" * 2, "times, expected once"),
    ],
)
def test_a_page_without_its_marks_is_refused(page: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        reference.written(page)
