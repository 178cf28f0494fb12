"""The in-process sampler: it draws from the model's own distribution, and a rollout depends on its seed alone."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from transformers import GPT2Config, GPT2LMHeadModel  # noqa: E402

from etalon.errors import ConfigError, UnsupportedModelError  # noqa: E402
from etalon.model.loader import LanguageModel  # noqa: E402
from etalon.model.packed import TokenRow, pack, token_logprobs  # noqa: E402
from etalon.sampling import cache, decoder  # noqa: E402
from etalon.sampling.cache import Shared  # noqa: E402
from etalon.sampling.decoder import Decoder  # noqa: E402
from etalon.sampling.draws import choose  # noqa: E402
from etalon.sampling.local import LocalSampler, StopStrings  # noqa: E402
from etalon.types import Rollout, SamplingParams, Stop, ask  # noqa: E402
from tiny_models import FAMILIES, eager_twin, tiny_language_model, tokenizer  # noqa: E402

PROMPTS = ["1+1=?", "((3+4)*2-5)*6=?", "7", "2+2=? and then some more text", "9-8"]
GREEDY = SamplingParams(temperature=0.0, max_tokens=24)


def likely_end(language_model: LanguageModel, bias: float) -> LanguageModel:
    """The same model with a head whose bias makes the end token likely (or impossible)."""
    model = language_model.model
    head = torch.nn.Linear(model.config.hidden_size, model.config.vocab_size)
    with torch.no_grad():
        head.weight.copy_(model.lm_head.weight * 0.1)
        head.bias.zero_()
        head.bias[language_model.end_token] = bias
    model.lm_head = head
    return language_model


def sample(
    sampler: LocalSampler, prompts: list[str], *, n: int = 4, seed: int = 0, params: SamplingParams | None = None
) -> list[tuple[Rollout, ...]]:
    groups = dict(
        sampler.sample([ask(p) for p in prompts], n=n, params=params or SamplingParams(max_tokens=24), seed=seed)
    )
    assert sorted(groups) == list(range(len(prompts)))
    assert all([r.index for r in rollouts] == list(range(n)) for rollouts in groups.values())
    return [groups[i] for i in range(len(prompts))]


def tokens(groups: list[tuple[Rollout, ...]]) -> list[list[tuple[int, ...] | None]]:
    return [[r.tokens for r in rollouts] for rollouts in groups]


# --- what it computes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_logprobs_agree_with_the_training_forward(family: str) -> None:
    language_model = tiny_language_model(family)
    params = SamplingParams(temperature=0.8, top_p=0.9, max_tokens=40)  # logprobs are the model's own all the same
    checked = 0
    for rollouts in sample(LocalSampler(language_model), PROMPTS, params=params):
        for rollout in rollouts:
            row = TokenRow(prompt=rollout.prompt_tokens or (), response=rollout.tokens or ())
            with torch.no_grad():
                expected = token_logprobs(language_model.model, pack([row]))
            torch.testing.assert_close(torch.tensor(rollout.logprobs), expected, atol=1e-4, rtol=0)
            assert len(rollout.tokens or ()) == rollout.num_tokens
            checked += rollout.num_tokens
    assert checked > 200


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_equals_generate_token_for_token(family: str) -> None:
    language_model = tiny_language_model(family)
    twin = eager_twin(language_model.model)
    for prompt, rollouts in zip(PROMPTS, sample(LocalSampler(language_model), PROMPTS, params=GREEDY), strict=True):
        ids = torch.tensor([language_model.render(ask(prompt))])
        expected = twin.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24)
        assert {r.tokens for r in rollouts} == {tuple(expected[0, ids.shape[1] :].tolist())}


@pytest.fixture
def prompts_held_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As prompts of a large model are, and run a few at a time."""
    monkeypatch.setattr(cache, "SHARED_FROM", 1)
    monkeypatch.setattr(decoder, "PREFILL_TOKENS", 40)


