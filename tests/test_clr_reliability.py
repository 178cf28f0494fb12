"""The equations of CLR against numbers worked by hand."""

from fractions import Fraction

import pytest

from etalon.clr.reliability import cluster_scores, majority, reliability, winner


@pytest.mark.parametrize(
    ("valid", "m", "expected"),
    [(5, 5, 1.0), (4, 5, 0.32768), (3, 5, 0.07776), (1, 5, 0.00032), (0, 5, 0.0), (1, 2, 0.25), (1, 1, 1.0)],
)
def test_reliability_is_the_mean_verdict_to_the_power_of_m(valid: int, m: int, expected: float) -> None:
    verdicts = [True] * valid + [False] * (m - valid)
    assert float(reliability(verdicts)) == pytest.approx(expected, abs=1e-15)
    assert reliability(verdicts, "one") == Fraction(valid, m)


def test_reliability_is_not_the_plain_mean() -> None:
    """Under the mean, three traces at 4 of 5 beat two perfect ones; under mean^M they lose."""
    shaky, sound = reliability([True] * 4 + [False]), reliability([True] * 5)
    clusters = [(0, 1, 2), (3, 4)]
    scores = cluster_scores(clusters, {0: shaky, 1: shaky, 2: shaky, 3: sound, 4: sound})
    assert scores == [3 * Fraction(4, 5) ** 5, 2]
    assert winner(clusters, scores) == 1
    mean = reliability([True] * 4 + [False], "one")
    assert winner(clusters, cluster_scores(clusters, {0: mean, 1: mean, 2: mean, 3: sound, 4: sound})) == 0


def test_reliability_does_not_depend_on_the_order_of_the_claims() -> None:
    assert reliability([True, False, True]) == reliability([False, True, True])


def test_a_trajectory_without_verdicts_has_no_reliability_to_compute() -> None:
    with pytest.raises(ValueError, match="prior"):
        reliability([])


def test_ties_go_to_the_cluster_of_the_earliest_trajectory() -> None:
    clusters = [(2, 3), (0, 4), (1,)]
    assert winner(clusters, [Fraction(1), Fraction(1), Fraction(1)]) == 1
    assert majority(clusters) == 1


def test_equal_sums_tie_whatever_their_order() -> None:
    """In floats 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ; the earliest cluster would lose its tie."""
    small, middle, large = Fraction(1, 10), Fraction(2, 10), Fraction(3, 10)
    clusters = [(3, 4, 5), (0, 1, 2)]
    values = {0: large, 1: middle, 2: small, 3: small, 4: middle, 5: large}
    assert winner(clusters, cluster_scores(clusters, values)) == 1


def test_votes_count_trajectories_and_scores_count_reliability() -> None:
    clusters = [(0, 1, 2), (3,)]
    weak = reliability([True, False, False])
    assert majority(clusters) == 0
    assert winner(clusters, cluster_scores(clusters, {0: weak, 1: weak, 2: weak, 3: Fraction(1)})) == 1
