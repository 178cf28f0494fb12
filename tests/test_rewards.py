"""What decides a phase's rollouts: a reward of the user's, a judge of rubrics; and why there is nothing to learn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from etalon.errors import ConfigError, RunError
from etalon.problems import nano
from etalon.recipe import PromptSort, RlSpec
from etalon.rl.advice import Shares, advice, has_signal
from etalon.rl.pool import mixture, sort_of, sort_pool
from etalon.rl.rewards import MAX_UNDECIDED, Rewards, as_verdict, judge_words, reward_verifier
from etalon.sampling import attempt, verify_groups
from etalon.store import read_jsonl
from etalon.types import Criterion, Domain, Group, Problem, Rollout, Rule, SamplingParams, Stop, Verdict
from etalon.verifiers.judges import Judge
from groups import make_group
from replies import Program, in_turn
from upstream import Asked, Reply, Upstream, dead_port

PARAMS = SamplingParams()
MATH = Problem(id="m", domain=Domain.MATH, prompt="2+2?", answer="4")
FREE = Problem(id="f", domain=Domain.INSTRUCT, prompt="Greet.", rubric=(Criterion(text="says the word hello"),))
numbers = count()


def module(folder: Path, source: str) -> str:
    """A file of the user's, under a name that no other test loads."""
    path = folder / f"mine{next(numbers)}.py"
    path.write_text(source)
    return str(path)


def rewards(spec: RlSpec, name: str = "mine") -> Rewards:
    return Rewards.made(spec, name=name, prompts_folder="default", seed=0)


def undecided(problem: Problem, reasons: Sequence[str | float]) -> Group:
    """A group with these scores, or no score for these reasons."""
    return Group(
        problem=problem,
        rollouts=tuple(
            Rollout(problem_id=problem.id, index=i, text="", stop=Stop.EOS, num_tokens=1) for i in range(len(reasons))
        ),
        verdicts=tuple(
            Verdict(score=None, reason=one) if isinstance(one, str) else Verdict(score=one, reason="reward")
            for one in reasons
        ),
    )


# ---- a reward of the user's own


class Scalar:
    """As NumPy and torch have them."""

    def item(self) -> float:
        return 0.25


@pytest.mark.parametrize(
    ("returned", "score", "reason"),
    [
        (1, 1.0, "reward"),
        (0.5, 0.5, "reward"),
        (True, 1.0, "reward"),
        (False, 0.0, "reward"),
        (Scalar(), 0.25, "reward"),
        (1.5, None, "reward_out_of_range: 1.5 is not between 0 and 1"),
        (-1, None, "reward_out_of_range: -1 is not between 0 and 1"),
        (float("nan"), None, "reward_out_of_range: nan is not between 0 and 1"),
        ("0.5", None, "reward_no_number: it returned a str, expected a number from 0 to 1"),
        (None, None, "reward_no_number: it returned nothing, expected a number from 0 to 1"),
        ([1.0], None, "reward_no_number: it returned a list, expected a number from 0 to 1"),
    ],
)
def test_a_number_from_0_to_1_is_a_reward_and_anything_else_is_undecided(
    returned: object, score: float | None, reason: str
) -> None:
    verdict = as_verdict(returned)
    assert (verdict.score, verdict.reason) == (score, reason)


def test_a_verdict_comes_through_as_it_is() -> None:
    own = Verdict(score=None, reason="no reference", extracted="7")
    assert as_verdict(own) is own


HALF = r'''
import re


def half(problem, response):
    """1 for the boxed answer, half for the number without a box."""
    if f"\\boxed{{{problem.answer}}}" in response:
        return 1
    return 0.5 if re.search(rf"\b{problem.answer}\b", response) else 0


def raises(problem, response):
    raise KeyError("nothing here")


def leaves(problem, response):
    raise SystemExit(3)


def says(problem, response):
    return "yes"


words = "no function"
'''


