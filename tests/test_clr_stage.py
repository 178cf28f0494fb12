"""The numbers of the stage `clr`, from groups as the samplers make them: failures, cuts, votes and costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from etalon.clr.batch import ClrSampler
from etalon.pipeline.stages.clr import Answered, Votes, clr_row, clr_summary
from etalon.sampling import attempt
from etalon.types import Conversation, Domain, Group, Problem, Rollout, SamplingParams, Stop, Verdict

K, M = 4, 2
PARAMS = SamplingParams(max_tokens=50)


def said(text: str, stop: Stop = Stop.EOS, num_tokens: int = 10) -> Rollout:
    error = "connection reset" if stop is Stop.ERROR else ""
    return Rollout(index=0, text=text, stop=stop, num_tokens=num_tokens, error=error)


FAILED = said("", Stop.ERROR, 0)


def boxed(answer: int | str) -> Rollout:
    return said(f"\\boxed{{{answer}}}")


def with_claims(answer: int | str) -> Rollout:
    return said(f"\\boxed{{{answer}}}\n<claims>\na\nb\n</claims>", num_tokens=30)


@dataclass
class Scripted:
    """What trajectories and plain samples of a question say, by their number; every claim is valid."""

    trajectories: Callable[[str, int], Rollout]
    plain: Callable[[str, int], Rollout]
    name: str = "scripted"

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        for index, conversation in enumerate(conversations):
            prompt = conversation[-1].content
            if prompt.endswith("<verify>"):
                yield index, (said("<verdicts>\nv\nv\n</verdicts>", num_tokens=5),) * n
            else:
                say = self.trajectories if "<claims>" in prompt else self.plain
                yield index, tuple(say(prompt.split("\n")[0], i) for i in range(n))


def summary_of(
    rows: Sequence[dict[str, Any]], samples: Sequence[Group], clusters: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """As the stage makes it of its rows."""
    answered = Answered.of(rows, samples, K)
    return clr_summary(answered, k=K, m=M, undecided=len(rows) - len(answered.rows), clusters=clusters)


def measured(
    trajectories: Callable[[str, int], Rollout],
    plain: Callable[[str, int], Rollout],
    count: int = 4,
    answer: str = "7",
) -> tuple[dict[str, Any], list[dict[str, Any]], list[Group]]:
    problems = [Problem(id=f"p{i}", domain=Domain.MATH, prompt=f"{i}+7-{i}=?", answer=answer) for i in range(count)]
    inner = Scripted(trajectories, plain)
    whole = attempt(ClrSampler(inner, k=K, m=M, prompts="nano"), problems, n=1, params=PARAMS, seed=0)
    samples = attempt(inner, problems, n=2 * K, params=PARAMS, seed=0)
    rows = [clr_row(group) for group in whole]
    return summary_of(rows, samples), rows, samples


def test_every_column_by_hand() -> None:
    # trajectories: 7, 7, 5, 5: the vote ties, and the earliest is right; plain: six of eight say 7
    found, _, _ = measured(lambda q, i: with_claims(7 if i < 2 else 5), lambda q, i: boxed(5 if i > 5 else 7))
    assert found["problems"] == 4
    assert found["pass1"] == 0.5
    assert found["plain_pass1"] == 0.75
    assert found["cons_k"] == found["cons_2k"] == 1.0
    # 4 of 8 without replacement: two 5s tie with probability C(6,2)/C(8,4) = 15/70, and then lose half of the time
    assert found["plain_cons_k"] == pytest.approx(1 - 15 / 70 / 2)
    assert (found["failed"], found["unanswered"], found["undecided"]) == (0, 0, 0)


def test_a_failed_call_costs_its_vote_and_no_problem() -> None:
    """Of the plain ones, one in every problem fails: the very case that left nothing to average."""
    found, _, _ = measured(
        lambda q, i: FAILED if i == 0 else with_claims(7), lambda q, i: FAILED if i == 3 else boxed(7)
    )
    assert (found["problems"], found["undecided"], found["failed"]) == (4, 0, 4 + 4)
    assert {found[name] for name in ("pass1", "plain_pass1", "cons_k", "plain_cons_k", "cons_2k", "clr")} == {1.0}


def test_a_problem_of_which_every_call_failed_is_undecided_and_counted() -> None:
    def plain(question: str, i: int) -> Rollout:
        return FAILED if question.startswith("0") else boxed(7)

    found, rows, _ = measured(lambda q, i: with_claims(7), plain)
    assert (found["problems"], found["undecided"]) == (3, 1)
    found, rows, _ = measured(lambda q, i: FAILED if q.startswith("1") else with_claims(7), lambda q, i: boxed(7))
    assert (found["problems"], found["undecided"]) == (3, 1)
    assert rows[1]["pass1"] is rows[1]["correct"] is rows[1]["majority_correct"] is None


def test_nothing_at_all_to_average_is_no_crash() -> None:
    found, _, _ = measured(lambda q, i: FAILED, lambda q, i: FAILED)
    assert (found["problems"], found["undecided"], found["clr"], found["clr_minus_cons_2k"]) == (0, 4, None, None)


def test_a_reference_that_cannot_be_read_is_undecided_everywhere() -> None:
    found, _, _ = measured(lambda q, i: with_claims(7), lambda q, i: boxed(7), answer="nan")
    assert (found["problems"], found["undecided"]) == (0, 4)


def test_without_an_answer_a_problem_is_wrong_and_counted() -> None:
    found, _, _ = measured(lambda q, i: said("hm"), lambda q, i: said("hm"))
    assert (found["problems"], found["unanswered"], found["undecided"]) == (4, 4, 0)
    assert (found["clr"], found["cons_k"], found["cons_2k"], found["pass1"]) == (0.0, 0.0, 0.0, 0.0)


def test_a_cut_response_is_wrong_and_its_answer_votes_on_both_sides_alike() -> None:
    cut = said("<think>7.</think>\\boxed{7} and", Stop.LENGTH)

    def half(question: str, i: int) -> Rollout:
        return cut if i % 2 else boxed(5)

    found, _, _ = measured(lambda q, i: cut, lambda q, i: cut)
    assert (found["pass1"], found["plain_pass1"]) == (0.0, 0.0)
    assert (found["cons_k"], found["cons_2k"], found["clr"], found["clr_minus_cons_2k"]) == (1.0, 1.0, 1.0, 0.0)
    thought = said("so \\boxed{7} and", Stop.LENGTH)  # of a template that opens the thought itself: no answer
    found, _, _ = measured(lambda q, i: thought, lambda q, i: thought)
    assert (found["cons_k"], found["cons_2k"], found["clr"], found["unanswered"]) == (0.0, 0.0, 0.0, 4)
    found, _, _ = measured(lambda q, i: cut if i % 2 else with_claims(5), half)
    assert (found["pass1"], found["plain_pass1"]) == (0.0, 0.0)
    assert found["plain_cons_k"] == found["cons_2k"] == 0.5  # ties, half of the time broken for each


def test_an_undecided_verdict_costs_a_vote_at_most() -> None:
    _, rows, samples = measured(lambda q, i: with_claims(7), lambda q, i: boxed(7))
    late = Verdict(score=None, reason="timeout")
    samples = [replace(group, verdicts=(late, *group.verdicts[1:])) for group in samples]
    found = summary_of(rows, samples)
    assert (found["problems"], found["undecided"], found["plain_pass1"], found["cons_2k"]) == (4, 0, 1.0, 1.0)


def test_tokens_are_those_of_both_stages_and_of_all_plain_samples() -> None:
    found, rows, _ = measured(lambda q, i: with_claims(7 if i < 2 else 5), lambda q, i: boxed(7), count=2)
    assert found["tokens"] == sum(30 * K + 5 * (row["calls"] - K) for row in rows)
    assert found["tokens_cons_2k"] == 2 * 2 * K * 10
    assert found["calls"] < found["calls_full"] == 2 * 2 * K


def test_near_copies_widen_the_intervals() -> None:
    def right(question: str, i: int) -> Rollout:
        return boxed(7 if question[0] in "01" else 5)

    _, rows, samples = measured(lambda q, i: with_claims(7), right)
    plain = summary_of(rows, samples)
    clustered = summary_of(rows, samples, {"p0": "a", "p1": "a", "p2": "b", "p3": "b"})
    assert plain["cons_2k"] == clustered["cons_2k"] == 0.5
    assert clustered["cons_2k_high"] > plain["cons_2k_high"]


def test_a_vote_at_equal_cost_has_as_many_plain_samples_as_the_calls_or_the_tokens_of_clr_buy() -> None:
    """Trajectories of 30 tokens and verifications of 5; plain samples of 10, five of eight of which say 7."""
    found, rows, _ = measured(lambda q, i: with_claims(7 if i < 3 else 5), lambda q, i: boxed(5 if i > 4 else 7))
    assert {row["calls"] for row in rows} == {K + 1}, "one verified 7 cannot be overtaken by one 5"
    assert found["cons_calls_size"] == 5.0
    # of five drawn, the 5s win when all three are among them, in C(5,2) of C(8,5) draws
    assert found["cons_calls"] == pytest.approx(1 - 10 / 56)
    assert found["cons_tokens_size"] == 2 * K, "its 125 tokens would buy 12.5: all there are"
    assert found["cons_tokens"] == found["cons_2k"] == 1.0


def test_a_size_between_two_is_the_larger_one_in_that_share_of_the_cases() -> None:
    votes = Votes(clusters=(0, 0, 1), correct=(True, True, False))
    # one sample: 2/3; two: both right 1/3, else a tie, 2/3 x 1/2; three: always
    assert [votes.expected(size) for size in (1, 2, 3, 7)] == pytest.approx([2 / 3, 2 / 3, 1, 1])
    assert votes.expected(2.25) == pytest.approx(0.75 * 2 / 3 + 0.25)
    assert Votes(clusters=(), correct=()).expected(2.5) is None


def test_clr_is_paired_with_every_vote() -> None:
    def right(question: str, i: int) -> Rollout:
        return boxed(7 if question[0] in "01" else 5)

    found, _, _ = measured(lambda q, i: with_claims(7 if i else 5), right)
    for name in ("cons_k", "plain_cons_k", "cons_2k", "cons_calls", "cons_tokens"):
        assert found[f"clr_minus_{name}"] == pytest.approx(found["clr"] - found[name])
        assert found[f"clr_minus_{name}_low"] <= found[f"clr_minus_{name}"] <= found[f"clr_minus_{name}_high"]
    assert found["clr_minus_plain_cons_k"] == 0.5
    assert found["clr_minus_cons_k"] == 0.0


def test_the_exponent_decides_between_a_few_sound_trajectories_and_many_with_a_slip() -> None:
    """One of two claims refuted is 1/4 with the exponent M and 1/2 without: three such against one sound one."""

    def slipping(prompt: str) -> str:
        return "<verdicts>\nv\nx\n</verdicts>" if "slip" in prompt else "<verdicts>\nv\nv\n</verdicts>"

    @dataclass
    class Judged:
        name: str = "judged"

        def sample(
            self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
        ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
            for index, conversation in enumerate(conversations):
                prompt = conversation[-1].content
                if prompt.endswith("<verify>"):
                    yield index, (said(slipping(prompt)),) * n
                else:
                    sound, slip = (
                        f"\\boxed{{{n}}}\n<claims>\na\n{claim}\n</claims>" for n, claim in ((7, "b"), (5, "slip"))
                    )
                    yield index, tuple(said(slip if i else sound) for i in range(n))

    problem = Problem(id="p", domain=Domain.MATH, prompt="3+4=?", answer="7")
    answers = {}
    for exponent in ("m", "one"):
        for early in ("exact", "off"):
            sampler = ClrSampler(Judged(), k=K, m=M, prompts="nano", exponent=exponent, early=early)
            [group] = attempt(sampler, [problem], n=1, params=PARAMS, seed=0)
            detail = group.rollouts[0].detail
            assert detail is not None
            assert detail["exponent"] == exponent
            answers[exponent, early] = detail["answer"]
    assert answers == {("m", "exact"): "7", ("m", "off"): "7", ("one", "exact"): "5", ("one", "off"): "5"}
