"""Labelled cases of other projects, when their folder is there: agreement rates of our verifiers with them."""

import ast
import gzip
import json
import re
import sys
import time
from pathlib import Path

import pytest

from etalon.types import Domain, Problem, Rule
from etalon.verifiers import verify
from etalon.verifiers.instruct.rules import optional
from etalon.verifiers.instruct.rules.registry import RULES
from etalon.verifiers.instruct.verdict import follows
from etalon.verifiers.math import Reason
from etalon.verifiers.math.answer import compare
from etalon.verifiers.math.engine import symbolic
from etalon.verifiers.math.engine.symbolic import DEADLINE_SECONDS
from etalon.verifiers.rows import verify_row
from etalon.verifiers.text import extract_answer

SHARED = Path(__file__).resolve().parents[2] / "shared"

pytestmark = [pytest.mark.live, pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled cases are not here")]


def rows(name):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as lines:
        found = [json.loads(line) for line in lines]
    assert found
    return found


def test_every_instruction_check_agrees():
    checked = 0
    for row in rows("conformance/ifeval_checks.jsonl"):
        rule = Rule(id=row["gold"]["instruction_id"] or "", kwargs=row["gold"]["kwargs"] or {})
        if rule.id not in RULES or not row["prediction"]:  # of another project; an empty response follows nothing
            continue
        checked += 1
        assert follows(row["prediction"], rule) == row["expected"], row
    assert checked > 200


def pair(row):
    """(reference, answer) of a labelled pair that asks what we ask, else None.

    Left out: answers in prose (we read boxes), several boxes (we read the last), variables of any name ("strict"),
    <answer> tags.
    """
    gold, prediction = row["gold"], row["prediction"]
    texts = isinstance(gold, str) and isinstance(prediction, str) and isinstance(row["expected"], bool)
    if not texts or not row["kind"].startswith("math/") or "strict" in row:
        return None
    if str(row.get("note", "")).startswith(("policy:", "upstream")) or "<answer>" in prediction:
        return None
    if max(gold.count("boxed"), prediction.count("boxed")) > 1:
        return None
    answer = prediction if row.get("bare") else extract_answer(prediction)
    if answer is None and "boxed" not in prediction and re.fullmatch(r"\$+[^$]*\$+|[^\s]{1,40}", prediction.strip()):
        answer = prediction.strip()
    reference = extract_answer(gold) or gold
    return (reference, answer) if answer is not None and reference.count("$") <= 2 and gold else None


OTHERWISE = {  # (reference, answer) as read: why our verdict is another one
    (r"$1 = \zzz = x = 0$", "$0$"): "a chain of equations that begins with 1 states no value",
    (r"$(\begin{pmatrix}\frac{1}{3}\\ \frac{1}{5} \end{pmatrix})$", r"$\begin{pmatrix}0.33\\0.2 \end{pmatrix}$"): (
        "an option of that suite rounds to 2 places; 0.33 is not 1/3 to us"
    ),
    (r"$(\frac{3}{5},\frac{8}{3}]$", "$(0.6,2.6667]$"): "an option of that suite rounds to 4 places",
    ("$34$", "The largest $n$ is 34."): "a sentence is no answer: numbers are not searched for in prose",
    ("13/28", "计划的比例为13/28"): "a sentence is no answer",
    (r"$x \in [-2,7]$", r"$-2 \\le x \\le 7$"): "both are the same interval; that suite pins an asymmetry",
    (r"\\boxed{W(n) = 1 \\text{ and } W(n) = -1", "W(x)=1orW(x)=-1"): "the reference is a box that never closes",
    ("bc", "a b c"): "another grader drops the first letter as an article",
    ("5", "3+2"): "policy: a sum that is not carried out is no answer",
}


def test_math_pairs_are_judged_as_labelled_but_for_those_listed(monkeypatch):
    monkeypatch.setattr(symbolic, "DEADLINE_SECONDS", 20.0)  # labels are about answers, whatever else the machine does
    pairs = [(pair(row), row["expected"]) for row in rows("conformance/math_pairs.jsonl") if pair(row)]
    assert len(pairs) > 500
    otherwise = [p for p, expected in pairs if compare(reference=p[0], answer=p[1]).is_equal is not expected]
    assert set(otherwise) == set(OTHERWISE)
    assert len(otherwise) <= 0.03 * len(pairs)


@pytest.mark.parametrize("step", [25, pytest.param(1, marks=pytest.mark.slow)])
def test_no_latex_pair_crashes_the_grader_or_outlives_its_deadline(step):
    pairs = rows("conformance/latex_pairs.jsonl")[::step]
    compare(reference="\\pi", answer="\\pi+0")  # starts the engine
    for row in pairs:
        started = time.monotonic()
        found = compare(reference=row["gold"], answer=row["prediction"])
        assert time.monotonic() - started < DEADLINE_SECONDS + 0.3, row
        assert found.reason in set(Reason), row
    assert compare(reference=r"\sqrt{8}", answer=r"2\sqrt{2}").is_equal


def test_gsm8k_references_agree_with_themselves_and_not_with_the_next():
    references = [row["answer"].rpartition("#### ")[2] for row in rows("benchmarks/gsm8k_test.jsonl")]
    for row, gold, other in zip(
        rows("benchmarks/gsm8k_test.jsonl"), references, references[1:] + references[:1], strict=True
    ):
        problem = Problem(id="g", domain=Domain.MATH, prompt=row["question"], answer=gold)
        assert verify(problem, f"<think>{row['answer']}</think>\\boxed{{{gold}}}").score == 1.0
        is_same = gold.replace(",", "") == other.replace(",", "")
        assert verify(problem, f"{row['answer']}\n\\boxed{{{other}}}").score == float(is_same)


STDIN_MAIN = "import json, sys\nprint(json.dumps({}(*map(json.loads, sys.stdin))))"


def literal_cases(row):
    """The assertions `candidate(literals) == literal` of a HumanEval row, as inputs and outputs."""
    cases = []
    for node in ast.walk(ast.parse(row["test"])):
        match node:
            case ast.Assert(
                test=ast.Compare(left=ast.Call(func=ast.Name(), args=args), ops=[ast.Eq()], comparators=[one])
            ):
                try:
                    values = [json.dumps(ast.literal_eval(argument)) for argument in args]
                    expected = ast.literal_eval(one)
                    if json.loads(json.dumps(expected)) == expected:
                        cases.append(("\n".join(values), json.dumps(expected)))
                except (ValueError, TypeError):
                    continue
    return cases


def test_humaneval_solutions_pass_as_programs_of_standard_input_too():
    num_problems = 0
    for row in rows("benchmarks/humaneval.jsonl.gz"):
        cases = literal_cases(row)
        if not cases:
            continue
        num_problems += 1
        tests = {"inputs": [case[0] for case in cases], "outputs": [case[1] for case in cases]}
        problem = Problem(id=row["task_id"], domain=Domain.CODE, prompt="", tests=tests)
        main = STDIN_MAIN.format(row["entry_point"])
        program = f"{row['prompt']}{row['canonical_solution']}\n{main}"
        assert verify(problem, f"```python\n{program}\n```").score == 1.0, row["task_id"]
        assert verify(problem, f"```python\n{row['prompt']}    pass\n{main}\n```").score == 0.0, row["task_id"]
    assert num_problems > 100


@pytest.mark.parametrize(("name", "num_prompts"), [("ifeval", 541), ("ifbench_test", 300)])
def test_every_prompt_is_decided_without_any_other_package(name, num_prompts, monkeypatch):
    for package in ("langdetect", "syllapy", "nltk"):
        monkeypatch.setitem(sys.modules, package, None)
    optional._nltk_with.cache_clear()
    decided = 0
    for row in rows(f"benchmarks/{name}.jsonl"):
        rules = tuple(Rule(id=i, kwargs=k) for i, k in zip(row["instruction_id_list"], row["kwargs"], strict=True))
        problem = Problem(id="i", domain=Domain.INSTRUCT, prompt=row["prompt"], rules=rules)
        decided += verify(problem, "Some text, with a comma.").score is not None
    optional._nltk_with.cache_clear()
    assert decided == num_prompts


def test_cheating_programs_fail_and_honest_ones_pass():
    for row in rows("conformance/programs.jsonl"):
        assert verify_row(row["row"], default_domain="code")["score"] == float(row["expected"] == "pass"), row


def test_answers_and_programs_as_they_arrive_from_the_field():
    found = rows("conformance/field_cases.jsonl")
    assert found
    scores = {"right": 1.0, "wrong": 0.0, "undecided": None}
    otherwise = [
        row for row in found
        if verify_row(row["row"], default_domain=row["domain"])["score"] != scores[row["expected"]]
    ]  # fmt: skip
    assert not otherwise
