"""Hours and memory of a run: identities of the arithmetic, published sizes, and what does not fit."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from etalon import config
from etalon.cost import compute, memory, work
from etalon.cost.gpus import GIB, GPUS, gpu_of
from etalon.cost.shapes import KNOWN, ModelShape, read_shape
from etalon.errors import ConfigError, InputError, UnsupportedModelError
from etalon.pipeline import forecast, machine, reckoning
from etalon.pipeline.graph import graph_of
from etalon.recipe import Recipe

SMALL, LARGE = KNOWN["Qwen2.5-Math-1.5B"], KNOWN["Qwen2.5-Coder-3B"]
H800 = GPUS["h800"]
ONE = memory.Setup(gpus=1, longest=65536, micro_tokens=16384)


def recipe_of(name: str, *overrides: str) -> Recipe:
    return config.load(config.packaged_recipe(name), overrides).resolved()


def planned(name: str, *overrides: str) -> forecast.Forecast:
    recipe = recipe_of(name, *overrides)
    return forecast.forecast(recipe, graph_of(recipe).stages)


def hours(*overrides: str, name: str = "vibethinker-1.5b") -> dict[str, float]:
    return dict(planned(name, *overrides).hours)


def test_parameters_are_those_the_model_cards_state() -> None:
    assert SMALL.parameters == 1_543_714_304  # 1.54B
    assert LARGE.parameters == 3_085_938_688  # 3.09B, and 2.77B without the embedding
    assert LARGE.parameters - LARGE.embedding == pytest.approx(2.77e9, rel=2e-3)


@pytest.mark.torch
@pytest.mark.parametrize("family", ["Qwen2", "Qwen3", "Llama"])
@pytest.mark.parametrize("is_tied", [False, True])
def test_parameters_of_a_config_are_those_of_the_model_built_from_it(
    family: str, is_tied: bool, tmp_path: Path
) -> None:
    import torch
    import transformers

    built = getattr(transformers, f"{family}Config")(
        hidden_size=48, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2, intermediate_size=80,
        vocab_size=100, head_dim=8, max_position_embeddings=256, tie_word_embeddings=is_tied,
    )  # fmt: skip
    built.save_pretrained(tmp_path)
    with torch.device("meta"):
        model = getattr(transformers, f"{family}ForCausalLM")(built)
    assert read_shape(tmp_path).parameters == sum(p.numel() for p in model.parameters())


def test_training_is_six_flops_per_parameter_and_token_and_attention_by_hand() -> None:
    shape = ModelShape(
        layers=2, hidden=8, heads=2, kv_heads=1, head_size=4, mlp=16, vocabulary=32, window=64, is_tied=True
    )
    per_layer = 8 * 8 * 2 + 8 * 4 * 2 + 3 * 8 * 16 + 2 * 8
    assert shape.active == 2 * per_layer + 32 * 8
    attention = (
        12 * (1.5 * 10 / 2) * 2 * 8
    )  # 3 passes x 4 c, c half the sequence of a mean token, layers x head elements
    assert compute.training_flops(shape, tokens=100, mean_tokens=10) == 100 * (6 * shape.active + attention)


def test_twice_the_tokens_are_twice_the_time_and_twice_the_gpu_is_half() -> None:
    twice = replace(H800, flops=2 * H800.flops, bandwidth=2 * H800.bandwidth)
    train = compute.training_seconds(LARGE, H800, tokens=1e9, mean_tokens=9000)
    assert compute.training_seconds(LARGE, H800, tokens=2e9, mean_tokens=9000) == pytest.approx(2 * train)
    assert compute.training_seconds(LARGE, twice, tokens=1e9, mean_tokens=9000) == pytest.approx(train / 2)
    room = memory.cache_room(LARGE, H800)
    sample = compute.generation_seconds(LARGE, H800, tokens=1e9, response=9000, room=room)
    assert compute.generation_seconds(LARGE, H800, tokens=2e9, response=9000, room=room) == pytest.approx(2 * sample)
    assert compute.generation_seconds(LARGE, twice, tokens=1e9, response=9000, room=room) == pytest.approx(sample / 2)


def test_longer_responses_and_less_room_make_sampling_slower() -> None:
    room = memory.cache_room(LARGE, H800)
    seconds = compute.generation_seconds(LARGE, H800, tokens=1e9, response=8000, room=room)
    assert compute.generation_seconds(LARGE, H800, tokens=1e9, response=16000, room=room) > seconds
    assert compute.generation_seconds(LARGE, H800, tokens=1e9, response=8000, room=room / 8) > seconds


def test_twice_the_steps_are_twice_the_hours_of_the_steps() -> None:
    none, one, two = (
        hours(f"rl-math-16k.steps={steps}", "rl.prefilter_attempts=1", "problems.rl=1")["rl-math-16k"]
        for steps in (0, 1000, 2000)
    )
    assert none == 0
    assert two == pytest.approx(2 * one, rel=2e-3)  # rated prompts are the rest


def test_gpu_hours_do_not_depend_on_the_number_of_gpus_until_they_wait_for_a_response() -> None:
    one, eight, many = (hours(f"hardware.gpus={count}") for count in (1, 8, 512))
    assert eight == pytest.approx(one)
    assert many["sft"] == pytest.approx(one["sft"])
    phase = graph_of(recipe_of("vibethinker-1.5b")).by_name["rl-math-16k"].spec
    waiting = (phase.steps + 1) * compute.longest_seconds(SMALL, H800, window=phase.max_tokens) / 3600
    assert many["rl-math-16k"] > 512 * waiting > one["rl-math-16k"]


def test_training_memory_is_the_true_sum_of_its_parts() -> None:
    parts = memory.training_memory(LARGE, ONE)
    assert parts["weights (fp32)"] == parts["gradients (fp32)"] == 4 * LARGE.parameters
    assert parts["AdamW moments (fp32)"] == 8 * LARGE.parameters
    inputs = 65536 * 36 * 2048 * 2
    inside = 65536 * 2 * (4 * 2048 + 2 * 2048 + 2 * 256 + 4 * 11008)
    assert parts["activations"] == inputs + 1.5 * inside
    state = 16 * LARGE.parameters / GIB
    assert state == pytest.approx(46.0, abs=0.1)
    assert memory.fits(parts, H800) == (sum(parts.values()) <= 0.92 * 80 * GIB)


def test_what_does_not_fit_says_what_would_and_that_is_true() -> None:
    setup = replace(ONE, longest=180_000)
    assert not memory.fits(memory.training_memory(LARGE, setup), H800)
    told = "; ".join(memory.remedies(LARGE, setup, H800, can_shard=True))
    assert "GPUs that share the weights" in told
    count = int(told.split(" GPUs")[0].split()[-1])
    assert memory.fits(memory.training_memory(LARGE, replace(setup, gpus=count)), H800)
    assert not memory.fits(memory.training_memory(LARGE, replace(setup, gpus=count // 2)), H800)
    assert "sequence_parallel = 2 on 2 GPUs" in told
    assert memory.fits(memory.training_memory(LARGE, replace(setup, gpus=2, sequence_parallel=2)), H800)
    window = int(told.split("window of ")[1].split()[0].replace(",", ""))
    assert memory.fits(memory.training_memory(LARGE, replace(setup, longest=window, micro_tokens=1)), H800)
    assert not memory.fits(memory.training_memory(LARGE, replace(setup, longest=window + 1024, micro_tokens=1)), H800)


def test_smaller_passes_are_a_remedy_only_where_they_are_the_cause() -> None:
    wide = replace(ONE, longest=16384, micro_tokens=262144)
    assert "micro_tokens of 16,384 (now 262,144)" in list(memory.remedies(LARGE, wide, H800, can_shard=False))
    assert not any("micro_tokens" in cure for cure in memory.remedies(LARGE, ONE, H800, can_shard=False))


def test_a_plan_that_does_not_fit_says_so() -> None:
    one = ("verl.nodes=1", "verl.gpus_per_node=1", "verl.sequence_parallel=1")
    notes = planned("vibethinker-3b", "hardware.gpu=l40s", *one).notes
    [line] = [note for note in notes if note.startswith("does not fit")]
    assert "training needs 74.4 GiB per GPU, 44.2 are usable; what would do: 4 GPUs that share the weights, or" in line
    kept = planned("vibethinker-1.5b", "engine=local", "hardware.gpu=h200", "recompute=off")
    assert any("activations computed again" in note for note in kept.notes if note.startswith("does not fit"))
    for recompute in ("auto", "on"):
        again = planned("vibethinker-1.5b", "engine=local", "hardware.gpu=h200", f"recompute={recompute}")
        assert not any(note.startswith("does not fit: training") for note in again.notes)


def test_each_engine_is_planned_with_the_gpus_it_takes() -> None:
    def plan(*overrides: str) -> str:
        return "\n".join(planned("vibethinker-3b", *overrides).notes)

    assert "on 16 x h800" in plan()
    assert "on 8 x h800" in plan("engine=trl", "trl.processes=8")
    assert "on 1 x h800" in plan("engine=local")
    assert "planned for 32 GPUs; the recipe's [verl] asks for 16" in plan("hardware.gpus=32")
    trl = recipe_of("vibethinker-3b", "engine=trl", "trl.processes=8")
    assert forecast.setup_of(trl, LARGE, H800).gpus == 1  # every process has the whole model
    assert forecast.setup_of(recipe_of("vibethinker-3b"), LARGE, H800).gpus == 16


def test_what_training_holds_and_the_samplers_share_leave_less_room_for_the_cache() -> None:
    def room(*overrides: str) -> float:
        return forecast.rl_room(recipe_of("vibethinker-1.5b", *overrides), SMALL, H800)

    weights, whole = 2 * SMALL.parameters, 12 * SMALL.parameters
    usable = memory.usable(H800)
    assert room("engine=local") == usable - whole - weights
    assert room("engine=trl", "trl.processes=8") == usable - whole - weights
    assert room("engine=trl", "trl.vllm=colocate") == 0.3 * H800.memory - weights
    assert room("engine=trl", "trl.vllm=server", "trl.vllm_server=http://h:1") == usable - weights
    assert room("verl.rollout_memory=0.6") == 0.6 * H800.memory - weights
    assert room("verl.rollout_memory=0.9") == usable - max(whole / 8, usable - 0.9 * H800.memory) - weights
    assert room("verl.rollout_memory=0.95", "verl.offload=true") == usable - weights
    tight = forecast.memories(
        recipe := recipe_of("vibethinker-1.5b", "engine=local"), SMALL, H800, forecast.setup_of(recipe, SMALL, H800)
    )["sampling"]
    assert tight["held by training"] == whole
    assert sum(tight.values()) <= usable


def test_only_rl_samples_beside_training() -> None:
    one, other = (hours(f"verl.rollout_memory={share}") for share in (0.3, 0.6))
    assert one["rl-math-16k"] > other["rl-math-16k"]
    assert one["sft-fused"] == other["sft-fused"]


def test_logits_are_those_that_the_engine_holds_at_a_time() -> None:
    tokens, head = SMALL.vocabulary, 4 * SMALL.vocabulary * SMALL.hidden
    wide = replace(ONE, logits=memory.VERL_LOGITS)
    assert memory.logit_memory(SMALL, wide) == 20 * 512 * tokens + head
    assert memory.logit_memory(SMALL, replace(wide, longest=100, micro_tokens=1)) == 20 * 100 * tokens + head
    assert memory.logit_memory(SMALL, ONE) == 8 * 64_000_000
    assert memory.logit_memory(SMALL, replace(ONE, logits=memory.TRL_LOGITS)) == 4 * 4096 * 32768 + head


@pytest.mark.torch
def test_the_logits_of_the_local_engine_are_counted_as_they_are_made() -> None:
    from etalon.model import head

    assert memory.LOCAL_LOGITS.numbers == head.LOGIT_CHUNK * head.CUDA_CHUNKS


def test_the_published_hours_stand_beside_ours_as_a_ratio() -> None:
    plan = planned("vibethinker-1.5b")
    [line] = [note for note in plan.notes if note.startswith("published: 3,900 GPU-hours on h800")]
    assert f"{plan.training_hours:,.0f} on 8 of them, {plan.training_hours / 3900:.2f} times that" in line
    elsewhere = planned("vibethinker-1.5b", "hardware.gpu=a100")
    assert line in elsewhere.notes  # the comparison stays on the GPUs of the report


def test_a_phase_without_problems_or_steps_costs_nothing() -> None:
    told = hours("problems.mix.code=0", "rl-math-32k.steps=0")
    assert told["rl-code"] == told["rl-math-32k"] == 0
    assert told["rl-math-16k"] > 0


def test_what_the_domains_of_a_recipe_leave_out_is_not_planned() -> None:
    whole, math = hours(name="vibethinker-3b"), hours("problems.domains=math", name="vibethinker-3b")
    assert math["rl-code"] == math["rl-stem"] == math["instruct"] == 0
    assert math["rl-math"] == whole["rl-math"] > 0
    assert math["eval-base"] == pytest.approx(whole["eval-base"] / 4)


def test_a_branch_costs_what_the_stage_beside_it_does(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    branch = '[[stages]]\nname = "branch"\nkind = "rl"\nfrom = "sft-fused"\ndomains = ["math"]\nmax_tokens = 16384\n'
    path.write_text(f"{config.packaged_recipe('vibethinker-1.5b').read_text()}\n{branch}steps = 600\n")
    recipe = config.load(path).resolved()
    told = forecast.forecast(recipe, graph_of(recipe).stages).hours
    assert told["branch"] == told["rl-math-16k"]
    assert told["eval-branch"] == told["eval-sft"]


def test_windows_are_those_of_their_phase() -> None:
    def windows(name: str) -> list[int]:
        return [stage.cost.window for stage in graph_of(recipe_of(name)).stages if stage.kind == "rl"]

    assert windows("vibethinker-1.5b") == [16384, 32768, 32768]
    assert windows("vibethinker-3b") == [65536] * 5


def test_unknown_hardware_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"hardware.gpu: no GPU type 'h20' in the table; did you mean 'h200'"):
        gpu_of("h20")
    with pytest.raises(ConfigError, match=r"verl.sequence_parallel: 5 does not divide the GPUs \(16\)"):
        planned("vibethinker-3b", "verl.sequence_parallel=5")


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        ("{", InputError, "does not describe a model"),
        ('{"model_type": "qwen2"}', InputError, "KeyError: 'num_attention_heads'"),
        ('{"model_type": "mamba"}', UnsupportedModelError, "costs are known for qwen2, qwen3, llama"),
        ("[]", InputError, "does not describe a model"),
    ],
)
def test_a_config_that_cannot_be_counted_is_one_line(
    content: str, error: type[Exception], told: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(error, match=r"config\.json") as caught:
        read_shape(tmp_path)
    assert told in str(caught.value)


def test_a_model_that_is_here_is_counted_by_its_own_config(tmp_path: Path) -> None:
    base = tmp_path / "Qwen2.5-Coder-3B"
    base.mkdir()
    sizes = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "intermediate_size": 128}
    config_json = {"model_type": "qwen2", "vocab_size": 500, "max_position_embeddings": 512, **sizes}
    (base / "config.json").write_text(json.dumps(config_json))
    shape = forecast.shape_of(recipe_of("vibethinker-3b", f"model.base={base}"))
    assert shape is not None
    assert (shape.layers, shape.kv_heads, shape.head_size) == (2, 4, 16)


def test_the_comparison_in_the_document_is_what_the_plan_says() -> None:
    document = (Path(__file__).parents[1] / "docs" / "plan.md").read_text()
    table = re.findall(r"^\| (\d+) \| ([\d,]+) \| ([\d.]+) \|$", document, re.MULTILINE)
    assert len(table) == 3
    for gpus, told, ratio in table:
        plan = planned("vibethinker-1.5b", f"hardware.gpus={gpus}")
        assert (f"{plan.training_hours:,.0f}", f"{plan.training_hours / 3900:.2f}") == (told, ratio)


def test_prompts_of_a_measured_length_stand_once_for_their_rows() -> None:
    assumed = work.fine_tuning(10, 1, 50.0, batch=5)
    assert assumed.trained == 10 * (50 + compute.PROMPT_TOKENS)
    assert machine.trained_tokens(assumed, None, 1) == assumed.trained
    assert machine.trained_tokens(assumed, 80.0, 1) == pytest.approx(10 * (50 + 80))
    assert machine.trained_tokens(assumed, 80.0, 8) == pytest.approx(10 * (50 + 10))
    known = work.fine_tuning(10, 1, 50.0, batch=5, prompt=20.0)
    assert machine.trained_tokens(known, 80.0, 8) == known.trained == 700


def test_a_forecast_counts_the_steps_of_the_optimisers_as_they_were_timed() -> None:
    recipe = recipe_of("nano", "instruct.steps=7")
    stages = graph_of(recipe).stages
    record = {"sampled_per_second": 1e12, "trained_per_second": 1e12, "mean_tokens": 20}
    record["optimiser_seconds"] = {"muon": 10.0, "adamw": 2.0}
    found = {one.stage: one.seconds for one in machine.taken(record, stages, recipe)}
    assert found["instruct"] == pytest.approx(7 * 2, abs=0.1)
    tuned = next(stage for stage in stages if stage.name == "sft-broad")
    assert tuned.spec.optim.name == "muon"
    assert found["sft-broad"] == pytest.approx(10 * tuned.cost.steps, abs=0.1)


def test_what_a_run_found_reckons_as_what_it_was_asked_for() -> None:
    """Counts that a mix has cut already are not cut by it again."""
    recipe = config.load(config.packaged_recipe("nano"))
    asked = {domain: round(reckoning.queries_of(recipe, domain)) for domain in reckoning.domains_of(recipe)}
    found = reckoning.as_found(recipe, {"train": {domain.value: count for domain, count in asked.items()}})
    assert len(set(asked.values())) > 1
    assert {domain: round(reckoning.queries_of(found, domain)) for domain in asked} == asked
    assert reckoning.traces(found) == reckoning.traces(recipe)
