"""The list of stages: what a recipe says of each, what it leaves to its kind's table, and what cannot be run."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from etalon import config
from etalon.config.stages import Listed, default_stages, listed
from etalon.errors import ConfigError
from etalon.pipeline.graph import Graph, graph_of
from etalon.recipe import Recipe
from shrunk import stage

ROOT = Path(__file__).parents[1]
DATA = ("data", "data")


def load(folder: Path, toml: str, *overrides: str) -> Recipe:
    path = folder / "x.toml"
    path.write_text(toml)
    return config.load(path, overrides)


def stages(recipe: Recipe) -> dict[str, Listed]:
    return {one.name: one for one in listed(recipe)}


def graph(folder: Path, toml: str, *overrides: str) -> Graph:
    return graph_of(load(folder, toml, *overrides).resolved())


def complaint(folder: Path, toml: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        graph(folder, toml, *overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


# ---- the graph


def test_a_stage_starts_from_the_model_stage_before_it_and_the_first_from_the_base(tmp_path: Path) -> None:
    toml = stage(*DATA) + stage("a", "rl") + stage("measure", "clr") + stage("b", "rl") + stage("c", "rl", from_="a")
    found = stages(load(tmp_path, toml))
    assert {name: one.source for name, one in found.items()} == {
        "base": "", "data": "base", "a": "base", "measure": "a", "b": "a", "c": "a"
    }  # fmt: skip
    assert next(iter(found)) == "base"  # implied
    assert [name for name, one in found.items() if not one.makes_model] == ["data", "measure"]


def test_the_list_may_name_a_stage_before_it_is_listed_and_is_run_in_an_order_that_can_be(tmp_path: Path) -> None:
    toml = stage("late", "rl", from_="early") + stage("early", "rl", from_="base") + stage("beside", "rl", from_="late")
    assert list(stages(load(tmp_path, toml))) == ["base", "early", "late", "beside"]
    ordered = [one.name for one in graph(tmp_path, toml).pipeline]
    assert ordered == ["problems", "base", "early", "late", "beside"]


def test_two_bases_are_two_paths(tmp_path: Path) -> None:
    toml = stage("small", "base") + stage("a", "rl") + stage("big", "base") + stage("b", "rl")
    found = stages(load(tmp_path, toml))
    assert (found["a"].source, found["b"].source) == ("small", "big")


def test_without_a_list_the_stages_are_those_of_the_3b_report() -> None:
    found = [(one.name, one.kind, one.source) for one in listed(Recipe())]
    assert found == [
        ("base", "base", ""),
        ("data", "data", "base"),
        ("sft-broad", "sft", "base"),
        ("sft-broad-fused", "fuse", "sft-broad"),
        ("sft-hard", "sft", "sft-broad-fused"),
        ("sft-hard-fused", "fuse", "sft-hard"),
        ("rl-math", "rl", "sft-hard-fused"),
        ("rl-long2short", "rl", "rl-math"),
        ("rl-code", "rl", "rl-long2short"),
        ("rl-stem", "rl", "rl-code"),
        ("distill", "distill", "rl-stem"),
        ("instruct", "rl", "distill"),
        ("clr", "clr", "instruct"),
    ]
    packaged = config.load(config.packaged_recipe("vibethinker-3b"))
    assert packaged.stages == default_stages()


def test_questions_and_answers_are_all_that_a_path_of_rl_reads(tmp_path: Path) -> None:
    nodes = graph(tmp_path, stage("a", "rl") + stage("b", "rl")).stages
    assert [one.name for one in nodes] == ["problems", "base", "a", "b", "eval-base", "eval-a", "eval-b"]
    assert {split for one in nodes if one.kind in ("rl", "eval") for split in one.splits} == {"rl", "test"}


def test_a_distill_stage_learns_from_the_last_rl_stage_of_each_domain_and_needs_no_other(tmp_path: Path) -> None:
    toml = stage("a", "rl", domains=["math", "code"]) + stage("b", "rl", domains=["math"]) + stage("student", "distill")
    node = graph(tmp_path, toml).by_name["student"]
    assert {str(domain): name for domain, name in node.teachers.items()} == {"math": "b", "code": "a"}  # type: ignore[attr-defined]
    assert set(node.needs) == {"problems", "a", "b"}
    toml = (
        stage("a", "rl") + stage("b", "rl", from_="base") + stage("d", "distill", student="a", teachers={"math": "b"})
    )
    node = graph(tmp_path, toml).by_name["d"]
    assert (node.source, set(node.needs)) == ("a", {"problems", "a", "b"})


# ---- keys


def test_a_key_of_a_stage_stands_over_its_kinds_table_and_changes_nothing_else(tmp_path: Path) -> None:
    toml = "[rl]\ngamma = 2\nsteps = 7\n" + stage("a", "rl", gamma=0, lambda_=1) + stage("b", "rl")
    found = stages(load(tmp_path, toml))
    a, b = found["a"].spec, found["b"].spec
    assert (a.gamma, a.steps, a.lambda_) == (0.0, 7, 1.0)
    assert (b.gamma, b.steps, b.lambda_) == (2.0, 7, 0.0)
    assert isinstance(a.gamma, float)
    assert (set(found["a"].own), set(found["b"].own)) == ({"gamma", "lambda"}, set())
    assert a.model_copy(update={"gamma": 2.0, "lambda_": 0.0}) == b


def test_an_optimiser_is_laid_over_value_by_value_and_anything_else_whole(tmp_path: Path) -> None:
    toml = "[sft]\noptim = { lr = 0.5, warmup = 0.25 }\n[fuse]\nweights = { algebra = 1.0, geometry = 2.0 }\n"
    toml += stage(*DATA) + stage("s", "sft", optim={"lr": 0.125}) + stage("f", "fuse", weights={"algebra": 3.0})
    found = stages(load(tmp_path, toml))
    optim = found["s"].spec.optim
    assert (optim.lr, optim.warmup, optim.final_lr) == (0.125, 0.25, 8e-8)
    assert found["f"].spec.weights == {"algebra": 3.0}


def test_set_gives_a_stage_a_key_and_leaves_the_others_alone(tmp_path: Path) -> None:
    toml = stage("a", "rl", gamma=2) + stage("b", "rl")
    found = stages(load(tmp_path, toml, "a.gamma=0", "b.domains=code", "a.domains=['math','stem']", "b.from=base"))
    assert (found["a"].spec.gamma, found["b"].spec.gamma) == (0.0, 1.0)
    assert (found["a"].domains, found["b"].domains) == (("math", "stem"), ("code",))
    assert found["b"].source == "base"
    toml = stage(*DATA) + stage("s", "sft", optim={"warmup": 0.5})
    optim = stages(load(tmp_path, toml, "s.optim.lr=0.125"))["s"].spec.optim
    assert (optim.lr, optim.warmup) == (0.125, 0.5)


@pytest.mark.parametrize(
    ("override", "stage_", "source"),
    [
        ("rl-code.from=sft-hard-fused", "rl-code", "sft-hard-fused"),
        ("distill.from=rl-math", "distill", "rl-math"),  # named as its table is, and the recipe says a student
        ("clr.from=rl-math", "clr", "rl-math"),
        ('instruct.from="rl-stem"', "instruct", "rl-stem"),
    ],
)
def test_set_puts_a_stage_behind_another(override: str, stage_: str, source: str) -> None:
    """The order of the domains is an ablation; what comes after follows the list."""
    nano = config.packaged_recipe("nano")
    before, after = (stages(config.load(nano, overrides)) for overrides in ([], [override]))
    assert before[stage_].source != source
    assert {name: one.source for name, one in after.items()} == {
        name: source if name == stage_ else one.source for name, one in before.items()
    }
    kept = config.settled(override, config.load(nano))
    assert stages(config.load(nano, [kept])) == after


def test_set_takes_lists_and_tables_for_a_stage() -> None:
    overrides = ['rl-math.domains=["math","code","stem"]', 'distill.teachers={ math = "rl-math", stem = "rl-stem" }']
    found = stages(config.load(config.packaged_recipe("nano"), overrides))
    assert found["rl-math"].spec.domains == ("math", "code", "stem")
    assert found["rl-long2short"].spec.domains == ("math",)
    assert found["distill"].spec.teachers == {"math": "rl-math", "stem": "rl-stem"}


def test_evaluation_is_asked_for_after_all_stages_or_some(tmp_path: Path) -> None:
    toml = stage("a", "rl") + stage("b", "rl")

    def evaluated(*overrides: str) -> list[str]:
        return [one.name for one in graph(tmp_path, toml, *overrides).stages if one.kind == "eval"]

    assert evaluated() == evaluated("eval.after=all") == ["eval-base", "eval-a", "eval-b"]
    assert evaluated("eval.after=['b']") == evaluated("eval.after=b") == ["eval-b"]
    assert evaluated("eval.after=[]") == []


def test_set_reaches_the_stages_of_the_default_list(tmp_path: Path) -> None:
    recipe = load(tmp_path, "", "rl-math.steps=3", "sft-hard.optim.lr=0.5")
    found = stages(recipe)
    assert list(found) == [one.name for one in listed(Recipe())]
    assert (found["rl-math"].spec.steps, found["rl-code"].spec.steps) == (3, 200)
    assert (found["sft-hard"].spec.optim.lr, found["sft-broad"].spec.optim.lr) == (0.5, 5e-5)
    assert load(tmp_path, "", "rl.steps=3").stages == ()  # a table alone does not write the list out


def test_set_of_a_table_that_a_stage_has_the_name_of_holds_for_both(tmp_path: Path) -> None:
    toml = stage("a", "rl") + stage("distill", "distill", n=2) + stage("again", "distill", from_="a")
    recipe = load(tmp_path, toml, "distill.n=7", "distill.teachers={math='a'}")
    found = stages(recipe)
    assert (found["distill"].spec.n, found["again"].spec.n, recipe.distill.n) == (7, 7, 7)
    assert found["again"].spec.teachers == {"math": "a"}
    assert stages(load(tmp_path, toml, "again.n=7"))["distill"].spec.n == 2


def test_paths_in_a_stage_are_relative_to_where_they_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes, here = tmp_path / "recipes", tmp_path / "here"
    for folder in (recipes, here):
        for name in ("traces.jsonl", "judge", "all", "nano", "a", "teacher"):
            (folder / name).mkdir(parents=True)
        (folder / "mine.py").write_text("from etalon.pipeline.stages.rl import Rl as Kind\n")
    monkeypatch.chdir(here)
    toml = stage(*DATA, teacher="teacher") + stage("s", "sft", traces="traces.jsonl") + stage("t", "sft", traces="all")
    toml += (
        stage("a", "rl", reward="mine.py:f", judge="judge")
        + stage("b", "mine.py:Kind")
        + stage("n", "rl", judge="nano")
    )
    toml += stage("d", "distill", teachers={"math": "a", "code": "teacher", "stem": "gone"})
    found = stages(load(recipes, toml))
    assert found["data"].spec.teacher == str(recipes / "teacher")
    assert (found["s"].spec.traces, found["t"].spec.traces) == (str(recipes / "traces.jsonl"), "all")
    assert (found["a"].spec.reward, found["a"].spec.judge) == (f"{recipes}/mine.py:f", str(recipes / "judge"))
    assert (found["b"].kind, found["n"].spec.judge) == (f"{recipes}/mine.py:Kind", "nano")
    teachers = {"math": "a", "code": str(recipes / "teacher"), "stem": "gone"}  # a folder may have a stage's name
    assert found["d"].spec.teachers == teachers
    overridden = stages(
        load(recipes, toml, "s.traces=traces.jsonl", "a.reward=mine.py:g", "b.kind=mine.py:Kind", "rl.judge=judge",
             "d.teachers={math='a', code='teacher'}")
    )  # fmt: skip
    assert overridden["s"].spec.traces == str(here / "traces.jsonl")
    assert overridden["a"].spec.reward == f"{here}/mine.py:g"
    assert (overridden["b"].kind, overridden["a"].spec.judge) == (f"{here}/mine.py:Kind", str(recipes / "judge"))
    assert overridden["d"].spec.teachers == {"math": "a", "code": str(here / "teacher")}


def test_a_recipe_with_stages_written_as_toml_loads_back_equal(tmp_path: Path) -> None:
    toml = '[eval]\nafter = ["a"]\n' + stage("own", "base", model="", optim={"lr": 0.5}) + stage(*DATA)
    toml += stage("a", "rl", domains=["math"], shares={"rules": 0.5, "rubric": 0.5}, lambda_=0.2, reward="json:loads")
    toml += stage("s", "sft", from_="own", optim={"name": "muon", "lr": 1}) + stage("f", "fuse", weights={'a "b"': 2.0})
    toml += stage("d", "distill", student="a", teachers={"math": "a"})
    recipe = load(tmp_path, toml)
    again = load(tmp_path, config.to_toml(recipe))
    assert again == recipe
    assert listed(again) == listed(recipe)
    written = tomllib.loads(config.to_toml(recipe))["stages"]
    assert written[4] == {"name": "f", "kind": "fuse", "weights": {'a "b"': 2.0}}  # and nothing that was not said
    assert written[3]["from"] == "own"
    default = load(tmp_path, config.to_toml(Recipe()))
    assert listed(default) == listed(Recipe())


# ---- what cannot be run


def test_a_circle_is_named_with_its_members(tmp_path: Path) -> None:
    def circle(*links: tuple[str, str]) -> str:
        return complaint(tmp_path, "".join(stage(name, "rl", from_=source) for name, source in links))

    says = "x.toml: stages.from: a circle: {}; one of these must start from another stage"
    assert circle(("a", "b"), ("b", "a")) == says.format("a -> b -> a")
    assert circle(("a", "a")) == says.format("a -> a")
    assert circle(("outside", "a"), ("a", "b"), ("b", "c"), ("c", "a")) == says.format("a -> b -> c -> a")
    toml = stage("a", "rl", from_="d") + stage("d", "distill", from_="base", teachers={"math": "a"})
    assert complaint(tmp_path, toml) == says.format("d -> a -> d").removeprefix("x.toml: ")


A = stage("a", "rl")
KINDS = 'kinds are base, data, sft, fuse, rl, distill, clr, or "package.module:Kind" of your own'
NO_TRACES = "trains on traces, and no stage of kind 'data' stands before it; add one, or name a file of traces"
OF_RL = ", and this stage is of kind rl"
DOMAINS = "'math', 'code', 'stem', 'instruct', 'claims' or 'facts'"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (stage("a", "rll"), f"x.toml: a.kind: no kind 'rll'; did you mean 'rl'? {KINDS}"),
        (stage("a", "instruct"), f"x.toml: a.kind: no kind 'instruct'; {KINDS}"),
        (stage("a", "gone.py:Kind"), "x.toml: a.kind: gone.py: no such file"),
        (
            stage("a", "no_such_module:Kind"),
            'x.toml: a.kind: there is no module \'no_such_module\'; expected "FILE.py:NAME" or "package.module:NAME"',
        ),
        (
            stage("a", "etalon.errors:Rl"),
            "x.toml: a.kind: etalon.errors has no 'Rl'; it has ConfigError, EtalonError, InputError, LeftOutError, "
            "RunError, StoppedError, UnsupportedModelError",
        ),
        (stage("a", "json:dumps"), "a.kind: json:dumps: is no subclass of etalon.pipeline.stage.Stage"),
        (stage("a", "rl", from_="bse"), "x.toml: a.from: no stage 'bse'; did you mean 'base'? stages are base, a"),
        (A + stage("d", "distill", student="b"), "x.toml: d.from: no stage 'b'; stages are base, a, d"),
        (
            stage("m", "clr") + stage("a", "rl", from_="m"),
            "x.toml: a.from: 'm' leaves no checkpoint; name one of base, a",
        ),
        (
            stage(*DATA) + stage("a", "rl", from_="data"),
            "x.toml: a.from: 'data' leaves no checkpoint; name one of base, a",
        ),
        (
            stage("b", "base", from_="a") + A,
            "x.toml: b.from: a stage of kind 'base' starts from no other; name a `model`",
        ),
        ('[eval]\nafter = "a"' + A, 'x.toml: eval.after: must be "all" or a list of stages'),
        ("[eval]\nafter = [1]" + A, 'x.toml: eval.after: must be "all" or a list of stages'),
        ('[eval]\nafter = ["aa"]' + A, "x.toml: eval.after: no stage 'aa'; did you mean 'a'? stages are base, a"),
        (A + A, "x.toml: stages.name: two stages are called 'a'; names are unique"),
        (stage("a", "rl", epochs=3), f"x.toml: a.epochs: unknown key; 'epochs' is a key of kind sft, distill{OF_RL}"),
        (
            stage("a", "rl", optim={"lr": 1}),
            f"x.toml: a.optim: unknown key; 'optim' is a key of kind base, sft, distill{OF_RL}",
        ),
        (stage("a", "rl", step=3), "x.toml: a.step: unknown key; did you mean 'steps'?"),
        (stage(*DATA) + stage("a", "sft", optim={"lrs": 3}), "x.toml: a.optim.lrs: unknown key; did you mean 'lr'?"),
        (stage("a", "rl", steps="many"), 'x.toml: a.steps: must be a whole number, found "many"'),
        (stage("a", "rl", domains=["maths"]), f'x.toml: a.domains.0: must be {DOMAINS}, found "maths"'),
        (
            stage("a", "rl", shares={"rule": 1}),
            "x.toml: a.shares.rule: must be 'rules', 'rubric' or 'long', found \"rule\"",
        ),
        ('[[stages]]\nname = "a"\nkind = "rl"\ngamma = inf', "x.toml: a.gamma: must be a finite number, found inf"),
        ('[[stages]]\nname = "a"', "x.toml: stages.0.kind: is missing"),
        ('[[stages]]\nname = 3\nkind = "rl"', "x.toml: stages.0.name: must be a string, found 3"),
        ("stages = 3", "x.toml: stages: must be a list, found 3"),
        ("stages = [3]", "x.toml: stages.0: must be a table, found 3"),
        (stage("a", "sft"), f"a: {NO_TRACES}"),
        (stage("a", "sft") + stage(*DATA), f"a: {NO_TRACES}"),
        (A + stage("d", "distill", replay=5), f"d: {NO_TRACES}"),
        (
            A + stage("f", "fuse"),
            "f.from: 'a' is of kind 'rl', and only a stage of kind 'sft' leaves several checkpoints to merge",
        ),
        (
            A + stage("f", "fuse", stages=["a", "aa"]),
            "f.stages: no stage 'aa'; did you mean 'a'? stages are base, a, f",
        ),
        (
            A + stage("m", "clr") + stage("f", "fuse", stages=["a", "m"]),
            "f.stages: 'm' leaves no checkpoint; name some of base, a, f",
        ),
        (A + stage("f", "fuse", stages=["a", "f"]), "f.stages: 'f' is the stage itself"),
        (A + stage("f", "fuse", stages=["a", "a"]), "f.stages: 'a' is named twice"),
        (A + stage("f", "fuse", stages=["a"], weights={"math": 1}), "f.weights: 'math' is none of f.stages"),
        (
            A + stage("f", "fuse", stages=["a"], choose="loss"),
            "f.choose: is of checkpoints that are probed, and those of f.stages are not",
        ),
        (
            stage("s", "sft", traces=__file__) + stage("f", "fuse", take="best", weights={"math": 1}),
            "f.weights: are of the specialists of a merge, and f.take is 'best'; leave them out",
        ),
        (
            stage("d", "distill"),
            "d.teachers: no rl stage stands before it; name a stage or a model directory for each domain, such as "
            "teachers = {math = STAGE}",
        ),
        (
            A + stage("d", "distill", teachers={"math": "aa"}),
            "d.teachers.math: no stage 'aa'; did you mean 'a'? stages are base, a, d, or a model directory",
        ),
        (A + stage("d", "distill", teachers={"math": "d"}), "d.teachers.math: is the stage itself; name another"),
        (A + stage("d", "distill", from_="a", student="base"), "d.student: 'base' and from = 'a'; say one of the two"),
        (
            stage("a", "rl", general=0.5),
            "a.general: is a share of prompts of other domains than the phase's, and a trains on all; name its "
            "`domains`",
        ),
        (stage("a", "rl", reward="half"), "a.reward: found 'half', expected FILE.py:FUNCTION or module:FUNCTION"),
        (stage("a", "rl", reward="gone.py:half"), "a.reward: gone.py: no such file"),
        (
            stage("a", "rl", reward="math:pi"),
            "a.reward: math:pi: is a float, expected a function of (problem, response)",
        ),
        (
            stage("a", "rl", judge="gone"),
            "a.judge: gone: no such model directory; a model of a server is written NAME@http://HOST:PORT/v1, a "
            "program of ours 'nano'",
        ),
    ],
)
def test_what_cannot_be_run_is_one_line_that_names_the_stage_and_the_key(
    tmp_path: Path, toml: str, message: str
) -> None:
    assert complaint(tmp_path, toml) == message


@pytest.mark.parametrize("name", ["problems", "preflight", "eval-a", "eval-"])
def test_a_stage_takes_no_name_that_every_run_has(tmp_path: Path, name: str) -> None:
    says = f"x.toml: stages.name: {name!r} is a stage that every run has; take another name"
    assert complaint(tmp_path, stage(name, "rl")) == says


@pytest.mark.parametrize("name", ["eval", "model", "seed", "sft", "stages"])
def test_a_stage_takes_no_name_of_a_table_but_its_kinds(tmp_path: Path, name: str) -> None:
    assert f"{name!r} is a key of every recipe" in complaint(tmp_path, stage(name, "rl"))
    assert stages(load(tmp_path, stage("rl", "rl")))["rl"].kind == "rl"


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a/b", "a b", "a\nb", "é"])
def test_a_name_is_one_that_a_directory_can_have(tmp_path: Path, name: str) -> None:
    says = f"x.toml: stages.name: {name!r}: use letters, digits, '-', '_' and '.'"
    assert complaint(tmp_path, stage(name, "rl")) == says


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mine.grop_size=8", "--set mine.grop_size: unknown key; did you mean 'group_size'?"),
        ("mine.gamma=high", '--set mine.gamma: must be a number, found "high"'),
        ("mine.steps.x=8", "--set mine.steps.x=8: steps is a value, not a table"),
        ("mine.from=bas", "--set mine.from: no stage 'bas'; did you mean 'base'? stages are base, mine"),
        ("mine.kind=rll", f"--set mine.kind: no kind 'rll'; did you mean 'rl'? {KINDS}"),
        ("mein.steps=8", "--set mein.steps=8: no table and no stage is called 'mein'; did you mean 'mine'?"),
        ("yours.steps=8", "--set yours.steps=8: no table and no stage is called 'yours'; stages are mine"),
        ("evl.n=8", "--set evl.n=8: no table and no stage is called 'evl'; did you mean 'eval'?"),
        ("eval.after=mein", "--set eval.after: no stage 'mein'; did you mean 'mine'? stages are base, mine"),
    ],
)
def test_a_mistake_in_a_stages_set_is_named_as_such(tmp_path: Path, override: str, message: str) -> None:
    toml = stage("mine", "rl") if "steps.x" not in override else stage("mine", "rl", steps=3)
    assert complaint(tmp_path, toml, override) == message


# ---- whose values they are


def keys(folder: Path, toml: str, *overrides: str) -> Mapping[str, str]:
    return graph(folder, toml, *overrides).keys()


def test_a_changed_branch_is_redone_alone(tmp_path: Path) -> None:
    toml = stage("a", "rl", domains=["code"]) + stage("b", "rl") + stage("branch", "rl", from_="a", gamma=0)
    toml += stage("both", "rl", from_="a", domains=["math", "code"], lambda_=0.2)
    before = keys(tmp_path, toml)
    after = keys(tmp_path, toml, "branch.gamma=0.5")
    assert {name for name in before if before[name] != after[name]} == {"branch", "eval-branch"}
    after = keys(tmp_path, toml, "a.steps=3")
    assert {name for name in before if before[name] == after[name]} == {"problems", "base", "eval-base"}


def test_a_stage_is_the_same_whatever_stands_beside_it_and_wherever_its_values_are_said(tmp_path: Path) -> None:
    toml = stage("a", "rl", gamma=0.5)
    before = keys(tmp_path, toml)
    more = keys(tmp_path, toml + stage("b", "rl", from_="base") + stage("measure", "clr", from_="a"))
    assert before.items() <= more.items()
    assert keys(tmp_path, "[rl]\ngamma = 0.5\n" + stage("a", "rl")) == before
    renamed = keys(tmp_path, stage("c", "rl", gamma=0.5))
    assert before["a"] not in renamed.values()


def test_a_reward_file_is_part_of_the_key(tmp_path: Path) -> None:
    reward = tmp_path / "mine.py"
    reward.write_text("def half(problem, response):\n    return 0.5\n")
    toml = stage("a", "rl", reward="mine.py:half")
    before = keys(tmp_path, toml)
    assert keys(tmp_path, toml) == before
    reward.write_text("def half(problem, response):\n    return 0.25\n")
    assert keys(tmp_path, toml)["a"] != before["a"]


def test_no_stage_of_a_packaged_recipe_is_known_by_name_outside_the_recipes() -> None:
    packaged = sorted((ROOT / "src" / "etalon" / "recipes").glob("*.toml"))
    assert packaged
    named = {row["name"] for path in packaged for row in tomllib.loads(path.read_text())["stages"]}
    own = {name for name in named if "-" in name}  # the others are words: base, data, distill, instruct, clr, sft
    assert own >= {
        "sft-broad", "sft-broad-fused", "sft-hard", "sft-hard-fused", "rl-math", "rl-long2short", "rl-code", "rl-stem"
    }  # fmt: skip
    pattern = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, sorted(own)))})(?![\w-])")
    files = [path for path in (ROOT / "src").rglob("*") if path.suffix in (".py", ".css", ".txt")]
    assert len(files) > 200
    found = {str(path.relative_to(ROOT)): pattern.findall(path.read_text()) for path in files}
    assert {path: names for path, names in found.items() if names} == {}
