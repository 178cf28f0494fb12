"""RL on a model that was brought: the look at it before, own rewards, judges, several domains, and nothing to learn."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import shrunk
from conftest import Finished

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from etalon import cli, config  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.pipeline.graph import graph_of  # noqa: E402
from etalon.pipeline.stage import Work  # noqa: E402
from etalon.pipeline.stages.preflight import PROMPTS, ROLLOUTS  # noqa: E402
from etalon.store import read_jsonl  # noqa: E402
from tiny_models import tiny_language_model  # noqa: E402

TABLES = """
name = "alone"
threads = 1
jobs = 1
problems = { train = 8, probe = 2, rl = 24, test = 4, open = 24 }
eval = { after = [], n = 2, k = 2, max_tokens = 16 }

[rl]
group_size = 4
prompts_per_step = 4
max_tokens = 24
prefilter_attempts = 4
micro_tokens = 1024
steps = 2
lr = 5e-4
"""

REWARD = r'''
def even(problem, response):
    """All for the right answer in a box, half for an even number of letters."""
    if f"\\boxed{{{problem.answer}}}" in response:
        return 1.0
    return 0.5 if len(response) % 2 == 0 else 0


def broken(problem, response):
    if any(letter.isdigit() for letter in response):
        raise RuntimeError("nobody thought of digits")
    return 0


def talks(problem, response):
    return "good"
'''


def recipe(folder: Path, base: Path, stages: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "mine.py").write_text(REWARD)
    path = folder / "alone.toml"
    path.write_text(f'{TABLES}\n[model]\nbase = "{base}"\n{stages}')
    return path


def stage(name: str, **keys: Any) -> str:
    return shrunk.stage(name, "rl", **keys)


Etalon = Callable[..., CompletedProcess[str]]


@pytest.fixture
def etalon(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Etalon:
    """A command line in this process."""

    def call(*arguments: str | Path) -> CompletedProcess[str]:
        words = [str(argument) for argument in arguments]
        monkeypatch.setattr(sys, "argv", ["etalon", *words])
        code = cli.main()
        printed = capsys.readouterr()
        return CompletedProcess(words, code, printed.out, printed.err)

    return call


def last_line(printed: CompletedProcess[str]) -> str:
    assert printed.returncode == 2, printed.stderr
    assert printed.stderr.count("etalon: ") == 1
    return printed.stderr.splitlines()[-1].removeprefix("etalon: ")


@pytest.fixture
def fluent(finished: Finished) -> Path:
    """A model that answers in the form of the nano world, mostly wrongly."""
    return shrunk.checkpoint(finished.run, "sft-broad")


@pytest.fixture
def random_model(tmp_path: Path) -> Path:
    """One that has learned nothing."""
    return loader.save(tiny_language_model(max_position_embeddings=256), tmp_path / "random")


def record(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "stages" / "preflight" / "preflight.json").read_text())
    return found


def reasons(rows: list[dict[str, Any]], domain: str) -> Counter[str]:
    found = [one["reason"] for row in rows if row["problem_id"].startswith(domain) for one in row["rollouts"]]
    return Counter(reason.partition(":")[0] for reason in found)


def test_own_rewards_a_judge_and_several_domains_train_a_brought_model(
    fluent: Path, tmp_path: Path, etalon: Etalon
) -> None:
    stages = stage("own", domains=["math", "code"], reward="mine.py:even", general=0.25)
    stages += stage("open", domains=["instruct"], judge="nano", shares={"rules": 0.5, "rubric": 0.5}).replace(
        ": ", " = "
    )
    path, run = recipe(tmp_path, fluent, stages), tmp_path / "run"
    printed = etalon("run", path, "--run", run)
    assert printed.returncode == 0, printed.stderr

    assert (
        "own: MGPO on math and code, mixed with the other domains, by a reward of your own (section 2.2)"
        in printed.stderr
    )
    pool = read_jsonl(run / "stages" / "own" / "pool.jsonl")
    domains = Counter(row["problem_id"].partition("-")[0] for row in pool)
    assert (domains["math"], domains["code"]) == (24, 24)
    assert domains.total() == 64  # 16 of the others are a quarter of all
    assert set(domains) <= {"math", "code", "stem", "instruct", "claims"}
    for domain in ("math", "code"):
        assert set(reasons(pool, domain)) <= {"reward", "truncated"}
    assert "reward" not in reasons(pool, "stem") + reasons(pool, "claims")
    scores = {one["score"] for row in pool for one in row["rollouts"]}
    assert 0.5 in scores
    steps = read_jsonl(run / "stages" / "own" / "metrics.jsonl")
    assert max(step["grad_norm"] for step in steps) > 0

    done = shrunk.done(run)["open"]["outputs"]
    pool = read_jsonl(run / "stages" / "open" / "pool.jsonl")
    assert len(pool) == 48  # 24 with rules alone, 24 with a rubric
    assert reasons(pool, "")["judge"] > 0
    assert not reasons(pool, "")["needs_judge"]
    for where in ("prefilter", "steps"):
        judge = done["judge"][where]
        assert judge["questions"] > 0
        assert judge["undecided"] == 0
        assert judge["calls"] >= judge["questions"]
    assert read_jsonl(run / "stages" / "open" / "metrics.jsonl")[-1]["judge"] == done["judge"]["steps"]
    assert "  judge nano: prefilter: " in printed.stderr

    rows = shrunk.summary(run)["stages"]
    assert [(row["name"], row["kind"], row["from"], row["domains"]) for row in rows] == [
        ("base", "base", None, {}), ("own", "rl", "base", {}), ("open", "rl", "own", {})
    ]  # fmt: skip
    assert not shrunk.weights(run, "own").keys() ^ shrunk.weights(run, "open").keys()
    marks = shrunk.finished_at(run)
    assert marks.keys() == {"problems", "base", "preflight", "own", "open"}
    assert etalon("run", path, "--run", run).returncode == 0
    assert shrunk.finished_at(run) == marks


def test_the_look_before_records_shares_that_add_up_rates_and_a_forecast(
    fluent: Path, tmp_path: Path, etalon: Etalon
) -> None:
    path, run = recipe(tmp_path, fluent, stage("own", reward="mine.py:even", steps=50)), tmp_path / "run"
    printed = etalon("run", path, "--run", run, "--until", "preflight")
    assert printed.returncode == 0, printed.stderr
    found = record(run)
    assert (found["prompts"], found["rollouts"]) == (PROMPTS, PROMPTS * ROLLOUTS)
    names = ("right", "partial", "wrong", "no_answer", "truncated", "undecided")
    assert sum(found[name] for name in names) == pytest.approx(1)
    assert found["partial"] > 0
    assert 0 < found["usable"] <= PROMPTS
    assert found["sampled_per_second"] > 0
    assert found["trained_per_second"] > 0
    assert 1 < found["prompt_tokens"] < 300
    lines = [line.strip() for line in printed.stderr.splitlines()]
    for name, words in zip(
        names, ("right", "partly right", "wrong", "no answer", "truncated", "undecided"), strict=True
    ):
        [line] = [line for line in lines if line.startswith(f"{words} ")]
        assert line.endswith(f" {round(found[name] * 64)} of 64")
    [line] = [line for line in lines if line.startswith("usable")]
    assert f"{found['usable']} of 16 prompts" in line
    forecast = lines.index(next(line for line in lines if line.startswith("forecast for this machine")))
    assert [line.split()[0] for line in lines[forecast + 1 :] if line][:1] == ["own"]
    assert any(line.startswith("peak memory about ") for line in lines[forecast:])
    assert shrunk.done(run).keys() == {"problems", "base", "preflight"}
    planned = etalon("run", path, "--run", run, "--dry-run")  # which knows the rates from here on
    assert "forecast for this machine" in planned.stdout
    again = etalon("run", path, "--run", run, "--dry-run", "--set", "own.max_tokens=16")
    assert "forecast for this machine" not in again.stdout  # they were measured in another window


def test_where_nothing_can_be_learned_the_run_stops_before_training_and_no_preflight_goes_on(
    random_model: Path, tmp_path: Path, etalon: Etalon
) -> None:
    path, run = recipe(tmp_path, random_model, stage("hopeless", domains=["math"])), tmp_path / "run"
    for _ in range(2):  # and says the same when it is asked again
        line = last_line(etalon("run", path, "--run", run))
        assert line.startswith("preflight: none of 8 prompts x 4 has an accuracy strictly between 0 and 1 (0% right, ")
        assert ", so hopeless has nothing to learn from; " in line
        assert (
            "% were cut at 24 tokens: raise hopeless.max_tokens, or ask for shorter answers with model.system" in line
        )
        assert line.endswith("; --no-preflight goes on all the same")
    assert shrunk.done(run).keys() == {"problems", "base"}
    assert not (run / "summary.json").exists()

    went_on = etalon("run", path, "--run", run, "--no-preflight", "--set", "eval.after=all")
    assert went_on.returncode == 0, went_on.stderr
    assert "hopeless.max_tokens" in went_on.stderr  # the advice all the same
    [base, hopeless] = shrunk.summary(run)["stages"]
    assert hopeless["skipped"].startswith("none of 24 prompts has an accuracy strictly between 0 and 1 (0% right, ")
    assert (hopeless["as"], hopeless["domains"]) == ("base", base["domains"])
    [row] = [text for text in went_on.stdout.splitlines() if text.startswith(" hopeless ")]
    assert row.split()[:4] == ["hopeless", "-", "-", "-"]
    assert "as base" in row


def test_a_stage_that_finds_nothing_to_learn_ends_the_run_unless_it_is_told_to_go_on(
    fluent: Path, tmp_path: Path, etalon: Etalon
) -> None:
    stages = stage("fine", reward="mine.py:even", steps=0) + stage("short", domains=["math"], max_tokens=1)
    path, run = recipe(tmp_path, fluent, stages), tmp_path / "run"
    line = last_line(etalon("run", path, "--run", run))
    assert line.startswith("short: none of 24 prompts has an accuracy strictly between 0 and 1 (0% right, 0% wrong, ")
    assert "% were cut at 1 tokens: raise short.max_tokens" in line
    assert line.endswith("--no-preflight, or short.when_empty = 'skip', goes on without it")
    assert not (run / "stages" / "short" / "DONE.json").exists()
    sampled = (run / "stages" / "short" / "pool.jsonl").stat().st_mtime_ns
    told = etalon("run", path, "--run", run, "--set", "short.when_empty=skip")
    assert told.returncode == 0, told.stderr
    assert (run / "stages" / "short" / "pool.jsonl").stat().st_mtime_ns == sampled  # nothing was sampled again
    rows = {row["name"]: row for row in shrunk.summary(run)["stages"]}
    assert rows["fine"]["skipped"] == "it has 0 steps"
    assert rows["short"]["skipped"].startswith("none of 24 prompts has an accuracy")


@pytest.mark.parametrize(
    ("reward", "reason"),
    [
        ("broken", "reward_raised: RuntimeError: nobody thought of digits"),
        ("talks", "reward_no_number: it returned a str, expected a number from 0 to 1"),
    ],
)
def test_a_reward_that_decides_too_little_ends_the_run_before_training_and_a_mended_one_goes_on(
    fluent: Path, tmp_path: Path, etalon: Etalon, reward: str, reason: str
) -> None:
    path, run = (
        recipe(tmp_path, fluent, stage("own", domains=["math"], reward=f"mine.py:{reward}", steps=1)),
        tmp_path / "run",
    )
    line = last_line(etalon("run", path, "--run", run))
    assert line.startswith("own.reward: ")
    assert f" of 32 responses have no verdict, more than 20%: {reason}; mend it and run the same" in line
    assert shrunk.done(run).keys() == {"problems", "base"}
    mended = etalon("run", path, "--run", run, "--set", f"own.reward={path.parent}/mine.py:even")
    assert mended.returncode == 0, mended.stderr
    assert "own" in shrunk.done(run)


def test_prompts_of_a_phase_are_its_own_domains_and_a_share_of_the_others(fluent: Path, tmp_path: Path) -> None:
    stages = stage("one", domains=["math"]) + stage("mixed", domains=["math"], general=0.5) + stage("every")
    stages += stage("sorts", domains=["instruct"], shares={"rubric": 1.0})
    stages += stage("none", domains=["math"], shares={"rubric": 1.0})
    recipe_ = config.load(recipe(tmp_path, fluent, stages)).resolved()
    graph = graph_of(recipe_)
    directories = graph.directories(tmp_path / "run")
    first = graph.by_name["problems"]
    directories["problems"].mkdir(parents=True)
    first.run(Work(recipe=recipe_, stage=first, directories=directories))

    def prompts(name: str) -> list[Any]:
        node: Any = graph.by_name[name]
        return list(node.prompts(Work(recipe=recipe_, stage=node, directories=directories)))

    counts = {name: Counter(str(p.domain) for p in prompts(name)) for name in ("one", "mixed", "every", "sorts")}
    assert counts["one"] == {"math": 24}
    assert counts["mixed"]["math"] == 24
    assert counts["mixed"].total() == 48
    assert counts["every"] == {"math": 24, "code": 24, "stem": 24, "instruct": 48, "claims": 24}
    assert counts["sorts"] == {"instruct": 24}
    assert all(p.rubric for p in prompts("sorts"))
    assert len({p.id for p in prompts("mixed")}) == 48
    assert [p.id for p in prompts("mixed")[:24]] == [p.id for p in prompts("one")]
    assert prompts("none") == []


def test_a_phase_without_a_prefilter_keeps_every_prompt_and_one_with_a_budget_says_where_it_ended(
    fluent: Path, tmp_path: Path, etalon: Etalon
) -> None:
    path = recipe(tmp_path, fluent, stage("all", domains=["math"], prefilter_attempts=0, tokens=1, steps=5))
    run = tmp_path / "run"
    printed = etalon("run", path, "--run", run)
    assert printed.returncode == 0, printed.stderr
    folder = shrunk.stage_dir(run, "all")
    kept = json.loads((folder / "pool.json").read_text())
    assert kept == {
        "prompts": 24, "kept": 24, "all_wrong": None, "all_right": None, "undecided": None, "accuracies": []
    }  # fmt: skip
    assert not (folder / "pool.jsonl").exists()
    assert "  prompts 24, kept 24: prefilter_attempts is 0, so every prompt stays" in printed.stderr
    [step] = read_jsonl(folder / "metrics.jsonl")
    outputs = shrunk.done(run)["all"]["outputs"]
    spent = sum(r["tokens"] for group in read_jsonl(folder / "rollouts.jsonl") for r in group["rollouts"])
    assert (outputs["steps"], outputs["sampled_tokens"], step["step"]) == (1, spent, 1)
    assert f"  1 of at most 5 steps: {spent} sampled tokens reach the 1 of all.tokens" in printed.stderr
    page = (run / "report.html").read_text()
    assert "24 of 24 prompts kept" in page
    assert "no prefilter" in page
    assert "all wrong" not in page
    costs = [graph_of(config.load(path, [f"all.{key}"])).by_name["all"].cost for key in ("tokens=0", "tokens=1")]
    assert [cost.steps for cost in costs] == [5, 1]
    assert costs[0].sampled == 5 * costs[1].sampled, "nothing is sampled but in the steps"
