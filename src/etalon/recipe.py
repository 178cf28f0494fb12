"""Every knob of every stage on one page. The default is the paper's value, with its section; "(ours)" is our choice.

Sections of the VibeThinker-3B report are bare numbers (2.1.2); "1.5B" and "CLR" name the other two papers.
Models are strict and frozen, and an unknown key is an error: `config.load` turns it into "did you mean".
A recipe is a TOML file with these tables. Its path is the list [[stages]]: each names a kind and may say any key of
that kind's table anew. `etalon run --set rl.gamma=0` overrides a table's value, `--set STAGE.gamma=0` a stage's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
NonNegative = Annotated[float, Field(ge=0.0)]
Aggregation = Literal["sequence-mean-token-mean", "token-mean"]
Importance = Literal["none", "token-truncate"]
DomainName = Literal["math", "code", "stem", "instruct", "claims", "facts"]  # those of types.Domain, says a test
Recompute = Literal["auto", "on", "off"]
PromptSort = Literal["rules", "rubric", "long"]
TrackerName = Literal["trackio", "wandb", "tensorboard"]  # those of track.trackers, says a test


class Spec(BaseModel):
    """Base of all tables: unknown keys fail, values keep their type, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ModelSpec(Spec):
    """The base model: a Hugging Face directory, or "scratch" for a tiny Qwen2 that the base stage pretrains."""

    base: str = "scratch"  # a model directory, or "scratch"
    # (ours) system message before every prompt of this model, or what the question begins with where its chat template
    # knows none; empty is none
    system: str = ""
    vocabulary: Annotated[int, Field(ge=320)] = 512  # (ours) tokens of the scratch model's tokenizer
    hidden: Positive = 96  # (ours) width of the scratch model
    layers: Positive = 3  # (ours) of the scratch model
    heads: Positive = 6  # (ours) attention heads of the scratch model
    kv_heads: Positive = 2  # (ours) heads of its keys and values
    mlp: Positive = 288  # (ours) width of its feed-forward layers
    max_positions: Positive = 1024  # (ours) its window: tokens of prompt and response together


class ProblemsSpec(Spec):
    """Where problems come from: the synthetic nano world, or files in one of the field's formats."""

    source: Literal["auto", "nano", "files"] = "auto"  # "auto": files when some are named, else the nano world
    files: tuple[str, ...] = ()  # JSONL, JSON, CSV or parquet, packed or not
    test_files: tuple[str, ...] = ()  # (ours) held-out problems; never cut into other splits. Empty: a part of `files`
    map: dict[str, str] = {}  # (ours) field = "column": other names of the files' columns, dotted inside JSON
    max_bad: Share = 0.01  # (ours) rows of a file that may be left out because they cannot be read
    domains: tuple[DomainName, ...] = ()  # (ours) only these; empty is every domain that is found
    shuffle: bool = True  # (ours) problems from files: every sample sees the options of a question in its own order
    mix: dict[
        DomainName, NonNegative
    ] = {}  # (ours) train problems of a domain relative to `train`; 1 where nothing is said
    operations: Annotated[int, Field(ge=2, le=9)] = 5  # (ours) nano world: most operations of a math problem
    facts: Count = 0  # (ours) nano world: arbitrary facts to learn by heart, trained on and asked for as they are
    open: Count = 0  # (ours) nano world: open-ended instruct prompts with a rubric, in the RL split alone
    train: Positive = 1000  # (ours) problems per domain and split; files are cut in this proportion
    probe: Positive = 64  # (ours) per domain, for fuse stages
    rl: Positive = 512  # (ours) per domain, prompts of rl and distill stages
    test: Positive = 200  # (ours) per domain, held out for evaluations and CLR


