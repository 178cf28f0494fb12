"""Problems that a generator makes for models that know a language: sums, stories, claims and tasks under rules."""

import json
import random
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from etalon.cli import app
from etalon.clr.claims import (
    generation_conversation,
    load_templates,
    parse_claims,
    verification_conversation,
    without_claims,
)
from etalon.clr.replies import read_verdicts
from etalon.problems.files import read_problems
from etalon.problems.instructions import instruction, with_instruction
from etalon.problems.made import claims as made_claims
from etalon.problems.made import rules as made_rules
from etalon.problems.made.claims import Step
from etalon.problems.made.rules import RULES, tasks
from etalon.problems.made.stories import CROWDED, LARGEST, ONE_STEP, stories
from etalon.problems.made.sums import sums
from etalon.types import Domain, ask
from etalon.verifiers import verify

SHARED = Path(__file__).parents[2] / "shared" / "benchmarks"


def made(tmp_path: Path, *arguments: str) -> Path:
    out = tmp_path / "made.jsonl"
    done = CliRunner().invoke(app, ["data", "make", *arguments, "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


# --- stories --------------------------------------------------------------------------------------------------


def test_stories_are_problems_whose_own_solution_is_right(tmp_path: Path) -> None:
    problems = read_problems(made(tmp_path, "stories", "--count", "200", "--seed", "3"))
    assert len(problems) == 200
    for problem in problems:
        assert problem.domain is Domain.MATH
        assert verify(problem, problem.solutions[0]).score == 1.0, problem


def test_every_line_of_a_solution_is_right_and_made_of_numbers_there_are() -> None:
    for row in stories(400, seed=1):
        *lines, last = row["answer"].split("\n")
        known = set(re.findall(r"\d+", row["question"])) | {"2", "3"}  # doubles, triples
        assert len(lines) == row["steps"]
        for line in lines:
            left, _, right = line.partition(" = ")
            a, operation, b = left.split(" ")
            assert {a, b} <= known, row
            worked = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b), "/": int(a) / int(b)}[operation]
            assert worked == int(right), row
            known.add(right)
        assert last == f"#### {lines[-1].rpartition(' ')[2]}"
        assert 0 <= int(last.split()[1]) <= LARGEST


def test_no_number_of_a_solution_is_larger_than_is_said() -> None:
    numbers = [int(n) for row in stories(3000, seed=2, steps=(3, 3)) for n in re.findall(r"\d+", row["answer"])]
    assert max(numbers) <= LARGEST


def test_all_kinds_and_numbers_of_steps_come_and_no_question_twice() -> None:
    rows = list(stories(600, seed=0))
    assert len({row["question"] for row in rows}) == 600
    assert set(Counter(row["steps"] for row in rows)) == {1, 2, 3}
    assert len({row["kind"] for row in rows}) == len(ONE_STEP) + 1
    assert {row["steps"] for row in stories(50, seed=0, steps=(2, 2))} == {2}


def test_crowded_stories_tell_numbers_that_could_be_meant_in_any_order() -> None:
    rows = [row for row in stories(600, seed=4, steps=(1, 1)) if row["kind"] in CROWDED]
    assert {row["kind"] for row in rows} == set(CROWDED)
    places, largest = Counter(), Counter()
    for row in rows:
        told = re.findall(r"\d+", row["question"])
        left, operator, _ = row["answer"].split(" ", 2)
        if operator == "-":
            largest[max(map(int, told)) == int(left)] += 1
        assert len(told) > 2, row
        assert not re.search(r"[\[\]|{}]", row["question"]), row
        places[told.index(left)] += 1
    assert min(largest.values()) > len(rows) / 10  # the largest is not always what is taken from
    assert min(places[place] for place in range(3)) > len(rows) / 10


@pytest.mark.parametrize("make", [
    stories, tasks, partial(sums, lines=(1, 4)), partial(made_claims.traces, m=2, steps=(1, 3)),
])  # fmt: skip
def test_a_seed_gives_the_same_rows_and_fewer_of_them_are_the_first(make: Any) -> None:
    many = list(make(50, seed=5))
    assert list(make(20, seed=5)) == many[:20]
    assert list(make(20, seed=6)) != many[:20]


# --- sums -----------------------------------------------------------------------------------------------------


def test_sums_are_right_and_of_every_kind(tmp_path: Path) -> None:
    path = made(tmp_path, "sums", "--count", "200", "--lines", "1-12", "--seed", "1")
    problems = read_problems(path)
    found = Counter[str]()
    for problem, line in zip(problems, path.read_text().splitlines(), strict=True):
        assert problem.domain is Domain.MATH
        assert verify(problem, problem.solutions[0]).score == 1.0, problem
        *lines, _ = json.loads(line)["answer"].split("\n")
        assert ", ".join(one.partition(" = ")[0] for one in lines) in problem.prompt
        for one in lines:
            a, operation, b, _, result = one.split(" ")
            worked = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}
            assert worked.get(operation, int(a) / max(1, int(b))) == int(result), one
            assert 0 <= int(result) <= LARGEST
            found[operation] += 1
    assert min(found[operation] for operation in "+-*/") > 100


