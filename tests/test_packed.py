"""Packing: sequences of many lengths in one row, exactly as if each were alone."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from etalon.errors import UnsupportedModelError  # noqa: E402
from etalon.model import packed  # noqa: E402
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
    monkeypatch.setattr(packed, "LOGIT_CHUNK", 7 * model.config.vocab_size)  # 7 tokens at once: 40 make 6 chunks
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
    assert batch.num_sequences == 2


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8))
def test_gathering_and_scattering_gives_the_packed_row_back(sizes: list[tuple[int, int]]) -> None:
    batch = pack(random_rows(sizes))
    layout = batch.layout
    (gather_SL,) = layout.gathers
    rows_SL = batch.tokens_T[gather_SL]
    assert torch.equal(rows_SL.flatten()[layout.scatter_T], batch.tokens_T)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 120))
def test_micro_batches_hold_every_row_once_within_the_limit_and_sorted_by_length(
    lengths: list[int], max_tokens: int
) -> None:
    batches = micro_batches(lengths, max_tokens)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(sum(lengths[i] for i in batch) <= max_tokens or len(batch) == 1 for batch in batches)
    in_order = [lengths[i] for batch in batches for i in batch]
    assert in_order == sorted(in_order)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=30), st.integers(1, 120))
def test_two_neighbouring_micro_batches_would_not_fit_into_one(lengths: list[int], max_tokens: int) -> None:
    batches = micro_batches(lengths, max_tokens)
    for one, following in pairwise(batches):
        assert sum(lengths[i] for i in one) + lengths[following[0]] > max_tokens
