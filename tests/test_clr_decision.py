"""The early decision never changes the answer, and saves verification calls."""

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etalon.clr.decision import leader_is_safe, next_to_verify, safe_leader, standings
from etalon.clr.reliability import Clusters, Exponent, cluster_scores, reliability, winner


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[int | None], list[Fraction], list[int]]:
    """A cluster per trajectory (None was dropped), a reliability per trajectory, and an order of all of them."""
    k = draw(st.integers(2, 14))
    labels = draw(st.lists(st.sampled_from([0, 0, 0, 1, 1, 2, 3, None]), min_size=k, max_size=k))
    m = draw(st.integers(1, 5))  # few claims make many ties
    valid = draw(st.lists(st.integers(0, m), min_size=k, max_size=k))
    exponent = draw(st.sampled_from(get_args(Exponent)))
    values = [reliability([True] * count + [False] * (m - count), exponent) for count in valid]
    return labels, values, draw(st.permutations(range(k)))


def grouped(labels: Sequence[int | None], among: Sequence[int]) -> list[tuple[int, ...]]:
    """The trajectories `among` which have an answer, by answer, in order of first appearance."""
    members: dict[int, list[int]] = {}
    for index in sorted(among):
        label = labels[index]
        if label is not None:
            members.setdefault(label, []).append(index)
    return [tuple(indices) for indices in members.values()]


def full_answer(clusters: Clusters, values: Sequence[Fraction]) -> int:
    return winner(clusters, cluster_scores(clusters, dict(enumerate(values))))


def verify_lazily(clusters: Clusters, values: Sequence[Fraction]) -> tuple[int, int]:
    """The position of the early winner, and the number of verifications."""
    known: dict[int, Fraction] = {}
    while (leader := safe_leader(standings(clusters, known))) is None:
        chosen = next_to_verify(standings(clusters, known))
        assert chosen
        assert not set(chosen) & set(known)
        known.update({index: values[index] for index in chosen})
    return leader, len(known)


@pytest.mark.live
@settings(max_examples=600, deadline=None)
@given(tables())
def test_the_early_answer_is_that_of_verifying_everything(
    table: tuple[list[int | None], list[Fraction], list[int]],
) -> None:
    labels, values, _ = table
    clusters = grouped(labels, range(len(labels)))
    if clusters:
        leader, num_verified = verify_lazily(clusters, values)
        assert leader == full_answer(clusters, values)
        assert num_verified <= sum(map(len, clusters))


@pytest.mark.live
@settings(max_examples=600, deadline=None)
@given(tables())
def test_a_cluster_called_safe_wins_in_whatever_order_verdicts_arrive(
    table: tuple[list[int | None], list[Fraction], list[int]],
) -> None:
    labels, values, order = table
    clusters = grouped(labels, range(len(labels)))
    known: dict[int, Fraction] = {}
    for index in order if clusters else ():
        leader = safe_leader(standings(clusters, known))
        assert leader in (None, full_answer(clusters, values))
        known[index] = values[index]


