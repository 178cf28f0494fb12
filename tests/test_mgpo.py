"""MGPO: the entropy weight, group advantages, the clipped token-level surrogate and the loss of the local engine."""

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, getcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groups import make_group

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from etalon.engines.local.reinforcement import policy_loss, rl_batch  # noqa: E402
from etalon.engines.local.trainer import Batch, Trainer  # noqa: E402
from etalon.model.packed import TokenRow, pack, token_logprobs  # noqa: E402
from etalon.recipe import OptimSpec  # noqa: E402
from etalon.rl.credit import CreditSpec, credit  # noqa: E402
from etalon.rl.mgpo import (  # noqa: E402
    entropy_distance,
    entropy_weight,
    group_advantages,
)
from etalon.rl.objective import sequence_mean, surrogate  # noqa: E402
from etalon.types import Credit, Group  # noqa: E402
from tiny_models import eager_twin, plain_logprobs, random_rows, tiny_language_model  # noqa: E402

getcontext().prec = 40
ACCURACIES = st.integers(1, 32).flatmap(lambda n: st.integers(0, n).map(lambda c: c / n))
REWARDS = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=16)


# --- the entropy weight ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accuracy", "distance"),
    [
        (0.5, 0.0),
        (0.0, 0.693147),  # 0 log 0 = 0, and 1 log(1 / 0.5) = ln 2
        (1.0, 0.693147),
        (0.25, 0.130812),  # 0.25 ln 0.5 + 0.75 ln 1.5 = -0.173287 + 0.304099
        (0.75, 0.130812),
        (0.125, 0.316377),  # 0.125 ln 0.25 + 0.875 ln 1.75 = -0.173287 + 0.489664
    ],
)
def test_the_distance_is_the_bernoulli_divergence_worked_by_hand(accuracy: float, distance: float) -> None:
    assert entropy_distance(accuracy) == pytest.approx(distance, abs=1e-6)


def test_another_p0_gives_the_divergence_from_it() -> None:
    # 0.5 ln(0.5 / 0.25) + 0.5 ln(0.5 / 0.75) = 0.346574 - 0.202733
    assert entropy_distance(0.5, p0=0.25) == pytest.approx(0.143841, abs=1e-6)


@given(ACCURACIES)
def test_the_distance_is_what_entropy_lacks_to_one_bit(accuracy: float) -> None:
    """D_ME = ln 2 - H(p), in 40 decimal digits."""
    p = Decimal(accuracy)
    entropy = -sum((x * x.ln() for x in (p, 1 - p) if x), Decimal(0))
    assert entropy_distance(accuracy) == pytest.approx(float(Decimal(2).ln() - entropy), abs=1e-12)


@pytest.mark.parametrize(
    ("accuracy", "gamma", "weight"),
    [(0.5, 3.0, 1.0), (0.0, 1.0, 0.5), (1.0, 4.0, 0.0625), (0.25, 1.0, 0.877383), (0.25, 2.0, 0.769800)],
)
def test_weights_worked_by_hand(accuracy: float, gamma: float, weight: float) -> None:
    assert entropy_weight(accuracy, gamma) == pytest.approx(weight, abs=1e-6)


@given(ACCURACIES, st.floats(0, 20))
def test_the_weight_lies_between_two_to_the_minus_gamma_and_one(accuracy: float, gamma: float) -> None:
    weight = entropy_weight(accuracy, gamma)
    assert 2**-gamma * (1 - 1e-12) <= weight <= 1 + 1e-12
    assert weight == pytest.approx(entropy_weight(1 - accuracy, gamma), rel=1e-9)
    assert entropy_weight(accuracy, 0.0) == 1.0


@given(ACCURACIES, ACCURACIES, st.floats(0.01, 5))
def test_nearer_to_one_half_weighs_more(one: float, other: float, gamma: float) -> None:
    near, far = sorted((one, other), key=lambda p: abs(p - 0.5))
    assert entropy_weight(near, gamma) >= entropy_weight(far, gamma) - 1e-12


