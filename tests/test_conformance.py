"""Labelled cases of other projects, when their folder is there: agreement rates of our verifiers with them."""

import gzip
import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from etalon.types import Domain, Problem, Rule
from etalon.verifiers import verify
from etalon.verifiers.answer import compare
from etalon.verifiers.instruct import follows
from etalon.verifiers.rules import NEEDS, RULES
from etalon.verifiers.text import extract_answer

SHARED = Path(__file__).resolve().parents[2] / "shared"

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled cases are not here")


def rows(name):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as lines:
        found = [json.loads(line) for line in lines]
    assert found
    return found


def test_every_instruction_check_agrees():
    checked, undecided = 0, set()
    for row in rows("conformance/ifeval_checks.jsonl"):
        rule = Rule(id=row["gold"]["instruction_id"] or "", kwargs=row["gold"]["kwargs"] or {})
        if rule.id not in RULES or not row["prediction"]:  # of another project; an empty response follows nothing
            continue
        found = follows(row["prediction"], rule)
        if found is None:
            undecided.add(rule.id)
            continue
        checked += 1
        assert found == row["expected"], row
    assert checked > 200
    assert undecided <= {id_ for id_, package in NEEDS.items() if find_spec(package.split()[0]) is None}


def pair(row):
    """(reference, answer) of a labelled pair that asks what we ask, else None.

    Left out: answers in prose (we read boxes), several boxes (we read the last), options of another grader, <answer>
    tags, decimal commas.
    """
    gold, prediction = row["gold"], row["prediction"]
    texts = isinstance(gold, str) and isinstance(prediction, str) and isinstance(row["expected"], bool)
    if not texts or not row["kind"].startswith("math/") or {"precision", "strict"} & set(row):
        return None
    if str(row.get("note", "")).startswith(("policy:", "upstream")) or "<answer>" in prediction:
        return None
    if max(gold.count("boxed"), prediction.count("boxed")) > 1 or re.search(
        r"\d,\d\d(\D|$)|\d,\d{3}\D*$", gold + " " + prediction
    ):
        return None
    answer = prediction if row.get("bare") else extract_answer(prediction)
    if answer is None and re.fullmatch(r"\$+[^$]*\$+|[^\s]{1,40}", prediction.strip()):
        answer = prediction.strip()
    reference = extract_answer(gold) or gold
    return (reference, answer) if answer is not None and reference.count("$") <= 2 and gold else None


def test_few_labelled_math_pairs_are_judged_otherwise():
    pairs = [(pair(row), row["expected"]) for row in rows("conformance/math_pairs.jsonl") if pair(row)]
    assert len(pairs) > 400
    otherwise = [p for p, expected in pairs if compare(reference=p[0], answer=p[1]).is_equal is not expected]
    assert len(otherwise) <= 0.04 * len(pairs), otherwise


@pytest.mark.parametrize("name", ["gsm8k_test", "gsm8k_train_2000"])
def test_every_gsm8k_reference_agrees_with_itself(name):
    for row in rows(f"benchmarks/{name}.jsonl"):
        gold = row["answer"].rpartition("#### ")[2]
        problem = Problem(id="g", domain=Domain.MATH, prompt="", answer=gold)
        assert verify(problem, f"<think>{row['answer']}</think>\\boxed{{{gold}}}").score == 1.0
        assert verify(problem, f"\\boxed{{{gold}1}}").score == 0.0


def test_every_humaneval_solution_passes_and_an_empty_one_fails():
    for row in rows("benchmarks/humaneval.jsonl.gz"):
        tests = {"assert_code": f"{row['test']}\ncheck({row['entry_point']})\n"}
        problem = Problem(id=row["task_id"], domain=Domain.CODE, prompt="", tests=tests)
        program = row["prompt"] + row["canonical_solution"]
        assert verify(problem, f"```python\n{program}\n```").score == 1.0, row["task_id"]
        assert verify(problem, f"```python\n{row['prompt']}    pass\n```").score == 0.0, row["task_id"]


@pytest.mark.parametrize("name", ["ifeval", "ifbench_test"])
def test_every_rule_of_the_prompts_can_be_checked(name):
    for row in rows(f"benchmarks/{name}.jsonl"):
        for id_, kwargs in zip(row["instruction_id_list"], row["kwargs"], strict=True):
            found = follows("Some text, with a comma.", Rule(id=id_, kwargs=kwargs), prompt=row["prompt"])
            assert found is not None or id_ in NEEDS
