"""Qwen2, Qwen3 and Llama through the local engine, against transformers' own forward; everything else is refused."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from tokenizers import Tokenizer, pre_tokenizers, processors  # noqa: E402
from tokenizers import decoders as token_decoders  # noqa: E402
from tokenizers import models as token_models  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoTokenizer,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3MoeConfig,
)

from etalon.config import load, packaged_recipe  # noqa: E402
from etalon.engines.local.reinforcement import policy_loss  # noqa: E402
from etalon.engines.local.trainer import Batch, Trainer, cross_entropy  # noqa: E402
from etalon.errors import ConfigError, InputError, UnsupportedModelError  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.model.directory import check_runnable, unsupported  # noqa: E402
from etalon.model.loader import LanguageModel  # noqa: E402
from etalon.model.packed import TokenRow, pack, token_logprobs  # noqa: E402
from etalon.recipe import Importance, OptimSpec  # noqa: E402
from etalon.rl.credit import CreditSpec  # noqa: E402
from etalon.sampling.local import LocalSampler  # noqa: E402
from etalon.types import Credit, Rollout, SamplingParams, Stop, ask  # noqa: E402
from tiny_models import (  # noqa: E402
    FAMILIES,
    eager_twin,
    plain_logprobs,
    random_rows,
    tiny_language_model,
    tiny_model,
    tokenizer,
)

LLAMA3 = {  # as Llama 3.1 scales its rotation, at the size of the tiny window
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 24,
}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 24}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2": ("qwen2", {}),
    "qwen2-tied": ("qwen2", {"tie_word_embeddings": True}),
    "qwen2-yarn": ("qwen2", {"rope_parameters": YARN}),
    "qwen2-window-as-long-as-the-positions": (
        "qwen2",
        {"use_sliding_window": True, "sliding_window": 96, "max_window_layers": 0},
    ),
    "qwen2-window-in-no-layer": (
        "qwen2",
        {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 2},
    ),
    "qwen3": ("qwen3", {}),  # heads of 16 over a hidden size of 32 with 4 heads
    "qwen3-tied": ("qwen3", {"tie_word_embeddings": True, "head_dim": 8}),
    "qwen3-biased": ("qwen3", {"attention_bias": True}),
    "llama": ("llama", {}),
    "llama3-tied": ("llama", {"rope_parameters": LLAMA3, "tie_word_embeddings": True}),
    "llama3-wide-heads": ("llama", {"rope_parameters": LLAMA3, "head_dim": 16}),
    "llama-biased": ("llama", {"attention_bias": True, "mlp_bias": True}),
}
PARAMS = SamplingParams(max_tokens=60)


@pytest.fixture(params=VARIANTS)
def language_model(request: pytest.FixtureRequest) -> LanguageModel:
    family, overrides = VARIANTS[request.param]
    return tiny_language_model(family, **overrides)


def rollouts_of(language_model: LanguageModel, *, n: int = 4, params: SamplingParams = PARAMS) -> list[Rollout]:
    conversations = [ask("1+1=?"), ask("((3+4)*2-5)*6=?"), ask("7")]
    groups = dict(LocalSampler(language_model).sample(conversations, n=n, params=params, seed=3))
    rollouts = [rollout for index in sorted(groups) for rollout in groups[index]]
    assert all(rollout.stop is not Stop.ERROR for rollout in rollouts)
    return rollouts


def row_of(rollout: Rollout) -> TokenRow:
    return TokenRow(prompt=rollout.prompt_tokens or (), response=rollout.tokens or ())


def logprobs_of(rollouts: list[Rollout]) -> Any:
    return torch.tensor([x for rollout in rollouts for x in rollout.logprobs or ()])


# --- the same numbers -----------------------------------------------------------------------------------------------


@torch.no_grad()
def test_sampled_trained_and_transformers_logprobs_are_the_same(language_model: LanguageModel) -> None:
    rollouts = rollouts_of(language_model)
    rows = [row_of(rollout) for rollout in rollouts]
    twin = eager_twin(language_model.model)
    plain = torch.cat([plain_logprobs(twin, row) for row in rows])
    packed = token_logprobs(language_model.model, pack(rows))
    alone = torch.cat([token_logprobs(language_model.model, pack([row])) for row in rows])
    assert len(plain) > 150
    assert max(len(row) for row in rows) > 60  # beyond the positions that the scaled rotations were made for
    torch.testing.assert_close(logprobs_of(rollouts), plain, atol=1e-4, rtol=0)
    torch.testing.assert_close(packed, plain, atol=1e-4, rtol=0)
    torch.testing.assert_close(packed, alone, atol=1e-5, rtol=0)


def test_the_llama3_rotation_is_not_the_plain_one() -> None:
    scaled = tiny_language_model("llama", rope_parameters=LLAMA3)
    plain = tiny_language_model("llama", rope_parameters={"rope_type": "default", "rope_theta": 500.0})
    (row,) = random_rows([(30, 40)])
    with torch.no_grad():
        one, other = (token_logprobs(x.model, pack([row])) for x in (scaled, plain))
    assert (one - other).abs().max() > 0.1


@pytest.mark.parametrize("family", FAMILIES)
def test_sequences_of_very_different_lengths_are_attended_in_blocks_and_nothing_changes(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_language_model(family).model
    rows = random_rows([(2, 3), (40, 50), (1, 1), (9, 9), (30, 12), (2, 2), (5, 20)])
    whole = pack(rows)
    monkeypatch.setattr("etalon.model.packed.PADDED_CELLS", 0)
    split = pack(rows)
    assert len(whole.layout.gathers) == 1
    assert len(split.layout.gathers) > 2
    results = []
    for batch in (whole, split):
        model.zero_grad()
        logprobs = token_logprobs(model, batch)
        (logprobs * torch.linspace(-1, 1, len(logprobs))).sum().backward()
        results.append([logprobs.detach(), *(p.grad.clone() for p in model.parameters())])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_at_most_half_of_a_block_is_padding() -> None:
    rows = random_rows([(1, 2 ** (i % 9)) for i in range(900)] + [(1, 2000)])
    layout = pack(rows).layout
    assert len(rows) * layout.longest > 10 * len(layout.scatter_T)
    assert sum(gather.numel() for gather in layout.gathers) <= 2 * len(layout.scatter_T)
    assert layout.starts.tolist()[0] == 0
    assert layout.starts.diff().tolist() == [len(row) for row in rows]


# --- training -------------------------------------------------------------------------------------------------------


def trained(language_model: LanguageModel, rows: list[TokenRow], objective: Any) -> tuple[float, float, int]:
    """Loss before and after one step, and how many parameters the step moved."""
    spec = OptimSpec(lr=1e-3, final_lr=1e-3, warmup=0.0)
    trainer = Trainer(language_model, spec, total_steps=1, micro_tokens=200)
    before = {name: p.detach().clone() for name, p in language_model.model.named_parameters()}
    batch = Batch(rows=rows, objective=objective)
    loss = trainer.step(0, batch)["loss"]
    moved = sum(not torch.equal(p, before[name]) for name, p in language_model.model.named_parameters())
    return loss, trainer.backward(batch), moved


def test_one_sft_step_lowers_the_loss(language_model: LanguageModel) -> None:
    rows = random_rows([(5, 9), (1, 3), (12, 3), (2, 20)])
    loss, after, moved = trained(language_model, rows, cross_entropy(rows))
    assert after < loss
    assert moved == len(list(language_model.model.parameters()))


def test_one_rl_step_raises_the_objective_that_starts_at_ratio_one(language_model: LanguageModel) -> None:
    rollouts = rollouts_of(language_model)
    rows = [row_of(rollout) for rollout in rollouts]
    credits = [Credit(advantage=1.0 if i % 2 else -1.0, weight=1.0, reward=0.0) for i in range(len(rows))]
    objective = policy_loss(credits, rows, spec=CreditSpec(), sampled=[r.logprobs or () for r in rollouts])
    loss, after, moved = trained(language_model, rows, objective)
    assert loss == pytest.approx(0.0, abs=1e-4)  # rho is 1, and the advantages add up to 0
    assert after < -1e-3
    assert moved == len(list(language_model.model.parameters()))


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_sampling_rounds_where_bfloat16_training_does(family: str) -> None:
    model = tiny_language_model(family)
    cast = dataclasses.replace(model, autocast="bf16")
    rollouts = rollouts_of(cast, n=8)
    batch = pack([row_of(rollout) for rollout in rollouts])
    with torch.no_grad():
        exact = token_logprobs(model.model, batch)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = token_logprobs(model.model, batch)
    assert rounded.dtype == torch.float32
    of_training = (logprobs_of(rollouts) - rounded).abs().mean()
    of_rounding = (exact - rounded).abs().mean()
    assert 0 < of_training < of_rounding < 0.05  # nats; weights this large exaggerate both


def rl_gradient(language_model: LanguageModel, rollouts: list[Rollout], importance: Importance, autocast: str) -> Any:
    rows = [row_of(rollout) for rollout in rollouts]
    credits = [Credit(advantage=1.0 if i % 2 else -1.0, weight=1.0, reward=0.0) for i in range(len(rows))]
    spec = CreditSpec(importance=importance)
    objective = policy_loss(credits, rows, spec=spec, sampled=[r.logprobs or () for r in rollouts])
    trainer = Trainer(language_model, OptimSpec(), total_steps=1, micro_tokens=200, autocast=autocast)
    language_model.model.zero_grad()
    loss = trainer.backward(Batch(rows=rows, objective=objective))
    return loss, torch.cat([p.grad.flatten() for p in language_model.model.parameters()])


@pytest.mark.parametrize("importance", ["none", "token-truncate"])
@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_rollouts_give_the_float32_gradient_up_to_rounding(family: str, importance: Importance) -> None:
    exact = tiny_language_model(family)
    rollouts = rollouts_of(dataclasses.replace(exact, autocast="bf16"), n=8)
    loss, rounded = rl_gradient(exact, rollouts, importance, "bf16")
    assert 0 < abs(loss) < 0.02  # against the sampler's own log-probs: recomputed ones would make it 0
    of_exact = [replace_logprobs(exact, rollout) for rollout in rollouts]
    none, gradient = rl_gradient(exact, of_exact, importance, "off")
    assert none == pytest.approx(0.0, abs=1e-5)
    assert rounded.dtype == torch.float32
    assert torch.cosine_similarity(rounded, gradient, dim=0) > 0.99


def replace_logprobs(language_model: LanguageModel, rollout: Rollout) -> Rollout:
    """The rollout as if float32 weights had drawn it."""
    with torch.no_grad():
        logprobs = token_logprobs(language_model.model, pack([row_of(rollout)]))
    return dataclasses.replace(rollout, logprobs=tuple(logprobs.tolist()))


# --- files ----------------------------------------------------------------------------------------------------------


def llama_tokenizer() -> Any:
    """Byte-level BPE that puts <|begin_of_text|> before every text, as Llama 3's does."""
    vocabulary = {symbol: i for i, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(token_models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = token_decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", begin)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>"
    )


def test_a_saved_model_is_an_ordinary_directory(language_model: LanguageModel, tmp_path: Path) -> None:
    path = loader.save(language_model, tmp_path / "checkpoint")
    ids = torch.tensor([language_model.render(ask("(3+4)*2=?"))])
    again = loader.load(path)
    theirs = AutoModelForCausalLM.from_pretrained(path)
    with torch.no_grad():
        expected = eager_twin(language_model.model)(ids).logits
        for model in (theirs, again.model):
            torch.testing.assert_close(model(ids).logits, expected, atol=1e-4, rtol=0)
    assert [r.tokens for r in rollouts_of(again)] == [r.tokens for r in rollouts_of(language_model)]
    written = json.loads((path / "config.json").read_text())
    config = language_model.model.config
    assert written["model_type"] == config.model_type
    assert written["tie_word_embeddings"] == config.tie_word_embeddings
    assert written.get("head_dim") == getattr(config, "head_dim", None)
    assert written["rope_parameters"]["rope_type"] == config.rope_parameters["rope_type"]
    assert AutoTokenizer.from_pretrained(path).encode("7+5") == language_model.encode("7+5")


def test_a_llama_tokenizer_opens_every_prompt_and_survives_the_round_trip(tmp_path: Path) -> None:
    tokenizer = llama_tokenizer()
    model = tiny_language_model("llama", vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id).model
    path = loader.save(LanguageModel(model=model, tokenizer=tokenizer), tmp_path / "llama")
    language_model = loader.load(path)
    prompt = language_model.render(ask("ünïcode 7+5"))
    assert prompt.count(tokenizer.bos_token_id) == 1
    assert prompt[0] == tokenizer.bos_token_id
    assert language_model.decode(prompt) == "<|begin_of_text|>user: ünïcode 7+5\nassistant: "
    again = loader.load(loader.save(language_model, tmp_path / "again"))
    assert again.render(ask("ünïcode 7+5")) == prompt


def test_a_template_of_its_own_is_kept_as_it_is(tmp_path: Path) -> None:
    tokenizer = llama_tokenizer()
    tokenizer.chat_template = "{{ bos_token }}{% for m in messages %}[{{ m.content }}]{% endfor %}"
    model = tiny_language_model("llama", vocab_size=len(tokenizer)).model
    language_model = loader.load(loader.save(LanguageModel(model=model, tokenizer=tokenizer), tmp_path / "llama"))
    assert language_model.decode(language_model.render(ask("7"))) == "<|begin_of_text|>[7]"


def test_sampling_stops_at_every_end_token_that_the_generation_config_names() -> None:
    language_model = tiny_language_model("llama")
    free = [r.tokens or () for r in rollouts_of(language_model)]
    ends = language_model.end_token, free[0][4]
    language_model.model.generation_config.eos_token_id = list(ends)
    assert language_model.end_tokens == ends
    rollouts = rollouts_of(language_model)
    for rollout, tokens in zip(rollouts, free, strict=True):
        cut = next((i + 1 for i, token in enumerate(tokens) if token in ends), len(tokens))
        assert rollout.tokens == tokens[:cut]
        assert (rollout.stop is Stop.EOS) == (tokens[cut - 1] in ends)
    assert rollouts[0].stop is Stop.EOS
    assert rollouts[0].text == language_model.decode(free[0][: rollouts[0].num_tokens - 1])


@pytest.mark.parametrize(("name", "low", "high"), [("nano", 0.3e6, 0.4e6), ("one-gpu", 30 * 0.33e6, 100 * 0.33e6)])
def test_the_packaged_recipes_have_models_of_the_size_they_say(name: str, low: float, high: float) -> None:
    spec = load(packaged_recipe(name)).model
    language_model = loader.scratch(spec, ["7+5=12\n"], seed=0, device="cpu")
    assert low < sum(p.numel() for p in language_model.model.parameters()) < high
    assert unsupported(language_model.model.config.to_dict()) == ""


# --- refusals -------------------------------------------------------------------------------------------------------

QWEN2 = Qwen2Config(num_hidden_layers=4, max_position_embeddings=4096).to_dict()


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (Qwen3MoeConfig().to_dict(), "model type 'qwen3_moe' (a mixture of experts): the local sampler decodes qwen2"),
        (MistralConfig().to_dict(), "model type 'mistral': the local sampler decodes qwen2, qwen3, llama"),
        ({}, "model type None"),
        (QWEN2 | {"architectures": ["Qwen2ForSequenceClassification"]}, "is a Qwen2ForSequenceClassification"),
        ({"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 4096}, "attention (4096 tokens)"),
        (QWEN2 | {"use_sliding_window": True, "sliding_window": 1024, "layer_types": ["sliding_attention"]}, "1024"),
        (QWEN2 | {"hidden_act": "gelu"}, "activation 'gelu'"),
        (QWEN2 | {"attention_dropout": 0.1}, "attention dropout"),
        (QWEN2 | {"quantization_config": {"quant_method": "fp8"}}, "its weights are quantised"),
        (QWEN2 | {"rope_parameters": {"rope_type": "longrope"}}, "rotary embedding 'longrope'"),
        (QWEN2 | {"rope_parameters": None, "rope_scaling": {"type": "dynamic"}}, "rotary embedding 'dynamic'"),
        (QWEN2 | {"partial_rotary_factor": 0.5}, "rotary embedding of a part of each head"),
    ],
)
def test_what_it_does_not_compute_is_refused_before_weights_are_read(
    config: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedModelError) as refusal:
        loader.load(tmp_path)  # there are no weights to read
    assert reason in str(refusal.value)
    assert str(refusal.value).startswith(f"{tmp_path}: ")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_variants_it_computes_are_not_refused(name: str) -> None:
    family, overrides = VARIANTS[name]
    assert unsupported(FAMILIES[family][0](num_hidden_layers=2, max_position_embeddings=96).to_dict()) == ""
    config = tiny_language_model(family, **overrides).model.config.to_dict()
    assert unsupported(json.loads(json.dumps(config, default=str))) == ""


@pytest.mark.parametrize("text", ["{", "[]", "\udc00"])
def test_a_config_that_cannot_be_read_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=r"config\.json: (cannot be read|is not a JSON object)"):
        check_runnable(tmp_path)