@pytest.mark.usefixtures("prompts_held_once")
@pytest.mark.parametrize("family", FAMILIES)
def test_prompts_that_are_held_once_give_what_rows_of_their_own_give(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows end at different times, so that some prompts go before others; more columns than the cache begins with."""
    language_model = likely_end(tiny_language_model(family), 3.0)
    params = SamplingParams(max_tokens=70)
    sampler = LocalSampler(language_model)
    held: list[type] = []
    monkeypatch.setattr(sampler.decoder, "release", lambda: held.append(type(sampler.decoder.cache)))
    shared = sample(sampler, PROMPTS, n=6, params=params)
    assert held == [Shared]
    monkeypatch.setattr(cache, "SHARED_FROM", float("inf"))
    alone = sample(LocalSampler(language_model), PROMPTS, n=6, params=params)
    assert len({r.num_tokens for group in alone for r in group}) > 5
    assert tokens(shared) == tokens(alone)
    for one, other in zip((r for g in shared for r in g), (r for g in alone for r in g), strict=True):
        torch.testing.assert_close(torch.tensor(one.logprobs), torch.tensor(other.logprobs), atol=1e-4, rtol=0)


@pytest.mark.usefixtures("prompts_held_once")
@pytest.mark.parametrize("seed", range(4))
def test_one_prompt_alone_is_held_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the one that is left when all rows of another have ended."""
    language_model = likely_end(tiny_language_model("qwen2"), 4.0)
    for prompts in (PROMPTS[:1], PROMPTS[:2]):
        shared = sample(LocalSampler(language_model), prompts, n=2, seed=seed)
        with monkeypatch.context() as patched:
            patched.setattr(cache, "SHARED_FROM", float("inf"))
            assert tokens(sample(LocalSampler(language_model), prompts, n=2, seed=seed)) == tokens(shared)


def test_a_prompt_with_more_rollouts_than_memory_holds_is_decoded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    language_model = likely_end(tiny_language_model("qwen2"), 2.0)
    params, decoded = SamplingParams(max_tokens=20), []
    whole = sample(LocalSampler(language_model), PROMPTS, n=7, params=params)
    sampler = LocalSampler(language_model, max_rows=3)
    prefill = sampler.decoder.prefill
    monkeypatch.setattr(
        sampler.decoder, "prefill", lambda prompts, n: decoded.append(len(prompts) * n) or prefill(prompts, n)
    )
    in_parts = sample(sampler, PROMPTS, n=7, params=params)
    assert tokens(in_parts) == tokens(whole)
    assert [[r.index for r in group] for group in in_parts] == [list(range(7))] * len(PROMPTS)
    assert sorted(decoded) == sorted([3, 3, 1] * len(PROMPTS))
    assert sampler.decoder.cache is None
    assert not sampler.decoder.layers  # nothing of a batch is held while something else trains


def test_a_token_drawn_against_all_odds_has_a_finite_logprob() -> None:
    logits = torch.tensor([[0.0, 200.0], [0.0, 1.0]])
    token, logprob = choose(logits, SamplingParams(temperature=50.0), torch.zeros(2))
    assert token.tolist() == [0, 0]
    torch.testing.assert_close(logprob, torch.tensor([-200.0, -1.3132617]))


@pytest.mark.usefixtures("prompts_held_once")
def test_prompts_that_are_held_once_agree_with_the_training_forward() -> None:
    language_model = tiny_language_model("llama")
    for rollouts in sample(LocalSampler(language_model), PROMPTS, n=3, params=SamplingParams(max_tokens=30)):
        for rollout in rollouts:
            row = TokenRow(prompt=rollout.prompt_tokens or (), response=rollout.tokens or ())
            with torch.no_grad():
                expected = token_logprobs(language_model.model, pack([row]))
            torch.testing.assert_close(torch.tensor(rollout.logprobs), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "overrides",
    [
        {"tie_word_embeddings": True},
        {"num_key_value_heads": 4},
        {"num_key_value_heads": 1},
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}},
    ],
)
def test_greedy_equals_generate_for_other_shapes(overrides: dict[str, Any]) -> None:
    language_model = tiny_language_model("qwen2", **overrides)
    twin = eager_twin(language_model.model)
    ids = torch.tensor([language_model.render(ask("5*5=?"))])
    expected = twin.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24)
    ((rollout,),) = sample(LocalSampler(language_model), ["5*5=?"], n=1, params=GREEDY)
    assert rollout.tokens == tuple(expected[0, ids.shape[1] :].tolist())


