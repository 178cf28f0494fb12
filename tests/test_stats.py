"""Numbers worked by hand, and slow references by enumeration."""

import itertools
import math
import random
from dataclasses import replace

import pytest

from etalon.stats import (
    Interval,
    accuracy_histogram,
    cons_accuracy,
    cons_at_k,
    excludes_zero,
    finite,
    mean_interval,
    paired_difference,
    pass_at_k,
    problem_means,
    score_groups,
    t_quantile,
    unseen_share,
)
from etalon.types import Domain, Group, Problem, Rollout, Stop, Verdict


def group(problem_id, scores, *, tokens=None, stops=None):
    tokens = tokens or [10] * len(scores)
    stops = stops or [Stop.EOS] * len(scores)
    return Group(
        problem=Problem(id=problem_id, domain=Domain.MATH, prompt="?"),
        rollouts=tuple(
            Rollout(problem_id=problem_id, index=i, text="", stop=stop, num_tokens=num_tokens)
            for i, (num_tokens, stop) in enumerate(zip(tokens, stops, strict=True))
        ),
        verdicts=tuple(Verdict(score=score, reason="") for score in scores),
    )


# ---- Pass@K


def test_pass_at_k_equals_numbers_worked_by_hand():
    assert pass_at_k(4, 1, 1) == pytest.approx(1 / 4)
    assert pass_at_k(4, 1, 2) == pytest.approx(1 / 2)  # 1 - C(3,2)/C(4,2) = 1 - 3/6
    assert pass_at_k(5, 2, 3) == pytest.approx(9 / 10)  # 1 - C(3,3)/C(5,3) = 1 - 1/10
    assert pass_at_k(5, 3, 3) == 1.0  # two wrong ones cannot fill three places
    assert pass_at_k(8, 0, 8) == 0.0


def test_pass_at_k_equals_the_average_over_all_subsets():
    for num_samples in range(1, 8):
        for num_correct in range(num_samples + 1):
            outcomes = [True] * num_correct + [False] * (num_samples - num_correct)
            for k in range(1, num_samples + 1):
                subsets = list(itertools.combinations(outcomes, k))
                slow = sum(any(subset) for subset in subsets) / len(subsets)
                assert pass_at_k(num_samples, num_correct, k) == pytest.approx(slow, abs=1e-12)


def test_pass_at_k_of_more_than_was_sampled_is_an_error():
    with pytest.raises(ValueError, match="number of samples 4, not 8"):
        pass_at_k(4, 1, 8)
    with pytest.raises(ValueError, match="5 correct of 4"):
        pass_at_k(4, 5, 1)


# ---- intervals

TABULATED_T = [
    *[(1, 12.7062), (2, 4.30265), (3, 3.18245), (4, 2.77645), (5, 2.57058), (9, 2.26216), (10, 2.22814)],
    *[(29, 2.04523), (30, 2.04227), (100, 1.98397), (199, 1.97196), (1000, 1.96234), (5000, 1.96044)],
]


@pytest.mark.parametrize(
    ("degrees", "tabulated"),
    TABULATED_T,
)
def test_t_quantiles_equal_the_tables(degrees, tabulated):
    assert t_quantile(degrees) == pytest.approx(tabulated, abs=6e-5)


def test_the_interval_of_four_problems_worked_by_hand():
    # mean 0.5, squares 0.25+0+0+0.25, variance 0.5/3, standard error sqrt(0.5/12) = 0.204124, t(3) = 3.18245
    interval = mean_interval([0.0, 0.5, 0.5, 1.0])
    assert interval.mean == pytest.approx(0.5)
    assert interval.low == pytest.approx(0.5 - 3.18245 * 0.204124, abs=1e-5)
    assert interval.high == pytest.approx(0.5 + 3.18245 * 0.204124, abs=1e-5)


def test_the_interval_covers_the_truth_95_times_in_100():
    random_ = random.Random(0)
    intervals = [mean_interval([random_.gauss(0, 1) for _ in range(5)]) for _ in range(4000)]
    covered = sum(interval.low <= 0 <= interval.high for interval in intervals) / len(intervals)
    assert covered == pytest.approx(0.95, abs=0.012)


def test_one_problem_says_nothing_about_the_spread():
    assert mean_interval([0.5]) == Interval(mean=0.5, low=-math.inf, high=math.inf)
    assert paired_difference({"a": 0.0}, {"a": 0.5}) == mean_interval([0.5])
    with pytest.raises(ValueError, match="no problems"):
        mean_interval([])


