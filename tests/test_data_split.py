import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon import config
from etalon.config.toml import toml_value
from etalon.data.curriculum.split import NAMES, Splits, proportional, split_problems
from etalon.data.ngrams import normalise
from etalon.errors import ConfigError, InputError
from etalon.pipeline.graph import graph_of
from etalon.pipeline.stage import Work
from etalon.store import read_jsonl
from etalon.types import Domain, Problem
from shrunk import stage

COUNTS = {"train": 1000, "probe": 64, "rl": 512, "test": 200}


def problems(count: int, domain: Domain = Domain.MATH) -> list[Problem]:
    return [Problem(id=f"{domain}-{n}", domain=domain, prompt=f"{domain}: what is {n} + 1?") for n in range(count)]


def cuts(splits: Splits) -> dict[str, tuple[Problem, ...]]:
    return {name: getattr(splits, name) for name in NAMES}


def test_sizes_follow_the_requested_proportion() -> None:
    splits = split_problems(problems(1776), **COUNTS, seed=0)
    assert {name: len(cut) for name, cut in cuts(splits).items()} == pytest.approx(COUNTS, abs=3)


@given(st.integers(4, 500), st.lists(st.integers(1, 1000), min_size=4, max_size=4))
def test_parts_are_at_least_one_and_sum_to_the_total(total: int, parts: list[int]) -> None:
    sizes = proportional(total, parts)
    assert sum(sizes) == total
    assert min(sizes) >= 1


def test_parts_worked_by_hand() -> None:
    # one each, then 10 more: 5.0, 2.5, 2.5 -> 5, 2 (+1 for the first of the equal remainders), 2
    assert proportional(13, [2, 1, 1]) == [6, 4, 3]


@given(st.integers(8, 60), st.integers(8, 30), st.integers(0, 99), st.randoms(use_true_random=False))
def test_splits_are_disjoint_complete_and_do_not_depend_on_order(
    num_math: int, num_stem: int, seed: int, shuffler: random.Random
) -> None:
    everything = problems(num_math) + problems(num_stem, Domain.STEM)
    splits = split_problems(everything, **COUNTS, seed=seed)
    assert Counter(p.id for cut in cuts(splits).values() for p in cut) == Counter(p.id for p in everything)
    for cut in cuts(splits).values():
        assert {p.domain for p in cut} == {Domain.MATH, Domain.STEM}
    shuffler.shuffle(everything)
    assert split_problems(everything, **COUNTS, seed=seed) == splits


@given(st.integers(0, 99))
def test_copies_of_a_query_share_a_split(seed: int) -> None:
    originals = problems(40)
    copies = [Problem(id=f"copy-{p.id}", domain=p.domain, prompt=p.prompt.upper() + " ") for p in originals]
    elsewhere = [Problem(id=f"stem-{p.id}", domain=Domain.STEM, prompt=p.prompt) for p in originals[:5]]
    splits = split_problems(originals + copies + elsewhere, **COUNTS, seed=seed)
    queries = [{normalise(p.prompt) for p in cut} for cut in cuts(splits).values()]
    assert sum(len(query) for query in queries) == len(set().union(*queries)) == 40


STORIES = (
    "A baker sells {} loaves of bread in the morning and {} more in the afternoon. How many loaves were sold?",
    "Ann walks {} miles along the river to the old mill and {} miles back. How far does she walk in all?",
    "In a class of {} children {} play the violin while the others sing. How many of the children sing?",
    "The tank holds {} litres of water when a pump starts to take {} litres an hour. When is it empty?",
)


@given(st.integers(0, 99), st.randoms(use_true_random=False))
def test_near_copies_share_a_split_and_every_split_has_its_share(seed: int, shuffler: random.Random) -> None:
    families = {f"f{i}-{n}": i for i in range(4) for n in range(2 + i)}
    templated = [
        Problem(id=name, domain=Domain.MATH, prompt=STORIES[i].format(7 * n + 3, n + 1))
        for name, i in families.items()
        for n in [int(name.partition("-")[2])]
    ]
    everything = problems(60) + templated
    splits = split_problems(everything, train=30, probe=10, rl=20, test=10, seed=seed)
    assert not splits.parted
    for family in range(4):
        homes = [name for name, cut in cuts(splits).items() if any(families.get(p.id) == family for p in cut)]
        assert len(homes) == 1
    sizes = {name: len(cut) for name, cut in cuts(splits).items()}
    assert sizes == pytest.approx({"train": 32, "probe": 10.6, "rl": 21, "test": 10.6}, abs=3)
    shuffler.shuffle(everything)
    assert split_problems(everything, train=30, probe=10, rl=20, test=10, seed=seed) == splits


