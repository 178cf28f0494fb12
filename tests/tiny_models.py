"""Tiny random models of the three families, and groups of rollouts, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from etalon.model import loader, packed
from etalon.model.loader import LanguageModel
from etalon.model.packed import TokenRow

FAMILIES = {
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "llama": (LlamaConfig, LlamaForCausalLM),
}


@lru_cache
def tokenizer() -> Any:
    return loader.scratch_tokenizer(["7+5=12\n(3+4)*2=14\n"], size=320)


def tiny_model(family: str, *, seed: int = 0, attention: str = "etalon_packed", **overrides: Any) -> Any:
    """A model whose every weight is random: biases and norms that are forgotten would show."""
    packed.register()
    config_class, model_class = FAMILIES[family]
    values = {
        "vocab_size": len(tokenizer()), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 96, "tie_word_embeddings": False,
        "bos_token_id": None, "eos_token_id": tokenizer().eos_token_id, "pad_token_id": tokenizer().pad_token_id,
        "attn_implementation": attention, **overrides,
    }  # fmt: skip
    if family == "qwen3":
        values.setdefault("head_dim", 16)  # not hidden / heads, as in the released models
    generator = torch.Generator().manual_seed(seed)
    model = model_class(config_class(**values)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator) * 0.3
            parameter.copy_(1 + noise if "norm" in name else noise)
    return model


def tiny_language_model(family: str = "qwen2", *, seed: int = 0, **overrides: Any) -> LanguageModel:
    return LanguageModel(model=tiny_model(family, seed=seed, **overrides), tokenizer=tokenizer())


def ending(language_model: LanguageModel) -> LanguageModel:
    """The same model with an end token that is drawn now and then: most of its responses are whole."""
    with torch.no_grad():
        language_model.model.lm_head.weight[language_model.end_token] *= 8
    return language_model


def eager_twin(model: Any) -> Any:
    """The same weights under transformers' own eager attention."""
    config = type(model.config)(**model.config.to_dict())
    config._attn_implementation = "eager"
    twin = type(model)(config).eval()
    twin.load_state_dict(model.state_dict())
    return twin


def random_rows(sizes: Sequence[tuple[int, int]], *, seed: int = 0) -> list[TokenRow]:
    """Rows of (prompt, response) lengths."""
    generator = torch.Generator().manual_seed(seed)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(5, len(tokenizer()), (count,), generator=generator).tolist())

    return [TokenRow(prompt=ids(p), response=ids(r)) for p, r in sizes]


def plain_logprobs(model: Any, row: TokenRow) -> torch.Tensor:
    """Log-probs of the response by one forward of the row alone, one token at a time."""
    logits = model(torch.tensor([[*row.prompt, *row.response]])).logits[0]
    return torch.stack([
        torch.log_softmax(logits[len(row.prompt) + t - 1], -1)[token] for t, token in enumerate(row.response)
    ])  # fmt: skip