# --- advantages of a group ------------------------------------------------------------------------------------


def test_advantages_worked_by_hand() -> None:
    # mean 1/4; population variance (9 + 1 + 1 + 1)/16/4 = 3/16, std 0.433013; sample variance 3/12 = 1/4, std 1/2
    assert group_advantages([1, 0, 0, 0], epsilon=0) == pytest.approx([1.732051, *[-0.577350] * 3], abs=1e-6)
    assert group_advantages([1, 0, 0, 0], ddof=1, epsilon=0) == pytest.approx([1.5, *[-0.5] * 3])
    # epsilon is added to the std: 0.5 / (0.5 + 0.5)
    assert group_advantages([1, 0], epsilon=0.5) == pytest.approx([0.5, -0.5])


@given(REWARDS, st.sampled_from([0, 1]))
def test_advantages_equal_exact_rational_arithmetic(rewards: list[float], ddof: int) -> None:
    exact = [Fraction(r) for r in rewards]
    mean = Fraction(sum(exact), len(exact))
    squares = sum((r - mean) ** 2 for r in exact)
    found = group_advantages(rewards, ddof=ddof, epsilon=0)
    if not squares:
        assert found == [0.0] * len(rewards)
        return
    variance = squares / (len(exact) - ddof)
    for reward, advantage in zip(exact, found, strict=True):
        assert advantage**2 == pytest.approx(float((reward - mean) ** 2 / variance), abs=1e-9)
        assert (advantage > 1e-9) == (reward > mean)


@given(REWARDS)
def test_advantages_sum_to_zero_and_have_unit_spread(rewards: list[float]) -> None:
    found = group_advantages(rewards, epsilon=0)
    assert math.fsum(found) == pytest.approx(0, abs=1e-9)
    assert math.fsum(a * a for a in found) / len(found) == pytest.approx(1 if len(set(rewards)) > 1 else 0, abs=1e-9)


@pytest.mark.parametrize("rewards", [[1.0] * 8, [0.1] * 7, [0.3], [0.0, 0.0]])
@pytest.mark.parametrize("epsilon", [0.0, 1e-6])
def test_a_group_that_agrees_carries_no_signal(rewards: list[float], epsilon: float) -> None:
    for ddof in (0, 1):
        assert group_advantages(rewards, ddof=ddof, epsilon=epsilon) == [0.0] * len(rewards)


# --- the surrogate --------------------------------------------------------------------------------------------


def slow_objective(
    logprobs: Sequence[Sequence[float]], old: Sequence[Sequence[float]], advantages: Sequence[float], epsilon: float
) -> float:
    """The objective of the paper as nested loops over plain numbers."""
    total = 0.0
    for new_row, old_row, advantage in zip(logprobs, old, advantages, strict=True):
        inside = 0.0
        for new_one, old_one in zip(new_row, old_row, strict=True):
            ratio = math.exp(new_one) / math.exp(old_one)
            bounded = 1 + epsilon if ratio > 1 + epsilon else 1 - epsilon if ratio < 1 - epsilon else ratio
            inside += min(ratio * advantage, bounded * advantage)
        total += inside / len(new_row)
    return total / len(logprobs)


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "gradient"),
    [  # gradient is with respect to the log-prob: ratio * advantage, or 0 where the clipped branch is the smaller
        (1.0, 2.0, 2.0, 2.0),
        (1.1, 1.0, 1.1, 1.1),
        (1.5, 1.0, 1.2, 0.0),
        (1.5, -1.0, -1.5, -1.5),
        (0.5, 1.0, 0.5, 0.5),
        (0.5, -1.0, -0.8, 0.0),
    ],
)
def test_clipping_acts_when_the_old_logprobs_differ(
    ratio: float, advantage: float, value: float, gradient: float
) -> None:
    logprobs = torch.tensor([math.log(0.3 * ratio)], requires_grad=True)
    found = surrogate(logprobs, torch.tensor([math.log(0.3)]), torch.tensor([advantage]), clip_epsilon=0.2)
    (slope,) = torch.autograd.grad(found.sum(), logprobs)
    assert found.item() == pytest.approx(value, rel=1e-5)
    assert slope.item() == pytest.approx(gradient, rel=1e-5)


