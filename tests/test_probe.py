"""probe: the specialist of a skill is the checkpoint with the highest Pass@K, nothing else."""

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon.sft.probe import (
    ProbeScore,
    best_checkpoint,
    choose_specialists,
    merge_weights,
    score_skills,
    skill_losses,
)
from groups import make_group


def score(passk: float, pass1: float, loss: float | None = None) -> ProbeScore:
    return ProbeScore(pass1=pass1, passk=passk, loss=loss)


def test_scores_per_skill_worked_by_hand() -> None:
    groups = [
        make_group([1, 0, 0, 0], problem_id="a", skill="algebra"),  # pass@1 1/4; pass@2 1 - C(3,2)/C(4,2) = 1/2
        make_group([1, 1, 1, 1], problem_id="b", skill="algebra"),  # 1 and 1
        make_group([0, 0, 1, 1], problem_id="c", skill="geometry"),  # 1/2; 1 - C(2,2)/C(4,2) = 5/6
    ]
    scores = score_skills(groups, 2)
    assert scores == {
        "algebra": ProbeScore(pass1=pytest.approx(0.625), passk=pytest.approx(0.75)),
        "geometry": ProbeScore(pass1=pytest.approx(0.5), passk=pytest.approx(5 / 6)),
    }


@given(st.lists(st.booleans(), min_size=4, max_size=7), st.integers(1, 4))
def test_pass_at_k_is_the_share_of_subsets_with_a_correct_one(correct: list[bool], k: int) -> None:
    subsets = list(combinations(correct, k))
    expected = sum(any(subset) for subset in subsets) / len(subsets)
    (found,) = score_skills([make_group([float(c) for c in correct])], k).values()
    assert found.passk == pytest.approx(expected)
    assert found.pass1 == pytest.approx(sum(correct) / len(correct))


def test_undecided_rollouts_are_left_out_and_a_skill_without_any_decision_has_no_score() -> None:
    groups = [
        make_group([1, None, 0, None], problem_id="a", skill="algebra"),  # 1 of 2, and pass@4 counts as pass@2
        make_group([None, None], problem_id="b", skill="algebra"),
        make_group([None], problem_id="c", skill="geometry"),
    ]
    assert score_skills(groups, 4) == {"algebra": ProbeScore(pass1=0.5, passk=1.0)}


def test_a_partial_score_is_not_a_pass() -> None:
    assert score_skills([make_group([0.9, 0.9])], 2) == {"math": ProbeScore(pass1=0.0, passk=0.0)}


def test_the_specialist_has_the_highest_pass_at_k_not_pass_at_1_and_not_the_last_step() -> None:
    scores = {
        "step-1": {"algebra": score(0.9, 0.2), "geometry": score(0.5, 0.5)},
        "step-2": {"algebra": score(0.8, 0.6), "geometry": score(0.7, 0.3)},
        "step-3": {"algebra": score(0.7, 0.7), "geometry": score(0.6, 0.6)},
    }
    assert choose_specialists(scores) == {"algebra": "step-1", "geometry": "step-2"}


def test_ties_go_to_the_higher_pass_at_1_then_to_the_later_checkpoint() -> None:
    scores = {
        "step-9": {"algebra": score(0.9, 0.3), "geometry": score(0.5, 0.2)},
        "step-10": {"algebra": score(0.9, 0.4), "geometry": score(0.5, 0.2)},
        "step-11": {"algebra": score(0.9, 0.3), "geometry": score(0.5, 0.2)},
    }
    assert choose_specialists(scores) == {"algebra": "step-10", "geometry": "step-11"}


OTHERWISE = {
    "step-1": {"algebra": score(0.9, 0.2, 0.5), "geometry": score(0.5, 0.6, 0.7)},
    "step-2": {"algebra": score(0.8, 0.6, 0.4), "geometry": score(0.7, 0.3, 0.9)},
    "step-3": {"algebra": score(0.7, 0.7, 0.6), "geometry": score(0.6, 0.5, 0.1)},
}


def test_pass_at_1_and_the_loss_choose_where_they_are_asked_for() -> None:
    assert choose_specialists(OTHERWISE, "pass1") == {"algebra": "step-3", "geometry": "step-1"}
    assert choose_specialists(OTHERWISE, "loss") == {"algebra": "step-2", "geometry": "step-3"}


def test_the_best_checkpoint_is_best_on_average_over_the_skills_that_all_could_be_scored_on() -> None:
    # means of Pass@K 0.7, 0.75, 0.65; of Pass@1 0.4, 0.45, 0.6; of the loss 0.6, 0.65, 0.35
    found = [best_checkpoint(OTHERWISE, by) for by in ("passk", "pass1", "loss")]
    assert found == ["step-2", "step-3", "step-3"]
    alone = {"a": {"x": score(0.1, 0.1)}, "b": {"x": score(0.1, 0.1), "y": score(0.9, 0.9)}}
    assert best_checkpoint(alone) == "b", "a tie on x, and the later one"
    assert best_checkpoint({"a": {"x": score(0.5, 0.1)}, "b": {"y": score(0.4, 0.4)}}) == "b"


def test_the_loss_of_a_skill_is_the_mean_over_all_tokens_of_its_solutions() -> None:
    losses = skill_losses([("algebra", [-1.0]), ("geometry", [-3.0, -1.0]), ("algebra", [-2.0, -3.0, -4.0])])
    assert losses == {"algebra": 2.5, "geometry": 2.0}


def test_a_skill_that_one_checkpoint_could_not_score_is_chosen_among_the_others() -> None:
    assert choose_specialists({"a": {"x": score(0.1, 0.1)}, "b": {"y": score(0.2, 0.2)}}) == {"x": "a", "y": "b"}
    assert choose_specialists({}) == {}


def test_every_skill_brings_its_weight_to_its_specialist() -> None:
    chosen = {"algebra": "a", "geometry": "a", "calculus": "b"}
    assert merge_weights(chosen, {}) == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    assert merge_weights(chosen, {"algebra": 1, "geometry": 1, "calculus": 6}) == pytest.approx({"a": 0.25, "b": 0.75})


def test_a_skill_without_weight_takes_no_part() -> None:
    assert merge_weights({"algebra": "a", "geometry": "b"}, {"algebra": 2.0}) == {"a": 1.0}


@given(
    st.dictionaries(st.sampled_from("stuvwxyz"), st.sampled_from("abc"), min_size=1),
    st.dictionaries(st.sampled_from("stuvwxyz"), st.floats(0.1, 10)),
)
def test_weights_are_positive_and_sum_to_one(chosen: dict[str, str], weights: dict[str, float]) -> None:
    merged = merge_weights(chosen, weights)
    assert all(w > 0 for w in merged.values())
    if merged:
        assert math.fsum(merged.values()) == pytest.approx(1)
        assert set(merged) <= set(chosen.values())