@pytest.mark.parametrize(("num_problems", "exact"), [(10, 0.30850), (20, 0.16843), (50, 0.07112), (100, 0.03622)])
def test_problems_that_all_agree_do_not_make_a_score_certain(num_problems, exact):
    # Clopper-Pearson limits of 0 of n, as tabulated
    assert unseen_share(num_problems) == pytest.approx(exact, abs=1e-5)
    none, all_ = mean_interval([0.0] * num_problems), mean_interval([1.0] * num_problems)
    assert (none.low, none.mean, none.high) == (0.0, 0.0, pytest.approx(exact, abs=1e-5))
    assert (all_.low, all_.mean, all_.high) == (pytest.approx(1 - exact, abs=1e-5), 1.0, 1.0)
    some = mean_interval([1 / 3] * num_problems)
    assert 0.0 < some.low < 1 / 3 < some.high < 1.0
    assert some.high - some.low == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("num_problems", [2, 5, 20, 100])
def test_no_true_share_is_missed_more_often_than_it_may_by_problems_that_all_agree(num_problems):
    for percent in range(101):
        share = percent / 100
        none, all_ = mean_interval([0.0] * num_problems), mean_interval([1.0] * num_problems)
        missed = (1 - share) ** num_problems * (share > none.high) + share**num_problems * (share < all_.low)
        assert missed <= 0.05


def test_a_difference_that_is_the_same_everywhere_is_not_certain_either():
    zeros, ones = {str(i): 0.0 for i in range(50)}, {str(i): 1.0 for i in range(50)}
    same = paired_difference(zeros, zeros)
    assert (same.mean, same.low, same.high) == (
        0.0,
        pytest.approx(-0.07112, abs=1e-5),
        pytest.approx(0.07112, abs=1e-5),
    )
    gained = paired_difference(zeros, ones)
    assert (gained.low, gained.high) == (pytest.approx(1 - 2 * 0.07112, abs=1e-5), 1.0)
    assert gained.excludes_zero
    assert not paired_difference({"a": 0.0, "b": 0.0}, {"a": 1.0, "b": 1.0}).excludes_zero  # two problems say little


def test_differences_are_paired_by_problem_and_skip_what_only_one_side_has():
    before = {"a": 0.0, "b": 0.5, "c": 1.0, "only before": 0.0}
    after = {"b": 0.75, "a": 0.25, "c": 1.0, "only after": 1.0}
    # differences 1/4, 1/4, 0: mean 1/6, variance 1/48, standard error 1/12, t(2) = 4.30265
    difference = paired_difference(before, after)
    assert difference.mean == pytest.approx(1 / 6)
    assert difference.high - difference.mean == pytest.approx(4.30265 / 12, abs=1e-5)
    assert not difference.excludes_zero
    wide = paired_difference({"a": 0.0, "b": 0.0, "c": 0.5}, {"a": 1.0, "b": 1.0, "c": 0.5})
    assert (wide.high, wide.low) == (1.0, pytest.approx(2 / 3 - 4.30265 / 3, abs=1e-5))  # no share changes by more
    with pytest.raises(ValueError, match="in both"):
        paired_difference({"a": 1.0}, {"b": 1.0})


def test_pairing_sees_a_small_steady_gain_that_unpaired_means_cannot():
    before = {str(i): i / 100 for i in range(100)}
    after = {key: value + 0.01 + 0.001 * (int(key) % 3) for key, value in before.items()}
    assert paired_difference(before, after).excludes_zero


# ---- majority vote


def test_a_tie_goes_to_the_earliest_rollout():
    assert cons_accuracy([0, 1, 1, 0], [True, False, False, True], 4) == 1.0
    assert cons_accuracy([1, 0, 0, 1], [False, True, True, False], 4) == 0.0
    assert cons_accuracy([0, 1, 1], [True, False, False], 3) == 0.0
    assert cons_accuracy([0, 1, 1], [True, False, False], 2) == 1.0  # only the first two vote


def test_a_rollout_without_an_answer_casts_no_vote():
    assert cons_accuracy([None, None, 0], [False, False, True], 3) == 1.0
    assert cons_accuracy([None, None], [False, False], 2) == 0.0


def test_cons_at_k_equals_numbers_worked_by_hand():
    # answers A A B, A correct. k=1: 2/3. k=2: AA 1/3 right, AB 2/3 tied, half of them right. k=3: A wins.
    clusters, correct = [0, 0, 1], [True, True, False]
    assert cons_at_k(clusters, correct, 1) == pytest.approx(2 / 3)
    assert cons_at_k(clusters, correct, 2) == pytest.approx(2 / 3)
    assert cons_at_k(clusters, correct, 3) == 1.0