@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_biases_and_projections_of_the_config_are_computed(family: str) -> None:
    overrides = {"attention_bias": True, "mlp_bias": True} if family == "llama" else {}
    language_model = tiny_language_model(family, **overrides)
    twin = eager_twin(language_model.model)
    ids = torch.tensor([language_model.render(ask("1"))])
    expected = twin.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24)
    ((rollout,),) = sample(LocalSampler(language_model), ["1"], n=1, params=GREEDY)
    assert rollout.tokens == tuple(expected[0, ids.shape[1] :].tolist())


def test_responses_longer_than_the_first_cache_are_right() -> None:
    language_model = likely_end(tiny_language_model("qwen2", max_position_embeddings=400), -1e9)
    ((rollout,),) = sample(LocalSampler(language_model), ["1"], n=1, params=SamplingParams(max_tokens=300))
    assert rollout.num_tokens == 300
    row = TokenRow(prompt=rollout.prompt_tokens or (), response=rollout.tokens or ())
    with torch.no_grad():
        expected = token_logprobs(language_model.model, pack([row]))
    torch.testing.assert_close(torch.tensor(rollout.logprobs), expected, atol=1e-4, rtol=0)


def test_an_update_of_the_weights_between_two_calls_is_seen() -> None:
    language_model = tiny_language_model("qwen2")
    sampler = LocalSampler(language_model)
    before = sample(sampler, ["1+1=?"])
    with torch.no_grad():
        for parameter in language_model.model.parameters():
            parameter.mul_(1.05)
    after = sample(sampler, ["1+1=?"])
    assert after == sample(LocalSampler(language_model), ["1+1=?"])
    assert after != before


# --- what a rollout depends on --------------------------------------------------------------------------------


def test_a_rollout_does_not_depend_on_what_else_is_in_the_batch() -> None:
    sampler = LocalSampler(tiny_language_model("qwen2"))
    together = tokens(sample(sampler, PROMPTS))
    assert tokens(sample(sampler, PROMPTS[::-1]))[::-1] == together
    assert [tokens(sample(sampler, [p]))[0] for p in PROMPTS] == together
    for rows in (1, 8, 13):
        assert tokens(sample(LocalSampler(sampler.language_model, max_rows=rows), PROMPTS)) == together


def test_a_short_prompt_has_its_whole_window_beside_a_long_one() -> None:
    language_model = likely_end(tiny_language_model("qwen2", max_position_embeddings=48), -1e9)
    sampler = LocalSampler(language_model)
    params = SamplingParams(max_tokens=1000)
    long_prompt = "1" * 30
    short, long = sample(sampler, ["7", long_prompt], params=params)
    assert [r.num_tokens + len(r.prompt_tokens or ()) for r in (*short, *long)] == [48] * 8
    assert {r.stop for r in (*short, *long)} == {Stop.LENGTH}
    assert tokens([short]) == tokens(sample(sampler, ["7"], params=params))
    uncapped = sample(sampler, ["7", long_prompt], params=SamplingParams(max_tokens=None))
    assert tokens(uncapped) == tokens([short, long])


def test_more_rollouts_keep_the_first_ones() -> None:
    sampler = LocalSampler(tiny_language_model("qwen2"))
    few, many = sample(sampler, PROMPTS, n=2), sample(sampler, PROMPTS, n=5)
    assert tokens(few) == [group[:2] for group in tokens(many)]


def test_the_same_seed_gives_the_same_rollouts_and_another_seed_others() -> None:
    sampler = LocalSampler(tiny_language_model("qwen2"))
    torch.manual_seed(1)
    first = sample(sampler, PROMPTS)
    torch.manual_seed(2)  # the global generator plays no part
    assert sample(sampler, PROMPTS) == first
    assert tokens(sample(sampler, PROMPTS, seed=1)) != tokens(first)


