"""credit: raw correctness decides the weight, shaped rewards the advantage, undecided rollouts nothing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon.recipe import RlSpec
from etalon.rl.credit import CreditSpec, credit
from etalon.rl.mgpo import entropy_weight, group_advantages
from groups import make_group

EXACT = CreditSpec(std_epsilon=0.0)
SCORES = st.lists(st.sampled_from([0.0, 1.0, 0.5, None]), min_size=1, max_size=12)
LENGTHS = st.lists(st.integers(1, 4000), min_size=12, max_size=12)


def advantages(scores: list[float | None], spec: CreditSpec = EXACT, lengths: list[int] | None = None) -> list[float]:
    return [c.advantage for c in credit(make_group(scores, lengths), spec)]


def test_one_right_of_four_gives_the_numbers_worked_by_hand() -> None:
    # p = 1/4: D = 1/4 ln(1/2) + 3/4 ln(3/2) = -0.173287 + 0.304099 = 0.130812; w = exp(-D) = 0.877383
    # mean 1/4, variance 3/16, std 0.433013: A = 0.75/0.433013 = 1.732051 and -0.25/0.433013 = -0.577350
    # credit = w A = 1.519671 and -0.506557
    found = credit(make_group([1, 0, 0, 0]), EXACT)
    assert [c.advantage for c in found] == pytest.approx([1.519671, *[-0.506557] * 3], abs=1e-6)
    assert [c.weight for c in found] == pytest.approx([0.877383] * 4, abs=1e-6)
    assert [c.reward for c in found] == [1, 0, 0, 0]


def test_gamma_zero_is_grpo() -> None:
    scores = [1.0, 1.0, 0.0, 1.0, 0.0]
    plain = group_advantages([s or 0.0 for s in scores], epsilon=0.0)
    assert advantages(scores, CreditSpec(gamma=0.0, std_epsilon=0.0)) == plain


@pytest.mark.parametrize("gamma", [0.5, 1.0, 4.0])
def test_the_weight_multiplies_the_advantage_because_on_the_reward_it_would_cancel(gamma: float) -> None:
    scores = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    weight = entropy_weight(1 / 8, gamma)
    plain = group_advantages(scores, epsilon=0.0)
    weighted_rewards = group_advantages([weight * s for s in scores], epsilon=0.0)
    assert weighted_rewards == pytest.approx(plain)  # the trap: normalisation divides the weight away again
    ours = advantages(scores, CreditSpec(gamma=gamma, std_epsilon=0.0))
    assert ours == pytest.approx([weight * a for a in plain])
    assert abs(ours[0]) < 0.9 * abs(weighted_rewards[0])


def test_p_of_q_comes_from_raw_correctness_not_from_shaped_rewards() -> None:
    # two of four correct: p = 1/2 and the weight is 1; the shaped rewards 1.2 and 0.8 must not enter p
    shaped = credit(make_group([1, 1, 0, 0], [10, 30, 5, 5]), CreditSpec(gamma=4.0, brevity=0.2))
    assert {c.weight for c in shaped} == {1.0}
    assert [c.reward for c in shaped] == pytest.approx([1.2, 0.8, 0, 0])


def test_a_partial_score_is_a_reward_but_not_correct() -> None:
    # scores 0.9 0.9 0 0: nobody is fully correct, p = 0, weight 2^-gamma, although the mean reward is 0.45
    found = credit(make_group([0.9, 0.9, 0.0, 0.0]), CreditSpec(gamma=2.0, std_epsilon=0.0))
    assert [c.weight for c in found] == pytest.approx([0.25] * 4)
    assert [c.advantage for c in found] == pytest.approx([0.25, 0.25, -0.25, -0.25])


def test_undecided_rollouts_get_nothing_and_change_nothing_for_the_others() -> None:
    with_undecided = credit(make_group([1, None, 0, None, 0]), EXACT)
    without = credit(make_group([1, 0, 0]), EXACT)
    assert [with_undecided[i] for i in (0, 2, 4)] == without
    assert all(with_undecided[i].advantage == 0.0 for i in (1, 3))


def test_undecided_is_not_wrong() -> None:
    # 1 1 None None: all decided ones are right, so there is no signal; as "wrong" it would be p = 1/2
    assert advantages([1, 1, None, None]) == [0.0] * 4


def test_a_group_that_nobody_could_decide_carries_no_credit() -> None:
    assert all((c.advantage, c.weight, c.reward) == (0.0, 0.0, 0.0) for c in credit(make_group([None, None]), EXACT))


@pytest.mark.parametrize("score", [0.0, 1.0, 0.3])
def test_a_group_that_agrees_carries_no_signal(score: float) -> None:
    assert advantages([score] * 7) == [0.0] * 7


def test_an_all_correct_group_still_gets_length_credit_under_long2short() -> None:
    # lengths 10, 20, 40: rewards 1.2, 0.96, 0.84 (test_long2short), mean 1, variance (0.04 + 0.0016 + 0.0256) / 3
    # = 0.0224, std 0.149666; A = 1.336306, -0.267261, -1.069045; p = 1, so w = 1/2
    spec = CreditSpec(gamma=1.0, brevity=0.2, std_epsilon=0.0)
    found = advantages([1, 1, 1], spec, [10, 20, 40])
    assert found == pytest.approx([0.668153, -0.133631, -0.534522], abs=1e-6)
    assert advantages([1, 1, 1], EXACT, [10, 20, 40]) == [0.0] * 3


@given(SCORES, LENGTHS, st.floats(0, 5), st.sampled_from([0.0, 0.2]), st.sampled_from([0, 1]))
def test_credits_of_a_group_sum_to_zero(
    scores: list[float | None], lengths: list[int], gamma: float, brevity: float, ddof: int
) -> None:
    spec = CreditSpec(gamma=gamma, brevity=brevity, std_ddof=ddof)  # type: ignore[arg-type]
    found = credit(make_group(scores, lengths[: len(scores)]), spec)
    assert math.fsum(c.advantage for c in found) == pytest.approx(0, abs=1e-6)
    if any(s is not None for s in scores):
        assert all(2**-gamma - 1e-12 <= c.weight <= 1 + 1e-12 for c in found)


@given(SCORES, LENGTHS, st.randoms(use_true_random=False))
def test_the_order_of_rollouts_does_not_matter(scores: list[float | None], lengths: list[int], random: object) -> None:
    spec = CreditSpec(brevity=0.2)
    order = list(range(len(scores)))
    random.shuffle(order)  # type: ignore[attr-defined]
    before = advantages(scores, spec, lengths[: len(scores)])
    after = advantages([scores[i] for i in order], spec, [lengths[i] for i in order])
    assert after == pytest.approx([before[i] for i in order], abs=1e-6)


def test_the_keys_of_a_phase_are_what_an_engine_has_to_honour() -> None:
    spec = CreditSpec.of(RlSpec(gamma=0.0, std_ddof=1, importance_cap=3.0, **{"lambda": 0.2}))
    assert (spec.gamma, spec.std_ddof, spec.importance_cap, spec.brevity) == (0.0, 1, 3.0, 0.2)
    plain = CreditSpec.of(RlSpec())
    assert (plain.gamma, plain.brevity, plain.importance) == (1.0, 0.0, "token-truncate")


@pytest.mark.parametrize("brevity", [0.01, 0.2, 5.0])
def test_where_all_are_right_lambda_cancels(brevity: float) -> None:
    group = make_group([1.0] * 4, [40, 40, 40, 41])
    advantages = [one.advantage for one in credit(group, CreditSpec(brevity=brevity))]
    assert advantages == pytest.approx([3**-0.5 / 2] * 3 + [-(3**0.5) / 2], abs=1e-3)


@given(SCORES, LENGTHS, st.floats(0, 5), st.sampled_from([0.0, 0.2]), st.sampled_from([0, 1]))
def test_credit_equals_the_equations_written_out_again(
    scores: list[float | None], lengths: list[int], gamma: float, brevity: float, ddof: int
) -> None:
    """p(q), D_ME, w(q), Long2Short and A_i as the reports print them, in one loop without our functions."""
    lengths = lengths[: len(scores)]
    rewards = {i: float(s) for i, s in enumerate(scores) if s is not None}
    right = [i for i, s in rewards.items() if s >= 1]
    p = len(right) / len(rewards) if rewards else 0.0
    terms = [x * math.log(2 * x) for x in (p, 1 - p) if x > 0]
    weight = math.exp(-gamma * sum(terms))
    shares = {i: 1 / lengths[i] for i in right}
    centre = sum(shares.values()) / len(shares) if shares else 0.0
    reach = max((abs(share - centre) for share in shares.values()), default=0.0)
    shaped = {
        i: r + (brevity * (shares[i] - centre) / reach if i in shares and reach > 1e-12 else 0)
        for i, r in rewards.items()
    }
    mean = sum(shaped.values()) / len(shaped) if shaped else 0.0
    squares = sum((r - mean) ** 2 for r in shaped.values())
    spread = math.sqrt(squares / (len(shaped) - ddof)) if len(shaped) > ddof else 0.0
    found = credit(make_group(scores, lengths), CreditSpec(gamma=gamma, brevity=brevity, std_ddof=ddof))
    for i, one in enumerate(found):
        expected = weight * (shaped[i] - mean) / (spread + 1e-6) if i in shaped and spread > 1e-9 else 0.0
        assert one.advantage == pytest.approx(expected, abs=1e-5)
