import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon.data.asking.expand import DIMENSIONS, expand_records, parse_queries, requests
from etalon.data.asking.label import Cluster, Label, of_votes, tally
from etalon.data.calls.remembered import Remembered
from etalon.data.curriculum.paths import SAME, distinct_paths, fingerprint, similarity
from etalon.data.curriculum.strata import is_hard, strata, table
from etalon.data.gates import Gated
from etalon.data.records import Record
from etalon.errors import RunError
from etalon.problems.instructions import with_instruction
from etalon.types import Conversation, Domain, Problem, Rollout, SamplingParams, Stop, Trace

QUERY = Problem(id="q", domain=Domain.MATH, prompt=with_instruction("What is 1+1?", Domain.MATH), skill="algebra")


def by_value(answers: Sequence[str | None]) -> list[int | None]:
    """Clusters of whole numbers, however they are written."""
    return [None if answer is None else int(float(answer)) for answer in answers]


def pseudo_label(answers: Sequence[str | None], *, agreement: float, cluster: Cluster | None = None) -> Label:
    return of_votes(tally(answers, cluster=cluster), agreement=agreement)


# --- labels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "answer", "reason"),
    [
        (["2", "2.0", "2", "3", None], "2", "majority"),  # 3 of 5 is the threshold
        (["2", "2.0", "3", None, None], None, "agreement below 0.6"),  # answers that say nothing count against
        (["2", "2", "3", "3"], None, "tie between answers"),
        ([None, None], None, "no answer could be read"),
        ([], None, "no answer could be read"),
        (["2.0", "2.0", "2"], "2.0", "majority"),
    ],
)
def test_a_label_is_the_answer_that_enough_agree_on(answers: list[str | None], answer: str | None, reason: str) -> None:
    label = pseudo_label(answers, agreement=0.6, cluster=by_value)
    assert (label.answer, label.reason) == (answer, reason)


@given(
    st.lists(st.none() | st.sampled_from(["1", "1.0", "2", "2.0", "3"]), max_size=9), st.randoms(use_true_random=False)
)
def test_a_label_does_not_depend_on_the_order_of_answers(answers: list[str | None], shuffler: random.Random) -> None:
    shuffled = list(answers)
    shuffler.shuffle(shuffled)
    assert pseudo_label(answers, agreement=0.5, cluster=by_value) == pseudo_label(
        shuffled, agreement=0.5, cluster=by_value
    )


def test_equivalence_is_that_of_the_verifiers_by_default() -> None:
    assert pseudo_label(["1/2", "0.5", "2"], agreement=0.6).answer in {"1/2", "0.5"}


# --- paths -------------------------------------------------------------------------------------------------------

DIRECT = "The answer is \\boxed{12}."
STEPS = "First 3 * 2 = 6. Then 6 + 6 = 12. So the answer is \\boxed{12}."
CHECKED = "3*2+6: multiply before adding, 6 and 6 make 12; going back, 12 - 6 = 6 = 3 * 2, which holds. \\boxed{12}"


def trace(response: str, *, query: str = "q", tokens: int | None = None, error_rate: float | None = None) -> Trace:
    count = len(response) if tokens is None else tokens
    return Trace(
        problem_id=query, domain=Domain.MATH, prompt="?", response=response, num_tokens=count, error_rate=error_rate
    )


def test_paths_that_differ_in_spaces_case_or_marks_are_one_path() -> None:
    same = STEPS.upper().replace(" * ", "*").replace(".", " .")
    gated = distinct_paths([trace(STEPS), trace(same), trace(DIRECT), trace(CHECKED), trace(DIRECT)], max_paths=4)
    assert len(gated.kept) == 3
    assert gated.report.reasons == {SAME: 2}


def test_the_paths_that_differ_most_are_kept() -> None:
    almost = STEPS.replace("So the", "Hence the")
    gated = distinct_paths([trace(STEPS), trace(almost), trace(CHECKED), trace(DIRECT)], max_paths=2)
    assert CHECKED in {kept.response for kept in gated.kept}
    assert gated.report.reasons == {"more than 2 paths": 2}


def test_a_derivation_done_twice_is_another_path_than_done_once() -> None:
    assert len(distinct_paths([trace(STEPS), trace(f"{STEPS} Again. {STEPS}")], max_paths=2).kept) == 2


def test_similarity_is_the_share_of_common_ngrams() -> None:
    # 4-grams of "a b c d e": 2; of "b c d e f": 2; one of three is common
    assert similarity(fingerprint("a b c d e"), fingerprint("b c d e f")) == pytest.approx(1 / 3)