def test_the_ratio_is_of_tokens_not_of_the_sequence() -> None:
    # ratios 1.5 and 0.5, advantage 1: min(1.5, 1.2) = 1.2 and 0.5, their mean is 0.85.
    # The ratio of the sequence would be 0.75 (or its root 0.866): both are within the clip range of neither token.
    old = torch.log(torch.tensor([0.2, 0.4]))
    new = torch.log(torch.tensor([0.3, 0.2]))
    values = surrogate(new, old, torch.ones(2), clip_epsilon=0.2)
    assert values.tolist() == pytest.approx([1.2, 0.5])
    mean = sequence_mean(values, torch.tensor([0, 0]), torch.tensor([2]))
    assert mean.tolist() == pytest.approx([0.85])


def test_a_rollout_counts_once_however_long_it_is() -> None:
    # means 2 and 10, and their mean is 6; averaging over tokens would give (1 + 2 + 3 + 10) / 4 = 4
    values = torch.tensor([1.0, 2.0, 3.0, 10.0])
    means = sequence_mean(values, torch.tensor([0, 0, 0, 1]), torch.tensor([3, 1]))
    assert means.tolist() == pytest.approx([2.0, 10.0])


LOGPROB = st.floats(-4, -0.01)
ROWS = st.lists(
    st.tuples(st.lists(st.tuples(LOGPROB, LOGPROB), min_size=1, max_size=5), st.floats(-2, 2)), min_size=1, max_size=5
)


@given(ROWS, st.floats(0.05, 0.4))
def test_objective_and_gradient_equal_nested_loops_and_finite_differences(rows: Any, epsilon: float) -> None:
    new = [[pair[0] for pair in tokens] for tokens, _ in rows]
    old = [[pair[1] for pair in tokens] for tokens, _ in rows]
    advantages = [advantage for _, advantage in rows]
    owner = torch.tensor([i for i, row in enumerate(new) for _ in row])
    logprobs = torch.tensor([x for row in new for x in row], dtype=torch.float64, requires_grad=True)
    old_logprobs = torch.tensor([x for row in old for x in row], dtype=torch.float64)
    advantages_N = torch.tensor(advantages, dtype=torch.float64)[owner]
    values = surrogate(logprobs, old_logprobs, advantages_N, clip_epsilon=epsilon)
    objective = sequence_mean(values, owner, torch.tensor([len(row) for row in new])).mean()
    assert objective.item() == pytest.approx(slow_objective(new, old, advantages, epsilon), abs=1e-9)
    (gradient,) = torch.autograd.grad(objective, logprobs)
    step, place = 1e-6, 0
    for i, row in enumerate(new):
        for t in range(len(row)):
            ratio = math.exp(row[t] - old[i][t])
            if min(abs(ratio - 1 - epsilon), abs(ratio - 1 + epsilon)) > 1e-4:  # the kinks have no derivative
                up = [[x + step * (j == i and s == t) for s, x in enumerate(r)] for j, r in enumerate(new)]
                down = [[x - step * (j == i and s == t) for s, x in enumerate(r)] for j, r in enumerate(new)]
                slope = slow_objective(up, old, advantages, epsilon) - slow_objective(down, old, advantages, epsilon)
                assert gradient[place].item() == pytest.approx(slope / (2 * step), abs=1e-6)
            place += 1


# --- the loss of the local engine -----------------------------------------------------------------------------


PAPER = CreditSpec()


def credits_of(advantages: Sequence[float]) -> list[Credit]:
    return [Credit(advantage=a, weight=1.0, reward=0.0) for a in advantages]


