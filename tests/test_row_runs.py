"""A run on rows as people have them: other names of columns, questions alone with a reward, traces of a CSV file."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import shrunk
from etalon.config import load
from etalon.errors import InputError
from etalon.pipeline.graph import graph_of
from etalon.pipeline.stages.sft import _traces_of
from etalon.problems.instructions import with_instruction
from etalon.recipe import ProblemsSpec, Recipe
from etalon.types import Domain

pytestmark = pytest.mark.torch

RECIPE = """
name = "rows"
threads = 1
jobs = 1
model = { vocabulary = 384, hidden = 32, layers = 1, heads = 2, kv_heads = 1, mlp = 64, max_positions = 512 }

[problems]
files = ["questions.csv"]
map = { question = "Frage", response = "Antwort" }
max_bad = 0.05
train = 10
probe = 1
rl = 24
test = 6

[base]
documents = 32
batch = 16

[rl]
group_size = 4
prompts_per_step = 4
max_tokens = 24
prefilter_attempts = 4
micro_tokens = 1024

[eval]
n = 1
k = 1
max_tokens = 16

[[stages]]
name = "base"
kind = "base"

[[stages]]
name = "tuned"
kind = "sft"
traces = "traces.csv"
epochs = 1
batch = 8
micro_tokens = 1024
checkpoints = 1

[[stages]]
name = "taught"
kind = "rl"
steps = 1
reward = "reward.py:score"
"""
REWARD = """
def score(problem, response):
    assert problem.answer is None and problem.prompt.startswith("Was ist ")
    return sum(map(ord, response)) % 2