def test_rollouts_of_one_prompt_differ() -> None:
    ((*rollouts,),) = sample(LocalSampler(tiny_language_model("qwen2")), ["1+1=?"], n=8)
    assert len({r.tokens for r in rollouts}) > 4


# --- the distribution -----------------------------------------------------------------------------------------


def expected_distribution(language_model: LanguageModel, prompt: str, params: SamplingParams) -> list[float]:
    """Temperature and nucleus over the first token, written with plain numbers."""
    with torch.no_grad():
        ids = torch.tensor([language_model.render(ask(prompt))])
        logits = eager_twin(language_model.model)(ids).logits[0, -1].double().tolist()
    raised = [math.exp((x - max(logits)) / params.temperature) for x in logits]
    probabilities = [x / sum(raised) for x in raised]
    kept: list[int] = []
    for token in sorted(range(len(probabilities)), key=lambda t: -probabilities[t]):
        if sum(probabilities[t] for t in kept) < params.top_p:
            kept.append(token)
    mass = sum(probabilities[t] for t in kept)
    return [p / mass if t in set(kept) else 0.0 for t, p in enumerate(probabilities)]


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 1.0), (1.0, 0.8), (0.7, 0.8)])
def test_first_tokens_follow_the_softmax(temperature: float, top_p: float) -> None:
    """Chi-square over tokens expected at least 10 times; the others are one cell. Fixed seed."""
    language_model = tiny_language_model("qwen2")
    params = SamplingParams(temperature=temperature, top_p=top_p, max_tokens=1)
    draws = 4000
    expected = [p * draws for p in expected_distribution(language_model, "1+1=?", params)]
    ((*rollouts,),) = sample(LocalSampler(language_model), ["1+1=?"], n=draws, params=params, seed=3)
    seen = [0] * len(expected)
    for rollout in rollouts:
        seen[(rollout.tokens or ())[0]] += 1
    assert all(count == 0 for count, wanted in zip(seen, expected, strict=True) if wanted == 0)
    large = [t for t, wanted in enumerate(expected) if wanted >= 10]
    cells = [(seen[t], expected[t]) for t in large]
    rest = sum(expected) - sum(wanted for _, wanted in cells)
    if rest > 1:
        cells.append((draws - sum(count for count, _ in cells), rest))
    assert len(cells) > 5
    statistic = sum((count - wanted) ** 2 / wanted for count, wanted in cells)
    degrees = len(cells) - 1
    assert statistic < degrees + 4 * math.sqrt(2 * degrees)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_rows_of_the_embedding_that_have_no_token_are_never_drawn(temperature: float) -> None:
    """As in released models, whose embedding is padded; here the padding is what the model likes best."""
    language_model = tiny_language_model("qwen2", vocab_size=len(tokenizer()) + 100)
    with torch.no_grad():
        language_model.model.lm_head.weight[len(tokenizer()) :] *= 4
    params = SamplingParams(temperature=temperature, top_p=0.95 if temperature == 1 else 1.0, max_tokens=12)
    ((*rollouts,),) = sample(LocalSampler(language_model), ["1+1=?"], n=8, params=params, seed=1)
    assert all(token < len(tokenizer()) for rollout in rollouts for token in rollout.tokens or ())
    row = TokenRow(prompt=rollouts[0].prompt_tokens or (), response=rollouts[0].tokens or ())
    with torch.no_grad():
        expected = token_logprobs(language_model.model, pack([row]))
    torch.testing.assert_close(torch.tensor(rollouts[0].logprobs), expected, atol=1e-4, rtol=0)