def stale_logprobs(model: Any, rows: Sequence[TokenRow]) -> list[tuple[float, ...]]:
    """Log-probs of a policy that sampled the rows but is not quite this one: ratios from about 1/2 to 2."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        now = [plain_logprobs(eager_twin(model), row) for row in rows]
    return [tuple((x + 0.4 * torch.randn(x.shape, generator=generator)).tolist()) for x in now]


def naive_gradients(
    model: Any, rows: Sequence[TokenRow], advantages: Sequence[float], old: Sequence[Sequence[float]] | None = None,
    spec: CreditSpec = PAPER,
) -> tuple[float, dict[str, Any]]:  # fmt: skip
    """Loss and gradients of the objective built token by token on transformers' own eager forward."""
    twin = eager_twin(model)
    mean_length = sum(len(row.response) for row in rows) / len(rows)
    loss = torch.zeros(())
    for i, (row, advantage) in enumerate(zip(rows, advantages, strict=True)):
        inside = torch.zeros(())
        for t, logprob in enumerate(plain_logprobs(twin, row)):
            ratio = torch.exp(logprob - (logprob.detach() if old is None else old[i][t]))
            if spec.importance == "token-truncate":  # min(pi_train / pi_sample, cap) times a ratio that is 1
                one = torch.exp(logprob - logprob.detach())
                inside = inside + min(float(ratio.detach()), spec.importance_cap) * advantage * one
            else:
                inside = inside + torch.min(ratio * advantage, torch.clamp(ratio, 0.8, 1.2) * advantage)
        length = mean_length if spec.aggregation == "token-mean" else len(row.response)
        loss = loss - inside / length / len(rows)
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach()), {name: p.grad for name, p in twin.named_parameters()}


