"""stratify and build: from records to the files of a curriculum, whatever the order of the records."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

import shrunk
from etalon.cli import app
from etalon.data.curriculum.merge import merged
from etalon.data.duplicates import keyed
from etalon.data.records import record_of
from etalon.errors import EtalonError
from etalon.problems.near import near
from etalon.store import hash_file, read_json, read_jsonl

NAMES = ("Ann", "Bob", "Cid", "Dot", "Eva")
THINGS = ("apples", "books", "coins", "drums", "eggs", "forks", "goats", "hats")
PLACES = ("at the market", "in the old town", "near the harbour")
SELLS = "{name} brings {a} {things} to sell {place} early on a cold {day} and then {more} another {b}. What is left?"
FILES = {
    "stage1.jsonl", "stage2.jsonl", "rl-math.jsonl", "rl-code.jsonl", "rl-stem.jsonl", "instruct.jsonl",
    "probe.jsonl", "test.jsonl",
}  # fmt: skip


def story(number: int, a: int = 40, b: int = 7) -> str:
    """A question; each number is a template of its own, a and b are its numbers."""
    words = random.Random(number)
    extra = " ".join(words.choices(["green", "wild", "silent", "broken", "heavy", "seven", "lucky", "plain"], k=6))
    return SELLS.format(
        name=words.choice(NAMES), a=a, b=b, things=f"{extra} {words.choice(THINGS)}", place=words.choice(PLACES),
        day=f"{words.choice(['Monday', 'Friday', 'Sunday'])} {number}th".replace(str(number), "x" * (number % 9 + 2)),
        more=words.choice(["finds", "buys", "sells", "loses"]),
    )  # fmt: skip


def trace(text: str, *, correct: bool | None = True, tokens: int = 100, **more: Any) -> dict[str, Any]:
    said = {} if correct is None else {"correct": correct}
    return {"response": f"<think>{text}</think>\\boxed{{33}}", "tokens": tokens, "model": "teacher", **said, **more}


def problem(name: str, prompt: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "domain": "math", "prompt": prompt, "answer": "33", "license": "mit", **more}


def solved(number: int, **more: Any) -> dict[str, Any]:
    """A problem with two paths, a third that copies one of them, and a wrong one."""
    paths = [
        f"first count what {NAMES[number % 5]} has, then take away what goes: forty less seven is thirty three",
        "let x be what is left; x + 7 = 40, so that subtracting seven on both sides leaves x equal to 33",
    ]
    given = [trace(paths[0]), trace(paths[1], tokens=6000), trace(paths[0] + "!"), trace("a guess", correct=False)]
    return problem(f"p{number}", story(number), traces=given, **more)


def rate(wrong: int, attempts: int = 8, model: str = "small") -> dict[str, Any]:
    return {"error_rates": {model: {"wrong": wrong, "attempts": attempts}}}


def records() -> list[dict[str, Any]]:
    """40 problems with traces and rates, each with a near copy; 20 without traces; programs and rules; copies."""
    hard = [solved(n, **rate(6 + n % 3)) for n in range(20)]
    easy = [solved(n, **(rate(n % 3) if n % 2 else {})) for n in range(20, 40)]
    family = [problem(f"near{n}", story(n, a=90 + n, b=3), traces=[trace(f"way {n}")]) for n in range(40)]
    bare = [problem(f"bare{n}", story(n), license="", **(rate(8) if n % 4 == 0 else {})) for n in range(100, 120)]
    code = [
        problem(f"c{n}", f"{story(200 + n)} Write f.", domain="code", tests={"assert_code": f"assert f() == {n}"})
        for n in range(10)
    ]
    rules = [
        problem(
            f"i{n}", f"{story(300 + n)} Use no comma.", domain="instruct", rules=[{"id": "punctuation:no_comma"}],
        )
        for n in range(10)
    ]  # fmt: skip
    again = [problem("x1", story(3).upper(), license="apache-2.0", traces=[trace("another way, by counting down")])]
    quarrel = [problem(f"q{answer}", story(400), answer=answer) for answer in ("5", "6")]
    open_ones = [problem("open", story(500), answer=None, traces=[trace("x", correct=None)])]
    return [*hard, *easy, *family, *bare, *code, *rules, *again, *quarrel, *open_ones]


def written(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def built(folder: Path, *options: str, rows: Sequence[dict[str, Any]] | None = None) -> dict[str, list[dict[str, Any]]]:
    """File -> its rows."""
    source = written(folder / "in.jsonl", records() if rows is None else rows)
    options = ("--probe", "4", "--test", "4", *options)
    data("build", str(source), "-o", str(folder / "out"), *options)
    return {name: read_jsonl(folder / "out" / name) for name in FILES}


def data(*arguments: str) -> None:
    """`etalon data ...`, in this process."""
    typer.main.get_command(app).main(["data", *arguments], prog_name="etalon", standalone_mode=False)


def by_near(rows: dict[str, list[dict[str, Any]]]) -> dict[str, set[str]]:
    """A cluster of near copies -> the files that hold one of it."""
    places = [(name, row["prompt"]) for name, found in rows.items() for row in found]
    homes: dict[str, set[str]] = {}
    for (name, _), cluster in zip(places, near([prompt for _, prompt in places]), strict=True):
        homes.setdefault(cluster, set()).add(name)
    return homes


def test_stages_hold_right_distinct_traces_and_the_hard_ones_among_them(tmp_path: Path) -> None:
    found = built(tmp_path, "--max-paths", "2", "--rl", "0")
    first, second = found["stage1.jsonl"], found["stage2.jsonl"]
    names = {row["problem_id"] for row in first}
    solved_here = [name for name in names if name.startswith("p")]
    assert len(solved_here) > 20
    for name in solved_here:
        own = [row for row in first if row["problem_id"] == name]
        assert len(own) == 2
        assert not any("guess" in row["response"] for row in own)
    assert all(row["source"] == "teacher" for row in first)
    assert {row["problem_id"] for row in second} == {name for name in solved_here if int(name[1:]) < 20}
    assert all(row["num_tokens"] >= 5000 and row["error_rate"] >= 0.75 for row in second)
    assert {row["error_rate"] for row in first if row["problem_id"] in ("p20", "p22", "p24")} <= {None}
    report = read_json(tmp_path / "out" / "build.report.json")
    reasons = {gate["gate"]: gate["reasons"] for gate in report["gates"]}
    assert reasons["traces"]["wrong"] == len(solved_here)
    assert reasons["problems"]["copies that disagree on the answer"] == 1
    assert reasons["problems"]["neither a right trace nor a reference"] == 1
    easy = built(tmp_path, "--min-tokens", "50", "--min-error-rate", "0")["stage2.jsonl"]
    assert all(row["error_rate"] is not None for row in easy)


def test_traces_that_filter_held_against_their_answers_are_right_and_others_are_asked_about(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [problem(f"v{n}", story(n), traces=[trace(f"way {n}", correct=None)]) for n in range(30)]
    options = ("--probe", "0", "--test", "0", "--rl", "0")
    assert not built(tmp_path, *options, rows=rows)["stage1.jsonl"]
    assert "30 traces of 30 problems are neither right nor wrong by anybody's word" in capfd.readouterr().err
    rows[0]["traces"].append(trace("no way", correct=None) | {"response": "\\boxed{34}"})
    data("filter", str(written(tmp_path / "rows.jsonl", rows)), "--verify", "-o", str(tmp_path / "kept.jsonl"))
    assert "30 rows: 30 kept; 31 traces in records: 30 kept, different 1" in capfd.readouterr().err
    found = built(tmp_path, *options, rows=read_jsonl(tmp_path / "kept.jsonl"))
    assert len(found["stage1.jsonl"]) == 30
    assert "anybody's word" not in capfd.readouterr().err


def test_nothing_held_out_is_trained_on_not_even_with_other_numbers(tmp_path: Path) -> None:
    found = built(tmp_path)
    assert {name for name, rows in found.items() if not rows} == {"rl-stem.jsonl"}
    assert [len(found[name]) for name in ("probe.jsonl", "test.jsonl")] == pytest.approx([8, 8], abs=1)  # 2 + 4 + 2
    for homes in by_near(found).values():
        assert len(homes - {"stage2.jsonl"}) == 1
    for name in ("probe.jsonl", "rl-math.jsonl", "rl-code.jsonl", "instruct.jsonl"):
        assert not any("traces" in row or "solutions" in row for row in found[name])
    assert {row["domain"] for row in found["probe.jsonl"]} == {"math", "code", "instruct"}
    assert all(keyed(row).answer == "33" for row in found["rl-math.jsonl"])
    clusters = [row["cluster"] for rows in found.values() for row in rows]
    assert all(clusters)


def test_the_same_records_in_any_order_and_any_files_give_the_same_bytes(tmp_path: Path) -> None:
    built(tmp_path)
    hashes = {path.name: hash_file(path) for path in (tmp_path / "out").iterdir() if "report" not in path.name}
    assert hashes.keys() == FILES | {"manifest.json"}
    rows = records()
    random.Random(1).shuffle(rows)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "stage1.jsonl").write_text("of a build that was killed")
    (tmp_path / "other" / "rl-facts.jsonl.part").write_text("likewise")
    parts = [written(tmp_path / f"part{n}.jsonl", rows[n::3]) for n in range(3)]
    out = tmp_path / "other"
    data("build", *map(str, parts), "-o", str(out), "--probe", "4", "--test", "4")
    assert {name: hash_file(out / name) for name in hashes} == hashes
    assert {path.name for path in out.iterdir()} == hashes.keys() | {"build.report.json"}
    manifest = read_json(out / "manifest.json")
    assert manifest["files"]["stage1.jsonl"]["sha256"] == hashes["stage1.jsonl"]
    assert manifest["files"]["stage1.jsonl"]["rows"] == len(read_jsonl(out / "stage1.jsonl"))
    assert "unknown" in manifest["files"]["rl-math.jsonl"]["licenses"]


def test_rl_prompts_leave_out_what_is_measured_and_asked_for_alone(tmp_path: Path) -> None:
    everything = {row["id"] for row in built(tmp_path)["rl-math.jsonl"]}
    learnable = {row["id"] for row in built(tmp_path, "--error-low", "0", "--error-high", "1")["rl-math.jsonl"]}
    dropped = {row["id"]: row for row in records() if row["id"] in everything - learnable}
    assert dropped
    assert all(row["error_rates"]["small"]["wrong"] in (0, 8) for row in dropped.values())
    assert any(name.startswith("bare") and int(name[4:]) % 4 for name in learnable)


def test_records_of_one_problem_become_one_with_all_that_is_known() -> None:
    rows = [
        problem("a", "What is 40 - 7?", traces=[trace("one", correct=None), trace("two")], **rate(3), votes={"33": 2}),
        problem("b", "what is 40 - 7", traces=[trace("one"), trace("two", correct=False)], **rate(5), license="cc0"),
        problem("b", "what is 40 - 7", traces=[trace("three")], **rate(3), votes={"33": 1, "": 1}, license="mit"),
    ]
    one = merged([record_of(row) for row in rows])
    for order in itertools.permutations(rows):
        assert merged([record_of(row) for row in order]) == one
    assert {given.response[7:].partition("<")[0]: given.is_correct for given in one.traces} == {
        "one": True,
        "two": None,
        "three": True,
    }
    assert (one.error_rates["small"].wrong, one.error_rates["small"].attempts) == (8, 16)  # 3 of 8 stands there twice
    assert one.votes == {"33": 3, "": 1}
    assert one.license == "cc0 AND mit"


def test_an_id_that_two_sets_use_for_two_problems_is_no_id(tmp_path: Path) -> None:
    rows = [problem("1", story(n), traces=[trace(f"way {n}")]) for n in range(12)]
    found = built(tmp_path, "--rl", "0", "--probe", "0", "--test", "0", rows=rows)["stage1.jsonl"]
    assert len({row["problem_id"] for row in found}) == 12
    assert "1" not in {row["problem_id"] for row in found}


def test_a_set_of_one_template_is_built_and_said_to_be_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    rows = [problem(f"t{n}", story(1, a=20 + n, b=n)) for n in range(40)]
    found = built(tmp_path, rows=rows)
    assert (len(found["probe.jsonl"]), len(found["test.jsonl"]), len(found["rl-math.jsonl"])) == (4, 4, 32)
    assert "math: too few templates: near copies are in several files" in capfd.readouterr().err


def test_what_cannot_be_built_is_one_line(tmp_path: Path) -> None:
    def failed(*options: str, rows: Sequence[dict[str, Any]]) -> str:
        source = written(tmp_path / "in.jsonl", rows)
        with pytest.raises(EtalonError) as error:
            data("build", str(source), *options)
        return str(error.value)

    out = ("-o", str(tmp_path / "out"))
    two = [solved(1, error_rates=rate(1)["error_rates"] | rate(2, model="large")["error_rates"])]
    assert "--reference: name the model whose error rates count, one of large, small" in failed(*out, rows=two)
    assert "--reference tiny: no record has an error rate of this model; those of large, small are there" in failed(
        *out, "--reference", "tiny", rows=two
    )
    assert "--out: name the folder to write" in failed(rows=two)
    assert "nothing would be kept" in failed(*out, "--error-low", "0.5", "--error-high", "0.5", rows=two)
    useless = [problem("a", story(1), answer=None, traces=[trace("x", correct=False)])]
    assert "nothing is left to write: " in failed(*out, rows=useless)
    assert not (tmp_path / "out" / "manifest.json").exists()
    built(tmp_path, rows=[solved(n) for n in range(12)])
    before = hash_file(tmp_path / "out" / "manifest.json")
    assert "--reference tiny: no record has" in failed(*out, "--reference", "tiny", rows=two)
    assert hash_file(tmp_path / "out" / "manifest.json") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    assert "holds other files" in failed("-o", str(tmp_path / "mine"), rows=two)


# ---- stratify


def tokenizer(folder: Path) -> Path:
    """A model directory's tokenizer that counts words."""
    made = pytest.importorskip("tokenizers")
    words = made.Tokenizer(made.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = made.pre_tokenizers.WhitespaceSplit()
    folder.mkdir()
    words.save(str(folder / "tokenizer.json"))
    return folder


def test_stratify_counts_tokens_and_keeps_what_was_not_measured_apart(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    long = "word " * 1500
    rows = [
        problem("a", story(1), traces=[{"response": long}, {"response": "two words"}], **rate(8)),
        problem("b", story(2), traces=[{"response": long}], **rate(0)),
        problem("c", story(3), traces=[{"response": long}]),
        problem("d", story(4), **rate(4)),
    ]
    out, model = tmp_path / "out.jsonl", tokenizer(tmp_path / "model")
    source = written(tmp_path / "in.jsonl", rows)
    data("stratify", str(source), "-o", str(out), "--tokenizer", str(model))
    assert [one["tokens"] for row in read_jsonl(out) for one in row.get("traces", ())] == [1500, 2, 1500, 1500]
    found = read_json(tmp_path / "out.jsonl.strata.json")
    assert found["model"] == "small"
    cells = {(one["tokens_low"], one["error_low"]): (one["traces"], one["problems"]) for one in found["traces"]}
    assert cells == {(0, 0.75): (1, 1), (1000, 0.75): (1, 1), (1000, 0.0): (1, 1), (1000, None): (1, 1)}
    assert {one["error_low"]: one["problems"] for one in found["problems"]} == {None: 1, 0.0: 1, 0.5: 1, 0.75: 1}
    assert read_json(tmp_path / "out.jsonl.report.json")["step"] == "stratify"
    assert "error rate of small" in capfd.readouterr().out
    data("stratify", str(source), "-o", str(tmp_path / "no.jsonl"))
    assert "4 traces have no count of tokens" in capfd.readouterr().err
    found = read_json(tmp_path / "no.jsonl.strata.json")
    assert (found["uncounted"], found["traces"], len(found["problems"])) == (4, [], 4)


def test_stratify_measures_a_reference_model_and_build_takes_its_rates(tmp_path: Path) -> None:
    """The program is right about the problems of even numbers, and about the others one time in eight."""
    (tmp_path / "weak.py").write_text(
        "def answer(prompt, index, seed):\n"
        "    return '\\\\boxed{33}' if len(prompt) % 2 == 0 or index == 0 else '\\\\boxed{1}'\n"
    )
    rows = [solved(n) for n in range(12)]
    source, out = written(tmp_path / "in.jsonl", rows), tmp_path / "rated.jsonl"
    name = f"{tmp_path / 'weak.py'}:answer"
    options = ["--reference", name, "-n", "8", "--model", "weak"]
    data("stratify", str(source), "-o", str(out), *options)
    rated = {row["id"]: row["error_rates"]["weak"] for row in read_jsonl(out)}
    failed = {row["id"] for row in rows if len(row["prompt"]) % 2}
    assert 0 < len(failed) < 12
    assert rated == {
        row["id"]: {"wrong": 7 if row["id"] in failed else 0, "attempts": 8} for row in rows
    }  # fmt: skip
    assert read_json(tmp_path / "rated.jsonl.strata.json")["model"] == "weak"
    found = built(tmp_path, "--rl", "0", "--probe", "0", "--test", "0", rows=read_jsonl(out))
    assert {row["problem_id"] for row in found["stage2.jsonl"]} == failed


RECIPE = """
name = "built"
threads = 1
jobs = 1
model = { vocabulary = 384, hidden = 32, layers = 1, heads = 2, kv_heads = 1, mlp = 64, max_positions = 1024 }
problems = { files = ["out/rl-math.jsonl"], train = 10, rl = 24, test = 4 }
base = { documents = 32, batch = 16 }
rl = { group_size = 4, prompts_per_step = 4, max_tokens = 8, prefilter_attempts = 4, micro_tokens = 4096 }
eval = { n = 1, k = 1, max_tokens = 8 }
"""


@pytest.mark.torch
@pytest.mark.slow
def test_a_recipe_trains_on_what_was_built(tmp_path: Path) -> None:
    found = built(tmp_path, rows=[row for row in records() if row["domain"] == "math"])
    tuned = shrunk.stage("base", "base") + shrunk.stage(
        "tuned",
        "sft",
        traces=str(tmp_path / "out" / "stage1.jsonl"),
        epochs=1,
        batch=16,
        micro_tokens=4096,
        checkpoints=1,
    )
    recipe = tmp_path / "built.toml"
    recipe.write_text(RECIPE.replace('"out/', f'"{tmp_path}/out/') + tuned + shrunk.stage("rl", "rl", steps=1))
    done = shrunk.etalon("run", recipe, "--run", tmp_path / "run", "--no-preflight")
    assert done.returncode == 0, done.stderr
    assert shrunk.done(tmp_path / "run")["tuned"]["outputs"]["rows"] == len(found["stage1.jsonl"])