def ordered_and_kept(logits: torch.Tensor, params: SamplingParams) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities in the order in which they are drawn from, in float64, and which token each is; zero is outside."""
    probabilities = (logits.double() / params.temperature).softmax(-1)
    if params.top_p == 1:
        return probabilities, torch.arange(logits.shape[1]).expand_as(logits)
    ordered, order = probabilities.sort(-1, descending=True)
    return ordered.masked_fill(ordered.cumsum(-1) - ordered >= params.top_p, 0.0), order


NEAR = 5e-4  # sums of a flat row are rounded; unlikely tokens that are equally likely in float32 change places


@pytest.mark.parametrize("vocabulary", [1, 255, 256, 257, 1000, 20_011])
@pytest.mark.parametrize("params", [
    SamplingParams(), SamplingParams(temperature=0.6), SamplingParams(top_p=0.95), SamplingParams(top_p=0.997),
    SamplingParams(temperature=0.6, top_p=0.5),
])  # fmt: skip
def test_the_distribution_is_inverted_at_the_uniform_number(vocabulary: int, params: SamplingParams) -> None:
    """Flat rows too, whose nucleus is far more than the few tokens that are looked at first."""
    generator = torch.Generator().manual_seed(vocabulary)
    sharpness = torch.tensor([[0.01], [1.0], [4.0], [9.0]]).repeat(60, 1)
    logits = sharpness * torch.randn(len(sharpness), vocabulary, generator=generator)
    uniform = torch.rand(len(logits), generator=generator)
    token, logprob = choose(logits, params, uniform)
    ordered, order = ordered_and_kept(logits, params)
    mass = ordered.cumsum(-1)
    place = (order == token[:, None]).int().argmax(-1, keepdim=True)
    share = ordered.sum(-1) * uniform.double()
    below, above = (mass.gather(1, place) - ordered.gather(1, place)).squeeze(1), mass.gather(1, place).squeeze(1)
    assert bool((ordered.gather(1, place) > 0).all())
    slack = NEAR + ordered.gather(1, place).squeeze(1).clamp(max=10 * NEAR)
    assert bool((share >= below - slack).all())
    assert bool((share < above + slack).all())
    own = logits.double().log_softmax(-1).gather(1, token[:, None]).squeeze(1)
    torch.testing.assert_close(logprob.double(), own, atol=1e-5, rtol=0)


@pytest.mark.parametrize("top_p", [1.0, 0.5])
def test_no_uniform_number_falls_past_the_last_token_with_mass_or_before_the_first(top_p: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(500, 400, generator=generator)
    logits[:, :3] = logits[:, 300:] = float("-inf")  # no mass at either end
    params = SamplingParams(top_p=top_p)
    last, _ = choose(logits, params, torch.full((500,), 1 - 2**-24))
    first, _ = choose(logits, params, torch.zeros(500))
    ordered, order = ordered_and_kept(logits, params)
    place = (order == last[:, None]).int().argmax(-1, keepdim=True)
    after = ordered.sum(-1, keepdim=True) - ordered.cumsum(-1).gather(1, place)
    assert bool((ordered.gather(1, place) > 0).all())
    assert float(after.max()) < 1e-6
    assert first.tolist() == [int(own[kept.nonzero().min()]) for kept, own in zip(ordered > 0, order, strict=True)]


def test_what_a_row_draws_does_not_depend_on_the_rows_beside_it() -> None:
    logits = torch.randn(6, 3000, generator=torch.Generator().manual_seed(1)) * torch.tensor([[0.1], [8.0]]).repeat(
        3, 1
    )
    uniform = torch.rand(6, generator=torch.Generator().manual_seed(2))
    for params in (SamplingParams(), SamplingParams(top_p=0.9)):
        together, _ = choose(logits, params, uniform)
        alone = [int(choose(logits[[i]], params, uniform[[i]])[0]) for i in range(6)]
        assert together.tolist() == alone


# --- how it ends ----------------------------------------------------------------------------------------------


def test_a_response_ends_with_the_end_token_or_at_the_limit_and_says_which() -> None:
    language_model = likely_end(tiny_language_model("qwen2"), 3.0)
    end = language_model.end_token
    rollouts = [r for group in sample(LocalSampler(language_model), PROMPTS, n=16) for r in group]
    stopped = [r for r in rollouts if r.stop is Stop.EOS]
    cut = [r for r in rollouts if r.stop is Stop.LENGTH]
    assert len(stopped) > 5
    assert len(cut) > 5
    for rollout in stopped:
        assert (rollout.tokens or ())[-1] == end
        assert "<end>" not in rollout.text
    assert all(r.num_tokens == 24 and end not in (r.tokens or ()) for r in cut)
    assert all(end not in (r.tokens or ())[:-1] for r in rollouts)


def test_an_end_token_at_the_very_limit_is_an_end() -> None:
    language_model = likely_end(tiny_language_model("qwen2"), 50.0)
    ((rollout,),) = sample(LocalSampler(language_model), ["1"], n=1, params=SamplingParams(max_tokens=1))
    assert (rollout.stop, rollout.num_tokens, rollout.text) == (Stop.EOS, 1, "")


def test_a_stop_string_ends_its_own_row_only() -> None:
    language_model = likely_end(tiny_language_model("qwen2"), -1e9)
    sampler = LocalSampler(language_model)
    params = SamplingParams(max_tokens=40)
    free = [r for group in sample(sampler, PROMPTS, params=params) for r in group]
    stop = free[0].text[9:11]  # spans tokens as often as not
    params = SamplingParams(max_tokens=40, stop=(stop, "never there"))
    stopped = [r for group in sample(sampler, PROMPTS, params=params) for r in group]
    assert stopped[0].stop is Stop.EOS
    for before, after in zip(free, stopped, strict=True):
        assert (before.tokens or ())[: after.num_tokens] == after.tokens
        assert (after.stop is Stop.EOS) == (stop in before.text)
        if after.stop is Stop.EOS:
            shorter = language_model.decode((after.tokens or ())[:-1])
            assert stop in after.text
            assert stop not in shorter
        else:
            assert after == before
    assert len({r.stop for r in stopped}) == 2


def test_an_empty_stop_string_is_an_error_of_the_user() -> None:
    with pytest.raises(ConfigError, match="empty stop string"):
        sample(LocalSampler(tiny_language_model("qwen2")), ["1"], params=SamplingParams(stop=("",)))


def test_a_prompt_longer_than_the_window_is_a_failed_rollout_and_the_others_are_unharmed() -> None:
    sampler = LocalSampler(tiny_language_model("qwen2"))
    too_long = "1" * 200
    first, failed, last = sample(sampler, [PROMPTS[0], too_long, PROMPTS[1]])
    assert all(r.stop is Stop.ERROR and r.text == "" for r in failed)
    assert "the model's window is 96" in failed[0].error
    assert tokens([first, last]) == tokens(sample(sampler, PROMPTS[:2]))


def test_only_prompts_that_are_too_long_is_no_crash() -> None:
    (failed,) = sample(LocalSampler(tiny_language_model("qwen2")), ["1" * 200])
    assert [r.stop for r in failed] == [Stop.ERROR] * 4


def test_a_model_it_cannot_decode_is_refused_with_its_type() -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=32, n_embd=16, n_layer=1, n_head=2, n_positions=32))
    with pytest.raises(UnsupportedModelError, match="'gpt2': the local sampler decodes qwen2, qwen3, llama"):
        LocalSampler(LanguageModel(model=model, tokenizer=None))


@pytest.mark.parametrize(
    ("family", "overrides", "message"),
    [
        ("qwen2", {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 0}, "sliding-window"),
        ("llama", {"hidden_act": "gelu"}, "activation 'gelu'"),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}, "'dynamic'"),
    ],
)
def test_a_variant_it_does_not_compute_is_refused(family: str, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedModelError, match=message):
        LocalSampler(tiny_language_model(family, **overrides))


# --- how much work it does ------------------------------------------------------------------------------------


class CountingDecoder(Decoder):
    """Remembers how many prompts were run and how many rows each step had."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.prompts: list[list[int]] = []
        self.rows: list[int] = []

    def prefill(self, prompts: list[list[int]], repeat: int) -> Any:
        self.prompts += prompts
        return super().prefill(prompts, repeat)

    def step(self, token_R: Any) -> Any:
        self.rows.append(token_R.shape[0])
        return super().step(token_R)


