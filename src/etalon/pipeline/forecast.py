"""GPU-seconds and memory of every stage on given GPUs, as far as a recipe says them before anything has run."""

from __future__ import annotations

from etalon.config.stages import Listed, listed
from etalon.cost import compute, memory
from etalon.cost.gpus import Gpu
from etalon.cost.shapes import ModelShape
from etalon.cost.work import Cost
from etalon.pipeline.reckoning import trained_domains
from etalon.recipe import Recipe, RlSpec

LOGITS = {"local": memory.LOCAL_LOGITS, "trl": memory.TRL_LOGITS, "verl": memory.VERL_LOGITS}


def held_while_sampling(recipe: Recipe, shape: ModelShape) -> float:
    """Bytes of training that stay on a GPU while RL samples on it."""
    if recipe.engine == "verl":
        return 0.0 if recipe.verl.offload else memory.STAYS * shape.parameters / gpus_of(recipe)
    is_elsewhere = recipe.engine == "trl" and recipe.trl.vllm == "server"
    return 0.0 if is_elsewhere else float(memory.STAYS * shape.parameters)


def rl_room(recipe: Recipe, shape: ModelShape, gpu: Gpu) -> float:
    """Bytes of a GPU for the key-value cache while RL samples, beside training and within the sampler's share."""
    shares = {"verl": recipe.verl.rollout_memory}
    if recipe.trl.vllm == "colocate":
        shares["trl"] = recipe.trl.vllm_memory
    held = held_while_sampling(recipe, shape)
    return memory.cache_room(shape, gpu, held=held, share=shares.get(recipe.engine, 1.0))


def work_seconds(cost: Cost, recipe: Recipe, shape: ModelShape, gpu: Gpu) -> tuple[float, float]:
    """GPU-seconds of a stage's training and of its sampling; any number of GPUs shares them."""
    trained = compute.training_seconds(shape, gpu, tokens=cost.trained, mean_tokens=cost.trained_mean)
    room = rl_room(recipe, shape, gpu) if cost.is_rl else memory.cache_room(shape, gpu)
    sampled = compute.generation_seconds(shape, gpu, tokens=cost.sampled, response=cost.sampled_mean, room=room)
    return trained, sampled


def waiting_seconds(cost: Cost, shape: ModelShape, gpu: Gpu) -> float:
    """Seconds that sampling takes at least, on any number of GPUs: in every batch one response fills the window."""
    return cost.batches * compute.longest_seconds(shape, gpu, window=cost.window)


def held_seconds(cost: Cost, recipe: Recipe, shape: ModelShape, gpu: Gpu) -> float:
    """GPU-seconds for which the recipe's GPUs are held: as much as the work, or more where they wait for a response."""
    trained, sampled = work_seconds(cost, recipe, shape, gpu)
    return trained + max(sampled, gpus_of(recipe) * waiting_seconds(cost, shape, gpu))


def longest_window(recipe: Recipe) -> int:
    """The longest response that a run trains on, in tokens."""
    windows = [stage.spec.max_tokens for stage in rl_stages(recipe) if stage.spec.steps]
    traces = [stage.spec.max_tokens for stage in listed(recipe) if stage.kind == "data"]
    return max([*traces, *windows], default=recipe.rl.max_tokens)


def rl_stages(recipe: Recipe) -> list[Listed]:
    """The rl stages that have a problem to train on."""
    stages = [stage for stage in listed(recipe) if isinstance(stage.spec, RlSpec)]
    return [stage for stage in stages if trained_domains(stage, recipe)]


def own_gpus_of(recipe: Recipe) -> int:
    """How many GPUs the engine would take."""
    verl = recipe.verl
    return {"local": 1, "trl": recipe.trl.processes, "verl": verl.nodes * verl.gpus_per_node}[recipe.engine]


def gpus_of(recipe: Recipe) -> int:
    """How many GPUs to reckon with: those asked about, as far as the engine can use them, or its own."""
    return 1 if recipe.engine == "local" else recipe.hardware.gpus or own_gpus_of(recipe)


def sequence_parallel_of(recipe: Recipe) -> int:
    """GPUs that share the tokens of one sequence."""
    return recipe.verl.sequence_parallel if recipe.engine == "verl" else 1


def setup_of(recipe: Recipe) -> memory.Setup:
    """How the recipe trains: verl shards over all GPUs and recomputes activations, TRL has the whole model on each."""
    is_sharded = recipe.engine == "verl"
    return memory.Setup(
        gpus=gpus_of(recipe) if is_sharded else 1,
        logits=LOGITS[recipe.engine],
        longest=longest_window(recipe) + compute.LONGEST_PROMPT,
        micro_tokens=max(getattr(stage.spec, "micro_tokens", 0) for stage in listed(recipe)) or 1,
        sequence_parallel=sequence_parallel_of(recipe),
        is_checkpointed=is_sharded or (recipe.engine == "trl" and recipe.trl.gradient_checkpointing),
    )