@pytest.mark.parametrize("is_stale", [False, True])
@pytest.mark.parametrize(
    "spec",
    [
        CreditSpec(),
        CreditSpec(aggregation="token-mean"),
        CreditSpec(importance="token-truncate", importance_cap=1.3),
        CreditSpec(importance="token-truncate", aggregation="token-mean"),
    ],
)
def test_policy_loss_and_its_gradient_equal_the_objective_built_token_by_token(
    is_stale: bool, spec: CreditSpec
) -> None:
    language_model = tiny_language_model("qwen2")
    rows = random_rows([(3, 7), (5, 2), (4, 1), (2, 12), (6, 5)])
    advantages = [1.2, -0.4, 0.9, -1.3, 0.1]
    old = stale_logprobs(language_model.model, rows) if is_stale else None
    loss, gradients = naive_gradients(language_model.model, rows, advantages, old, spec)
    trainer = Trainer(language_model, OptimSpec(), total_steps=1, micro_tokens=16)
    objective = policy_loss(credits_of(advantages), rows, spec=spec, sampled=old)
    found = trainer.backward(Batch(rows=rows, objective=objective))
    assert found == pytest.approx(loss, abs=1e-6)
    named = dict(language_model.model.named_parameters())
    assert any(g.abs().max() > 1e-3 for g in gradients.values())
    for name, gradient in gradients.items():
        torch.testing.assert_close(named[name].grad, gradient, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


def test_the_clip_of_the_policy_loss_acts_on_stale_logprobs() -> None:
    language_model = tiny_language_model("qwen2")
    rows = random_rows([(3, 7), (5, 2), (2, 12)])
    old = stale_logprobs(language_model.model, rows)
    trainer = Trainer(language_model, OptimSpec(), total_steps=1, micro_tokens=999)
    losses = [
        trainer.backward(Batch(rows=rows, objective=policy_loss(
            credits_of([1.0, -1.0, 0.5]), rows, spec=CreditSpec(clip_epsilon=epsilon), sampled=old
        )))
        for epsilon in (0.1, 0.2, 0.999)
    ]  # fmt: skip
    assert losses[0] > losses[1] + 1e-3  # a pessimistic bound: the tighter, the smaller the objective
    assert losses[1] > losses[2] + 1e-3


def on_policy(gamma: float) -> tuple[float, float]:
    """Loss and gradient norm of one group at accuracy 1/4."""
    language_model = tiny_language_model("qwen2")
    rows = random_rows([(3, 7), (5, 2), (4, 1), (2, 12)])
    credits = credit(make_group([1, 0, 0, 0]), CreditSpec(gamma=gamma, std_epsilon=0.0))
    trainer = Trainer(language_model, OptimSpec(), total_steps=1, micro_tokens=999)
    loss = trainer.backward(Batch(rows=rows, objective=policy_loss(credits, rows, spec=CreditSpec())))
    squares = sum(float((p.grad**2).sum()) for p in language_model.model.parameters())
    return loss, math.sqrt(squares)


def test_on_policy_the_loss_is_zero_for_any_gamma_and_only_the_gradient_shows_the_weight() -> None:
    plain_loss, plain_norm = on_policy(0.0)
    loss, norm = on_policy(4.0)
    assert (plain_loss, loss) == (pytest.approx(0, abs=1e-6), pytest.approx(0, abs=1e-6))
    assert norm / plain_norm == pytest.approx(entropy_weight(0.25, 4.0), rel=1e-4)


def sampled_group(scores: Sequence[float | None], sizes: Sequence[tuple[int, int]], seed: int) -> Group:
    group = make_group(scores, [r for _, r in sizes], problem_id=f"p{seed}")
    rows = random_rows(sizes, seed=seed)
    old = stale_logprobs(tiny_language_model("llama").model, rows)
    rollouts = [
        replace(rollout, tokens=row.response, prompt_tokens=row.prompt, logprobs=logprobs)
        for rollout, row, logprobs in zip(group.rollouts, rows, old, strict=True)
    ]
    return replace(group, rollouts=tuple(rollouts))


def test_rollouts_without_credit_are_not_run_but_stay_in_the_mean() -> None:
    groups = [
        sampled_group([1, 0, None, 0], [(3, 4), (3, 6), (3, 2), (3, 9)], 1),
        sampled_group([1, 1, 1, 1], [(4, 2), (4, 3), (4, 4), (4, 5)], 2),
    ]
    spec = CreditSpec(gamma=1.0)
    batch = rl_batch(groups, spec)
    assert len(batch.rows) == 3
    language_model = tiny_language_model("llama")
    decided = [
        (r, c.advantage)
        for g in groups
        for r, v, c in zip(g.rollouts, g.verdicts, credit(g, spec), strict=True)
        if not v.is_undecided
    ]
    assert len(decided) == 7
    all_rows = [TokenRow(prompt=r.prompt_tokens or (), response=r.tokens or ()) for r, _ in decided]
    advantages = [advantage for _, advantage in decided]
    old = [r.logprobs or () for r, _ in decided]  # the sampler's own, never recomputed
    loss, gradients = naive_gradients(language_model.model, all_rows, advantages, old)
    found = Trainer(language_model, OptimSpec(), total_steps=1, micro_tokens=20).backward(batch)
    assert found == pytest.approx(loss, abs=1e-6)
    named = dict(language_model.model.named_parameters())
    for name, gradient in gradients.items():
        torch.testing.assert_close(named[name].grad, gradient, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


def test_one_step_up_the_objective_makes_good_responses_likelier_and_bad_ones_less_likely() -> None:
    language_model = tiny_language_model("qwen2")
    rows = random_rows([(4, 6), (4, 6)])
    trainer = Trainer(language_model, OptimSpec(lr=1e-3, warmup=0.0, clip=1e9), total_steps=1, micro_tokens=99)

    def likelihoods() -> list[float]:
        with torch.no_grad():
            return [float(token_logprobs(language_model.model, pack([row])).sum()) for row in rows]

    before = likelihoods()
    trainer.step(0, Batch(rows=rows, objective=policy_loss(credits_of([1.0, -1.0]), rows, spec=CreditSpec())))
    after = likelihoods()
    assert after[0] > before[0]
    assert after[1] < before[1]