def counted(language_model: LanguageModel, **options: Any) -> tuple[CountingDecoder, list[tuple[Rollout, ...]]]:
    sampler = LocalSampler(language_model)
    sampler.decoder = CountingDecoder(language_model.model)
    return sampler.decoder, sample(sampler, PROMPTS, **options)


def test_the_rollouts_of_a_prompt_share_one_prefill() -> None:
    decoder, _ = counted(tiny_language_model("qwen2"), n=16)
    assert len(decoder.prompts) == len(PROMPTS)


def test_rows_that_ended_are_compacted_away() -> None:
    language_model = likely_end(tiny_language_model("qwen2"), 4.0)
    decoder, groups = counted(language_model, n=16, params=SamplingParams(max_tokens=60))
    lengths = [r.num_tokens for group in groups for r in group]
    assert decoder.rows[0] > 40
    assert decoder.rows == sorted(decoder.rows, reverse=True)
    assert decoder.rows[-1] < 10
    # at no step are there more rows than 1 / 0.8 of those that still need it
    for step, rows in enumerate(decoder.rows, start=1):
        assert rows <= sum(length > step for length in lengths) / 0.8
    assert len(decoder.rows) == max(lengths) - 1


def test_compaction_changes_no_rollout(monkeypatch: pytest.MonkeyPatch) -> None:
    language_model = likely_end(tiny_language_model("qwen2"), 4.0)
    compacted = sample(LocalSampler(language_model), PROMPTS, n=16)
    monkeypatch.setattr("etalon.sampling.local.COMPACT_BELOW", 0.0)
    assert tokens(sample(LocalSampler(language_model), PROMPTS, n=16)) == tokens(compacted)


