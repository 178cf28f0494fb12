"""A recipe on given GPUs: hours of every stage, memory of one GPU, and in words what does not fit and what would do.

stage.cost -> GPU-seconds of its training and sampling -> hours for which it holds its GPUs -> Forecast
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from etalon.config.stages import Listed, listed
from etalon.cost import compute, memory
from etalon.cost.gpus import GIB, Gpu, gpu_of
from etalon.cost.shapes import KNOWN, ModelShape, read_shape
from etalon.cost.work import Cost
from etalon.errors import ConfigError
from etalon.pipeline.reckoning import mean_response, trained_domains
from etalon.pipeline.stage import Stage
from etalon.recipe import Recipe, RlSpec

LOGITS = {"local": memory.LOCAL_LOGITS, "trl": memory.TRL_LOGITS, "verl": memory.VERL_LOGITS}


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a plan prints beside the stages. Without a GPU type, or a shape to reckon with, there are only notes.

    hours: stage -> GPU-hours, of the stages to run. memory: situation -> part -> bytes per GPU. usable: bytes.
    """

    gpu: Gpu | None = None
    hours: Mapping[str, float] = field(default_factory=dict)
    training_hours: float = 0.0
    memory: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    usable: float = 0.0
    notes: Sequence[str] = ()

    @property
    def total_hours(self) -> float:
        return sum(self.hours.values())


def forecast(recipe: Recipe, stages: Sequence[Stage]) -> Forecast:
    """Hours of the stages to run, memory and notes; ConfigError for hardware that cannot be."""
    hardware = recipe.hardware
    if not hardware.gpu:
        return Forecast()
    gpu = gpu_of(hardware.gpu)
    shape = shape_of(recipe)
    if shape is None:
        known = ", ".join(KNOWN)
        return Forecast(notes=[f"no hours and no memory: the size of model.base is not known here (it is for {known})"])
    check_parallel(recipe, shape)
    hours = {stage.name: held_hours(stage, recipe, shape, gpu) for stage in stages}
    setup = setup_of(recipe, shape, gpu)
    parts = memories(recipe, shape, gpu, setup)
    training = sum(hours[stage.name] for stage in stages if not stage.is_background)
    notes = (
        *_time(recipe, stages, sum(hours.values()), shape, gpu),
        *_fit(parts["training"], recipe, shape, setup, gpu),
        *_window(recipe, shape),
        *_published(recipe, stages, shape),
        _assumed(recipe),
    )
    return Forecast(
        gpu=gpu, hours=hours, training_hours=training, memory=parts, usable=memory.usable(gpu), notes=notes
    )  # fmt: skip


def shape_of(recipe: Recipe) -> ModelShape | None:
    """From config.json where the model is here, else of a known model of that name; None for an unknown one."""
    spec = recipe.model
    if spec.base == "scratch":
        return ModelShape(
            layers=spec.layers, hidden=spec.hidden, heads=spec.heads, kv_heads=spec.kv_heads,
            head_size=spec.hidden // spec.heads, mlp=spec.mlp, vocabulary=spec.vocabulary,
            window=spec.max_positions, is_tied=False, has_bias=True,
        )  # fmt: skip
    path = Path(spec.base)
    return read_shape(path) if path.is_dir() else KNOWN.get(path.name)


def check_parallel(recipe: Recipe, shape: ModelShape) -> None:
    """ConfigError unless the GPUs that share a sequence divide the GPUs and the attention heads."""
    degree = sequence_parallel_of(recipe)
    for name, whole in (("the GPUs", gpus_of(recipe)), ("the attention heads", shape.heads)):
        if whole % degree:
            raise ConfigError(
                f"verl.sequence_parallel: {degree} does not divide {name} ({whole}); try --set verl.sequence_parallel=1"
            )


def held_hours(stage: Stage, recipe: Recipe, shape: ModelShape, gpu: Gpu) -> float:
    """GPU-hours for which a stage holds its GPUs."""
    return held_seconds(stage.cost, recipe, shape, gpu) / 3600


def memories(recipe: Recipe, shape: ModelShape, gpu: Gpu, setup: memory.Setup) -> dict[str, dict[str, float]]:
    """Situation -> part -> bytes per GPU: the peak of training, and sampling as many responses as fit."""
    response = mean_response(recipe, longest_window(recipe))
    sequences = compute.sequences_at_a_time(shape, room=rl_room(recipe, shape, gpu), response=response)
    sampling = memory.sampling_memory(
        shape,
        sequences=sequences,
        context=compute.mean_context(response),
        held=held_while_sampling(recipe, shape),
    )
    return {"training": memory.training_memory(shape, setup), "sampling": sampling}


