"""The only loader and saver of weights and tokenizers: ordinary Hugging Face directories in, the same out.

load(DIR) -> LanguageModel(model, tokenizer) -> save(language_model, DIR)
scratch(...) -> a tiny Qwen2 with a tokenizer of its own, for recipes whose base is "scratch"
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from etalon.errors import ConfigError, InputError, UnsupportedModelError
from etalon.model import packed, template
from etalon.model.directory import check_model_dir, check_runnable
from etalon.model.tokens import encodable
from etalon.recipe import ModelSpec
from etalon.types import Conversation

# (ours) used only for models whose tokenizer brings no chat template
FALLBACK_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
SCRATCH_TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
SCRATCH_SPECIAL = ("<pad>", "<end>", "<system>", "<user>", "<assistant>")
# Markers of the response format that are one token each, so that a tiny model spends no capacity on spelling them.
SCRATCH_MARKERS = (
    "<think>", "</think>", "\\boxed{", "<claims>", "</claims>", "<verify>", "<verdicts>", "</verdicts>",
    "```python\n", "\n```", "def f(x):\n", " return ", "print(", "int(input())",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """A causal language model with its tokenizer.

    Weights are float32. autocast: "bf16" computes matrix products in bfloat16 wherever this model is sampled from;
    training takes the recipe's value. system: the message that begins every conversation without one; empty is none.
    """

    model: Any
    tokenizer: Any
    path: Path | None = None
    autocast: str = "off"
    system: str = ""

    @property
    def device(self) -> torch.device:
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def end_token(self) -> int:
        """The id that closes a training response."""
        return int(self.tokenizer.eos_token_id)

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """The ids that stop sampling: the closing one first, then others that generation_config.json names."""
        named = getattr(getattr(self.model, "generation_config", None), "eos_token_id", None)
        others = [named] if isinstance(named, int) else list(named or ())
        return (self.end_token, *sorted({int(other) for other in others} - {self.end_token}))

    def render(self, conversation: Conversation) -> list[int]:
        """Token ids of the prompt, up to where the assistant's response starts.

        A system message that the chat template refuses, or leaves out, begins the first question. ConfigError for a
        conversation that it refuses in any form, or whose question it would not show.
        """
        messages = [{"role": m.role, "content": m.content} for m in conversation]
        if self.system and not any(m["role"] == "system" for m in messages):
            messages.insert(0, {"role": "system", "content": self.system})
        try:
            text = template.render(self.tokenizer, messages, name=str(self.path or "the model"))
        except template.RefusedError as error:
            raise ConfigError(
                f"{self.path or 'the model'}: its chat template refuses a conversation ({error})"
            ) from None
        return self.encode(text)

    @cached_property
    def num_ids(self) -> int:
        """Ids from 0 that may have a token; what an embedding has beyond is padding, which is never drawn."""
        return max(len(self.tokenizer), 1 + max(self.tokenizer.get_vocab().values(), default=-1))

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(encodable(text), add_special_tokens=False)
        return ids

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of a response; the end token is left out."""
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    @property
    def window(self) -> int:
        """Longest prompt plus response the position encoding was made for, in tokens."""
        return int(self.model.config.max_position_embeddings)