def test_a_rollout_with_its_own_seed_depends_on_nothing_else_in_the_batch() -> None:
    sampler = LocalSampler(likely_end(tiny_language_model(), 1.0))
    params = SamplingParams(max_tokens=12)
    conversations = [ask("7+5"), ask("7+5"), ask("(3+4)*2"), ask("7+5"), ask("7" * 200)]
    together = sampler.sample_each(conversations, params=params, seeds=[1, 2, 1, 1, 1])
    assert [r.stop for r in together].count(Stop.ERROR) == 1
    assert together[4].error.endswith("tokens, the model's window is 96")
    assert together[0] == together[3]
    assert together[0].tokens != together[1].tokens
    for conversation, seed, rollout in zip(conversations, [1, 2, 1, 1], together, strict=False):
        [alone] = sampler.sample_each([conversation], params=params, seeds=[seed])
        assert alone.tokens == rollout.tokens


def test_threads_share_a_sampler_without_mixing_their_batches() -> None:
    sampler = LocalSampler(likely_end(tiny_language_model(), 1.0))
    params = SamplingParams(max_tokens=24)
    questions = [[ask("7+5")] * 6, [ask("(3+4)*2")] * 3]
    alone = [sampler.sample_each(own, params=params, seeds=list(range(len(own)))) for own in questions]
    with ThreadPoolExecutor(4) as threads:
        futures = [
            threads.submit(sampler.sample_each, own, params=params, seeds=list(range(len(own))))
            for _ in range(6)
            for own in questions
        ]
        for number, future in enumerate(futures):
            assert [r.tokens for r in future.result()] == [r.tokens for r in alone[number % 2]]


@pytest.mark.parametrize("stop", ["\n\nUser:", "停止してください。", "🙂🙂🙂🙂🙂🙂", "конец ответа и ничего больше"])
def test_a_stop_string_of_many_bytes_is_seen(stop: str) -> None:
    language_model = tiny_language_model("qwen2")  # whose tokenizer spends a token on most bytes
    watch = StopStrings((stop,), language_model)
    tokens = language_model.encode(f"ü and before it {stop}")
    assert language_model.decode(tokens).endswith(stop)
    hits = [bool(watch.hit(torch.tensor([0]), torch.tensor([token]))) for token in tokens]
    assert hits == [False] * (len(tokens) - 1) + [True]
