import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon.errors import ConfigError
from etalon.sft.selection import Selection, learning_potential, length_buckets, quantile, select
from etalon.types import Domain, Trace


def trace(number: int, score: float | None, *, tokens: int = 100, domain: Domain = Domain.MATH) -> Trace:
    return Trace(
        problem_id=str(number),
        domain=domain,
        prompt="?",
        response=f"r{number}",
        num_tokens=tokens,
        learning_potential=score,
    )


def chosen(traces: list[Trace], **knobs: float | str) -> Selection:
    settings = {"min_tokens": 16, "num_buckets": 4, "low": 0.2, "high": 0.95, **knobs}
    return select(traces, **settings)  # type: ignore[arg-type]


traces_of_all_kinds = st.lists(
    st.builds(
        trace,
        st.integers(0, 10**6),
        st.none() | st.integers(0, 2000).map(lambda hundredths: hundredths / 100),
        tokens=st.integers(1, 400),
        domain=st.sampled_from([Domain.MATH, Domain.CODE]),
    ),
    max_size=60,
    unique_by=lambda t: t.problem_id,
)


def test_learning_potential_is_the_mean_negative_logprob() -> None:
    assert learning_potential([-1.0, -2.0, -6.0]) == 3.0


def test_quantiles_are_interpolated() -> None:
    assert [quantile([0.0, 10.0, 20.0], q) for q in (0.0, 0.25, 0.5, 1.0)] == [0.0, 5.0, 10.0, 20.0]


def test_both_tails_go() -> None:
    # ranks 0..10; the 0.2-quantile is 2, the 0.95-quantile 9.5
    selection = chosen([trace(number, float(number)) for number in range(11)], num_buckets=1)
    assert [t.learning_potential for t in selection.kept] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert (selection.too_low, selection.too_high) == (2, 1)


def test_long_traces_of_low_scores_do_not_lose_to_short_ones_of_high_scores() -> None:
    short = [trace(number, 5.0 + number, tokens=50) for number in range(10)]
    long = [trace(100 + number, 0.1 * number, tokens=5000) for number in range(10)]
    selection = chosen(short + long, num_buckets=2)
    assert [bucket.kept for bucket in selection.buckets] == [7, 7]
    assert [(bucket.length_low, bucket.length_high) for bucket in selection.buckets] == [(50, 50), (5000, 5000)]


@given(traces_of_all_kinds)
def test_what_other_domains_score_does_not_matter(traces: list[Trace]) -> None:
    math = [t for t in traces if t.domain is Domain.MATH]
    alone = {t.problem_id for t in chosen(math).kept}
    beside = {t.problem_id for t in chosen(traces).kept if t.domain is Domain.MATH}
    assert alone == beside


@given(traces_of_all_kinds)
def test_every_bucket_keeps_its_own_middle(traces: list[Trace]) -> None:
    selection = chosen(traces)
    kept = {t.problem_id for t in selection.kept}
    for bucket in selection.buckets:
        members = [
            t
            for t in traces
            if t.domain.value == bucket.domain
            and t.learning_potential is not None
            and max(16, bucket.length_low) <= t.num_tokens <= bucket.length_high
        ]
        assert sorted(bucket.scores) == sorted(
            t.learning_potential for t in members if t.learning_potential is not None
        )
        inside = {t.problem_id for t in members if bucket.low <= (t.learning_potential or 0.0) <= bucket.high}
        assert inside == kept & {t.problem_id for t in members}
        assert len(inside) == bucket.kept
        assert inside
        if len(set(bucket.scores)) == len(bucket.scores) >= 3:
            extremes = {min(bucket.scores), max(bucket.scores)}
            assert not extremes & {t.learning_potential for t in members if t.problem_id in kept}


@given(traces_of_all_kinds, st.randoms(use_true_random=False))
def test_the_order_of_traces_does_not_matter(traces: list[Trace], shuffler: random.Random) -> None:
    shuffled = list(traces)
    shuffler.shuffle(shuffled)
    one, other = chosen(traces), chosen(shuffled)
    assert {t.problem_id for t in one.kept} == {t.problem_id for t in other.kept}
    assert one.record() == other.record()


@given(traces_of_all_kinds)
def test_every_trace_is_accounted_for_in_json(traces: list[Trace]) -> None:
    record = json.loads(json.dumps(chosen(traces).record()))
    assert record["candidates"] == len(traces)
    assert record["kept"] == sum(bucket["kept"] for bucket in record["buckets"])
    assert record["too_short"] == sum(t.num_tokens < 16 for t in traces)


@given(st.floats(0, 30), st.integers(1, 40))
def test_traces_of_equal_score_are_kept_or_left_together(score: float, count: int) -> None:
    assert len(chosen([trace(number, score) for number in range(count)]).kept) == count


def test_traces_of_equal_length_are_never_parted() -> None:
    traces = [trace(number, float(number), tokens=10 if number < 14 else 20) for number in range(20)]
    assert sorted(len(bucket) for bucket in length_buckets(traces, 4)) == [6, 14]


def test_a_domain_with_few_traces_gets_fewer_buckets() -> None:
    assert len(length_buckets([trace(n, 1.0, tokens=n + 1) for n in range(9)], 4)) == 1
    assert len(length_buckets([trace(n, 1.0, tokens=n + 1) for n in range(20)], 4)) == 4


def test_short_and_unscored_traces_are_counted_not_ranked() -> None:
    traces = [trace(0, 9.0, tokens=3), trace(1, None), trace(2, float("inf")), trace(3, 1.0)]
    selection = chosen(traces)
    assert [t.problem_id for t in selection.kept] == ["3"]
    assert (selection.too_short, selection.unscored) == (1, 2)


def test_quantiles_the_wrong_way_round_are_the_users_to_fix() -> None:
    with pytest.raises(ConfigError, match=r"distill.low: 0.9 is not below distill.high"):
        chosen([], low=0.9, high=0.2)


@given(traces_of_all_kinds, st.sampled_from(["random", "top"]), st.integers(0, 3))
def test_random_and_top_keep_as_many_of_each_bucket_as_the_band(traces: list[Trace], choose: str, seed: int) -> None:
    band, other = chosen(traces), chosen(traces, choose=choose, seed=seed)
    assert [bucket.kept for bucket in other.buckets] == [bucket.kept for bucket in band.buckets]
    assert len(other.kept) == len(band.kept)
    assert other.not_chosen == band.too_low + band.too_high
    assert (other.too_short, other.unscored) == (band.too_short, band.unscored)
    told = other.record()
    assert (told["choose"], told["candidates"], told["not_chosen"]) == (choose, len(traces), other.not_chosen)
    assert chosen(traces, choose=choose, seed=seed) == other


def test_top_takes_the_outliers_and_random_whatever_its_seed_draws() -> None:
    traces = [trace(number, float(number)) for number in range(11)]
    top = chosen(traces, num_buckets=1, choose="top")
    assert [t.learning_potential for t in top.kept] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert (top.buckets[0].low, top.buckets[0].high) == (3, 10)
    draws = {
        tuple(t.problem_id for t in chosen(traces, num_buckets=1, choose="random", seed=seed).kept) for seed in range(8)
    }
    assert len(draws) > 1
    assert {number for draw in draws for number in draw} == {str(number) for number in range(11)}
