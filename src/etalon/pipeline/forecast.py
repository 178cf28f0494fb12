"""Steps, tokens and GPU-seconds of every stage, as far as a recipe says them before anything has run.

Counts are upper bounds: as many problems as the recipe asks for, every sampled trace kept, every rollout with credit.
Lengths are the recipe's guesses (`[hardware]`), cut by the window where there is one. What is not counted: a teacher's
or a judge's sampling, running programs and checking answers (CPU), and the start of engines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from etalon.cost import compute, memory
from etalon.cost.gpus import Gpu
from etalon.cost.shapes import ModelShape
from etalon.pipeline import graph
from etalon.pipeline.stage import Stage
from etalon.problems import nano
from etalon.recipe import Recipe, RlStageSpec
from etalon.types import REASONING_DOMAINS, Domain

WINDOW_SHARE = 0.55  # (ours) mean response over the window, when the window cuts many
LOGITS = {"local": memory.LOCAL_LOGITS, "trl": memory.TRL_LOGITS, "verl": memory.VERL_LOGITS}
HARD_SHARE = 0.25  # (ours) share of rated traces that are both long and hard
VERIFIED_SHARE = 0.7  # (ours) share of the RL checkpoints' rollouts that are correct
PUBLIC_DOMAINS = (*REASONING_DOMAINS, Domain.INSTRUCT)  # (ours) what problem files are taken to hold, unless mix says 0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Work of one stage. sampled, trained: tokens, prompts left out of the former; steps: of the optimiser.

    batches: how many times everything waits for a longest response, of `window` tokens.
    """

    steps: int = 0
    sampled: float = 0.0
    trained: float = 0.0
    sampled_mean: float = 1.0  # tokens of a mean response
    trained_mean: float = 1.0  # tokens of a mean training row
    batches: int = 0
    window: int = 0
    is_rl: bool = False  # samples and trains by turns, on the same GPUs


def domains_of(recipe: Recipe) -> list[Domain]:
    """The domains that a run is taken to have problems of."""
    known = tuple(nano.MAX_LEVELS) if recipe.problems.source == "nano" else PUBLIC_DOMAINS
    mix = recipe.problems.mix
    return [d for d in Domain if (mix.get(d.value, 0.0) > 0 if d.value in mix else d in known)]


def mean_response(recipe: Recipe, window: int) -> float:
    """Tokens of a mean response in a window."""
    return min(recipe.hardware.response_tokens, WINDOW_SHARE * window)


def mean_trace(recipe: Recipe) -> float:
    """Tokens of a mean trace to learn from."""
    return min(recipe.hardware.trace_tokens, recipe.data.max_tokens)


def queries(recipe: Recipe) -> float:
    """Training queries of all domains, those answered with claims included."""
    spec = recipe.problems
    asked = sum(spec.train * spec.mix.get(domain.value, 1.0) for domain in domains_of(recipe))
    return asked * (1 + recipe.data.expand)


def traces(recipe: Recipe) -> float:
    """Traces to learn from, if every sampled one passes the gates."""
    return queries(recipe) * min(recipe.data.paths, recipe.data.max_paths) + recipe.data.claims


def cost_of(stage: Stage, recipe: Recipe) -> Cost:
    """What a stage costs; nothing for those that only read and write files."""
    if stage.name.startswith("eval-"):
        spec = recipe.eval
        return _sampling(recipe, len(domains_of(recipe)) * recipe.problems.test * spec.n, spec.max_tokens)
    if stage.name.endswith("-fused"):
        return _probe(recipe, stage.arguments["source"])
    if stage.work == "reinforce:reinforce":
        phase = getattr(recipe.rl, stage.arguments["phase"])
        return _rl(recipe, phase) if Domain(stage.arguments["domain"]) in domains_of(recipe) else Cost()
    counted: Callable[[Recipe], Cost] | None = COUNTED.get(stage.name)
    return counted(recipe) if counted else Cost()