EACH = "{% for m in messages %}"
NO_SYSTEM = "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
PARTS = "{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}"


def with_template(template: Any, system: str = "Be exact.") -> LanguageModel:
    changed = copy.deepcopy(tokenizer())
    changed.chat_template = template
    return LanguageModel(model=tiny_model("qwen2"), tokenizer=changed, system=system)


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        (EACH + NO_SYSTEM + "{{ m.content }}{% endfor %}", "Be exact.\n\n1+2"),
        (EACH + "{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}", "Be exact.\n\n1+2"),
        (EACH + PARTS + "|{% endfor %}", "Be exact.|1+2|"),
        (EACH + "{{ '' + m.content[0]['text'] }}|{% endfor %}", "Be exact.|1+2|"),
        (EACH + NO_SYSTEM + PARTS + "{% endfor %}", "Be exact.\n\n1+2"),
        (EACH + "{{ m.content | upper }}|{% endfor %}", "BE EXACT.|1+2|"),
    ],
)
def test_a_template_shows_every_text_in_the_form_that_it_wants(template: str, prompt: str) -> None:
    language_model = with_template(template)
    assert language_model.decode(language_model.render(ask("1+2"))) == prompt
    assert language_model.render(ask("1+2", system="Be exact.")) == language_model.render(ask("1+2"))


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ raise_exception('no roles') }}", "no roles"),
        ("Hello.", "it leaves out the text of the user message"),
    ],
)
def test_a_template_that_shows_no_question_is_an_error_of_the_user(template: str, why: str) -> None:
    with pytest.raises(ConfigError, match=rf"^the model: its chat template refuses a conversation \({why}\)$"):
        with_template(template).render(ask("1+2"))


def test_of_several_chat_templates_the_default_or_the_only_one_is_used(tmp_path: Path) -> None:
    template = EACH + "[{{ m.content }}]{% endfor %}"
    named = {"tool_use": template, "rag": "-"}
    path = loader.save(with_template(template), tmp_path / "model")
    (path / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((path / "tokenizer_config.json").read_text())

    def loaded(templates: dict[str, str]) -> LanguageModel:
        listed = [{"name": name, "template": text} for name, text in templates.items()]
        (path / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": listed}))
        return loader.load(path)

    for templates in ({"tool_use": template}, {**named, "default": template}):
        language_model = loaded(templates)
        again = loader.load(loader.save(language_model, tmp_path / "again"))
        assert {m.decode(m.render(ask("7"))) for m in (language_model, again)} == {"[7]"}
    with pytest.raises(InputError, match=r"chat templates named rag, tool_use and none is the default"):
        loaded(named)