class OptimSpec(Spec):
    """One optimiser and its schedule: linear warmup, then cosine from `lr` to `final_lr` (2.1.2)."""

    name: Literal["adamw", "muon"] = "adamw"  # (ours) "muon": for hidden matrices, AdamW for the rest
    lr: Annotated[float, Field(gt=0)] = 5e-5  # 2.1.2: the largest learning rate
    final_lr: NonNegative = 8e-8  # 2.1.2: the learning rate of the last step
    warmup: Share = 0.05  # 2.1.2: share of all steps
    muon_lr: Annotated[float, Field(gt=0)] = (
        0.02  # (ours) for hidden matrices when name = "muon"; scaled by the schedule
    )
    beta1: Share = 0.9  # (ours) decay of the first moment
    beta2: Share = 0.95  # (ours) decay of the second moment
    weight_decay: NonNegative = 0.0  # (ours) decoupled, as AdamW has it
    clip: Annotated[float, Field(gt=0)] = 1.0  # (ours) largest gradient norm

    def scaled(self, factor: float) -> OptimSpec:
        """The same with every learning rate times `factor`."""
        rates = {name: factor * getattr(self, name) for name in ("lr", "final_lr", "muon_lr")}
        return self.model_copy(update=rates)


class BaseSpec(Spec):
    """Kind base: a model as it is, or pretraining of the scratch model, the stand-in for Qwen2.5-Coder-3B."""

    model: str = ""  # (ours) a model directory of this stage's own; empty is model.base
    documents: Positive = 20000  # (ours) plain texts that the scratch model is pretrained on, once each
    batch: Positive = 64  # (ours) documents per step
    optim: OptimSpec = OptimSpec(name="muon", lr=3e-3, final_lr=3e-4)  # (ours) of the pretraining


class DataSpec(Spec):
    """Kind data: data construction (2.1.1): labels, traces, gates, strata."""

    # "nano", "reference" (solutions that came with the problems), a model directory, or a model of a server,
    # MODEL@http://HOST:PORT/v1; "auto": as the problems need
    teacher: str = "auto"
    judge: str = ""  # (ours) model that judges the quality of queries (2.1.1); empty leaves the gate out
    label_votes: Positive = 5  # (ours) teacher answers per query for its pseudo-label
    relabel: Share = 0.0  # (ours) share of labelled math queries whose label is withheld and voted, to check the vote
    agreement: Share = 0.6  # (ours) smallest share of the majority answer that still makes a label
    paths: Positive = 4  # (ours) traces sampled per query
    max_paths: Positive = 4  # (ours) distinct valid traces kept per query
    ngram: Positive = 10  # 1.5B: words; a held-out item of fewer has to be there whole, of a longer one a share counts
    max_repetition: Share = 0.5  # (ours) share of repeated n-grams above which a text counts as degenerate
    # (ours) of traces: "whole": none, or one with something in it; "any": may be empty; "needed": every trace has one
    thoughts: Literal["any", "whole", "needed"] = "whole"
    max_tokens: Positive = 65536  # (ours) longest trace that is kept
    claims: Count = 500  # (ours) math queries that are also answered in the form CLR asks for (answer and claims)
    expand: Count = 0  # (ours) new queries asked for per seed; needs a teacher that can write queries
    expand_share: Share = 1.0  # (ours) share of the seeds that are expanded
    # (ours) benchmarks that nothing may be trained on, by their names or as files, beside what the run holds out itself
    against: tuple[str, ...] = ()
    overlap: Share = 0.7  # (ours) covered share of a held-out item from which a text overlaps with it
    drop_near: bool = False  # (ours) also drop what differs from a held-out item in its numbers only


