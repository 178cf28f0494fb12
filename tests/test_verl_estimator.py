"""The estimator's arithmetic without verl: credits of the core, whatever the order of the rows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groups import make_group

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from etalon.engines.verl.estimator import batch_advantages, without_cut  # noqa: E402
from etalon.rl.credit import CreditSpec, credit  # noqa: E402
from etalon.types import Group  # noqa: E402
from verl_batches import verl_rows  # noqa: E402

SCORES = st.lists(st.sampled_from([0.0, 1.0, 0.5, None]), min_size=1, max_size=6)


def expected(groups: list[Group], spec: CreditSpec, num_rows: int) -> dict[tuple[int, int], float]:
    """verl divides by all rows, the core by the decided rollouts."""
    decided = sum(len(group.scores) for group in groups)
    share = num_rows / decided if decided else 0.0
    found = {}
    for g, group in enumerate(groups):
        for i, one in enumerate(credit(group, spec)):
            found[g, i] = share * one.advantage
    return found


@settings(deadline=None)
@given(
    st.lists(SCORES, min_size=1, max_size=4),
    st.integers(0, 3),
    st.integers(0, 9),
    st.sampled_from([0.0, 0.2]),
    st.data(),
)
def test_credits_are_the_cores_in_any_order_with_padding_and_undecided_rollouts(
    scores: list[list[float | None]], padding: int, seed: int, brevity: float, data: st.DataObject
) -> None:
    lengths = [data.draw(st.lists(st.integers(1, 9), min_size=len(s), max_size=len(s))) for s in scores]
    groups = [make_group(s, n) for s, n in zip(scores, lengths, strict=True)]
    rows = verl_rows(groups, padding=padding, seed=seed)
    spec = CreditSpec(brevity=brevity)
    found_BT = batch_advantages(rows.rewards_BT, rows.mask_BT, rows.uids, spec)
    wanted = expected(groups, spec, len(rows.uids))
    for row, where in enumerate(rows.place):
        here = 0.0 if where is None else wanted[where]
        assert found_BT[row].tolist() == pytest.approx([here * m for m in rows.mask_BT[row].tolist()], rel=1e-5)


def test_an_undecided_rollout_is_not_a_wrong_one() -> None:
    with_undecided = verl_rows([make_group([1, 0, None, None])])
    without = verl_rows([make_group([1, 0])])
    spec = CreditSpec(gamma=4.0)
    found = batch_advantages(with_undecided.rewards_BT, with_undecided.mask_BT, with_undecided.uids, spec)
    plain = batch_advantages(without.rewards_BT, without.mask_BT, without.uids, spec)
    # p is 1/2 in both, and the sum over rows by the number of rows, which is what verl's loss takes, is the same
    by_place = {where: found[row, 0].item() for row, where in enumerate(with_undecided.place)}
    assert by_place[0, 2] == by_place[0, 3] == 0.0
    assert by_place[0, 0] / 4 == pytest.approx(max(plain[:, 0].tolist()) / 2)


def test_nothing_decided_is_no_gradient() -> None:
    rows = verl_rows([make_group([None, None])])
    assert not batch_advantages(rows.rewards_BT, rows.mask_BT, rows.uids, CreditSpec()).any()


def test_a_response_that_fills_the_window_has_no_reward_and_an_undecided_one_stays_so() -> None:
    import torch

    mask = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1], [1, 1, 1], [0, 0, 0]])
    rewards = torch.zeros(5, 3)
    rewards[:, 2] = torch.tensor([1.0, 0.0, -1.0, 0.5, 0.0])
    rewards[1, 1] = 1.0
    assert without_cut(rewards, mask).sum(-1).tolist() == [0.0, 1.0, -1.0, 0.0, 0.0]
