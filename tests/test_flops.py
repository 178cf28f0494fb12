"""The FLOPs that bench/gpu.py divides by, against those that torch counts."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from etalon.model.packed import TokenRow, pack, token_logprobs  # noqa: E402
from tiny_models import random_rows, tiny_model  # noqa: E402


def bench() -> Any:
    path = Path(__file__).resolve().parents[1] / "bench" / "gpu.py"
    spec = importlib.util.spec_from_file_location("bench_gpu", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("family", "tied"), [("qwen2", False), ("llama", True), ("qwen3", False)])
def test_the_products_of_a_training_step_are_six_per_weight_and_token(family: str, tied: bool) -> None:
    model = tiny_model(family, tie_word_embeddings=tied)
    rows: list[TokenRow] = random_rows([(1, 80), (1, 60), (1, 70)])
    with FlopCounterMode(display=False) as counter:
        token_logprobs(model, pack(rows)).sum().backward()
    counted = {str(name): flops for name, flops in counter.get_flop_counts()["Global"].items()}
    products = sum(flops for name, flops in counted.items() if name in ("aten.mm", "aten.addmm", "aten.bmm"))
    lengths = [len(row) for row in rows]
    expected = 6 * bench().matrix_weights(model) * sum(lengths)
    assert products == pytest.approx(expected, rel=0.02)  # the head skips the last token of every row


def test_the_attention_term_by_hand() -> None:
    model = tiny_model("qwen3", num_hidden_layers=2)  # 4 heads of 16 in each layer
    gpu = bench()
    without = 6 * gpu.matrix_weights(model)
    # forward: a score and a sum, 2 FLOPs x 16 each, for half of 10 x 10 pairs; backward twice that
    assert gpu.training_flops(model, [10]) - 10 * without == 3 * (2 * 4) * (10 * 10 / 2) * (2 * 2 * 16)
    assert gpu.training_flops(model, [10, 10]) == 2 * gpu.training_flops(model, [10])
    attended = gpu.sampling_flops(model, 5, 2) - 2 * 2 * gpu.matrix_weights(model)
    assert attended == (2 * 4) * (6 + 7) * (2 * 2 * 16)  # the first new token sees 6 positions, itself among them


def test_the_peak_is_that_of_the_card_and_none_of_an_unknown_one() -> None:
    gpu = bench()
    assert gpu.peak_tflops("NVIDIA H100 PCIe") == 756
    assert gpu.peak_tflops("NVIDIA H200") == gpu.peak_tflops("NVIDIA H100 80GB HBM3") == 989
    assert gpu.peak_tflops("NVIDIA L40S") == 362
    assert gpu.peak_tflops("NVIDIA L4") == 121
    assert gpu.peak_tflops("Some other card") is None