# --- claims ---------------------------------------------------------------------------------------------------


def test_the_first_call_answers_and_ends_in_as_many_claims_as_were_asked_for() -> None:
    rows = [row for row in made_claims.traces(200, seed=0, m=3, steps=(1, 3)) if row["domain"] == "math"]
    assert 60 < len(rows) < 140
    for row in rows:
        claims = parse_claims(row["response"], 9)
        assert "exactly 3 claims" in row["prompt"]
        assert len(claims) == 3
        answer = without_claims(row["response"]).strip()
        assert claims[-1].endswith(f" = {answer.removeprefix(chr(92) + 'boxed{').removesuffix('}')}.")


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 6])
def test_the_second_call_redoes_every_claim_and_refutes_what_differs(m: int) -> None:
    rows = [row for row in made_claims.traces(400, seed=m, m=m, steps=(1, 3)) if row["domain"] == "claims"]
    found = Counter[bool | None]()
    for row in rows:
        asked = row["prompt"].split("Claims:\n")[1].split("\n\n")[0].split("\n")
        thought, _, _ = row["response"].removeprefix("<think>").partition("</think>")
        verdicts = read_verdicts(row["response"], m)
        assert verdicts == [claim == again for claim, again in zip(asked, thought.split("\n"), strict=True)]
        for again in thought.split("\n"):
            assert is_right(again.partition(". ")[2]), again
        assert max(map(int, re.findall(r"-?\d+", " ".join(asked)))) <= LARGEST
        assert "-" not in re.findall(r"-(?=\d)", row["prompt"] + thought)
        found.update(verdicts)
    assert 0.15 < found[False] / found.total() < 0.75
    assert found[None] == 0


def is_right(claim: str) -> bool:
    """Whether the arithmetic of a claim is; one that says what has to be done has none."""
    if " = " not in claim:
        return True
    left, operation, right, _, result = claim.removesuffix(".").split(" ")
    worked = {"+": int(left) + int(right), "-": int(left) - int(right), "*": int(left) * int(right)}
    return worked.get(operation, int(left) / max(1, int(right))) == int(result)


@pytest.mark.parametrize(("m", "verdicts"), [(4, [1, 0, 1, 1]), (3, [0, 1, 1]), (2, [0, 0]), (1, [0])])
def test_a_slip_is_refuted_once_where_it_is_seen_and_else_where_it_is_carried_on(m: int, verdicts: list[int]) -> None:
    true = [Step.of("10 + 5 = 15"), Step.of("15 - 3 = 12")]
    said = [Step.of("10 + 5 = 16"), Step.of("16 - 3 = 13")]
    right = made_claims.shown(made_claims.redone(true, said, m), m)
    assert [claim == one for claim, one in zip(made_claims.shown(said, m), right, strict=True)] == verdicts


def test_slips_are_of_every_kind_and_leave_every_step_possible() -> None:
    rng = random.Random(0)
    true = [Step.of("24 / 4 = 6"), Step.of("6 + 50 = 56"), Step.of("56 - 40 = 16")]
    said = [made_claims.slipped(rng, true) for _ in range(300)]
    firsts = [steps[0] for steps in said]
    assert {step.operator for step in firsts} == set("+-*/")
    assert {step.right for step in firsts} > {4, 2, 6}
    assert any(step.operator == "/" and step.result != 24 // step.right for step in firsts)
    for steps in said:
        assert all(0 <= step.result <= LARGEST for step in steps)
        assert all(step.operator != "/" or step.left % step.right == 0 for step in steps)
        assert [step.left for step in steps[1:]] == [step.result for step in steps[:-1]]
        assert steps[1].result >= 40  # or the last step could not be done
    assert sum(steps != true for steps in said) > 200


@pytest.mark.parametrize("m", [1, 2, 5])
def test_the_prompts_are_those_of_both_calls(m: int) -> None:
    templates = load_templates("default")
    for row in made_claims.traces(40, seed=3, m=m, steps=(1, 3)):
        if row["domain"] == "math":
            [end] = generation_conversation(ask(""), templates.generate, m)
            question = row["prompt"].removesuffix(end.content)
            asked = generation_conversation(ask(question), templates.generate, m)
        else:
            question, _, rest = row["prompt"].partition("Question:\n")[2].partition("\n\nClaims:\n")
            claims = [line.partition(". ")[2] for line in rest.partition("\n\n")[0].split("\n")]
            asked = verification_conversation(question, claims, templates.verify)
        assert asked == ask(row["prompt"])
        assert question == with_instruction(question.removesuffix(instruction(Domain.MATH)), Domain.MATH)


def test_claims_are_asked_in_the_words_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "clr_verify.txt").write_text("{question}\nTrue?\n{claims}")
    rows = list(made_claims.traces(20, seed=0, m=2, steps=(1, 1), folder=str(tmp_path / "own")))
    assert all(("\nTrue?\n" in row["prompt"]) == (row["domain"] == "claims") for row in rows)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "clr_verify.txt").write_text("{question}\nTrue?")
    arguments = ["data", "make", "claims", "--prompts", str(tmp_path / "bare"), "--out", str(tmp_path / "a.jsonl")]
    done = CliRunner().invoke(app, arguments)
    assert "clr_verify.txt: a placeholder is missing" in str(done.exception)