@given(
    st.lists(st.tuples(st.sampled_from("pq"), st.text("abc ", max_size=12)), max_size=12),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_chosen_paths_are_distinct_and_do_not_depend_on_order(
    drawn: list[tuple[str, str]], max_paths: int, shuffler: random.Random
) -> None:
    traces = [trace(text, query=query) for query, text in drawn]
    kept = distinct_paths(traces, max_paths=max_paths).kept
    for query in {t.problem_id for t in traces}:
        prints = [fingerprint(t.response) for t in kept if t.problem_id == query]
        assert 1 <= len(prints) <= max_paths
        assert all(similarity(a, b) < 0.8 for i, a in enumerate(prints) for b in prints[:i])
    shuffler.shuffle(traces)
    again = distinct_paths(traces, max_paths=max_paths).kept
    assert {(t.problem_id, t.response) for t in kept} == {(t.problem_id, t.response) for t in again}


# --- strata ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "error_rate", "expected"),
    [(5000, 0.75, True), (4999, 1.0, False), (9000, 0.74, False), (9000, None, False)],
)
def test_hard_is_long_and_mostly_failed(tokens: int, error_rate: float | None, expected: bool) -> None:
    assert is_hard(trace("", tokens=tokens, error_rate=error_rate)) is expected


def test_strata_count_traces_and_queries_and_show_what_was_not_measured() -> None:
    traces = [trace("a", tokens=5000, error_rate=0.75), trace("b", tokens=6000, error_rate=1.0), trace("c", tokens=10)]
    unmeasured, hard = table(strata(traces))
    assert (unmeasured["tokens_low"], unmeasured["tokens_high"], unmeasured["error_low"]) == (0, 1000, None)
    assert (hard["tokens_low"], hard["error_low"], hard["traces"], hard["problems"]) == (5000, 0.75, 2, 1)


# --- expansion ---------------------------------------------------------------------------------------------------


class Scripted:
    """Answers every conversation with the same text, in reverse order, and remembers what it was asked."""

    name = "scripted"

    def __init__(self, *texts: str, stop: Stop = Stop.EOS) -> None:
        self.texts, self.stop = texts, stop
        self.asked: list[str] = []

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        self.asked += [conversation[-1].content for conversation in conversations]
        for index in reversed(range(len(conversations))):
            text = self.texts[index % len(self.texts)]
            yield index, (Rollout(problem_id="", index=0, text=text, stop=self.stop, num_tokens=1),)


def test_queries_are_read_after_the_thinking() -> None:
    assert parse_queries("<think><query>draft</query></think>Here: <query> What\nis 2? </query>") == ["What\nis 2?"]
    assert parse_queries("<think>maybe <query>draft</query>") == []
    assert parse_queries("<query> </query> What is 2?") == []


def grown(seeds: Sequence[Problem], sampler: Scripted, path: Path, *, count: int) -> Gated[Record]:
    records = [Record(problem=problem) for problem in seeds]
    with Remembered(sampler, path) as teacher:
        return expand_records(records, teacher, count=count, params=SamplingParams(), seed=0)


def test_expansion_makes_unlabelled_problems_of_the_seeds_domain(tmp_path: Path) -> None:
    sampler = Scripted(
        "<query>What is 2+2?</query>", "<query>What is 3+3?</query>", "no idea", "<query>what is 2 + 2</query>"
    )
    gated = grown([QUERY], sampler, tmp_path / "calls.jsonl", count=4)
    seed, *new = [record.problem for record in gated.kept]
    assert seed is QUERY
    assert [problem.prompt.split("?")[0] for problem in new] == ["What is 2+2", "What is 3+3"]
    for problem in new:
        assert (problem.domain, problem.answer, problem.skill) == (Domain.MATH, None, "algebra")
        assert problem.prompt.count("boxed") == 1
        assert problem.id.startswith("q+")
    assert gated.report.reasons == {"copy of another query": 1, "no <query> in the response": 1}


def test_every_dimension_takes_its_turn_and_shows_the_bare_question() -> None:
    batches = list(requests([QUERY, QUERY], 6))
    assert [len(batch) for batch in batches] == [8, 4]
    assert {request.dimension for request in batches[0]} == set(DIMENSIONS)
    for batch in batches:
        assert all("What is 1+1?" in r.conversation[0].content for r in batch)
        assert all("think step by step" not in r.conversation[0].content for r in batch)


def test_what_cannot_be_labelled_is_not_expanded_and_failures_are_told_apart(tmp_path: Path) -> None:
    code = Problem(id="c", domain=Domain.CODE, prompt="Write f.", tests={})
    cut_off = Scripted("<query>What", stop=Stop.LENGTH)
    with pytest.raises(RunError, match="wrote no new query in 1 calls: truncated"):
        grown([QUERY, code], cut_off, tmp_path / "cut.jsonl", count=1)
    assert len(cut_off.asked) == 1
    with pytest.raises(RunError, match="none of 1 calls gave an answer"):
        grown([QUERY], Scripted("", stop=Stop.ERROR), tmp_path / "failed.jsonl", count=1)