def _time(
    recipe: Recipe, stages: Iterable[Stage], hours: float, shape: ModelShape, gpu: Gpu
) -> Iterator[str]:  # fmt: skip
    if recipe.engine == "local" and recipe.hardware.gpus > 1:
        yield f"engine 'local' uses 1 of {recipe.hardware.gpus} GPUs; trl and verl use all of them"
    gpus, own = gpus_of(recipe), own_gpus_of(recipe)
    if recipe.engine != "local" and gpus != own:
        yield f"planned for {gpus} GPUs; the recipe's [{recipe.engine}] asks for {own}"
    yield f"{hours:,.{0 if hours >= 10 else 1}f} GPU-hours: {_duration(hours / gpus)} on {gpus} x {gpu.name}"
    costs = [stage.cost for stage in stages if stage.cost.is_rl]
    waiting = sum(waiting_seconds(cost, shape, gpu) for cost in costs)
    if not waiting:
        return
    work = [work_seconds(cost, recipe, shape, gpu) for cost in costs]
    held = sum(held_seconds(cost, recipe, shape, gpu) for cost in costs)
    idle = held - sum(trained + sampled for trained, sampled in work)
    most = max(1, int(sum(sampled for _, sampled in work) / waiting))
    idle_hours = idle / 3600
    paid = (
        f"; {idle_hours:,.0f} of the GPU-hours are this waiting (none on up to {most} GPUs)" if idle_hours >= 1 else ""
    )
    yield f"every step of RL waits for its longest response: {_duration(waiting / 3600)} on any number of GPUs{paid}"


def _duration(hours: float) -> str:
    return f"{hours / 24:,.1f} days" if hours >= 48 else f"{hours:,.1f} hours"


def _fit(parts: Mapping[str, float], recipe: Recipe, shape: ModelShape, setup: memory.Setup, gpu: Gpu) -> Iterator[str]:
    needed, there = sum(parts.values()) / GIB, memory.usable(gpu) / GIB
    if needed > there:
        found = list(memory.remedies(shape, setup, gpu, can_shard=recipe.engine == "verl"))
        cure = f"; what would do: {', or '.join(found)}" if found else "; take a GPU with more memory"
        yield f"does not fit: training needs {needed:,.1f} GiB per GPU, {there:,.1f} are usable{cure}"
    if rl_room(recipe, shape, gpu) < compute.WIDTH * shape.cache_elements * setup.longest:
        yield (
            f"does not fit: the cache of one response of {setup.longest:,} tokens has no room beside the weights "
            f"and what training holds{_more_room(recipe)}; what would do: a GPU with more memory, or a shorter window"
        )


def _more_room(recipe: Recipe) -> str:
    if recipe.engine == "verl":
        return f", within verl.rollout_memory = {recipe.verl.rollout_memory}"
    return f", within trl.vllm_memory = {recipe.trl.vllm_memory}" if recipe.trl.vllm == "colocate" else ""


def _window(recipe: Recipe, shape: ModelShape) -> Iterator[str]:
    asked = longest_window(recipe)
    if asked > shape.window:
        yield (
            f"the positions of model.base end at {shape.window:,} tokens, the recipe asks for {asked:,}: raise "
            "max_position_embeddings in its config.json (and rope_theta), or what is longer is cut or left out"
        )


def _published(recipe: Recipe, stages: Sequence[Stage], shape: ModelShape) -> Iterator[str]:
    hardware = recipe.hardware
    if not hardware.published_hours:
        return
    gpu = gpu_of(hardware.published_gpu, key="hardware.published_gpu")
    ours = sum(held_hours(stage, recipe, shape, gpu) for stage in stages if not stage.is_background)
    yield (
        f"published: {hardware.published_hours:,.0f} GPU-hours on {gpu.name}; the training stages above come to "
        f"{ours:,.0f} on {gpus_of(recipe)} of them, {ours / hardware.published_hours:.2f} times that"
    )


def _assumed(recipe: Recipe) -> str:
    hardware = recipe.hardware
    return (
        f"assumed: traces of {hardware.trace_tokens:,} and rollouts of {hardware.response_tokens:,} tokens on average "
        f"where no window cuts them, {100 * compute.MFU:.0f}% of the peak in training, "
        f"{100 * compute.DECODE_BANDWIDTH:.0f}% of the memory bandwidth in sampling; every problem asked for and every "
        "trace kept; a teacher's and a judge's work is not counted"
    )


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


def setup_of(recipe: Recipe, shape: ModelShape, gpu: Gpu) -> memory.Setup:
    """How the recipe trains: verl shards over all GPUs and recomputes activations, TRL has the whole model on each.

    The local engine recomputes as `recompute` says, with "auto" where they do not fit.
    """
    is_sharded = recipe.engine == "verl"
    setup = memory.Setup(
        gpus=gpus_of(recipe) if is_sharded else 1,
        logits=LOGITS[recipe.engine],
        longest=longest_window(recipe) + compute.LONGEST_PROMPT,
        micro_tokens=max(getattr(stage.spec, "micro_tokens", 0) for stage in listed(recipe)) or 1,
        sequence_parallel=sequence_parallel_of(recipe),
        is_checkpointed={
            "verl": True, "trl": recipe.trl.gradient_checkpointing, "local": recipe.recompute == "on"
        }[recipe.engine],
    )  # fmt: skip
    is_tight = not memory.fits(memory.training_memory(shape, setup), gpu)
    chooses = recipe.engine == "local" and recipe.recompute == "auto"
    return replace(setup, is_checkpointed=True) if chooses and is_tight else setup