"""


def written(folder: Path, *, reward: bool = True) -> Path:
    with (folder / "questions.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        table = csv.writer(stream)
        table.writerow(["Frage"])
        table.writerows([f"Was ist {number}\nund {number * number}?"] for number in range(40))
        stream.write('1,"2"\n')  # one bad row
    with (folder / "traces.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["Frage", "Antwort"])
        table.writerows([f"{number}?", f"<think>hm, {number}</think>\\boxed{{{number}}}"] for number in range(20))
    (folder / "reward.py").write_text(REWARD)
    text = RECIPE if reward else RECIPE.replace('reward = "reward.py:score"\n', "")
    (folder / "rows.toml").write_text(text)
    return folder / "rows.toml"


def test_questions_alone_are_trained_on_by_a_reward_and_evaluated_as_undecided(tmp_path: Path) -> None:
    recipe = written(tmp_path)
    done = shrunk.etalon("run", recipe, "--run", tmp_path / "run", "--no-preflight")
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/questions.csv: line 82: found 2 cells, expected 1 as in the header (1 of 41 rows" in done.stderr
    stages = shrunk.done(tmp_path / "run")
    assert stages["tuned"]["outputs"]["rows"] == 20
    assert stages["taught"]["outputs"]["pool"]["prompts"] > 20
    steps = [json.loads(line) for line in (tmp_path / "run/stages/taught/metrics.jsonl").read_text().splitlines()]
    assert len(steps) == 1
    [*_, last] = shrunk.summary(tmp_path / "run")["stages"]
    scores = last["domains"]["math"]
    assert scores["pass1"] is None
    assert scores["undecided_problems"] > 4

    model = tmp_path / "run/stages" / stages["base"]["outputs"]["checkpoint"]
    words = ("--model", model, "--problems", tmp_path / "questions.csv", "--reward", f"{tmp_path}/reward.py:score")
    options = ("--map", "question=Frage", "--max-bad", "0.05", "--steps", "1", "--run", tmp_path / "short", "--dry-run")
    planned = shrunk.etalon("rl", *words, *options)
    assert planned.returncode == 0, planned.stderr
    assert 'map = {question = "Frage"}\nmax_bad = 0.05\n' in (tmp_path / "short.toml").read_text()
    bare = shrunk.etalon("rl", *words, "--run", tmp_path / "bare", "--dry-run")
    assert "question: missing; columns found: Frage" in bare.stderr


def test_problems_that_come_with_solutions_are_traces_to_fine_tune_on(tmp_path: Path) -> None:
    recipe = written(tmp_path)
    made = shrunk.etalon("data", "make", "stories", "--count", 12, "--steps", "1-2", "-o", tmp_path / "stories.jsonl")
    assert made.returncode == 0, made.stderr
    rows = (tmp_path / "stories.jsonl").read_text() + '{"question": "Why?", "answer": "7"}\n'  # and no solution
    (tmp_path / "stories.jsonl").write_text(rows.replace('"question"', '"Frage"'))
    changed = ("--set", f"tuned.traces={tmp_path}/stories.jsonl", "--set", "problems.max_bad=0.1", "--until", "tuned")
    done = shrunk.etalon("run", recipe, "--run", tmp_path / "run", *changed)
    assert done.returncode == 0, done.stderr
    assert "stories.jsonl: line 13: response: missing" in done.stderr
    assert "and no solution came with it (1 of 13 rows" in done.stderr
    assert shrunk.done(tmp_path / "run")["tuned"]["outputs"]["rows"] == 12


def test_a_solution_becomes_a_trace_in_the_form_that_problems_are_asked_for(tmp_path: Path) -> None:
    rows = [
        {"question": "2+2?", "answer": "2 + 2 = 4\n#### 4"},
        {"prompt": "3?", "answer": "3", "domain": "math", "solutions": [" "]},
    ]
    rows += [{"prompt": "5?", "answer": "5", "domain": "mathh", "solutions": ["5, so \\boxed{5}"]}]
    path = tmp_path / "solved.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    recipe = Recipe(problems=ProblemsSpec(max_bad=0.9), prompts="default")
    [trace] = _traces_of(path, "tuned", recipe)
    assert trace.prompt == with_instruction("2+2?", Domain.MATH)
    assert trace.response == "<think>2 + 2 = 4</think>\n\\boxed{4}"
    path.write_text(json.dumps(rows[2]))
    with pytest.raises(InputError, match=r"response: missing.*as a problem with solutions: domain: .*mathh"):
        _traces_of(path, "tuned", recipe)


def test_claims_that_were_made_are_traces_of_both_domains(tmp_path: Path) -> None:
    made = shrunk.etalon("data", "make", "claims", "--count", 30, "-o", tmp_path / "claims.jsonl")
    assert made.returncode == 0, made.stderr
    traces = _traces_of(tmp_path / "claims.jsonl", "form", Recipe())
    assert len({trace.prompt for trace in traces}) == 30
    assert {trace.domain for trace in traces} == {Domain.MATH, Domain.CLAIMS}
    assert all((trace.domain is Domain.CLAIMS) == ("<verdicts>" in trace.response) for trace in traces)


def test_traces_of_the_problem_file_hold_none_of_its_held_out_problems(tmp_path: Path) -> None:
    recipe = written(tmp_path, reward=False)
    stories = tmp_path / "stories.jsonl"
    made = shrunk.etalon("data", "make", "stories", "--count", 40, "--steps", "1-3", "-o", stories)
    assert made.returncode == 0, made.stderr
    changed = (f'problems.files=["{stories}"]', "problems.map={}", f"tuned.traces={stories}")
    sets = [word for one in changed for word in ("--set", one)]
    done = shrunk.etalon("run", recipe, "--run", tmp_path / "run", *sets, "--until", "tuned")
    assert done.returncode == 0, done.stderr
    [gate] = json.loads((tmp_path / "run/stages/tuned/gates.json").read_text())
    held_out = (tmp_path / "run/stages/problems/test.jsonl").read_text().splitlines()
    assert gate["dropped"] >= len(held_out) > 0
    assert shrunk.done(tmp_path / "run")["tuned"]["outputs"]["rows"] == 40 - gate["dropped"]


def test_without_a_reward_questions_alone_are_an_error_that_says_what_would_do(tmp_path: Path) -> None:
    failed = shrunk.etalon("run", written(tmp_path, reward=False), "--run", tmp_path / "run")
    assert failed.returncode == 2
    [line] = [line for line in failed.stderr.splitlines() if line.startswith("etalon: ")]
    assert "questions.csv: line 2: answer: missing; columns found: question (none of 41 rows can be read)" in line
    assert line.endswith("questions alone do where an rl stage has a `reward` of your own")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("problems.map.anwser=x", "problems.map: anwser: unknown field; did you mean 'answer'?"),
        ("problems.max_bad=2", "problems.max_bad: must be at most 1, found 2"),
        ("problems.max_bad=0", "line 82: found 2 cells, expected 1 as in the header (1 of 41 rows cannot be read"),
        ("tuned.traces=reward.py", "tuned.traces: "),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, override: str, told: str) -> None:
    failed = shrunk.etalon("run", written(tmp_path), "--run", tmp_path / "run", "--set", override, "--no-preflight")
    assert failed.returncode == 2
    [line] = [line for line in failed.stderr.splitlines() if line.startswith("etalon: ")]
    assert told in line


def test_a_forecast_goes_by_the_length_of_the_traces_in_the_file(tmp_path: Path) -> None:
    recipe = written(tmp_path)
    costs = []
    for words in (1, 400):
        rows = [{"prompt": "Say it.", "response": "it " * words}] * 10
        (tmp_path / "own.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        graph = graph_of(load(recipe, (f"tuned.traces={tmp_path}/own.jsonl",)).resolved())
        costs.append(graph.by_name["tuned"].cost.trained)
    assert costs[0] == 10 * (60 + (len("Say it.") + 3) / 3)
    assert costs[1] == pytest.approx(costs[0] + 10 * 399)