class SftSpec(Spec):
    """Kind sft: supervised fine-tuning with packing (2.1.2)."""

    # "all" that the data stage kept, "hard": long traces of hard queries only (2.1.2, stage 2), or a file of traces
    traces: str = "all"
    epochs: Positive = 5  # 2.1.2: passes over the traces; 5 in stage 1, 2 in stage 2
    batch: Positive = 128  # 2.1.2: sequences per optimiser step
    micro_tokens: Positive = 16384  # (ours) tokens per forward pass; changes memory, not the gradient
    max_steps: Count = 0  # (ours) 0: as many as the epochs need
    checkpoints: Positive = (
        5  # (ours) evenly spaced checkpoints for a fuse stage to choose from ("every k steps", 2.1.2)
    )
    min_tokens: Count = 5000  # 2.1.2: a "hard" trace is no shorter
    min_error_rate: Share = 0.75  # 2.1.2: and the reference model fails its query at least this often
    difficulty_attempts: Positive = 8  # 2.1.2: rollouts of the reference model behind the error rate
    queries: Positive = 5000  # (ours) queries per domain whose error rate is measured
    lr_scale: Annotated[float, Field(gt=0)] = 1.0  # (ours) learning rates relative to those of optim
    optim: OptimSpec = OptimSpec()  # 2.1.2: optimiser and schedule


class FuseSpec(Spec):
    """Kind fuse: Pass@K of each checkpoint of the SFT stage before it per skill, and the merge of the best (2.1.2)."""

    k: Positive = 8  # (ours) K of Pass@K
    # 2.1.2: what makes a checkpoint its skill's specialist: the highest Pass@K, or for comparison the highest Pass@1 or
    # the lowest loss on the reference solutions of the probing set
    choose: Literal["passk", "pass1", "loss"] = "passk"
    # 2.1.2: "merge" of the specialists; for comparison the "best" single checkpoint over all skills, or the "last"
    take: Literal["merge", "best", "last"] = "merge"
    # (ours) merge the checkpoints of these stages, unprobed, in place of those of `from`
    stages: tuple[str, ...] = ()
    weights: dict[str, NonNegative] = {}  # 1.5B: weight of each skill's specialist in the merge; empty is uniform


class RlSpec(Spec):
    """Kind rl: MGPO (2.2; 1.5B section 2): strictly on-policy, token-level ratio, entropy weight on the advantage."""

    domains: tuple[DomainName, ...] = ()  # whose prompts a phase trains on; empty is every domain there is
    # 2.4: share of prompts from the other domains, the "general alignment examples" of Instruct RL
    general: Share = 0.0
    # (ours) shares of the sorts of the phase's own prompts: those with rules alone, with a rubric, and long ones (2.4);
    # empty takes them as they come
    shares: dict[PromptSort, Share] = {}
    long_words: Positive = 2000  # (ours) words from which a prompt is of the sort "long"
    reward: str = ""  # (ours) "FILE.py:FUNCTION" or "package.module:FUNCTION" in place of the domains' verifiers
    judge: str = ""  # 2.4: who judges rubrics: a model directory, NAME@URL, or "nano"; empty leaves them undecided
    when_empty: Literal["stop", "skip"] = "stop"  # (ours) no prompt carries a signal: end the run, or go on without
    steps: Count = 200  # (ours) optimiser steps, each on fresh rollouts
    tokens: Count = 0  # (ours) end the phase after the step that reaches this many sampled tokens; 0 is no such end
    lr: Annotated[float, Field(gt=0)] = 1e-6  # (ours) constant learning rate of AdamW
    gamma: NonNegative = 1.0  # (ours) sharpness of the entropy weight; the papers give no value; 0 is GRPO
    group_size: Annotated[int, Field(ge=2)] = 16  # (ours) rollouts per prompt
    prompts_per_step: Positive = 64  # (ours) group_size rollouts of each make a step
    clip_epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.2  # (ours) how far a token's ratio may leave 1
    std_ddof: Literal[0, 1] = 0  # 1.5B section 2: population standard deviation
    std_epsilon: NonNegative = 1e-6  # (ours) added to the standard deviation of a group
    aggregation: Aggregation = "sequence-mean-token-mean"  # 2.2: 1/|y| of each rollout; "token-mean" is DAPO's
    # 2.2: correction where the sampler's log-probs differ from the trainer's; "none" leaves the difference in the ratio
    importance: Importance = "token-truncate"
    importance_cap: Annotated[float, Field(ge=1)] = 2.0  # (ours) largest factor of one token
    max_tokens: Positive = 65536  # 2.2.2: one long window from the start (1.5B: 16K, then 32K)
    # (ours) rollouts that decide whether a prompt is at accuracy 0 or 1; 0 leaves every prompt in
    prefilter_attempts: Count = 8
    micro_tokens: Positive = 16384  # (ours) tokens per forward pass; changes memory, not the gradient
    # (ours) steps between resumable states; the local engine keeps another every five minutes
    save_every: Positive = 20
    beta1: Share = 0.9  # (ours) decay of the first moment of AdamW
    beta2: Share = 0.95  # (ours) decay of the second moment
    clip: Annotated[float, Field(gt=0)] = 1.0  # (ours) largest gradient norm
    # 2.2: strength of Long2Short, 0.2 in its phase; 0 is off
    lambda_: Annotated[float, Field(ge=0.0, alias="lambda")] = 0.0


