"""Long2Short: brevity is a zero-sum bonus among the correct rollouts of a group."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon.rl.long2short import brevity_rewards

ROLLOUT = st.tuples(st.booleans(), st.integers(1, 65536))
GROUPS = st.lists(ROLLOUT, min_size=1, max_size=16)


def shaped(group: list[tuple[bool, int]], strength: float = 0.2) -> list[float]:
    correct = [c for c, _ in group]
    return brevity_rewards([float(c) for c in correct], correct, [n for _, n in group], strength=strength)


def exactly(group: list[tuple[bool, int]], strength: Fraction) -> list[Fraction]:
    """The formula of the paper in exact arithmetic, rollout by rollout."""
    rewards = []
    for i, (is_correct, _) in enumerate(group):
        reward = Fraction(1 if is_correct else 0)
        if is_correct:
            brevities = {j: Fraction(1, n) for j, (c, n) in enumerate(group) if c}
            mean = Fraction(sum(brevities.values()), len(brevities))
            largest = max(abs(b - mean) for b in brevities.values())
            if largest:
                reward += strength * (brevities[i] - mean) / largest
        rewards.append(reward)
    return rewards


def test_three_correct_lengths_give_the_numbers_worked_by_hand() -> None:
    # s = 1/10, 1/20, 1/40; mean 7/120; s - mean = 5/120, -1/120, -4/120; divided by the largest: 1, -1/5, -4/5
    # r' = 1 + 0.2 * (1, -0.2, -0.8) = 1.2, 0.96, 0.84
    assert shaped([(True, 10), (True, 20), (True, 40)]) == pytest.approx([1.2, 0.96, 0.84], abs=1e-12)


def test_incorrect_rollouts_neither_change_nor_count_into_the_mean_length() -> None:
    # only 10 and 30 are correct: s - mean = 1/30, -1/30, so +0.2 and -0.2, whatever the wrong one's length is
    group = [(True, 10), (False, 1), (True, 30), (False, 9999)]
    assert shaped(group) == pytest.approx([1.2, 0.0, 0.8, 0.0], abs=1e-12)


@pytest.mark.parametrize(
    "group",
    [
        [(False, 3), (False, 5)],  # nobody is correct
        [(True, 3), (False, 5)],  # one alone has nobody to be shorter than
        [(True, 7), (True, 7), (False, 1), (True, 7)],  # equal lengths
        [(True, 49), (True, 49), (True, 49)],  # 3 * (1/49) / 3 is not 1/49 in floats
    ],
)
def test_a_group_without_a_difference_in_length_is_unchanged(group: list[tuple[bool, int]]) -> None:
    assert shaped(group) == [float(c) for c, _ in group]


@given(GROUPS)
def test_rewards_equal_exact_rational_arithmetic(group: list[tuple[bool, int]]) -> None:
    expected = exactly(group, Fraction(1, 5))
    assert shaped(group) == pytest.approx([float(r) for r in expected], abs=1e-5)


@given(GROUPS)
def test_the_group_mean_does_not_move(group: list[tuple[bool, int]]) -> None:
    correct = [r - 1 for r, (c, _) in zip(shaped(group), group, strict=True) if c]
    assert sum(correct) == pytest.approx(0, abs=1e-5)
    assert sum(shaped(group)) == pytest.approx(sum(c for c, _ in group), abs=1e-5)


@given(GROUPS, st.randoms(use_true_random=False))
def test_the_order_of_rollouts_does_not_matter(group: list[tuple[bool, int]], random: object) -> None:
    order = list(range(len(group)))
    random.shuffle(order)  # type: ignore[attr-defined]
    rewards = shaped(group)
    assert shaped([group[i] for i in order]) == pytest.approx([rewards[i] for i in order], abs=1e-5)


@given(GROUPS)
def test_shorter_is_never_worse_and_every_correct_rollout_beats_every_wrong_one(group: list[tuple[bool, int]]) -> None:
    rewards = sorted((n, r) for r, (c, n) in zip(shaped(group), group, strict=True) if c)
    assert all(a[1] >= b[1] - 1e-9 for a, b in pairwise(rewards))
    assert all(0.8 - 1e-9 <= r <= 1.2 + 1e-9 for _, r in rewards)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 500)), min_size=1, max_size=12), st.integers(2, 9))
def test_only_relative_lengths_matter(group: list[tuple[bool, int]], factor: int) -> None:
    longer = [(c, n * factor) for c, n in group]
    assert shaped(longer) == pytest.approx(shaped(group), abs=1e-6)


def test_strength_is_lambda() -> None:
    assert shaped([(True, 10), (True, 30)], strength=0.5) == pytest.approx([1.5, 0.5])
    assert shaped([(True, 10), (True, 30)], strength=0.0) == [1.0, 1.0]
