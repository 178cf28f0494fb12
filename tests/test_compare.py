"""`etalon compare`: what two runs or evaluations share, problem by problem, and what made them differ."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import shrunk
from conftest import Finished
from etalon import config, stats
from etalon.cli import app
from etalon.errors import EtalonError, InputError
from etalon.evaluate import Evaluation, Task, evaluate, store
from etalon.problems.clusters import read_clusters
from etalon.report.several.cells import shortened
from etalon.report.several.paired import compare, differences, paired
from etalon.show.progress import Progress
from etalon.types import Conversation, Domain, Problem, Rollout, SamplingParams, Stop

STAGE_KEYS = ["name", "domain", "a", "b", "difference", "low", "high", "problems", "seconds_a", "seconds_b"]


def shown(*arguments: str | Path) -> tuple[str, str]:
    """What `etalon compare` prints, and what it says beside it."""
    result = CliRunner().invoke(app, ["compare", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def means(run: Path, stage: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads((shrunk.stage_dir(run, f"eval-{stage}") / "means.json").read_text())
    return found


def changed_copy(run: Path, target: Path) -> Path:
    """What is compared of a run, to be changed."""
    shutil.copytree(
        run, target, ignore=shutil.ignore_patterns("checkpoint*", "*rollouts*", "pool.jsonl", "traces.jsonl")
    )
    return target


# ---- runs


@pytest.mark.torch
def test_stages_of_one_name_are_paired_by_problem(finished: Finished, branched: Finished) -> None:
    record = json.loads(shown(finished.run, branched.run, "--format", "json")[0])
    assert list(record) == ["stages", "differs"]
    assert all(list(row) == STAGE_KEYS for row in record["stages"])
    names = list(dict.fromkeys(row["name"] for row in record["stages"]))
    assert names == [stage["name"] for stage in shrunk.summary(finished.run)["stages"]]
    done = [shrunk.done(run) for run in (finished.run, branched.run)]
    before, after = means(finished.run, "instruct"), means(branched.run, "instruct")
    clusters = read_clusters(finished.run / "stages" / "problems")
    rows = {row["domain"]: row for row in record["stages"] if row["name"] == "instruct"}
    assert list(rows) == list(before) == ["math", "code", "stem", "instruct", "claims"]
    for domain, row in rows.items():
        expected = stats.paired_difference(before[domain], after[domain], clusters=clusters)
        assert (row["difference"], row["low"], row["high"]) == (expected.mean, expected.low, expected.high)
        assert row["a"] == pytest.approx(sum(before[domain].values()) / 8)
        assert row["b"] - row["a"] == pytest.approx(row["difference"])
        assert row["problems"] == 8
        assert (row["seconds_a"], row["seconds_b"]) == tuple(one["instruct"]["seconds"] for one in done)


@pytest.mark.torch
def test_a_stage_that_both_share_differs_by_nothing(finished: Finished, branched: Finished) -> None:
    record = compare(finished.run, branched.run).record()
    shared = [row for row in record["stages"] if row["name"] != "instruct"]
    assert len(shared) == 50
    for row in shared:
        assert (row["a"], row["difference"], row["low"], row["high"]) == (row["b"], 0.0, 0.0, 0.0)
    table, _ = shown(finished.run, branched.run)
    assert table.count("same in both") == 10


@pytest.mark.torch
def test_weights_that_did_not_change_have_the_numbers_of_those_they_are(branched: Finished, tmp_path: Path) -> None:
    named = {s["name"]: s["as"] for s in shrunk.summary(branched.run)["stages"] if "as" in s}
    name = "rl-none"
    same = named[name]
    lines = compare(branched.run, changed_copy(branched.run, tmp_path / "copy")).lines
    numbers = {one: [(row.domain, row.a, row.problems) for row in lines if row.name == one] for one in (name, same)}
    assert numbers[name] == numbers[same] != []


@pytest.mark.torch
def test_what_differs_in_the_recipes_is_told(finished: Finished, branched: Finished) -> None:
    assert compare(finished.run, branched.run).differs == {
        "instruct.gamma": (1.0, 0),
        "instruct.steps": (4, 3),
        "rl-stem-plain": (
            None, {"kind": "rl", "from": "rl-code", "domains": ["stem"], "gamma": 0.0, "steps": 2},
        ),
        "rl-none": (None, {"kind": "rl", "steps": 0}),
    }  # fmt: skip
    table, _ = shown(finished.run, branched.run)
    assert re.search(r"instruct\.gamma +1\.0 +0 *\n", table)
    assert re.search(r'rl-none +– +kind = "rl", steps = 0', table)
    assert max(map(len, table.splitlines())) <= 100


@pytest.mark.torch
def test_a_stage_that_starts_elsewhere_differs_by_its_from(branched: Finished, tmp_path: Path) -> None:
    other = changed_copy(branched.run, tmp_path / "other")
    inputs = other / "stages" / "rl-stem-plain" / "inputs.json"
    inputs.write_text(json.dumps(json.loads(inputs.read_text()) | {"from": "rl-math"}))
    assert compare(branched.run, other).differs == {"rl-stem-plain.from": ("rl-code", "rl-math")}


@pytest.mark.torch
def test_every_format_has_the_same_numbers(finished: Finished, branched: Finished) -> None:
    record = compare(finished.run, branched.run).record()
    table, _ = shown(finished.run, branched.run, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in record["stages"]] == rows
    markdown, _ = shown(finished.run, branched.run, "--format", "md")
    cells = [line[2:-2].split(" | ") for line in markdown.splitlines() if line.startswith("|")]
    by_name = {row[0]: row for row in cells if row[0]}
    last = next(row for row in record["stages"] if row["name"] == "instruct")
    assert by_name["instruct"][1:4] == ["math", f"{100 * last['a']:.1f}", f"{100 * last['b']:.1f}"]
    assert by_name["instruct.gamma"] == ["instruct.gamma", "1.0", "0"]
    assert f"A: {finished.run}, B: {branched.run}." in markdown


@pytest.mark.torch
def test_other_problems_are_said_to_be_others(finished: Finished, tmp_path: Path) -> None:
    other = changed_copy(finished.run, tmp_path / "other")
    path = other / "stages" / "eval-rl-code" / "means.json"
    found = json.loads(path.read_text())
    found["code"] = {f"{problem} anew": mean for problem, mean in found["code"].items()}
    found["stem"] = dict(list(found["stem"].items())[:3])
    path.write_text(json.dumps(found))
    done = other / "stages" / "eval-rl-code" / "DONE.json"
    done.write_text(json.dumps(json.loads(done.read_text()) | {"key": "another"}))
    output, errors = shown(finished.run, other, "--format", "json")
    assert errors == "no problem in common: rl-code code\n"
    rows = {row["domain"]: row for row in json.loads(output)["stages"] if row["name"] == "rl-code"}
    assert (rows["code"]["problems"], rows["code"]["difference"], rows["code"]["a"]) == (0, None, None)
    assert rows["stem"]["problems"] == 3
    assert rows["math"]["problems"] == 8


@pytest.mark.torch
def test_an_unfinished_run_is_compared_as_far_as_it_is(finished: Finished, tmp_path: Path) -> None:
    other = changed_copy(finished.run, tmp_path / "other")
    (other / "summary.json").unlink()
    for path in (other / "stages").glob("eval-*"):
        if path.name != "eval-base":
            shutil.rmtree(path)
    assert {one.name for one in compare(finished.run, other).lines} == {"base"}
    shutil.rmtree(other / "stages" / "eval-base")
    result = CliRunner().invoke(app, ["compare", str(finished.run), str(other)])
    assert str(result.exception) == "nothing to pair: no stage of one name was evaluated in both"


@pytest.mark.torch
def test_what_is_no_run_is_an_error_of_the_user(finished: Finished, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such directory"):
        compare(finished.run, tmp_path / "nowhere")
    with pytest.raises(InputError, match="is no run directory"):
        compare(tmp_path, finished.run)
    (tmp_path / "evaluation.json").write_text("{}")
    with pytest.raises(InputError, match="one is a run, the other an evaluation"):
        compare(finished.run, tmp_path)
    torn = changed_copy(finished.run, tmp_path / "torn")
    (torn / "resolved.toml").write_text("name = 'x'\n")
    with pytest.raises(InputError, match=r"resolved\.toml: lists no stages"):
        compare(finished.run, torn)
    code = shrunk.etalon("compare", finished.run, tmp_path / "nowhere")
    assert (code.returncode, code.stdout) == (2, "")
    assert code.stderr.startswith("etalon: ")
    assert code.stderr.count("\n") == 1


# ---- recipes


def resolved(folder: Path, *overrides: str) -> dict[str, Any]:
    """The shrunk recipe with overrides, as a run keeps it."""
    return tomllib.loads(config.to_toml(config.load(shrunk.write_recipe(folder), overrides).resolved()))


@pytest.mark.parametrize(
    ("override", "differing"),
    [
        ("seed=3", {"seed": (0, 3)}),
        ("rl.gamma=0", {"rl.gamma": (1.0, 0.0)}),
        ("rl-math.steps=9", {"rl-math.steps": (4, 9)}),  # which the stage had from its kind's table
        ("rl-code.steps=9", {"rl-code.steps": (10, 9)}),
        ("rl-long2short.lambda=0.1", {"rl-long2short.lambda": (0.2, 0.1)}),
        ("rl-math.gamma=1.0", {}),
        ("sft.optim.lr=1e-3", {"sft.optim.lr": (3e-3, 1e-3)}),
        ("sft-broad.optim.lr=1e-3", {"sft-broad.optim.lr": (3e-3, 1e-3)}),
        ("distill.epochs=2", {"distill.epochs": (1, 2)}),  # a table and a stage of one name
        ('rl-stem.domains=["stem", "math"]', {"rl-stem.domains": (["stem"], ["stem", "math"])}),
    ],
)
def test_a_knob_is_named_where_it_was_turned(
    tmp_path: Path, override: str, differing: dict[str, tuple[object, object]]
) -> None:
    assert differences(resolved(tmp_path), resolved(tmp_path, override)) == differing


def test_one_problem_has_a_difference_and_no_interval() -> None:
    found = paired("rl-math", "math", {"p": 0.25, "only in a": 1.0}, {"p": 0.75})
    assert (found.a, found.b, found.difference, found.low, found.high, found.problems) == (
        0.25,
        0.75,
        0.5,
        None,
        None,
        1,
    )
    assert not found.is_clear


# ---- evaluations


class Adder:
    """Right about sums up to a limit."""

    name = "adder"

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        for index, conversation in enumerate(conversations):
            number = int(conversation[-1].content.split()[2])
            text = f"\\boxed{{{2 * number if number <= self.limit else 0}}}"
            yield (
                index,
                tuple(Rollout(problem_id="", index=i, text=text, stop=Stop.EOS, num_tokens=3) for i in range(n)),
            )


def evaluated(out: Path, limit: int, *, name: str = "sums", count: int = 8, first: int = 1) -> Path:
    """An evaluation of the sums from `first` on."""
    numbers = range(first, first + count)
    problems = [
        Problem(id=str(i), domain=Domain.MATH, prompt=f"What is {i} + {i}?", answer=str(2 * i)) for i in numbers
    ]
    task = Task(name=name, problems=problems, n=2, params=SamplingParams(max_tokens=None), of=count)
    evaluate(
        Evaluation(model=out.name, identity={"served": out.name}), [task], Adder(limit), progress=Progress(), out=out
    )
    return out


@pytest.mark.live
def test_two_evaluations_are_paired_by_problem(tmp_path: Path) -> None:
    weak, strong = evaluated(tmp_path / "weak", 2), evaluated(tmp_path / "strong", 7)
    output, errors = shown(weak, strong, "--format", "json")
    record = json.loads(output)
    assert errors == ""
    [row] = record["benchmarks"]
    assert [row[key] for key in ("name", "a", "b", "difference", "problems")] == ["sums", 0.25, 0.875, 0.625, 8]
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert (row["better"], row["worse"]) == (5, 0)
    assert row["moved"][0] == {"id": "3", "a": 0.0, "b": 1.0}
    assert row["protocol"]["truncated"] == [0.0, 0.0]
    assert record["differs"] == {"model.served": ["weak", "strong"], "name": ["weak", "strong"]}
    table, _ = shown(weak, strong)
    a, b = stats.share_interval([1.0] * 2 + [0.0] * 6), stats.share_interval([1.0] * 7 + [0.0])
    assert [row[key] for key in ("a_low", "a_high", "b_low", "b_high")] == [a.low, a.high, b.low, b.high]
    assert re.search(r"sums +25\.0 \[\d.*\] +87\.5 \[.*\] +\+62\.5 \[\+\d+\.\d, \+\d+\.\d\] \* +8", table)
    moved = table[table.index("Moved most") :]
    assert re.search(r"sums +3 +0\.0 +100\.0 +\+100\.0 *\n +4 +0\.0", moved)
    assert moved.count("+100.0") == 5
    assert "sums: max_tokens  the model's maximum" in table
    [line] = list(csv.DictReader(io.StringIO(shown(weak, strong, "--format", "csv")[0])))
    assert (line["name"], line["difference"], line["worse"]) == ("sums", "0.625", "0")
    assert [line[f"{name}_{side}"] for name in ("name", "n", "truncated") for side in "ab"] == [
        str(weak), str(strong), "2", "2", "0.0", "0.0",
    ]  # fmt: skip


def test_evaluations_of_other_problems_and_those_with_gaps_are_not_compared(tmp_path: Path) -> None:
    one, other = evaluated(tmp_path / "one", 2), evaluated(tmp_path / "other", 2, first=100)
    with pytest.raises(InputError, match="nothing to compare: no problem is in both"):
        compare(one, other)
    renamed = evaluated(tmp_path / "renamed", 7, name="totals")  # each has one benchmark, and the same problems
    [line] = compare(one, renamed).lines
    assert (line.name, line.problems) == ("sums / totals", 8)
    path = store.scores_path(renamed, "totals")
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row | {"score": None} if row["id"] == "3" else row) + "\n" for row in rows))
    result = CliRunner().invoke(app, ["compare", str(one), str(renamed)])
    assert isinstance(result.exception, InputError)
    assert "renamed: 0 failed, 2 undecided of 16 samples: more than 1%" in str(result.exception)


def test_what_only_one_side_has_is_no_difference_and_what_nobody_knows_no_zero(tmp_path: Path) -> None:
    one, other = evaluated(tmp_path / "one", 2), evaluated(tmp_path / "other", 7)
    evaluated(tmp_path / "one", 2, name="alone")
    markers = [json.loads((side / store.MARKER).read_text()) for side in (one, other)]
    markers[0]["told"] = {"clr": {"k": 4, "m": 5}}
    markers[1]["benchmarks"]["sums"]["knows_cuts"] = False
    for side, marker in zip((one, other), markers, strict=True):
        (side / store.MARKER).write_text(json.dumps(marker))
    record = compare(one, other).record()
    assert record["differs"].keys() == {"model.served", "name"}
    assert record["benchmarks"][0]["protocol"] == {
        "n": (2, 2), "score": ("CLR@2, K = 4, M = 5", "avg@2"), "max_tokens": (None, None), "truncated": (0.0, None),
    }  # fmt: skip
    table, _ = shown(one, other)
    assert re.search(r"25\.0 \[.*\] CLR +87\.5 \[[\d., ]+\] +\+", table)
    assert re.search(r"sums: truncated +0\.0% +not told", table)
    assert (
        shortened("2504.1234567890abcdef-12-and-a-long-name-of-a-problem") == "2504.1234567890abcd…g-name-of-a-problem"
    )


@pytest.mark.live
def test_what_is_said_of_a_log_names_the_log(tmp_path: Path) -> None:
    def refusal(*paths: Path) -> str:
        result = CliRunner().invoke(app, ["compare", *map(str, paths)])
        assert isinstance(result.exception, EtalonError)
        return str(result.exception)

    sums = evaluated(tmp_path / "sums", 2)
    judged = Path(__file__).parent / "logs" / "ojbench" / "judged.jsonl"
    decided, open_ = tmp_path / "decided.jsonl", tmp_path / "open.jsonl"
    lines = judged.read_text().splitlines(keepends=True)
    decided.write_text("".join(lines[:4]))
    open_.write_text("".join(lines[4:]))
    assert refusal(sums, decided) == f"nothing to compare: no problem is in both ({sums}: sums; {decided}: ojbench)"
    assert refusal(open_, sums).startswith(f"{open_}: nothing was scored: ojbench: 2 of 2 problems undecided")
    assert f"{judged}: 0 failed, 1 undecided, 4 not there of 10 samples" in refusal(judged, judged)
