"""The whole of HumanEval: its own solutions pass, as functions and as programs, and broken ones do not."""

import ast
import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from etalon.problems.formats import Reading, humaneval
from etalon.types import Domain, Problem
from etalon.verifiers import verify

FILE = Path(__file__).resolve().parents[2] / "shared" / "benchmarks" / "humaneval.jsonl.gz"
pytestmark = [pytest.mark.live, pytest.mark.skipif(not FILE.is_file(), reason="needs ../shared/benchmarks")]
NUM_PROBLEMS = 164


@pytest.fixture(scope="module")
def rows():
    with gzip.open(FILE, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    assert len(rows) == NUM_PROBLEMS
    return rows


def scores(problems, programs):
    with ThreadPoolExecutor(2) as threads:
        verdicts = list(threads.map(verify, problems, [f"````python\n{program}\n````" for program in programs]))
    return {problem.id: verdict for problem, verdict in zip(problems, verdicts, strict=True)}


def problem(row):
    return humaneval.read(row, Reading())


def test_every_solution_passes(rows):
    found = scores(list(map(problem, rows)), [row["prompt"] + row["canonical_solution"] for row in rows])
    assert {name: verdict.reason for name, verdict in found.items() if verdict.score != 1.0} == {}


def test_no_empty_body_passes(rows):
    found = scores(list(map(problem, rows)), [row["prompt"] + "    return None\n" for row in rows])
    assert {name: verdict.reason for name, verdict in found.items() if verdict.score != 0.0} == {}


def literal_cases(row):
    """Arguments and results of the assertions that compare a call with a literal, where JSON has a form for both."""
    cases = []
    for node in ast.walk(ast.parse(row["test"])):
        match node:
            case ast.Assert(
                test=ast.Compare(
                    left=ast.Call(func=ast.Name(id="candidate"), args=arguments, keywords=[]),
                    ops=[ast.Eq()],
                    comparators=[expected],
                )
            ):
                try:
                    case = [ast.literal_eval(argument) for argument in arguments], ast.literal_eval(expected)
                    if json.loads(json.dumps(case)) == list(case):
                        cases.append(case)
                except (ValueError, TypeError):
                    continue
    return cases


def test_every_solution_passes_as_a_program_on_standard_input(rows):
    problems, programs = [], []
    for row in rows:
        cases = literal_cases(row)
        if cases:
            tests = {
                "inputs": [json.dumps(arguments) for arguments, _ in cases],
                "outputs": [json.dumps(expected) for _, expected in cases],
                "fn_name": None,
            }
            main = f"\n\nimport json\nprint(json.dumps({row['entry_point']}(*json.loads(input()))))\n"
            problems.append(Problem(id=row["task_id"], domain=Domain.CODE, prompt="", tests=tests))
            programs.append(row["prompt"] + row["canonical_solution"] + main)
    assert len(problems) > 120
    found = scores(problems, programs)
    assert {name: verdict.reason for name, verdict in found.items() if verdict.score != 1.0} == {}