class DistillSpec(Spec):
    """Kind distill: offline self-distillation (2.3)."""

    student: str = ""  # (ours) the stage that is trained further; empty is `from`, by default the model stage before
    # 2.3: stage, or model directory, whose traces each domain learns from; empty is the last rl stage of each
    teachers: dict[DomainName, str] = {}
    problems: Positive = 512  # (ours) queries sampled per domain
    n: Positive = 4  # (ours) rollouts per query
    min_tokens: Count = 16  # (ours) shorter traces are left out of the score selection
    buckets: Positive = 4  # (ours) length buckets per domain
    low: Share = 0.2  # (ours) quantile of learning potential below which a trace is too easy to teach anything
    high: Share = 0.95  # (ours) quantile above which a trace is an outlier
    # 2.3: "band" of the quantiles; for comparison as many traces of each bucket at "random", or those of the "top"
    choose: Literal["band", "random", "top"] = "band"
    own_claims: Count = 0  # (ours) math queries whose claims, as the student makes them, the teacher judges; 0 is off
    replay: Count = 0  # (ours) SFT rows per remaining domain mixed in, so that they are not forgotten
    epochs: Positive = 2  # (ours) passes over the chosen traces
    batch: Positive = 128  # (ours) sequences per optimiser step
    micro_tokens: Positive = 16384  # (ours) tokens per forward pass; changes memory, not the gradient
    optim: OptimSpec = OptimSpec()  # (ours) optimiser and schedule


class EvalSpec(Spec):
    """Evaluation on held-out problems (3.1)."""

    after: Literal["all"] | tuple[str, ...] = "all"  # (ours) the stages whose checkpoint is evaluated
    n: Positive = 64  # 3.1: generations per problem
    temperature: NonNegative = 1.0  # 3.1: 0 is greedy
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95  # 3.1: nucleus of the distribution
    max_tokens: Positive = 65536  # 3.1: no cap below the model's maximum
    k: Positive = 8  # (ours) K of Pass@K in the table
    judge: str = ""  # 3.1: model that judges answers the rules do not find right; (ours) empty is none

    @field_validator("after", mode="before")
    @classmethod
    def _all_or_stages(cls, after: Any) -> Any:
        if after == "all" or (isinstance(after, tuple) and all(isinstance(name, str) for name in after)):
            return after
        raise ValueError('must be "all" or a list of stages')


class ClrSpec(Spec):
    """Kind clr: claim-level reliability of a checkpoint against majority vote (3.1; CLR)."""

    k: Annotated[int, Field(ge=2)] = 32  # CLR: trajectories per problem
    m: Positive = 5  # CLR: claims per trajectory
    exponent: Literal["m", "one"] = "m"  # CLR: of the mean of the verdicts; "one" leaves the mean as it is
    early: Literal["exact", "off"] = "exact"  # (ours) stop once the answer can no longer change
    prior: Share = 0.5  # (ours) reliability of a trajectory that gave no claim; CLR reports 1
    problems: Positive = 200  # (ours) held-out math problems
    min_level: Count = 0  # (ours) of at least this level, where levels are known
    max_tokens: Positive = 65536  # CLR: longest response, claims included
    verify_temperature: NonNegative = 1.0  # CLR: of the calls that judge claims


