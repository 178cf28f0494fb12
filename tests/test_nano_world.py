"""The nano world: splits that cannot overlap, a teacher that is right when it means to be, styles that differ."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from etalon import prompts
from etalon.data.asking.expand import expand_records
from etalon.data.calls.remembered import Remembered
from etalon.data.records import Record
from etalon.errors import ConfigError
from etalon.problems import nano
from etalon.problems.nano import arithmetic, facts, instructions, judging, physics, programs
from etalon.problems.nano.documents import document
from etalon.problems.nano.models import ERROR_RATE, LOOP_RATE, NanoTeacher, UnknownPromptError, reference
from etalon.sampling import attempt
from etalon.types import REASONING_DOMAINS, Domain, Problem, Rollout, SamplingParams, Stop, ask
from etalon.verifiers import verify, verify_all

PATTERNS = {Domain.MATH: arithmetic.PATTERN, Domain.STEM: physics.PATTERN}
WORLD = tuple(nano.MAX_LEVELS)
STYLED = {
    Domain.MATH: (arithmetic.STYLES, arithmetic.respond),
    Domain.CODE: (programs.STYLES, programs.respond),
    Domain.STEM: (physics.STYLES, physics.respond),
    Domain.INSTRUCT: (instructions.STYLES, instructions.respond),
}
PARAMS = SamplingParams(max_tokens=100_000)


def scores(pairs: Sequence[tuple[Problem, str]]) -> list[float | None]:
    rollouts = [
        (p, Rollout(problem_id=p.id, index=0, text=text, stop=Stop.EOS, num_tokens=len(text))) for p, text in pairs
    ]
    return [v.score for v in verify_all(rollouts, workers=2)]


# --- problems and splits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", WORLD)
@pytest.mark.live
def test_splits_share_no_prompt_whatever_the_seeds(domain: Domain) -> None:
    owners: dict[str, str] = {}
    for split in nano.SPLITS:
        for seed in range(4):
            members = nano.problems(domain, split, 60, seed=seed)
            assert len({p.prompt for p in members}) == 60
            for problem in members:
                assert owners.setdefault(problem.prompt, split) == split
    assert set(owners.values()) == set(nano.SPLITS)


def test_claims_are_never_about_a_question_of_another_split() -> None:
    for split in nano.SPLITS:
        questions = {p.prompt.partition("\n<claims>")[0] for p in nano.problems(Domain.CLAIMS, split, 60, seed=1)}
        assert len(questions) > 30
        assert {nano.split_of(q) for q in questions} == {split}


@pytest.mark.parametrize("domain", WORLD)
def test_the_same_seed_gives_the_same_problems_and_another_seed_others(domain: Domain) -> None:
    first = nano.problems(domain, "test", 40, seed=3)
    assert nano.problems(domain, "test", 40, seed=3) == first
    assert nano.problems(domain, "test", 20, seed=3) == first[:20]
    assert {p.id for p in nano.problems(domain, "test", 40, seed=4)} != {p.id for p in first}


@pytest.mark.parametrize("domain", WORLD)
def test_every_level_and_skill_is_there(domain: Domain) -> None:
    members = nano.problems(domain, "train", 200, seed=0)
    assert {p.level for p in members} == set(range(1, nano.MAX_LEVELS[domain] + 1))
    assert len({p.id for p in members}) == 200
    assert all(p.skill.startswith(f"{domain.value}/") and p.source == "nano" for p in members)
    if domain in REASONING_DOMAINS:
        assert len({p.skill for p in members}) == 2


def test_longer_chains_are_drawn_where_they_are_asked_for_and_the_teacher_solves_them() -> None:
    members = nano.problems(Domain.MATH, "train", 180, seed=0, operations=9)
    assert {p.level for p in members} == set(range(1, 10))
    assert [p for p in nano.problems(Domain.STEM, "train", 60, seed=0, operations=9) if p.level > 3] == []
    longest = [p for p in members if p.level == 9]
    responses = [arithmetic.respond(p.prompt, "full", random.Random(0), error=False) for p in longest]
    for problem, response in zip(longest, responses, strict=True):
        assert len(arithmetic.parse(problem.prompt)) == 9
        assert verify(problem, response).is_correct


def test_an_exhausted_split_is_an_error_with_the_number_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nano, "MAX_DRAWS", 1)
    with pytest.raises(
        ConfigError, match=r"problems.test: the nano world has fewer than 50 stem problems .*found \d+\)"
    ):
        nano.problems(Domain.STEM, "test", 50, seed=0)


def test_facts_have_no_generator_among_the_splits() -> None:
    with pytest.raises(ConfigError, match="no generator for domain 'facts'"):
        nano.generate(Domain.FACTS, random.Random(0), 1, m=5)


def test_facts_are_different_names_whose_values_follow_from_nothing() -> None:
    known = facts.facts(2000, seed=1)
    assert facts.facts(2000, seed=1) == known
    assert len({p.prompt for p in known}) == len({p.answer for p in known}) == 2000
    values = [re.findall("..", p.answer or "") for p in known]
    assert all(len(value) == facts.VALUE_LENGTH and set(value) <= set(facts.SYLLABLES) for value in values)
    for place in range(
        facts.VALUE_LENGTH
    ):  # uniform: chi-squared of 70 syllables, 69 degrees of freedom, stays below 130
        counts = Counter(value[place] for value in values)
        expected = len(values) / len(facts.SYLLABLES)
        assert sum((counts[s] - expected) ** 2 / expected for s in facts.SYLLABLES) < 130
    by_name = {p.prompt: p.answer for p in known}
    assert all(by_name.get(p.prompt, p.answer) == p.answer for p in facts.facts(2000, seed=2))


def test_a_fact_is_right_as_it_is_written_and_not_with_its_letters_in_another_order() -> None:
    [problem] = facts.facts(1, seed=3)
    value = str(problem.answer)
    scores = {
        text: verify(problem, text).score
        for text in (facts.boxed(value), f"Answer: {value}", facts.boxed(value[2:] + value[:2]), value, "")
    }
    assert list(scores.values()) == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert verify(replace(problem, answer="1000"), "\\boxed{1,000}").score == 1.0
    assert verify(replace(problem, answer=None), facts.boxed(value)).score is None


def test_the_teacher_knows_the_facts_but_for_its_errors() -> None:
    known = facts.facts(400, seed=0)
    groups = attempt(NanoTeacher(), known, n=1, params=SamplingParams(), seed=0)
    right = sum(group.verdicts[0].is_correct for group in groups)
    assert 0.85 < right / len(known) < 0.99


# --- references -----------------------------------------------------------------------------------------------


def test_math_answers_equal_pythons_own_arithmetic() -> None:
    for problem in nano.problems(Domain.MATH, "train", 300, seed=0):
        assert str(eval(problem.prompt.removesuffix("=?"))) == problem.answer


def test_stem_has_one_right_option_of_four() -> None:
    for problem in nano.problems(Domain.STEM, "train", 200, seed=0):
        assert problem.options is not None
        assert len(set(problem.options.values())) == 4
        quantities, _, asked = problem.prompt.partition("? ")[0].rpartition(" ")
        values = {part[0]: int(part[2:]) for part in quantities.split()}

        def value(symbol: str, values: dict[str, int] = values) -> int:
            if symbol in values:
                return values[symbol]
            left, right = physics.FORMULAS[symbol]
            return value(left) * value(right)

        assert problem.options[problem.answer or ""] == str(value(asked))


def test_code_examples_agree_with_the_hidden_tests() -> None:
    for problem in nano.problems(Domain.CODE, "train", 100, seed=0):
        assert problem.tests is not None
        tests = dict(zip(map(int, problem.tests["inputs"]), map(int, problem.tests["outputs"]), strict=True))
        match = programs.FUNCTION.match(problem.prompt) or programs.PROGRAM.match(problem.prompt)
        assert match is not None
        x1, y1, x2, y2 = map(int, match.groups())
        assert (tests[x1], tests[x2]) == (y1, y2)
        assert set(tests) - {x1, x2}, "a table of the two examples must not pass"


# --- the teacher ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", STYLED)
def test_every_style_is_right_when_it_means_to_be(domain: Domain) -> None:
    styles, respond = STYLED[domain]
    count = 20 if domain is Domain.CODE else 60  # programs really run
    problems = nano.problems(domain, "train", count, seed=7)
    rng = random.Random(0)
    pairs = [(p, respond(p.prompt, style, rng, error=False)) for p in problems for style in styles]
    assert scores(pairs) == [1.0] * (count * len(styles))


@pytest.mark.parametrize("domain", REASONING_DOMAINS)
def test_every_problem_has_at_least_three_styles_that_differ_in_text_and_length(domain: Domain) -> None:
    styles, respond = STYLED[domain]
    mean_lengths: dict[str, list[int]] = {style: [] for style in styles}
    for problem in nano.problems(domain, "train", 60, seed=2):
        texts = [respond(problem.prompt, style, random.Random(0), error=False) for style in styles]
        assert len(set(texts)) >= 3
        assert len({len(text) for text in texts}) >= 3
        for style, text in zip(styles, texts, strict=True):
            mean_lengths[style].append(len(text))
    by_style = [sum(lengths) for lengths in mean_lengths.values()]
    assert by_style == sorted(by_style)  # listed from short to long
    assert len(set(by_style)) == len(styles)


@pytest.mark.parametrize("error", [False, True])
def test_a_style_of_arithmetic_is_recognised_in_what_is_written_in_it(error: bool) -> None:
    rng = random.Random(3)
    for level in range(1, arithmetic.MAX_LEVEL + 1):
        for _ in range(50):
            prompt = arithmetic.generate(rng, level).prompt
            for style in arithmetic.STYLES:
                expected = "full" if level == 1 and style == "terse" else style
                assert arithmetic.style_of(arithmetic.respond(prompt, style, rng, error=error)) == expected


def test_what_is_in_no_style_of_arithmetic_is_not_named_after_one() -> None:
    others = ["", "\\boxed{4}", "<think>2+2", "<think>so\nso</think>", "<think>2+2\n3+2=5</think>", "<think>\n</think>"]
    assert [arithmetic.style_of(text) for text in others] == [None] * len(others)


@pytest.mark.parametrize("domain", STYLED)
def test_a_meant_error_is_wrong(domain: Domain) -> None:
    styles, respond = STYLED[domain]
    problems = nano.problems(domain, "train", 15 if domain is Domain.CODE else 60, seed=8)
    rng = random.Random(1)
    found = scores([(p, respond(p.prompt, style, rng, error=True)) for p in problems for style in styles])
    assert None not in found
    # a forgotten constraint may be met by chance, a slip may cancel; not often
    assert sum(score == 1.0 for score in found) <= 0.15 * len(found)


def test_the_teacher_errs_at_about_its_rate() -> None:
    problems = nano.problems(Domain.MATH, "train", 400, seed=9)
    sampled = dict(NanoTeacher().sample([ask(p.prompt) for p in problems], n=5, params=PARAMS, seed=0))
    found = scores([(p, r.text) for i, p in enumerate(problems) for r in sampled[i]])
    wrong = sum(score != 1.0 for score in found) / len(found)
    assert wrong == pytest.approx(ERROR_RATE + LOOP_RATE, abs=0.02)


def test_the_teacher_answers_every_domain_and_says_when_it_cannot() -> None:
    problems = [p for domain in WORLD for p in nano.problems(domain, "rl", 5, seed=0)]
    conversations = [ask(p.prompt) for p in problems] + [ask("What is love?")]
    sampled = dict(NanoTeacher().sample(conversations, n=2, params=PARAMS, seed=0))
    *answered, refused = [sampled[i] for i in range(len(conversations))]
    assert all(r.stop is Stop.EOS and r.text for rollouts in answered for r in rollouts)
    assert {r.stop for r in refused} == {Stop.ERROR}
    assert "cannot read this prompt: 'What is love?'" in refused[0].error


def test_the_teacher_stops_at_the_limit_and_says_so() -> None:
    params = SamplingParams(max_tokens=9)
    ((_, rollouts),) = NanoTeacher().sample([ask("1+2+3=?")], n=3, params=params, seed=0)
    assert all(r.stop is Stop.LENGTH and len(r.text) == r.num_tokens == 9 for r in rollouts)


def test_asked_for_claims_the_teacher_gives_the_steps_of_its_answer() -> None:
    prompt = prompts.load("clr_generate", "nano").replace("{question}", "(7+5)*3-2=?").replace("{m}", "5")
    if not prompt.startswith("(7+5)"):
        prompt = f"(7+5)*3-2=?{prompt}"
    teacher, rng = NanoTeacher(m=5), random.Random(3)
    texts = [teacher.respond(prompt, rng) for _ in range(40)]
    claims = "<claims>\n7+5=12\n12*3=36\n36-2=34\n</claims>"
    assert sum(claims in text and "\\boxed{34}" in text for text in texts) >= 30


# --- judging claims -------------------------------------------------------------------------------------------


def test_claims_are_judged_right() -> None:
    question = "(7+5)*3-2=?"

    def verdicts(*claims: str) -> list[bool]:
        return [is_valid for _, is_valid in judging.judge(question, list(claims))]

    assert verdicts("7+5=12", "12*3=36", "36-2=34") == [True, True, True]
    assert verdicts("7+5=13", "13*3=39", "39-2=37") == [False, True, True]  # what follows a slip correctly is valid
    assert verdicts("7+5=12", "12*3=35", "35-2=33") == [True, False, True]
    assert verdicts("7+5=12", "12*4=48", "48-2=46") == [True, False, True]  # not what the question asks for
    assert verdicts("7+5=12", "12*3=36") == [True, True]  # the first m steps only
    assert verdicts("7+5=12", "12*3=36", "36-2=34", "34+1=35") == [True, True, True, False]  # nothing asks for it
    assert verdicts("7+5=?", "12*3=36", "36-2=34") == [False, True, True]


def test_about_half_of_the_claim_lists_hold_a_slip_and_it_is_labelled() -> None:
    problems = nano.problems(Domain.CLAIMS, "train", 300, seed=0)
    labels = [(p.answer or "").split() for p in problems]
    assert 0.35 < sum("0" in answer for answer in labels) / 300 < 0.65
    for problem, answer in zip(problems, labels, strict=True):
        question, _, rest = problem.prompt.partition("\n<claims>\n")
        claims = rest.partition("\n</claims>")[0].split("\n")
        assert len(claims) == len(answer)
        value = eval(claims[0].partition("=")[0])  # a claim that is wrong arithmetic is always refuted
        assert answer[0] == "0" or str(value) == claims[0].partition("=")[2]
        if "0" not in answer:
            assert claims[-1].rpartition("=")[2] == str(eval(question.removesuffix("=?")))


def test_the_teacher_judges_claims_right_unless_it_errs() -> None:
    problems = nano.problems(Domain.CLAIMS, "train", 80, seed=1)
    rng = random.Random(0)
    right = [(p, judging.respond(p.prompt, rng, error=False)) for p in problems]
    assert scores(right) == [1.0] * 80
    wrong = [(p, judging.respond(p.prompt, rng, error=True)) for p in problems]
    assert sum(score == 1.0 for score in scores(wrong)) < 40


def test_documents_are_the_world_without_its_questions() -> None:
    rng = random.Random(0)
    texts = [document(rng) for _ in range(300)]
    assert all(texts)
    assert not any("=?" in text or "? A" in text for text in texts)
    assert len(set(texts)) > 250


# --- leaks ----------------------------------------------------------------------------------------------------


def test_splits_share_no_question_in_any_wording() -> None:
    questions: dict[str, set[tuple[str, str]]] = {}
    for split in nano.SPLITS:
        for domain in nano.MAX_LEVELS:
            kind = Domain.MATH if domain is Domain.CLAIMS else domain  # claims are about math questions
            found = nano.problems(domain, split, 60, seed=0)
            questions.setdefault(split, set()).update((kind, nano.question_of(p)) for p in found)
    assert all(len(members) > 100 for members in questions.values())
    for one in nano.SPLITS:
        for other in nano.SPLITS:
            assert one == other or not questions[one] & questions[other]


def test_both_forms_of_a_code_problem_and_any_order_of_options_or_constraints_are_one_question() -> None:
    def question(domain: Domain, prompt: str) -> str:
        return nano.question_of(Problem(id="p", domain=domain, prompt=prompt))

    assert question(Domain.CODE, "f(2)=7 f(3)=8") == question(Domain.CODE, "2->7 3->8")
    assert question(Domain.STEM, "m=3 a=7 F? A21 B10 C28 D24") == question(Domain.STEM, "m=3 a=7 F? A10 B21 C28 D24")
    assert question(Domain.INSTRUCT, "lemon: upper; title") == question(Domain.INSTRUCT, "lemon: title; upper")


def test_a_quantity_that_is_not_needed_makes_no_other_question() -> None:
    def asked(prompt: str) -> str:
        return nano.question_of(Problem(id="p", domain=Domain.STEM, prompt=prompt))

    assert asked("m=3 a=2 d=5 W? A30 B10 C28 D24") == asked("t=9 m=3 a=2 d=5 W? A1 B30 C2 D3")
    assert asked("m=3 a=2 d=5 W? A30 B10 C28 D24") != asked("m=2 a=3 d=5 W? A30 B10 C28 D24")


@pytest.mark.parametrize("domain", WORLD)
@pytest.mark.parametrize("split", ["probe", "rl", "test"])
@pytest.mark.live
def test_held_out_rows_are_questions_of_their_own_and_few_are_of_one_family(domain: Domain, split: nano.Split) -> None:
    asked = [nano.question_of(p) for p in nano.problems(domain, split, 40 if split == "probe" else 200, seed=0)]
    assert len(set(asked)) == len(asked)
    families = Counter(map(nano.family_of, asked))
    assert split == "rl" or max(families.values()) <= nano.FAMILY_ROWS
    assert len(families) >= 15


# What a text asks, and what it gives away to whoever reads it or a solution of it, read from the text alone: two
# operations in a row, a rule, a formula with its numbers, a worded text.


def chains(text: str) -> list[list[tuple[str, str]]]:
    """Operators and operands of every expression that stands on a line of its own, or is asked for."""
    lines = re.findall(r"(?m)^(\(*\d+(?:\)*[-+*]\d+)+)(?:=\?)?$", text)
    return [re.findall(r"([-+*]?)(\d+)", line.replace("(", "").replace(")", "")) for line in lines]


def in_a_row(chain: list[tuple[str, str]]) -> list[Hashable]:
    """Each operation with the next one and the number before both."""
    found: list[Hashable] = []
    value = int(chain[0][1])
    for (first, one), (second, other) in itertools.pairwise(chain[1:]):
        pair: tuple[object, ...] = (value, first, int(one))
        if first in "+*":
            pair = (first, frozenset(Counter([value, int(one)]).items()))
        found.append((*pair, second, int(other)))
        value = {"+": value + int(one), "-": value - int(one), "*": value * int(one)}[first]
    return found


def beginnings(text: str) -> set[Hashable]:
    return {row[0] for row in map(in_a_row, chains(text)) if row}


def pairs_of_steps(text: str) -> set[Hashable]:
    return {pair for chain in chains(text) for pair in in_a_row(chain)}


def rules(text: str) -> set[Hashable]:
    """Slope and offset: of two examples, or of code."""
    examples = re.fullmatch(r"(?:f\()?(\d+)(?:\)=|->)(\d+) (?:f\()?(\d+)(?:\)=|->)(\d+)", text)
    if examples:
        x1, y1, x2, y2 = map(int, examples.groups())
        slope = (y2 - y1) / (x2 - x1)
        return {(slope, y1 - slope * x1)}
    code = re.findall(r"(?:return |print\()(?:(\d+)\*)?(?:x|int\(input\(\)\))([-+]\d+)?", text)
    return {(int(slope or 1), int(offset or 0)) for slope, offset in code}


def formulas(text: str) -> set[Hashable]:
    """The quantity asked for, or worked out last, with the quantities that it takes."""
    first, *rest = text.split("\n")
    values = dict(re.findall(r"([a-zA-Z])=(\d+)(?= |$|\n)", first.partition("?")[0]))
    asked = re.search(r" ([a-zA-Z])\?", first)
    symbol = asked[1] if asked else rest[-1][0] if rest and re.match(r"[a-zA-Z]=[a-zA-Z]{2}=", rest[-1]) else ""
    if not symbol or not values:
        return set()
    left, right = physics.FORMULAS[symbol]
    needed = (left, right) if left in values else (*physics.FORMULAS[left], right)
    return {(symbol, tuple(int(values[name]) for name in needed))}


def formulas_on_the_way(text: str) -> set[Hashable]:
    """The question itself, and for a chain each of its formulas alone."""
    found = formulas(text)
    for symbol, values in list(found):  # type: ignore[misc]
        if len(values) == 3:
            inner = physics.FORMULAS[symbol][0]
            found |= {(inner, values[:2]), (symbol, (values[0] * values[1], values[2]))}
    return found


def worded(text: str) -> set[Hashable]:
    """A word and what is asked of it: as a prompt, or as a line of constraints above a text."""
    prompt = re.fullmatch(r"([a-z]+): (.+)", text)
    if prompt:
        return {(prompt[1], frozenset(prompt[2].split("; ")))}
    head, _, body = text.partition("\n")
    if not re.match(r"\d words|\d bullets|upper|ps|end |quotes|title", head):
        return set()
    [word] = {word for word in instructions.WORDS if word in body.lower()}
    return {(word, frozenset(head.split(", ")))}


READ = {
    Domain.MATH: (beginnings, pairs_of_steps), Domain.CLAIMS: (beginnings, pairs_of_steps), Domain.CODE: (rules, rules),
    Domain.STEM: (formulas, formulas_on_the_way), Domain.INSTRUCT: (worded, worded),
}  # fmt: skip


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("domain", WORLD)
@pytest.mark.live
def test_what_is_held_out_stands_in_no_document_and_in_no_other_split(domain: Domain, seed: int) -> None:
    asked, given = READ[domain]
    rng = random.Random(seed)
    documents = {key for _ in range(6000) for key in given(document(rng, nano.is_train))}
    members = {
        split: nano.problems(domain, split, count, seed=seed)
        for split, count in (("train", 2200), ("probe", 40), ("rl", 600), ("test", 200))
    }
    assert len(documents) > 50
    away = {split: {key for problem in found for key in given(problem.prompt)} for split, found in members.items()}
    for held_out in nano.HELD_OUT:
        keys = {key for problem in members[held_out] for key in asked(problem.prompt)}
        assert len(keys) >= 15
        assert not keys & documents
        assert not keys & away["train"]
        assert not keys & away["rl"]
    assert documents & away["train"]  # the same reader finds what is open
    questions = {split: {nano.question_of(problem) for problem in found} for split, found in members.items()}
    for one, other in itertools.combinations(questions, 2):
        assert not questions[one] & questions[other], (one, other)


def test_single_operations_are_the_table_of_the_documents_and_are_not_held_out() -> None:
    for domain in (Domain.MATH, Domain.CLAIMS):
        for split in nano.SPLITS:
            lowest = min(p.level for p in nano.problems(domain, split, 40, seed=0))
            assert lowest == (2 if split in nano.HELD_OUT else 1)


def test_the_teacher_writes_new_questions_of_the_train_split_and_now_and_then_a_copy_or_a_flaw(
    tmp_path: Path,
) -> None:
    seeds = [p for d in (Domain.MATH, Domain.STEM) for p in nano.problems(d, "train", 150, seed=3)]
    params = SamplingParams(max_tokens=400)
    with Remembered(NanoTeacher(), tmp_path / "calls.jsonl") as teacher:
        records = [Record(problem=p) for p in seeds]
        grown = expand_records(records, teacher, count=2, params=params, seed=1, prompts="nano")
    asked = {p.prompt for p in seeds}
    new = [record.problem for record in grown.kept if record.parent]
    whole = [p for p in new if PATTERNS[p.domain].match(p.prompt)]
    flawed = [p for p in new if p not in whole]
    assert len(whole) > 400
    assert not asked & {p.prompt for p in whole}
    assert all(nano.is_train(p) for p in whole)
    assert flawed
    assert grown.report.reasons["copy of another query"] > 5
    answered = dict(NanoTeacher().sample([ask(p.prompt) for p in flawed], n=1, params=SamplingParams(), seed=0))
    assert not any("boxed" in rollout.text for [rollout] in answered.values())


@pytest.mark.parametrize("domain", nano.MAX_LEVELS)
def test_the_reference_solution_of_a_problem_is_right_and_always_the_same(domain: Domain) -> None:
    found = nano.problems(domain, "probe", 12, seed=3)
    texts = [reference(problem.prompt) for problem in found]
    assert texts == [reference(problem.prompt) for problem in found]
    assert [verify(problem, text).score for problem, text in zip(found, texts, strict=True)] == [1.0] * 12
    with pytest.raises(UnknownPromptError):
        reference("Who wrote Hamlet?")