def test_cons_at_k_equals_the_vote_over_all_orders():
    random_ = random.Random(1)
    for _ in range(60):
        num_rollouts = random_.randint(1, 6)
        clusters = [random_.choice([None, 0, 1, 2, 3]) for _ in range(num_rollouts)]
        correct = [cluster is not None and random_.random() < 0.5 for cluster in clusters]
        for k in range(1, num_rollouts + 1):
            orders = list(itertools.permutations(zip(clusters, correct, strict=True), k))
            slow = sum(cons_accuracy([c for c, _ in o], [ok for _, ok in o], k) for o in orders) / len(orders)
            assert cons_at_k(clusters, correct, k) == pytest.approx(slow, abs=1e-12)


def test_cons_at_k_is_exact_at_sizes_that_nobody_enumerates():
    clusters = [i % 7 for i in range(64)]
    every_answer_right = cons_at_k(clusters, [True] * 64, 32)
    one_answer_right = [cons_at_k(clusters, [c == answer for c in clusters], 32) for answer in range(7)]
    assert every_answer_right == pytest.approx(1.0)
    assert sum(one_answer_right) == pytest.approx(1.0)


def test_votes_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match="2 clusters for 1 verdicts"):
        cons_at_k([0, 1], [True], 1)
    with pytest.raises(ValueError, match="number of rollouts 2, not 3"):
        cons_accuracy([0, 1], [True, False], 3)


# ---- groups


def test_all_wrong_and_all_right_have_their_own_bar():
    assert accuracy_histogram([0.0, 0.01, 0.125, 0.5, 0.99, 1.0, 1.0], num_bars=9) == [1, 2, 0, 0, 1, 0, 0, 1, 2]
    sixteenths = accuracy_histogram([i / 16 for i in range(17)], num_bars=9)
    assert sum(sixteenths) == 17
    assert sixteenths == sixteenths[::-1]


def test_undecided_rollouts_are_skipped_and_undecided_problems_left_out():
    groups = [group("a", [1.0, None, 0.0, 1.0]), group("b", [None, None]), group("c", [0.5, 0.0])]
    assert problem_means(groups) == {"a": pytest.approx(2 / 3), "c": 0.0}  # partial is not correct
    score = score_groups(groups, 2)
    assert (score.problems, score.undecided_problems, score.undecided) == (2, 1, 3)
    assert score.pass1 == pytest.approx(1 / 3)
    assert (score.k, score.passk) == (2, pytest.approx(1 / 2))  # a: 1 - C(1,2)/C(3,2) = 1; c: 0


def test_a_problem_with_fewer_than_k_decided_rollouts_has_no_pass_at_k():
    groups = [group("a", [1.0, 0.0, 0.0, 0.0]), group("b", [1.0, None, None, None])]
    assert score_groups(groups, 4).passk == 1.0
    assert score_groups(groups[1:], 4).passk is None


def test_a_row_of_the_stage_table_worked_by_hand():
    groups = [
        group("a", [1.0, 0.0], tokens=[10, 30], stops=[Stop.EOS, Stop.LENGTH]),
        group("b", [1.0, 1.0], tokens=[20, 20]),
        group("c", [0.0, None], tokens=[40, 0], stops=[Stop.EOS, Stop.ERROR]),
    ]
    score = score_groups(groups, 1)
    assert score.pass1 == pytest.approx(0.5)
    assert score.mean_tokens == pytest.approx(24)  # 120 over the 5 that answered
    assert score.correct_tokens == pytest.approx(50 / 3)
    assert score.truncated == pytest.approx(1 / 5)
    change = paired_difference({"a": 0.0, "b": 1.0, "c": 0.0}, problem_means(groups))
    assert change.mean == pytest.approx(1 / 6)  # 1/2, 0, 0
    assert change.low == pytest.approx(1 / 6 - 4.30265 / 6, abs=1e-5)  # standard error 1/6
    assert change.high == pytest.approx(1 / 6 + 4.30265 / 6, abs=1e-5)