class SamplerSpec(Spec):
    """What samples where nothing is trained: prefilters, probes, self-distillation, evaluation, CLR."""

    name: Literal["local", "vllm"] = "local"  # (ours) "vllm": a server of our own for every checkpoint, on this machine
    python: str = ""  # (ours) the interpreter of the environment that has vLLM; empty is this one
    arguments: tuple[str, ...] = ()  # (ours) further arguments, such as "--tensor-parallel-size", "2"
    concurrency: Positive = 256  # (ours) requests at a time
    start_seconds: Positive = 900  # (ours) patience with a server that loads its weights


class SandboxSpec(Spec):
    """Where untrusted programs run: on this machine, or on a service that speaks SandboxFusion's /run_code."""

    url: str = ""  # (ours) http://HOST:PORT; empty is this machine
    # (ours) "plain": an interpreter per program with limits and a deadline, but no walls; where the kernel has none
    isolation: Literal["walls", "plain"] = "walls"
    concurrency: Positive = 16  # (ours) requests at a time
    key_env: str = "ETALON_SANDBOX_KEY"  # (ours) environment variable with the service's bearer key, if it wants one


class TrlSpec(Spec):
    """How `engine = "trl"` runs: TRL's trainers in processes of their own on this machine."""

    processes: Positive = 1  # (ours) one per GPU; on CPUs they share the cores
    rows: Count = 0  # (ours) rollouts per forward pass of RL; 0: as many as rl.micro_tokens holds at full length
    vllm: Literal["off", "colocate", "server"] = "off"  # (ours) who samples in RL; "off" is the local sampler
    vllm_server: str = ""  # (ours) http://HOST:PORT of `trl vllm-serve`, for "server"
    vllm_memory: Share = 0.3  # (ours) share of GPU memory that a colocated vLLM takes
    lora_rank: Count = 0  # (ours) 0 trains all weights; otherwise an adapter, merged into every checkpoint
    lora_alpha: Positive = 32  # (ours) scale of the adapter
    attention: str = "sdpa"  # (ours) attention of transformers, such as "flash_attention_2"
    gradient_checkpointing: bool = False  # (ours) recompute activations: less memory, about a third more time


class VerlSpec(Spec):
    """The cluster of `engine = "verl"`, and how a stage is spread over it (docs/verl.md). All (ours)."""

    address: str = ""  # of a Ray cluster this machine belongs to: HOST:PORT or "auto"; empty is this machine alone
    nodes: Positive = 1  # machines of the cluster
    gpus_per_node: Positive = 8  # GPUs of each
    tensor_parallel: Positive = 1  # GPUs that hold one copy of the model while it samples
    sequence_parallel: Positive = 1  # GPUs that share the tokens of one sequence while it trains (Ulysses)
    rollout_memory: Annotated[float, Field(gt=0, lt=1)] = 0.6  # share of GPU memory for sampling
    offload: bool = False  # parameters and optimiser in host memory while the GPUs sample
    reward_workers: Positive = 8  # processes that verify, spread over the nodes
    patience_seconds: Positive = 120  # how long to wait for the cluster to answer
    overrides: tuple[str, ...] = ()  # KEY=VALUE of verl's own config, for keys that no recipe value sets