@pytest.mark.live
@settings(max_examples=600, deadline=None)
@given(tables())
def test_an_open_answer_can_really_still_change(
    table: tuple[list[int | None], list[Fraction], list[int]],
) -> None:
    """The bounds are tight: without a safe leader, two ways to finish the verdicts give two answers."""
    labels, values, order = table
    clusters = grouped(labels, range(len(labels)))
    known = {index: values[index] for index in order[: len(order) // 2]}
    if not clusters or safe_leader(standings(clusters, known)) is not None:
        return
    answers = set()
    for favoured in clusters:
        finished = [known.get(index, Fraction(index in favoured)) for index in range(len(values))]
        answers.add(full_answer(clusters, finished))
    assert len(answers) > 1


@pytest.mark.live
@settings(max_examples=600, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_generation_may_stop_once_the_answer_is_safe_against_trajectories_still_to_come(
    table: tuple[list[int | None], list[Fraction], list[int]], rng: random.Random
) -> None:
    labels, values, order = table
    everything = grouped(labels, range(len(labels)))
    for generated in range(1, len(order) + 1):
        clusters = grouped(labels, order[:generated])
        known = {index: values[index] for index in order[:generated] if rng.random() < 0.7}
        standing = standings(clusters, known)
        leader = safe_leader(standing, order[generated:]) if clusters else None
        if leader is not None:
            final = everything[full_answer(everything, values)]
            assert set(clusters[leader]) <= set(final)
            assert next_to_verify(standing, order[generated:]) == ()


def standing_of(clusters: Clusters, known: Mapping[int, str]) -> tuple[Clusters, dict[int, Fraction]]:
    return clusters, {index: Fraction(value) for index, value in known.items()}


def test_one_cluster_alone_is_safe_without_any_verification() -> None:
    assert safe_leader(standings([(0, 1, 2)], {})) == 0
    assert next_to_verify(standings([(0, 1, 2)], {})) == ()


def test_a_tie_at_the_bound_is_safe_only_for_the_earlier_cluster() -> None:
    clusters, known = standing_of([(0, 1), (2,)], {0: "1", 1: "0"})
    assert leader_is_safe(0, standings(clusters, known))  # 1 against at most 1, and it came first
    clusters, known = standing_of([(1, 2), (0,)], {1: "1", 2: "0"})
    assert not leader_is_safe(0, standings(clusters, known))  # 1 against at most 1, and it came second


def test_a_round_holds_the_fewest_verifications_that_could_settle_the_answer() -> None:
    """Five against two: if the first two verdicts of the leader help, 2 + ... beats the rivals' at most 2."""
    table = standings([(0, 2, 3, 4, 5), (1, 6)], {})
    assert next_to_verify(table) == (0, 2)
    table = standings([(1, 2, 3, 4, 5), (0, 6)], {})  # here a tie at 2 would go to the rival
    assert next_to_verify(table) == (1, 2, 3)


def test_the_rival_is_verified_when_the_leader_has_nothing_left() -> None:
    clusters, known = standing_of([(0,), (1, 2)], {0: "1"})
    assert next_to_verify(standings(clusters, known)) == (1,)


def test_trajectories_to_come_keep_a_lead_open() -> None:
    clusters, known = standing_of([(0, 1), (2,)], {0: "1", 1: "1", 2: "0"})
    table = standings(clusters, known)
    assert leader_is_safe(0, table, pending=[3, 4])  # 2 against at most 0 + 2, a tie it wins
    assert not leader_is_safe(0, table, pending=[3, 4, 5])
    assert next_to_verify(table, pending=[3, 4, 5]) == ()  # nothing left to verify: only generating helps


def test_a_trajectory_to_come_with_an_earlier_index_takes_the_tie() -> None:
    clusters, known = standing_of([(1,)], {1: "1"})
    assert leader_is_safe(0, standings(clusters, known), pending=[2])
    assert not leader_is_safe(0, standings(clusters, known), pending=[0])


def test_the_early_decision_saves_calls_and_no_answer() -> None:
    """A synthetic problem set of medium difficulty at K = 32, M = 5: less than 70% of the 2K calls."""
    rng = random.Random(0)
    k, m, calls, full_calls = 32, 5, 0, 0
    for _ in range(60):
        accuracy = rng.betavariate(3, 1)
        is_right = [rng.random() < accuracy for _ in range(k)]
        labels = [0 if right else rng.choice([1, 1, 1, 2, 2, 3, 4]) for right in is_right]
        chances = [0.95 if right else 0.75 for right in is_right]
        values = [reliability([rng.random() < chance for _ in range(m)]) for chance in chances]
        clusters = grouped(labels, range(k))
        leader, num_verified = verify_lazily(clusters, values)
        assert leader == full_answer(clusters, values)
        calls, full_calls = calls + k + num_verified, full_calls + 2 * k
    assert 0.5 < calls / full_calls < 0.7


@pytest.mark.live
@settings(max_examples=600, deadline=None)
@given(tables(), st.randoms(use_true_random=False), st.lists(st.integers(0, 13), min_size=14, max_size=14))
def test_a_later_answer_that_joins_two_rivals_does_not_change_what_was_called_safe(
    table: tuple[list[int | None], list[Fraction], list[int]], rng: random.Random, joins: list[int]
) -> None:
    """Answers that are compared by an engine: two clusters become one when an answer equal to both arrives."""
    labels, values, order = table
    bridge = {index: joins[index] for index in order if labels[index] is None}  # equals this cluster, and its own

    def joined(among: Sequence[int]) -> list[tuple[int, ...]]:
        clusters = {number: list(cluster) for number, cluster in enumerate(grouped(labels, among))}
        for index in sorted(set(among) & bridge.keys()):
            keys = sorted(clusters)
            first, second = keys[bridge[index] % len(keys)], keys[index % len(keys)]
            merged = sorted({*clusters.pop(first), *clusters.pop(second, []), index})
            clusters[min(first, second)] = merged
        return sorted((tuple(cluster) for cluster in clusters.values()), key=min)

    first_bridge = next((place for place, index in enumerate(order) if index in bridge), len(order))
    base = grouped(labels, order[:first_bridge])
    if not base or len(grouped(labels, order)) != len(base):
        return  # every cluster is there before the bridges come, so that they join the same ones in any case
    everything = joined(order)
    known = {index: values[index] for index in order[:first_bridge] if rng.random() < 0.7}
    standing = standings(base, known, exact=[False] * len(base))
    leader = safe_leader(standing, order[first_bridge:])
    if leader is not None:
        assert set(base[leader]) <= set(everything[full_answer(everything, values)])


def test_numbers_cannot_be_joined_by_a_later_answer_but_expressions_can() -> None:
    clusters, known = standing_of([(0, 1, 2, 3), (4, 5), (6, 7)], dict.fromkeys(range(4), "1"))
    assert safe_leader(standings(clusters, known), [8]) == 0
    assert safe_leader(standings(clusters, known, exact=[True, False, True]), [8]) is None
    assert safe_leader(standings(clusters, known, exact=[True, False, True])) == 0
    assert next_to_verify(standings(clusters, known, exact=[True, False, True]), [8]) == (4,)


def test_a_verification_under_way_is_chosen_before_another_of_the_same_cluster() -> None:
    clusters, known = standing_of([(0, 1, 2), (3,)], {})
    assert next_to_verify(standings(clusters, known)) == (0,)
    assert next_to_verify(standings(clusters, known, started={2})) == (2,)