def test_one_large_family_leaves_no_split_empty_and_a_set_of_one_template_is_cut_all_the_same() -> None:
    template = [Problem(id=f"t{n}", domain=Domain.MATH, prompt=STORIES[0].format(n + 10, n)) for n in range(100)]
    splits = split_problems(problems(9) + template, **COUNTS, seed=1)
    assert all(cuts(splits).values())
    assert [name for name, cut in cuts(splits).items() if set(template) & set(cut)] == ["train"]
    splits = split_problems(template, **COUNTS, seed=1)
    assert splits.parted == (Domain.MATH,)
    assert sum(map(len, cuts(splits).values())) == 100
    assert len(splits.train) == pytest.approx(56, abs=3)


def test_the_seed_moves_problems() -> None:
    assert split_problems(problems(100), **COUNTS, seed=0) != split_problems(problems(100), **COUNTS, seed=1)


def test_more_problems_of_one_domain_leave_the_split_of_another_alone() -> None:
    alone = split_problems(problems(50), **COUNTS, seed=3)
    beside = split_problems(problems(50) + problems(90, Domain.CODE), **COUNTS, seed=3)
    assert alone.test == tuple(p for p in beside.test if p.domain is Domain.MATH)


def test_too_few_problems_of_a_domain_say_how_many_are_needed() -> None:
    few = problems(20) + problems(7, Domain.CODE) * 2
    with pytest.raises(InputError, match="found 7 distinct problems of domain code, needed are at least 8"):
        split_problems(few, **COUNTS, seed=0)


# ---- the splits of a recipe's own files


def rows(folder: Path, name: str, numbers: range, **more: str) -> str:
    path = folder / name
    lines = [json.dumps({"question": f"What is {n} + 1?", "answer": str(n + 1), **more}) for n in numbers]
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def splits(folder: Path, stages: str, **problems: object) -> dict[str, set[str]]:
    """Split -> the prompts that the problems stage writes for a recipe of these stages."""
    tables = "\n".join(f"{key} = {toml_value(value)}" for key, value in problems.items())
    (folder / "x.toml").write_text(f"[problems]\n{tables}\n{stages}")
    recipe = config.load(folder / "x.toml").resolved()
    graph = graph_of(recipe, preflight=False)
    node = graph.by_name["problems"]
    directories = graph.directories(folder / "run")
    directories["problems"].mkdir(parents=True, exist_ok=True)
    node.run(Work(recipe=recipe, stage=node, directories=directories))
    return {
        name: {row["prompt"].partition("?")[0] for row in read_jsonl(directories["problems"] / f"{name}.jsonl")}
        for name in NAMES
    }


RL = stage("base", "base", model="models/mine") + stage("a", "rl")
SFT = stage("base", "base", model="models/mine") + stage("data", "data") + stage("s", "sft") + stage("f", "fuse")


def test_files_are_cut_into_the_splits_that_some_stage_reads_and_no_others(tmp_path: Path) -> None:
    files = [rows(tmp_path, "a.jsonl", range(40))]
    found = splits(tmp_path, RL, files=files, rl=30, test=10)
    assert {name: len(members) for name, members in found.items()} == {"train": 0, "probe": 0, "rl": 30, "test": 10}
    found = splits(tmp_path, SFT, files=files, train=20, probe=10, test=10)
    assert {name: len(members) for name, members in found.items()} == {"train": 20, "probe": 10, "rl": 0, "test": 10}
    everything = set().union(*found.values())
    assert len(everything) == 40
    unevaluated = splits(tmp_path, "[eval]\nafter = []\n" + RL, files=files, rl=40)
    assert unevaluated["rl"] == everything
    assert unevaluated["test"] == set()