class HardwareSpec(Spec):
    """What `--dry-run` reckons with: GPUs, and lengths that nobody knows beforehand. Nothing that runs reads it."""

    gpu: str = ""  # (ours) a type of `etalon.cost.gpus`; empty: no hours and no memory are forecast
    gpus: Count = 0  # (ours) 0: as many as the engine's own table asks for
    trace_tokens: Positive = 8000  # (ours) mean length of a trace to learn from
    response_tokens: Positive = 12000  # (ours) mean length of a rollout that no window cuts
    published_hours: NonNegative = 0.0  # (ours) GPU-hours that somebody reports for this recipe, to compare with
    published_gpu: str = "h800"  # (ours) and their type


class StageSpec(BaseModel):
    """One entry of `[[stages]]`: what every kind has; any other key is one of the kind's."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, populate_by_name=True)

    name: str  # unique; names the directory and the row of the table
    kind: str  # base, data, sft, fuse, rl, distill, clr, or "package.module:Kind" of the user's own
    # the stage whose checkpoint it starts from; empty: the model stage before it in the list, the first from the base
    from_: Annotated[str, Field(alias="from")] = ""

    @property
    def keys(self) -> Mapping[str, Any]:
        """The kind's own keys, as they were written."""
        return self.model_extra or {}


class Recipe(Spec):
    """The top level of the file: a whole run, built once by `config.load` and passed down."""

    name: str = "run"  # of the recipe, and of its run directory: runs/NAME
    seed: Count = 0  # of everything that is drawn
    # (ours) who trains: this process, TRL (docs/trl.md) or verl (docs/verl.md)
    engine: Literal["local", "trl", "verl"] = "local"
    device: Literal["auto", "cpu", "cuda"] = "auto"  # (ours) "auto": a GPU where there is one
    autocast: Literal["off", "bf16"] = "off"  # (ours) bf16 helps on GPUs; on CPUs with tiny models it does not
    # (ours) activations of the local engine: computed again in backward ("on": less memory, a third more time), or
    # kept; "auto" keeps them where the memory that is free allows. TRL has trl.gradient_checkpointing; verl always does
    recompute: Recompute = "auto"
    threads: Positive = 1  # (ours) torch threads per process: two that spin on busy cores can be 10x slower than one
    # (ours) processes: evaluations run beside training, traces of a program are made beside the scratch model, and a
    # tiny model on a CPU is sampled and trained by all of them
    jobs: Positive = 2
    track: tuple[TrackerName, ...] = ()  # (ours) trackers that are shown the run as it goes (docs/track.md)
    prompts: str = (
        "auto"  # folder of prompt files: packaged ("default", "nano") or a path; "auto": as the problems need
    )
    model: ModelSpec = ModelSpec()
    problems: ProblemsSpec = ProblemsSpec()
    base: BaseSpec = BaseSpec()
    data: DataSpec = DataSpec()
    sft: SftSpec = SftSpec()
    fuse: FuseSpec = FuseSpec()
    rl: RlSpec = RlSpec()
    distill: DistillSpec = DistillSpec()
    clr: ClrSpec = ClrSpec()
    eval: EvalSpec = EvalSpec()
    sampler: SamplerSpec = SamplerSpec()
    sandbox: SandboxSpec = SandboxSpec()
    trl: TrlSpec = TrlSpec()
    verl: VerlSpec = VerlSpec()
    hardware: HardwareSpec = HardwareSpec()
    stages: tuple[StageSpec, ...] = ()  # empty: those of the 3B report, as recipes/vibethinker-3b.toml lists them

    def resolved(self) -> Recipe:
        """The recipe with every "auto" that follows from other values filled in; what a run records and hashes."""
        source = self.problems.source
        if source == "auto":
            source = "files" if self.problems.files or self.problems.test_files else "nano"
        is_nano = source == "nano"
        teacher = ("nano" if is_nano else "reference") if self.data.teacher == "auto" else self.data.teacher
        prompts = ("nano" if is_nano else "default") if self.prompts == "auto" else self.prompts
        return self.model_copy(
            update={
                "problems": self.problems.model_copy(update={"source": source}),
                "data": self.data.model_copy(update={"teacher": teacher}),
                "prompts": prompts,
            }
        )