def test_half_credit_from_a_file_is_a_partial_reward_and_a_signal(tmp_path: Path) -> None:
    own = rewards(RlSpec(reward=f"{module(tmp_path, HALF)}:half"))
    model = Program(in_turn(r"\boxed{4}", "it is 4", "it is 5", "44"))
    [group] = attempt(model, [MATH], n=4, params=PARAMS, seed=0, verifier=own.verifier)
    assert group.scores == [1.0, 0.5, 0.0, 0.0]
    assert group.accuracy == 0.25  # p(q) counts what is fully right
    [silent] = attempt(Program(in_turn("4", "5")), [MATH], n=2, params=PARAMS, seed=0, verifier=own.verifier)
    assert silent.accuracy == 0
    assert has_signal(silent)


def test_a_reward_that_raises_or_returns_text_is_undecided_and_says_why(tmp_path: Path) -> None:
    file = module(tmp_path, HALF)
    told = {}
    for name in ("raises", "leaves", "says"):
        verdict = reward_verifier(f"{file}:{name}", key="mine.reward")(MATH, "4")
        assert verdict.score is None
        told[name] = verdict.reason
    assert told == {
        "raises": "reward_raised: KeyError: 'nothing here'",
        "leaves": "reward_raised: SystemExit: 3",
        "says": "reward_no_number: it returned a str, expected a number from 0 to 1",
    }


@pytest.mark.parametrize(
    ("name", "source", "told"),
    [
        ("halve", HALF, "has no 'halve'; it has half, leaves, raises, says"),
        ("words", HALF, "is a str, expected a function of (problem, response)"),
        ("half", "def half(:\n", "cannot be imported: SyntaxError: "),
        ("half", "import no_such_module\n", "cannot be imported: No module named 'no_such_module'"),
        ("half", "raise SystemExit(1)\n", "cannot be imported: SystemExit: 1"),
        ("half", "1 / 0\n", "cannot be imported: ZeroDivisionError: "),
    ],
)
def test_a_file_that_cannot_give_the_reward_is_one_line(tmp_path: Path, name: str, source: str, told: str) -> None:
    file = module(tmp_path, source)
    with pytest.raises(ConfigError) as caught:
        reward_verifier(f"{file}:{name}", key="mine.reward")
    assert str(caught.value).startswith(f"mine.reward: {file}")
    assert told in str(caught.value)


def test_the_general_prompts_of_a_phase_keep_the_verifiers_of_their_domains(tmp_path: Path) -> None:
    own = rewards(RlSpec(reward=f"{module(tmp_path, HALF)}:half", domains=("math",)))
    choice = Problem(id="s", domain=Domain.STEM, prompt="A or B?", answer="B", options={"A": "1", "B": "2"})
    model = Program(lambda prompt: "4" if "2+2" in prompt else r"\boxed{B}")
    math, stem = attempt(model, [MATH, choice], n=1, params=PARAMS, seed=0, verifier=own.verifier)
    assert (math.scores, math.verdicts[0].reason) == ([0.5], "reward")
    assert stem.scores == [1.0]
    assert stem.verdicts[0].reason != "reward"
    every = rewards(RlSpec(reward=f"{module(tmp_path, HALF)}:half"))
    [stem] = attempt(model, [choice], n=1, params=PARAMS, seed=0, verifier=every.verifier)
    assert stem.verdicts[0].reason == "reward"


def test_above_a_fifth_of_undecided_rewards_the_run_stops_and_at_a_fifth_it_goes_on() -> None:
    assert MAX_UNDECIDED == 0.2
    own = rewards(RlSpec(reward="json:loads", group_size=4))
    fifth = [undecided(MATH, ["reward_raised: KeyError: 1", 0.0, 1.0, 0.0, 1.0])] * 8
    own.check(fifth)
    own.check(fifth)
    with pytest.raises(RunError) as caught:
        own.check([undecided(MATH, ["reward_no_number: it returned a str"] * 2)])
    assert str(caught.value) == (
        "mine.reward: 18 of 82 responses have no verdict, more than 20%: reward_raised: KeyError: 1; "
        "mend it and run the same command again"
    )