def _base(recipe: Recipe) -> Cost:
    return Cost(steps=-(-recipe.base.documents // recipe.base.batch)) if recipe.model.base == "scratch" else Cost()


def _sampling(recipe: Recipe, rollouts: float, window: int, *, batches: int = 1) -> Cost:
    mean = mean_response(recipe, window)
    return Cost(sampled=rollouts * mean, sampled_mean=mean, batches=batches, window=window)


def _sft(recipe: Recipe, rows: float, epochs: int, mean: float, *, batch: int, max_steps: int = 0) -> Cost:
    steps = math.ceil(rows * epochs / batch)
    if max_steps and max_steps < steps:
        steps, rows, epochs = max_steps, max_steps * batch, 1
    length = mean + compute.PROMPT_TOKENS
    return Cost(steps=steps, trained=rows * epochs * length, trained_mean=length)


def _broad(recipe: Recipe) -> Cost:
    spec = recipe.sft
    return _sft(
        recipe, traces(recipe), spec.broad.epochs, mean_trace(recipe), batch=spec.batch, max_steps=spec.max_steps
    )


def _hard(recipe: Recipe) -> Cost:
    spec = recipe.sft.hard
    if not spec.epochs:
        return Cost()
    rated = sum(
        min(spec.queries, recipe.problems.train * recipe.problems.mix.get(d.value, 1.0)) for d in domains_of(recipe)
    )
    rows = HARD_SHARE * rated * min(recipe.data.paths, recipe.data.max_paths)
    mean = max(mean_trace(recipe), spec.min_tokens)
    trained = _sft(recipe, rows, spec.epochs, mean, batch=recipe.sft.batch, max_steps=recipe.sft.max_steps)
    sampled = _sampling(recipe, rated * recipe.data.difficulty_attempts, recipe.rl.max_tokens)
    return _both(sampled, trained)


def _probe(recipe: Recipe, source: str) -> Cost:
    if source == "sft-hard" and not recipe.sft.hard.epochs:
        return Cost()
    rollouts = (recipe.sft.checkpoints + 1) * len(domains_of(recipe)) * recipe.problems.probe * recipe.probe.k
    return _sampling(recipe, rollouts, recipe.eval.max_tokens, batches=recipe.sft.checkpoints + 1)


def _rl(recipe: Recipe, phase: RlStageSpec) -> Cost:
    return _phase(recipe, phase.steps, recipe.rl.window(phase), recipe.problems.rl)


def _phase(recipe: Recipe, steps: int, window: int, pool: float) -> Cost:
    if not steps:
        return Cost()
    spec = recipe.rl
    rollouts = steps * spec.prompts_per_step * spec.group_size
    sampled = _sampling(recipe, rollouts + pool * spec.prefilter_attempts, window, batches=steps + 1)
    length = mean_response(recipe, window) + compute.PROMPT_TOKENS
    return replace(_both(sampled, Cost(steps=steps, trained=rollouts * length, trained_mean=length)), is_rl=True)


def _distill(recipe: Recipe) -> Cost:
    spec = recipe.distill
    if not spec.epochs:
        return Cost()
    domains = [d for d in domains_of(recipe) if d in REASONING_DOMAINS]
    rollouts = len(domains) * min(spec.problems, recipe.problems.rl) * spec.n
    sampled = _sampling(recipe, rollouts, recipe.rl.max_tokens)
    kept = rollouts * VERIFIED_SHARE * max(0.0, spec.high - spec.low) + spec.replay * (
        len(domains_of(recipe)) - len(domains)
    )
    mean = mean_response(recipe, recipe.rl.max_tokens)
    return _both(sampled, _sft(recipe, kept, spec.epochs, mean, batch=spec.batch))


def _instruct(recipe: Recipe) -> Cost:
    spec = recipe.instruct
    if Domain.INSTRUCT not in domains_of(recipe):
        return Cost()
    pool = recipe.problems.rl / (1 - spec.general) if spec.general < 1 else recipe.problems.rl
    return _phase(recipe, spec.steps, recipe.rl.max_tokens, pool)


def _clr(recipe: Recipe) -> Cost:
    """K trajectories, K verifications and 2K plain answers per problem, each as long as a response."""
    spec = recipe.clr
    return _sampling(recipe, 4 * spec.k * min(spec.problems, recipe.problems.test), spec.max_tokens)


COUNTED: dict[str, Callable[[Recipe], Cost]] = {
    "base": _base, "sft-broad": _broad, "sft-hard": _hard, "distill": _distill, "instruct": _instruct, "clr": _clr,
}  # fmt: skip


def _both(sampled: Cost, trained: Cost) -> Cost:
    """A stage that samples and trains."""
    return replace(sampled, steps=trained.steps, trained=trained.trained, trained_mean=trained.trained_mean)


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
    rl = recipe.rl
    domains = domains_of(recipe)
    phases = [
        getattr(rl, stage.arguments["phase"])
        for stage in graph.PIPELINE
        if stage.work == "reinforce:reinforce" and Domain(stage.arguments["domain"]) in domains
    ]
    windows = [rl.window(phase) for phase in phases if phase.steps]
    if recipe.instruct.steps and Domain.INSTRUCT in domains:
        windows.append(rl.max_tokens)
    return max([recipe.data.max_tokens, *windows])


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
        micro_tokens=max(recipe.sft.micro_tokens, recipe.rl.micro_tokens, recipe.distill.micro_tokens),
        sequence_parallel=sequence_parallel_of(recipe),
        is_checkpointed=is_sharded or (recipe.engine == "trl" and recipe.trl.gradient_checkpointing),
    )