def choose_device(name: str) -> torch.device:
    """ "auto" takes a CUDA device when there is one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UnsupportedModelError("device: 'cuda' was asked for, but torch finds no CUDA device; use 'auto' or 'cpu'")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def prepare_device(name: str, autocast: str) -> torch.device:
    """`choose_device`, and with "bf16" on CUDA float32 products (head, Muon) in TF32; process-wide."""
    device = choose_device(name)
    if device.type == "cuda" and autocast == "bf16":
        torch.backends.cuda.matmul.fp32_precision = "tf32"
    return device


def load(
    path: Path, *, device: str = "auto", autocast: str = "off", attention: str = "etalon_packed", system: str = ""
) -> LanguageModel:
    """Load a Hugging Face causal LM directory in float32.

    Raises InputError when the directory is missing or unreadable, UnsupportedModelError for adapters (LoRA) and for
    architectures that the local engine does not compute. system: see `LanguageModel`.
    """
    check_runnable(path)
    target = prepare_device(device, autocast)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _prepare()
    try:
        model, loading = AutoModelForCausalLM.from_pretrained(
            path, dtype=torch.float32, attn_implementation=attention, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise InputError(f"{path}: cannot be loaded as a causal language model: {reason}") from error
    except Exception as error:
        if type(error).__module__.startswith("safetensors"):
            raise InputError(f"{path}: its weights are damaged ({error}); copy or make the checkpoint again") from error
        raise
    if missing := sorted(loading["missing_keys"]):
        raise InputError(f"{path}: {len(missing)} tensors are missing, such as {missing[0]}; they would be random")
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise InputError(
            f"{path}: its tokenizer has {len(tokenizer)} tokens, its embedding {rows} rows; resize the embedding"
        )
    if tokenizer.eos_token_id is None:
        raise InputError(f"{path}: its tokenizer has no eos_token, so a response could never end; set one")
    _give_template(tokenizer, path)
    model.eval()
    return LanguageModel(model=model.to(target), tokenizer=tokenizer, path=path, autocast=autocast, system=system)


def _give_template(tokenizer: Any, path: Path) -> None:
    """The only one of a list without a default, or the fallback where there is none.

    The fallback begins with the token that this tokenizer puts before every text, if any.
    """
    template.settle(tokenizer, name=str(path))
    if not tokenizer.chat_template:
        begin = tokenizer.bos_token_id
        opens = begin is not None and tokenizer.encode("")[:1] == [begin]
        tokenizer.chat_template = ("{{ bos_token }}" if opens else "") + FALLBACK_TEMPLATE


def _prepare() -> None:
    """Our attention known to transformers, and its progress bars (one per file) off: stages have their own."""
    from transformers.utils.logging import disable_progress_bar

    packed.register()
    disable_progress_bar()


def load_tokenizer(path: Path) -> Any:
    """The tokenizer of a model directory, alone; it always has a chat template."""
    from transformers import AutoTokenizer

    check_model_dir(path)
    tokenizer = AutoTokenizer.from_pretrained(path)
    _give_template(tokenizer, path)
    return tokenizer


def save(language_model: LanguageModel, path: Path) -> Path:
    """Write an ordinary Hugging Face directory; it appears whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    language_model.model.save_pretrained(partial, safe_serialization=True)
    language_model.tokenizer.save_pretrained(partial)
    for file in (path for path in partial.rglob("*") if path.is_file()):  # named chat templates are in a folder
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
    if path.exists():
        shutil.rmtree(path)
    partial.rename(path)
    return path


def scratch_tokenizer(corpus: Iterable[str], *, size: int) -> Any:
    """A byte-level BPE tokenizer of the Qwen2 family learned from the corpus, of at most `size` tokens.

    Qwen2 splits numbers into digits, which a tiny model learns arithmetic on faster than on whole numbers.
    """
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer

    family = Qwen2Tokenizer()  # what any Qwen2 checkpoint splits text by when it is loaded again
    learner = Tokenizer(models.BPE())
    learner.normalizer = family.backend_tokenizer.normalizer
    learner.pre_tokenizer = family.backend_tokenizer.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SCRATCH_SPECIAL) - len(SCRATCH_MARKERS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator(corpus, trainer)
    learned = json.loads(learner.to_str())["model"]
    merges = [tuple(merge) for merge in learned["merges"]]
    tokenizer = Qwen2Tokenizer(
        vocab=learned["vocab"], merges=merges, unk_token=None, pad_token="<pad>", eos_token="<end>"
    )  # fmt: skip
    tokenizer.add_tokens([AddedToken(t, special=True, normalized=False) for t in SCRATCH_SPECIAL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in SCRATCH_MARKERS])
    tokenizer.chat_template = SCRATCH_TEMPLATE
    return tokenizer


def scratch(spec: ModelSpec, corpus: Iterable[str], *, seed: int, device: str = "auto") -> LanguageModel:
    """A randomly initialised Qwen2 of the recipe's size with a tokenizer learned from the corpus."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    _prepare()
    tokenizer = scratch_tokenizer(corpus, size=spec.vocabulary)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=spec.hidden,
        num_hidden_layers=spec.layers,
        num_attention_heads=spec.heads,
        num_key_value_heads=spec.kv_heads,
        intermediate_size=spec.mlp,
        max_position_embeddings=spec.max_positions,
        tie_word_embeddings=False,
        use_sliding_window=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="etalon_packed",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.eval()
    return LanguageModel(model=model.to(choose_device(device)), tokenizer=tokenizer)