def test_what_the_reward_was_not_asked_about_is_not_held_against_it() -> None:
    own = rewards(RlSpec(reward="json:loads", domains=("math",)))
    own.check([undecided(replace(MATH, domain=Domain.CODE), ["crashed"] * 64)])  # a general prompt
    own.check([undecided(MATH, ["sampling_error"] * 64)])  # a server that samples has failed
    rewards(RlSpec()).check([undecided(MATH, ["bad_reference"] * 64)])  # the verifiers of the domains


def test_a_reward_that_fails_leaves_nothing_behind_so_that_the_same_command_asks_again(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    problems = [replace(MATH, id=f"m{number}") for number in range(40)]
    broken = rewards(RlSpec(reward=f"{module(tmp_path, HALF)}:raises"))
    model = Program(lambda prompt: "4")
    with pytest.raises(RunError, match=r"mine\.reward: 20 of 20 responses have no verdict, more than 20%"):
        attempt(
            model, problems, n=1, params=PARAMS, seed=0, path=path, chunk=20, verifier=broken.verifier,
            accept=broken.check_all,
        )  # fmt: skip
    assert len(model.batches) == 1  # and no further chunk is sampled
    assert read_jsonl(path) == []
    mended = rewards(RlSpec(reward=f"{module(tmp_path, HALF)}:half"))
    groups = attempt(
        model, problems, n=1, params=PARAMS, seed=0, path=path, verifier=mended.verifier, accept=mended.check, chunk=20
    )  # fmt: skip
    assert {tuple(group.scores) for group in groups} == {(0.5,)}


# ---- a judge of rubrics


def judged(program: Any, problem: Problem, replies: Sequence[str], **spec: Any) -> tuple[Rewards, Group]:
    """A phase with this judge, and its verdicts on some responses."""
    own = rewards(RlSpec(judge="nano", **spec))
    assert own.judge is not None
    if program is not None:
        own.judge = Judge(program, folder="default", second_looks=own.judge.second_looks)
    rollouts = [
        Rollout(problem_id="", index=i, text=text, stop=Stop.EOS, num_tokens=1) for i, text in enumerate(replies)
    ]
    [group] = verify_groups([(problem, rollouts)], workers=1, verifier=own.verifier, review=own.review)
    return own, group


def test_a_rubric_is_decided_by_the_judge_of_the_phase_where_the_rules_hold() -> None:
    _, group = judged(None, FREE, ["hello there", "good day", ""])
    assert group.scores == [1.0, 0.0, 0.0]
    assert [v.reason for v in group.verdicts] == ["judge", "judge", "no_answer"]
    ruled = replace(FREE, rules=(Rule(id="punctuation:no_comma"),))
    own, group = judged(None, ruled, ["hello there", "hello, there", "good day"])
    assert group.scores == [1.0, 0.0, 0.0]
    assert group.verdicts[1].reason == "violated: punctuation:no_comma"
    assert own.record()["questions"] == 2  # a violated rule is not asked about


def test_a_rubric_without_a_judge_is_undecided_and_not_wrong() -> None:
    assert rewards(RlSpec()).review is None
    [group] = attempt(Program(lambda _: "hello"), [FREE], n=2, params=PARAMS, seed=0)
    assert group.accuracy is None
    assert {v.reason for v in group.verdicts} == {"needs_judge: the problem has a rubric, and no judge is named"}
    assert not has_signal(group)


def test_weights_make_partial_rewards() -> None:
    rubric = (Criterion(text="says the word hello", weight=3), Criterion(text="has at least 3 words"))
    _, group = judged(None, replace(FREE, rubric=rubric), ["hello you there", "hello", "a b c", "bye"])
    assert group.scores == [1.0, 0.75, 0.25, 0.0]
    assert group.accuracy == 0.25


def test_a_judge_that_says_nothing_readable_is_undecided_and_above_a_half_the_run_stops() -> None:
    own, group = judged(Program(lambda _: "Who knows"), FREE, [f"response {number}" for number in range(16)])
    assert {v.score for v in group.verdicts} == {None}
    assert {v.reason for v in group.verdicts} == {"judge_undecided: 0% of the weight was decided, 75% is needed"}
    record = own.record()
    assert (record["questions"], record["undecided"], record["calls"]) == (16, 16, 32)  # each is asked twice
    with pytest.raises(RunError, match=r"^mine\.judge: 16 of 16 responses have no verdict, more than 50%: judge_undec"):
        own.check_all([group])
    half = undecided(FREE, ["judge_undecided"] * 16 + [1.0] * 16)
    rewards(RlSpec(judge="nano")).check([half])
    rewards(RlSpec(judge="nano")).check([undecided(MATH, ["crashed"] * 64)])  # not the judge's to decide


@pytest.mark.live
def test_a_model_of_a_server_judges_rubrics_and_its_failures_are_counted() -> None:
    def script(asked: Asked) -> Reply:
        response = asked.text.partition("<response-")[2].partition("</response-")[0]
        if "broken" in response:
            return Reply(status=400, body=b'{"error": {"message": "no"}}')
        return Reply(content="Let me see.\nYes" if "hello" in response else "No" if "bye" in response else "Perhaps")

    with Upstream(script) as upstream:
        own = rewards(RlSpec(judge=f"toy@{upstream.url}"))
        words = ["hello", "bye", "who knows", "broken", "hello again"]
        rollouts = [
            Rollout(problem_id="", index=i, text=text, stop=Stop.EOS, num_tokens=1) for i, text in enumerate(words)
        ]
        [group] = verify_groups([(FREE, rollouts)], workers=1, review=own.review)
    assert [v.score for v in group.verdicts] == [1.0, 0.0, None, None, 1.0]
    assert all(v.reason.startswith("judge_undecided") for v in group.verdicts[2:4])
    record = own.record()
    assert (record["questions"], record["undecided"]) == (5, 2)
    assert record["calls"] == 7 + int(record["looked_twice"] or 0)  # the two are asked once more
    assert record["tokens"] > 0
    assert record["seconds"] > 0
    assert {one.body["model"] for one in upstream.requests} == {"toy"}
    own.check([group])  # two of five is no reason to stop


@pytest.mark.live
def test_a_server_that_is_not_there_leaves_rubrics_open_and_all_else_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("etalon.sampling.endpoint.retry.BASE_SECONDS", 0.01)
    with dead_port() as url:
        own = rewards(RlSpec(judge=f"toy@{url}"))
        told = [("hello", FREE), (r"\boxed{4}", MATH)]
        pairs = [
            (problem, [Rollout(problem_id="", index=0, text=text, stop=stop, num_tokens=1)])
            for text, problem in told
            for stop in (Stop.EOS, Stop.ERROR)
        ]
        groups = verify_groups(pairs, workers=1, review=own.review)
    reasons = [group.verdicts[0].reason for group in groups]
    assert reasons[0].startswith(("judge_unreachable", "judge_undecided"))
    assert (reasons[1], reasons[3]) == ("sampling_error", "sampling_error")
    assert groups[2].scores == [1.0]


def test_what_a_judge_was_asked_cost_and_how_far_it_agrees_with_itself_is_recorded() -> None:
    calls = Counter[str]()

    def moody(prompt: str) -> str:
        calls[prompt] += 1
        return "Yes" if calls[prompt] == 1 or "even" in prompt.partition("<response")[2] else "No"

    words = [f"hello {'even' if number % 2 == 0 else 'odd'} {number}" for number in range(400)]
    own, group = judged(Program(moody), FREE, words)
    assert group.accuracy == 1  # second looks change no verdict
    record = own.record()
    assert (record["questions"], record["undecided"]) == (400, 0)
    twice = record["looked_twice"]
    assert isinstance(twice, int)
    assert 8 <= twice <= 40  # one in twenty
    assert record["calls"] == 400 + twice
    assert record["agreement"] == pytest.approx(sum(n == 2 and "even" in p for p, n in calls.items()) / twice)
    assert 0 < record["agreement"] < 1
    assert record["tokens"] == 400 * 3 + sum(3 if "even" in p else 2 for p, n in calls.items() if n == 2)
    share = f"{record['agreement']:.0%}"
    assert judge_words(record) == (
        f"400 questions, 0 undecided, agrees with itself in {share} of {twice}; {record['calls']} calls, "
        f"{record['tokens']} tokens, {record['seconds']:.1f} s"
    )
    silent, _ = judged(Program(lambda _: "hm"), FREE, ["hello"])
    assert silent.record()["agreement"] is None
    assert "agrees" not in judge_words(silent.record())
    assert rewards(RlSpec()).record() == {}


def test_the_nano_worlds_open_prompts_are_decided_by_its_program() -> None:
    problems = nano.open_problems("rl", 24)
    assert len({problem.id for problem in problems}) == 24
    assert all(problem.rubric and problem.domain is Domain.INSTRUCT for problem in problems)
    for problem in problems[:6]:
        _, group = judged(None, problem, ["lemon lemon", "a b c d e f g h i j k l m n o p", ""])
        assert not any(v.is_undecided for v in group.verdicts), problem.rubric
        assert group.verdicts[2].score == 0.0


# ---- which prompts


def prompts(**sizes: int) -> list[Problem]:
    made = {
        "rules": lambda i: replace(FREE, id=f"rules{i}", rubric=()),
        "rubric": lambda i: replace(FREE, id=f"rubric{i}"),
        "long": lambda i: replace(FREE, id=f"long{i}", prompt="word " * 30),
    }
    return [make(i) for name, make in made.items() for i in range(sizes.get(name, 0))]


def sorts(found: Sequence[Problem]) -> dict[str, int]:
    return dict(Counter(sort_of(problem, long_words=20) for problem in found))


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({}, {"rules": 40, "rubric": 20, "long": 10}),
        ({"rules": 0.5, "rubric": 0.5}, {"rules": 20, "rubric": 20}),
        ({"rules": 0.5, "rubric": 0.25, "long": 0.25}, {"rules": 20, "rubric": 10, "long": 10}),
        ({"rubric": 1.0}, {"rubric": 20}),
        ({"rubric": 0.2, "long": 0.2}, {"rubric": 10, "long": 10}),  # relative to their sum
        ({"rules": 1.0, "long": 0.0}, {"rules": 40}),
    ],
)
def test_sorts_of_prompts_are_mixed_in_their_shares_and_none_twice(
    shares: dict[PromptSort, float], expected: dict[str, int]
) -> None:
    found = mixture(prompts(rules=40, rubric=20, long=10), shares, long_words=20, seed=0)
    assert sorts(found) == expected
    assert len({problem.id for problem in found}) == len(found)


