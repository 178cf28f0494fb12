"""Packing: sequences of many lengths in one row, exactly as if each were alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from etalon.errors import UnsupportedModelError  # noqa: E402
from etalon.model import head, packed  # noqa: E402
from etalon.model.packed import TokenRow, micro_batches, pack, token_logprobs  # noqa: E402
from tiny_models import FAMILIES, eager_twin, plain_logprobs, random_rows, tiny_model  # noqa: E402

SIZES = [(5, 9), (1, 1), (12, 3), (2, 20), (7, 7)]


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest) -> Any:
    return tiny_model(request.param)


@torch.no_grad()
def test_packed_equals_alone(model: Any) -> None:
    rows = random_rows(SIZES)
    alone = torch.cat([token_logprobs(model, pack([row])) for row in rows])
    torch.testing.assert_close(token_logprobs(model, pack(rows)), alone, atol=1e-5, rtol=0)


@torch.no_grad()
def test_packed_equals_the_eager_forward_of_transformers(model: Any) -> None:
    rows = random_rows(SIZES)
    twin = eager_twin(model)
    plain = torch.cat([plain_logprobs(twin, row) for row in rows])
    torch.testing.assert_close(token_logprobs(model, pack(rows)), plain, atol=1e-5, rtol=0)


def test_gradients_equal_those_of_the_eager_forward(model: Any) -> None:
    rows = random_rows(SIZES)
    twin = eager_twin(model)
    weights = torch.linspace(-1, 1, sum(r for _, r in SIZES))
    (token_logprobs(model, pack(rows)) * weights).sum().backward()
    (torch.cat([plain_logprobs(twin, row) for row in rows]) * weights).sum().backward()
    expected = dict(twin.named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(
            parameter.grad, expected[name].grad, atol=2e-4, rtol=2e-4, msg=lambda m, n=name: f"{n}: {m}"
        )


@torch.no_grad()
def test_changing_one_sequence_does_not_change_the_others_in_any_bit(model: Any) -> None:
    rows = random_rows(SIZES)
    before = token_logprobs(model, pack(rows))
    for changed in range(len(rows)):
        other = random_rows(SIZES, seed=1)[changed]
        batch = pack([*rows[:changed], other, *rows[changed + 1 :]])
        after = token_logprobs(model, batch)
        same = batch.sequence_N != changed
        assert torch.equal(after[same], before[same])
        assert not torch.equal(after[~same], before[~same])


@torch.no_grad()
def test_a_token_sees_only_what_comes_before_it(model: Any) -> None:
    (row,) = random_rows([(4, 8)])
    changed = TokenRow(prompt=row.prompt, response=(*row.response[:5], 9, 9, 9))
    one, other = (token_logprobs(model, pack([r, *random_rows([(3, 3)], seed=2)])) for r in (row, changed))
    assert torch.equal(one[:5], other[:5])


def test_a_head_run_in_chunks_gives_the_same_logprobs_and_gradients(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = random_rows(SIZES)
    weights = torch.linspace(-1, 1, sum(r for _, r in SIZES))
    whole = token_logprobs(model, pack(rows))
    (whole * weights).sum().backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    monkeypatch.setattr(head, "LOGIT_CHUNK", 7 * model.config.vocab_size)  # 7 tokens at once: 40 make 6 chunks
    chunked = token_logprobs(model, pack(rows))
    (chunked * weights).sum().backward()
    torch.testing.assert_close(chunked, whole, atol=1e-6, rtol=0)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_tied_head_is_used_as_it_is() -> None:
    model = tiny_model("qwen2", tie_word_embeddings=True)
    rows = random_rows(SIZES)
    plain = torch.cat([plain_logprobs(eager_twin(model), row) for row in rows])
    torch.testing.assert_close(token_logprobs(model, pack(rows)), plain, atol=1e-5, rtol=0)


def test_a_sliding_window_is_refused_only_where_it_would_matter() -> None:
    model = tiny_model("qwen2", use_sliding_window=True, sliding_window=10, max_window_layers=0)
    twin = eager_twin(model)
    (short,), (long,) = random_rows([(5, 5)]), random_rows([(5, 6)])
    with torch.no_grad():
        torch.testing.assert_close(token_logprobs(model, pack([short])), plain_logprobs(twin, short), atol=1e-5, rtol=0)
    with pytest.raises(UnsupportedModelError, match="a sliding window of 10 tokens"):
        token_logprobs(model, pack([long]))


def test_pack_maps_every_response_token_to_the_position_before_it() -> None:
    batch = pack([TokenRow(prompt=(10, 11), response=(12, 13)), TokenRow(prompt=(20,), response=(21, 22, 23))])
    assert batch.tokens_T.tolist() == [10, 11, 12, 13, 20, 21, 22, 23]
    assert batch.positions_T.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert batch.source_N.tolist() == [1, 2, 4, 5, 6]
    assert batch.target_N.tolist() == [12, 13, 21, 22, 23]
    assert batch.sequence_N.tolist() == [0, 0, 1, 1, 1]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8))
def test_gathering_and_scattering_gives_the_packed_row_back(sizes: list[tuple[int, int]]) -> None:
    batch = pack(random_rows(sizes))
    layout = batch.layout
    (gather_SL,) = layout.gathers
    rows_SL = batch.tokens_T[gather_SL]
    assert torch.equal(rows_SL.flatten()[layout.scatter_T], batch.tokens_T)


def shared_rows(groups: list[tuple[int, list[int]]], *, seed: int = 0) -> list[TokenRow]:
    """Rows of several responses to each prompt: (length of the prompt, lengths of its responses)."""
    prompts = [row.prompt for row in random_rows([(size, 1) for size, _ in groups], seed=seed)]
    responses = random_rows([(1, size) for _, sizes in groups for size in sizes], seed=seed + 1)
    owners = [prompt for prompt, (_, sizes) in zip(prompts, groups, strict=True) for _ in sizes]
    return [TokenRow(prompt=p, response=row.response) for p, row in zip(owners, responses, strict=True)]


GROUPS = [(6, [3, 9, 1]), (2, [5]), (8, [4, 4, 7, 2])]


def test_a_prompt_of_several_rows_is_packed_once() -> None:
    rows = shared_rows(GROUPS)
    mixed = [rows[i] for i in (5, 0, 3, 4, 1, 7, 2, 6)]
    batch = pack(mixed)
    assert len(batch.tokens_T) == sum(prompt + sum(sizes) for prompt, sizes in GROUPS)
    assert batch.target_N.tolist() == [token for row in mixed for token in row.response]
    assert batch.sequence_N.tolist() == [i for i, row in enumerate(mixed) for _ in row.response]
    for i, row in enumerate(mixed):
        sources = batch.source_N[batch.sequence_N == i]
        assert batch.tokens_T[sources].tolist() == [row.prompt[-1], *row.response[:-1]]
        assert batch.positions_T[sources].tolist() == list(range(len(row.prompt) - 1, len(row) - 1))


@pytest.mark.parametrize("padded_cells", [packed.PADDED_CELLS, 8])
def test_rows_of_one_prompt_give_the_logprobs_and_gradients_of_rows_alone(
    model: Any, padded_cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "PADDED_CELLS", padded_cells)
    rows = shared_rows(GROUPS)
    weights = torch.linspace(-1, 1, sum(len(row.response) for row in rows))
    twin = eager_twin(model)
    plain = torch.cat([plain_logprobs(twin, row) for row in rows])
    together = token_logprobs(model, pack(rows))
    torch.testing.assert_close(together, plain, atol=1e-5, rtol=0)
    (together * weights).sum().backward()
    (plain * weights).sum().backward()
    expected = dict(twin.named_parameters())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(
            parameter.grad, expected[name].grad, atol=2e-4, rtol=2e-4, msg=lambda m, n=name: f"{n}: {m}"
        )


GROUPED = st.lists(
    st.tuples(st.integers(1, 40), st.lists(st.integers(1, 40), min_size=1, max_size=5)), min_size=1, max_size=12
)


@given(GROUPED, st.integers(1, 200))
def test_micro_batches_hold_every_row_once_and_pack_within_the_limit(
    groups: list[tuple[int, list[int]]], max_tokens: int
) -> None:
    rows = shared_rows(groups)
    batches = micro_batches(rows, max_tokens)
    assert sorted(i for batch in batches for i in batch) == list(range(len(rows)))
    for batch in batches:
        assert len(batch) == 1 or len(pack([rows[i] for i in batch]).tokens_T) <= max_tokens


@given(st.lists(st.integers(1, 50), min_size=2, max_size=30), st.integers(1, 120))
def test_micro_batches_of_different_prompts_are_sorted_by_length_as_few_as_can_be_and_even(
    lengths: list[int], max_tokens: int
) -> None:
    rows = [TokenRow(prompt=(i,), response=(7,) * length) for i, length in enumerate(lengths)]
    batches = micro_batches(rows, max_tokens)
    in_order = [lengths[i] for batch in batches for i in batch]
    assert in_order == sorted(in_order)
    sizes = [sum(len(rows[i]) for i in batch) for batch in batches]
    assert len(batches) == fewest([len(rows[i]) for batch in batches for i in batch], max_tokens)
    longest = max(map(len, rows))
    if longest <= max_tokens:  # none could be smaller without one more
        assert fewest([len(rows[i]) for batch in batches for i in batch], max(sizes) - 1) > len(batches) or (
            max(sizes) == longest
        )


def fewest(lengths: list[int], limit: int) -> int:
    """Parts of at most `limit` that lengths in this order make."""
    count, total = 0, limit + 1
    for length in lengths:
        if total + length > limit:
            count, total = count + 1, 0
        total += length
    return count


def test_rows_of_one_prompt_stay_together_whatever_lies_between_their_lengths() -> None:
    rows = shared_rows([(10, [2, 20]), (10, [10])])
    assert micro_batches(rows, 1) == [[2], [0], [1]]
    assert micro_batches(rows, 52) == [[2, 0], [1]]  # what attention gathers of the shared prompt counts a little
    assert micro_batches(rows, 54) == [[2, 0, 1]]


def test_micro_batches_are_even() -> None:
    rows = [TokenRow(prompt=(i,), response=(7,) * 9) for i in range(12)]
    assert [len(batch) for batch in micro_batches(rows, 80)] == [6, 6]