# --- rules ----------------------------------------------------------------------------------------------------

FILLER = "the sun and the sea are good for all of us and we like to be there"


def obeying(row: dict[str, Any]) -> str:
    """A text that keeps every rule of a task."""
    named = dict(zip(row["instruction_id_list"], row["kwargs"], strict=True))
    words = named.get("keywords:existence", {}).get("keywords", [])
    if frequent := named.get("keywords:frequency"):
        words = [frequent["keyword"]] * frequent["frequency"]
    limit = named.get("length_constraints:number_words", {"num_words": 0, "relation": "at least"})
    body = " ".join(words) or "it is good to be by the sea"
    while limit["relation"] == "at least" and len(body.split()) < limit["num_words"]:
        body += f" {FILLER}"
    body += " *one*" * named.get("detectable_format:number_highlighted_sections", {}).get("num_highlights", 0)
    body += " [name]" * named.get("detectable_content:number_placeholders", {}).get("num_placeholders", 0)
    if bullets := named.get("detectable_format:number_bullet_lists"):
        body = "\n".join([f"* {body}", *["* the sea"] * (bullets["num_bullets"] - 1)])
    if "detectable_format:title" in named:
        body = f"<<the sea>>\n{body}"
    if "detectable_content:postscript" in named:
        body += "\nP.S. the sea"
    if end := named.get("startend:end_checker"):
        body += f" {end['end_phrase']}"
    if "change_case:english_capital" in named:
        body = body.upper()
    return f'"{body}"' if "startend:quotation" in named else body


def test_every_task_can_be_done(tmp_path: Path) -> None:
    path = made(tmp_path, "rules", "--count", "400", "--seed", "2")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    problems = read_problems(path)
    assert [problem.id for problem in problems] == [f"if-{row['key']}" for row in rows]
    for row, problem in zip(rows, problems, strict=True):
        assert problem.domain is Domain.INSTRUCT
        assert verify(problem, obeying(row)).score == 1.0, (row, obeying(row))


@pytest.mark.parametrize("text", ["Once, a long story, with commas, and Capitals. It has no rules at all, none."])
def test_a_text_that_looks_at_no_rule_fails_nearly_every_task(text: str, tmp_path: Path) -> None:
    problems = read_problems(made(tmp_path, "rules", "--count", "200"))
    assert sum(verify(problem, text).score for problem in problems) < 40


def test_rules_come_one_to_three_at_a_time_and_all_of_them_come() -> None:
    rows = list(tasks(600, seed=0))
    assert set(Counter(len(row["instruction_id_list"]) for row in rows)) == {1, 2, 3}
    assert len({name for row in rows for name in row["instruction_id_list"]}) == len(RULES) - 1  # words: two of one id
    assert len({row["prompt"] for row in rows}) == 600


@pytest.mark.skipif(not SHARED.is_dir(), reason="the benchmarks are not here")
@pytest.mark.parametrize(("file", "column"), [("ifeval.jsonl", "prompt"), ("ifbench_test.jsonl", "prompt")])
def test_no_wording_is_one_of_a_benchmark(file: str, column: str) -> None:
    asked = " ".join(json.loads(line)[column] for line in (SHARED / file).read_text().splitlines()).lower()
    for row in tasks(300, seed=0):
        for sentence in re.split(r"(?<=[.!?]) ", row["prompt"]):
            assert len(sentence.split()) < 7 or sentence.lower() not in asked, sentence
    parts = [part.strip().lower() for task in made_rules.TASKS for part in task.split("{topic}")]
    whole = [part for part in parts if len(part.split()) > 3]
    assert len(whole) >= len(made_rules.TASKS) - 2
    assert not any(part in asked for part in whole)


# --- the command ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "told"), [
    (["stories", "--steps", "0-2"], "--steps 0-2: expected a number or a range of 1 to 3"),
    (["stories", "--steps", "3-1"], "--steps 3-1: expected"),
    (["rules", "--rules", "two"], "--rules two: expected"),
    (["rules", "--steps", "1-2"], "--steps: is not of rules"),
    (["sums", "--lines", "0"], "--lines 0: expected a number or a range of 1 to 20"),
    (["stories", "-m", "2"], "-m: is not of stories"),
    (["claims", "-m", "3", "--steps", "1"], "-m 3: a story of 1 steps offers 2 claims; ask for fewer"),
    (["claims", "--prompts", "none"], "prompts: none: no such folder"),
    (["claims", "--prompts", "nano"], "--prompts nano: its claims are of the nano world"),
    (["poems"], "poems: there are sums, stories, claims and rules"),
])  # fmt: skip
def test_what_cannot_be_is_refused(arguments: list[str], told: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["data", "make", *arguments, "--out", str(tmp_path / "a.jsonl")])
    assert done.exit_code != 0
    assert told in str(done.exception or done.output)
    assert not (tmp_path / "a.jsonl").exists()