def test_a_sort_without_a_prompt_leaves_its_share_to_the_others_and_another_seed_chooses_others() -> None:
    shares: dict[PromptSort, float] = {"rules": 0.5, "rubric": 0.25, "long": 0.25}
    found = mixture(prompts(rules=40, rubric=10), shares, long_words=20, seed=0)
    assert sorts(found) == {"rules": 20, "rubric": 10}
    assert mixture(prompts(long=3), {"rubric": 1.0}, long_words=20, seed=0) == []
    ids = [{problem.id for problem in mixture(prompts(rules=40, rubric=10), shares, long_words=20, seed=seed)}
           for seed in (0, 0, 1)]  # fmt: skip
    assert ids[0] == ids[1] != ids[2]
    assert sort_of(prompts(long=1)[0], long_words=2000) == "rubric"


# ---- why there is nothing to learn


def group_of(*answers: str) -> Group:
    """A group with a rollout per word: right, half, wrong, none, cut, cut-right, cut-half, open."""
    table = {
        "right": (Stop.EOS, 1.0, "exact"), "half": (Stop.EOS, 0.5, "reward"), "wrong": (Stop.EOS, 0.0, "different"),
        "none": (Stop.EOS, 0.0, "no_answer"), "cut": (Stop.LENGTH, 0.0, "truncated"),
        "cut-right": (Stop.LENGTH, 1.0, "exact"), "cut-half": (Stop.LENGTH, 0.5, "reward"),
        "open": (Stop.EOS, None, "bad_reference: no number"),
    }  # fmt: skip
    rows = [table[answer] for answer in answers]
    return Group(
        problem=replace(MATH, id=f"p{next(numbers)}"),
        rollouts=tuple(
            Rollout(problem_id="", index=i, text="", stop=row[0], num_tokens=1) for i, row in enumerate(rows)
        ),
        verdicts=tuple(Verdict(score=row[1], reason=row[2]) for row in rows),
    )