def test_test_files_are_held_out_whole_and_never_trained_on(tmp_path: Path) -> None:
    files = [rows(tmp_path, "a.jsonl", range(40))]
    held = [rows(tmp_path, "b.jsonl", range(30, 45))]
    found = splits(tmp_path, RL, files=files, test_files=held, rl=100, test=2)
    assert found["test"] == {f"What is {n} + 1" for n in range(30, 45)}
    assert found["rl"] == {f"What is {n} + 1" for n in range(30)}
    with pytest.raises(
        InputError, match=r"problems\.files: hold no problem that is not held out by problems\.test_files"
    ):
        splits(tmp_path, RL, files=held, test_files=held)


def test_traces_of_a_file_and_test_files_need_no_other_problems(tmp_path: Path) -> None:
    held = [rows(tmp_path, "b.jsonl", range(30, 45))]
    (tmp_path / "traces.jsonl").write_text('{"prompt": "1?", "response": "1"}\n')
    tuned = stage("base", "base", model="models/mine") + stage("s", "sft", traces=str(tmp_path / "traces.jsonl"))
    for files in ([rows(tmp_path, "a.jsonl", range(40))], []):
        found = splits(tmp_path, tuned, files=files, test_files=held)
        assert found["test"] == {f"What is {n} + 1" for n in range(30, 45)}
        assert not any(found[name] for name in ("train", "probe", "rl"))
    with pytest.raises(ConfigError, match=r"problems\.files: is empty, and rl problems are cut from it; name a file"):
        splits(tmp_path, RL, test_files=held)
    with pytest.raises(InputError, match=r"problems\.test_files: hold no problem of code"):
        splits(tmp_path, tuned, test_files=held, domains=["code"])


def test_only_the_domains_that_are_asked_for_are_kept(tmp_path: Path) -> None:
    def programs(name: str, numbers: range) -> str:
        tests = {"domain": "code", "tests": {"assert_code": "assert f(1) == 2"}}
        lines = [json.dumps({**tests, "id": f"c{n}", "prompt": f"Write f, number {n}?"}) for n in numbers]
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
        return str(tmp_path / name)

    files = [rows(tmp_path, "a.jsonl", range(20)), programs("c.jsonl", range(20))]
    held = [rows(tmp_path, "b.jsonl", range(20, 30)), programs("d.jsonl", range(20, 30))]

    def words(**problems: object) -> dict[str, set[str]]:
        found = splits(tmp_path, RL, files=files, test_files=held, **problems)
        return {name: {prompt.split()[0] for prompt in found[name]} for name in ("rl", "test")}

    assert words() == {"rl": {"What", "Write"}, "test": {"What", "Write"}}
    assert words(domains=["code"]) == {"rl": {"Write"}, "test": {"Write"}}
    with pytest.raises(InputError, match=r"problems\.test_files: hold no problem of stem"):
        words(domains=["stem"])


def test_rl_prompts_that_overlap_with_a_held_out_problem_are_left_out_and_logged(tmp_path: Path) -> None:
    """What RL, distillation and a model's own claims read: a held-out question among other words."""
    held = rows(tmp_path, "held.jsonl", range(10))
    long = "A train of {} wagons leaves the station at noon and a second one follows it after exactly {} minutes"
    texts = [f"{long.format(n, n + 3)}. When do they meet?" for n in range(10)]
    Path(held).write_text("".join(json.dumps({"question": text, "answer": "1"}) + "\n" for text in texts))
    copies = [f"Think well. {long.format(n, n + 3).upper()}!! Say when." for n in range(6)]
    others = [f"{long.format(n, n + 3)}. When do they meet?" for n in range(100, 112)]
    own = tmp_path / "own.jsonl"
    own.write_text("".join(json.dumps({"question": text, "answer": "1"}) + "\n" for text in [*copies, *others]))
    found = splits(tmp_path, RL, files=[str(own)], test_files=[held], rl=100)
    assert not any("Think well" in prompt for prompt in found["rl"])
    [report] = json.loads((tmp_path / "run" / "stages" / "problems" / "gates.json").read_text())
    assert (report["gate"], report["dropped"]) == ("overlap", 18 - len(found["rl"]))
    assert report["dropped"] >= 6
    kept = splits(tmp_path, RL, files=[rows(tmp_path, "c.jsonl", range(40))], test_files=[held], rl=100)
    assert len(kept["rl"]) == 40
