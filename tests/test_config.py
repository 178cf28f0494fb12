"""A recipe loads to what it says, or fails with one line that says what to change."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon import config
from etalon.config.stages import entries
from etalon.errors import ConfigError
from etalon.recipe import FuseSpec, OptimSpec, ProblemsSpec, Recipe, RlSpec, SftSpec, StageSpec


def load(folder: Path, toml: str | bytes, *overrides: str) -> Recipe:
    path = folder / "x.toml"
    path.write_bytes(toml.encode() if isinstance(toml, str) else toml)
    return config.load(path, overrides)


def complaint(folder: Path, toml: str | bytes, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, toml, *overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


def test_an_empty_recipe_is_the_paper(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Recipe()
    assert load(tmp_path, b"\xef\xbb\xbf# saved by an editor with a byte order mark") == Recipe()


def test_values_come_through_with_their_types(tmp_path: Path) -> None:
    recipe = load(
        tmp_path,
        """
        seed = 3
        [rl]
        lambda = 1
        gamma = 0
        lr = 1
        [problems]
        files = ["a.jsonl", "b.jsonl"]
        [fuse.weights]
        algebra = 2
        """,
    )
    assert (recipe.seed, recipe.rl.lambda_, recipe.rl.gamma, recipe.rl.lr) == (3, 1.0, 0.0, 1.0)
    assert isinstance(recipe.rl.lambda_, float)
    assert recipe.problems.files == ("a.jsonl", "b.jsonl")
    assert recipe.fuse.weights == {"algebra": 2.0}


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[rl]\ngrop_size = 8", "x.toml: rl.grop_size: unknown key; did you mean 'group_size'?"),
        ("[rl]\nlambda_ = 0.1", "x.toml: rl.lambda_: unknown key; did you mean 'lambda'?"),
        ("[optm]\nlr = 1", "x.toml: optm: unknown key; 'optim' is a key of base, sft, distill"),
        ("grop_size = 8", "x.toml: grop_size: unknown key; 'group_size' is a key of rl"),
        ("[rl]\nseed = 1", "x.toml: rl.seed: unknown key; 'seed' is a key of the top level"),
        ("gamma = 1", "x.toml: gamma: unknown key; 'gamma' is a key of rl"),
        (
            "[rl]\nwarmup = 0.1",
            "x.toml: rl.warmup: unknown key; 'warmup' is a key of base.optim, sft.optim, distill.optim",
        ),
        ("[sft.optim]\nlearning = 1", "x.toml: sft.optim.learning: unknown key"),
        ('[rl]\n"a b\\n" = 1', 'x.toml: rl."a b\\n": unknown key'),
        ("[rl]\ngroup_size = 3.5", "x.toml: rl.group_size: must be a whole number, found 3.5"),
        ("[rl]\ngroup_size = 8.0", "x.toml: rl.group_size: must be a whole number, found 8.0"),
        ("[rl]\ngroup_size = true", "x.toml: rl.group_size: must be a whole number, found true"),
        ("[rl]\ngroup_size = 1", "x.toml: rl.group_size: must be at least 2, found 1"),
        ('[rl]\ngamma = "high"', 'x.toml: rl.gamma: must be a number, found "high"'),
        ("[rl]\ngamma = true", "x.toml: rl.gamma: must be a number, found true"),
        ("[rl]\ngamma = inf", "x.toml: rl.gamma: must be a finite number, found inf"),
        ("[rl]\nclip_epsilon = 1.5", "x.toml: rl.clip_epsilon: must be below 1, found 1.5"),
        ("[rl]\nlr = 0", "x.toml: rl.lr: must be above 0, found 0"),
        ("[eval]\ntop_p = 2", "x.toml: eval.top_p: must be at most 1, found 2"),
        ("[rl]\nstd_ddof = 2", "x.toml: rl.std_ddof: must be 0 or 1, found 2"),
        ('engine = "vrl"', "x.toml: engine: must be 'local', 'trl' or 'verl', found \"vrl\""),
        ("name = 3", "x.toml: name: must be a string, found 3"),
        ("rl = 3", "x.toml: rl: must be a table, found 3"),
        ('[problems]\nfiles = "a"', 'x.toml: problems.files: must be a list, found "a"'),
        ("[problems]\nfiles = [1]", "x.toml: problems.files.0: must be a string, found 1"),
        ("[fuse.weights]\nalgebra = -1", "x.toml: fuse.weights.algebra: must be at least 0, found -1"),
        ("[probe]\nk = 8", "x.toml: probe: unknown key; did you mean 'problems'?; 'probe' is a key of problems"),
        ("[instruct]\nsteps = 3", "x.toml: instruct: unknown key"),
        ("[rl.math]\nsteps = 3", "x.toml: rl.math: unknown key"),
        ("[sft.broad]\nepochs = 3", "x.toml: sft.broad: unknown key"),
        ("name = 1979-05-27", "x.toml: name: must be a string, found 1979-05-27"),
        ("seed = -1\n[rl]\ngamma = -1\nx = 1", "x.toml: seed: must be at least 0, found -1 (and 2 more)"),
        (b"seed = 1\nname = '\xff'", "x.toml: line 2 is not valid UTF-8; save the file as UTF-8"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(tmp_path: Path, toml: str | bytes, message: str) -> None:
    assert complaint(tmp_path, toml) == message


def test_a_long_value_is_cut_in_the_message(tmp_path: Path) -> None:
    assert len(complaint(tmp_path, f'seed = "{"x" * 5000}"')) < 150


@pytest.mark.parametrize(
    ("toml", "place"),
    [
        ("seed = 1\nrl = = 2", "(at line 2, column 6)"),
        ("seed = 1\nseed = 2\n", "(at line 2, column 9)"),
        ("seed = " + "9" * 5000, ""),
        ("seed = " + "[" * 100_000, ""),
    ],
)
def test_invalid_toml_is_one_line_that_names_the_place(tmp_path: Path, toml: str, place: str) -> None:
    message = complaint(tmp_path, toml)
    assert message.startswith("x.toml: invalid TOML: ")
    assert message.endswith(place)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: no such file"):
        config.load(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match=r"is a directory; name the \.toml file in it"):
        config.load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/x\.toml: no such file"):
        config.load(tmp_path / "file" / "x.toml")


def test_files_of_a_packaged_recipe_are_those_of_the_folder_it_is_called_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "svamp.jsonl").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    recipe = config.load(config.packaged_recipe("smollm2-rl"))
    assert recipe.problems.files == (str(tmp_path / "svamp.jsonl"),)
    own = tmp_path / "own" / "mine.toml"
    own.parent.mkdir()
    own.write_text(config.packaged_recipe("smollm2-rl").read_text())
    assert config.load(own).problems.files == ("svamp.jsonl",)  # is not there


def test_set_overrides_one_value_and_leaves_its_neighbours(tmp_path: Path) -> None:
    toml = "[rl]\ngamma = 2\nlambda = 0.3\n[sft.optim]\nwarmup = 0.5"
    overrides = ["rl.lambda=0.1", "sft.optim.lr=1e-3", "device=cpu", 'name="a b"', "fuse.weights.algebra=2"]
    recipe = load(tmp_path, toml, *overrides)
    optim = recipe.sft.optim
    assert (recipe.rl.gamma, recipe.rl.lambda_, optim.warmup, optim.lr) == (2.0, 0.1, 0.5, 1e-3)
    assert (recipe.device, recipe.name, recipe.fuse.weights) == ("cpu", "a b", {"algebra": 2.0})
    assert load(tmp_path, toml, "rl.gamma=1", "rl.gamma=0").rl.gamma == 0
    assert load(tmp_path, "seed = -1", "seed=2").seed == 2


@pytest.mark.parametrize("text", ["2026", "true", "1e5", "a=b", "a # b", "", "[x", "1979-05-27", "1\nseed = 5"])
def test_set_takes_any_text_for_a_string(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, "", f"name={text}").name == text


def test_set_takes_one_file_for_a_list_of_files(tmp_path: Path) -> None:
    assert load(tmp_path, "", "problems.files=a.jsonl").problems.files == ("a.jsonl",)
    assert load(tmp_path, "", "problems.files=['a', 'b']").problems.files == ("a", "b")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rl.grop_size=8", "--set rl.grop_size: unknown key; did you mean 'group_size'?"),
        ("rl.group_size=8.5", "--set rl.group_size: must be a whole number, found 8.5"),
        ("rl.gamma=high", '--set rl.gamma: must be a number, found "high"'),
        ("rl.math={steps=3}", "--set rl.math: unknown key"),
        ("sft.optim={lrs=3}", "--set sft.optim.lrs: unknown key; did you mean 'lr'?"),
        (
            "problems.mix.maths=1",
            "--set problems.mix.maths: must be 'math', 'code', 'stem', 'instruct', 'claims' or 'facts', "
            'found "maths"',
        ),
        ("rl.gamma", "--set rl.gamma: expected KEY=VALUE, such as rl.gamma=0"),
        ("=3", "--set =3: expected KEY=VALUE, such as rl.gamma=0"),
        ("rl..gamma=3", "--set rl..gamma=3: expected KEY=VALUE, such as rl.gamma=0"),
        ("seed.x=3", "--set seed.x=3: seed is a value, not a table"),
        ("rl=3", "--set rl: must be a table, found 3"),
        ("name=\udcff", "--set name: the value is not valid UTF-8"),
    ],
)
def test_a_mistake_in_set_is_named_as_such(tmp_path: Path, override: str, message: str) -> None:
    assert complaint(tmp_path, "seed = 1", override) == message


def test_paths_are_relative_to_where_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes, here = tmp_path / "recipes", tmp_path / "here"
    for folder in (recipes, here):
        for name in ("mine.jsonl", "scratch", "base"):
            (folder / name).mkdir(parents=True)
    monkeypatch.chdir(here)
    written = '[problems]\nfiles = ["mine.jsonl", "missing.jsonl"]\n[model]\nbase = "{}"'
    recipe = load(recipes, written.format("base"))
    assert recipe.problems.files == (str(recipes / "mine.jsonl"), "missing.jsonl")
    assert recipe.model.base == str(recipes / "base")
    assert load(recipes, written.format("scratch")).model.base == "scratch"
    assert load(recipes, written.format("Qwen/Qwen2.5-Coder-3B")).model.base == "Qwen/Qwen2.5-Coder-3B"
    overridden = load(recipes, written.format("x"), "problems.files=['mine.jsonl']", "model.base=base", "prompts=base")
    assert overridden.problems.files == (str(here / "mine.jsonl"),)
    assert (overridden.model.base, overridden.prompts) == (str(here / "base"), str(here / "base"))


texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
names = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz-", min_size=2).map(lambda text: f"x{text}"), max_size=3, unique=True
)
recipes = st.builds(
    lambda name, seed, gamma, strength, weights, files, lr, stages: Recipe(
        name=name,
        seed=seed,
        problems=ProblemsSpec(files=tuple(f"missing-{file}" for file in files)),
        sft=SftSpec(optim=OptimSpec(lr=lr)),
        fuse=FuseSpec(weights=weights),
        rl=RlSpec(gamma=gamma, **{"lambda": strength}),
        stages=tuple(
            StageSpec(name=one, kind="rl", domains=("math",), gamma=gamma, **{"from": "base", "lambda": strength})
            for one in stages
        ),
    ),
    texts,
    st.integers(min_value=0, max_value=2**63),
    numbers,
    numbers,
    st.dictionaries(texts, numbers, max_size=3),
    st.lists(texts, max_size=3),
    st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    names,
)


@given(recipe=recipes)
def test_a_recipe_written_as_toml_loads_back_equal(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> None:
    again = load(tmp_path_factory.getbasetemp(), config.to_toml(recipe))
    assert again == recipe.model_copy(update={"stages": entries(recipe)})
    assert config.to_toml(again) == config.to_toml(recipe)


def test_the_written_recipe_holds_every_knob_and_the_stages_it_would_run() -> None:
    written = tomllib.loads(config.to_toml(Recipe()))
    every = json.loads(Recipe().model_dump_json(by_alias=True))
    assert {key: value for key, value in written.items() if key != "stages"} == {
        key: value for key, value in every.items() if key != "stages"
    }
    assert [stage["name"] for stage in written["stages"]] == [stage.name for stage in entries(Recipe())]


def test_every_packaged_recipe_loads() -> None:
    paths = sorted(config.packaged_recipe("nano").parent.glob("*.toml"))
    assert paths
    for path in paths:
        assert config.load(path).name == path.stem


def test_a_recipe_that_is_not_packaged_is_refused_with_the_names_that_are() -> None:
    with pytest.raises(ConfigError, match=r"no recipe named 'nono' comes with etalon; there are: .*nano"):
        config.packaged_recipe("nono")