def test_no_answer_is_a_share_of_what_was_decided():
    said = ["exact", "no_answer", "no_answer: the thought was cut", "truncated", "no_answers"]
    verdicts = [Verdict(score=0.0, reason=reason) for reason in said]
    whole = group("a", [0.0] * 5)
    assert score_groups([replace(whole, verdicts=tuple(verdicts))], 1).no_answer == pytest.approx(2 / 5)
    verdicts[4] = Verdict(score=None, reason="crashed")
    assert score_groups([replace(whole, verdicts=tuple(verdicts))], 1).no_answer == pytest.approx(2 / 4)
    assert score_groups([group("a", [None])], 1).no_answer == 0


def test_json_has_no_infinity():
    assert (finite(0.5), finite(-math.inf), finite(math.inf)) == (0.5, None, None)


def test_nothing_to_average_is_none_and_not_zero():
    score = score_groups([], 8)
    assert (score.pass1, score.passk, score.mean_tokens, score.correct_tokens) == (None, None, None, None)


# ---- clusters


def test_problems_that_stand_alone_have_the_ordinary_interval():
    rng = random.Random(1)
    values = [rng.random() for _ in range(30)]
    assert mean_interval(values, clusters=list(range(30))) == mean_interval(values)


def test_copies_add_no_certainty():
    rng = random.Random(2)
    values = [rng.random() for _ in range(20)]
    once = mean_interval(values)
    thrice = mean_interval(values * 3, clusters=[i % 20 for i in range(60)])
    assert (thrice.mean, thrice.low, thrice.high) == pytest.approx((once.mean, once.low, once.high))


def test_a_clustered_interval_worked_by_hand():
    # residuals 0.5, 0.5 | -0.5, -0.5: sums 1 and -1, variance (1 + 1) * 2/1 / 16 = 1/4; t with one degree is 12.706
    found = mean_interval([1.0, 1.0, 0.0, 0.0], clusters=["a", "a", "b", "b"])
    assert (found.mean, found.high) == pytest.approx((0.5, 0.5 + 12.7062 / 2), abs=1e-3)
    # clusters that agree are no certainty: as if two problems had agreed
    balanced = mean_interval([1.0, 0.0, 1.0, 0.0], clusters=["a", "a", "b", "b"])
    assert (balanced.low, balanced.high) == (0.5 - 0.5 * unseen_share(2), 0.5 + 0.5 * unseen_share(2))


def test_what_rounding_leaves_of_no_spread_is_no_certainty():
    before, after = {"a": 0.1, "b": 0.2, "c": 0.3}, {"a": 0.2, "b": 0.3, "c": 0.4}
    assert not paired_difference(before, after).excludes_zero
    halves = {str(i): float(i % 2) for i in range(8)}
    found = paired_difference(dict.fromkeys(halves, 0.0), halves, clusters={str(i): str(i // 2) for i in range(8)})
    assert not found.excludes_zero


def test_one_cluster_says_nothing_about_the_spread():
    assert mean_interval([0.2, 0.4, 0.9], clusters=["a"] * 3).high == math.inf
    assert mean_interval([1.0] * 12, clusters=[i % 4 for i in range(12)]) == mean_interval([1.0] * 4)


def test_the_clustered_interval_covers_the_truth_where_the_plain_one_does_not():
    rng = random.Random(3)
    covered = {"plain": 0, "clustered": 0}
    for _ in range(1000):
        values, clusters = [], []
        for number in range(30):
            level = rng.gauss(0.5, 0.2)
            values += [level + rng.gauss(0, 0.05) for _ in range(5)]
            clusters += [number] * 5
        for name, found in (("plain", mean_interval(values)), ("clustered", mean_interval(values, clusters=clusters))):
            covered[name] += found.low <= 0.5 <= found.high
    assert covered["plain"] < 800
    assert 925 <= covered["clustered"] <= 970


def test_differences_are_clustered_by_problem_id():
    before = {"a1": 0.0, "a2": 0.0, "b": 0.5, "c": 0.5, "d": 0.0}
    after = {"a1": 1.0, "a2": 1.0, "b": 0.5, "c": 0.6, "d": 0.1}
    plain = paired_difference(before, after)
    clustered = paired_difference(before, after, clusters={"a1": "a", "a2": "a", "elsewhere": "a"})
    assert plain.mean == clustered.mean
    assert clustered.high - clustered.low > plain.high - plain.low


def test_a_difference_is_clear_where_both_ends_are_known_and_on_one_side_of_0():
    assert excludes_zero(0.01, 0.2)
    assert excludes_zero(-0.2, -0.01)
    for low, high in ((-0.1, 0.1), (0.0, 0.2), (None, 0.2), (0.1, None), (None, None)):
        assert not excludes_zero(low, high)