def test_every_rollout_is_counted_once_and_the_shares_add_up() -> None:
    every = ("right", "half", "wrong", "none", "cut", "cut-right", "cut-half", "open")
    shares = Shares.of([group_of(*every), group_of("right", "right")])
    counted = {
        name: round(getattr(shares, name) * 10)
        for name in ("right", "partial", "wrong", "no_answer", "truncated", "undecided")
    }
    assert counted == {"right": 4, "partial": 2, "wrong": 1, "no_answer": 1, "truncated": 1, "undecided": 1}
    assert (shares.prompts, shares.rollouts, shares.usable, shares.all_right) == (2, 10, 1, 1)
    assert shares.reason == "bad_reference: no number"
    told = "40% right, 20% partly right, 10% wrong, 10% no answer, 10% truncated, 10% undecided"
    assert str(shares) == told
    assert str(Shares.of([group_of("none")])) == "0% right, 0% wrong, 100% no answer"


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (
            [("cut", "cut", "cut", "none")],
            [
                "75% were cut at 200 tokens: raise mine.max_tokens, or ask for shorter answers with model.system",
                "25% end without an answer: the model does not know the form; say it in the prompt or model.system, "
                "or put an sft stage before this one",
            ],
        ),
        (
            [("wrong", "wrong")],
            [
                "100% are wrong answers: use easier problems, more rollouts per prompt (mine.group_size and "
                "mine.prefilter_attempts), or put an sft stage before this one"
            ],
        ),
        (
            [("right", "right"), ("right", "right"), ("wrong", "wrong")],
            ["2 of 3 prompts are always right: use harder problems"],
        ),
        (
            [("open", "open"), ("wrong", "wrong")],
            [
                "50% have no verdict (bad_reference: no number): mend the references, the reward or the judge",
                "50% are wrong answers: use easier problems, more rollouts per prompt (mine.group_size and "
                "mine.prefilter_attempts), or put an sft stage before this one",
            ],
        ),
        ([("half", "half")], ["no prompt was answered differently twice: use other problems"]),
    ],
)  # fmt: skip
def test_advice_names_every_cause_that_is_worth_it_and_the_knob(groups: list[tuple[str, ...]], told: list[str]) -> None:
    shares = Shares.of([group_of(*answers) for answers in groups])
    assert list(advice(shares, RlSpec(max_tokens=200), stage="mine")) == told


def test_a_pool_keeps_what_an_advantage_can_be_made_of_and_its_counts_add_up() -> None:
    kept = [
        make_group([1, 0], problem_id="a"),
        make_group([0.5, 0.0], problem_id="b"),
        make_group([1, None, 0], problem_id="c"),
    ]
    dropped = [
        make_group([0, 0], problem_id="d"), make_group([0.5, 0.5], problem_id="e"), make_group([1, 1], problem_id="f"),
        make_group([None, None], problem_id="g"), make_group([1, None], problem_id="h"),
    ]  # fmt: skip
    pool = sort_pool([*kept, *dropped])
    assert [problem.id for problem in pool.kept] == ["a", "b", "c"]
    counts = {name: pool.record[name] for name in ("prompts", "kept", "all_wrong", "all_right", "undecided")}
    assert counts == {"prompts": 8, "kept": 3, "all_wrong": 2, "all_right": 2, "undecided": 1}
