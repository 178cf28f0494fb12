"""engine = "verl" without verl: a dry run writes configs and commands, and what is refused is one line."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from etalon import config, pipeline
from etalon.config.stages import listed
from etalon.cost.gpus import gpu_of
from etalon.engines.jobs import engine_of
from etalon.engines.verl.checkpoints import nearest_saved, save_every
from etalon.engines.verl.engine import longest_prompt, prompts_per_step
from etalon.engines.verl.export import problem_row
from etalon.engines.verl.plan import Files, planned, train_command
from etalon.engines.verl.refusals import check_installed, check_recipe
from etalon.engines.verl.settings import Setting, to_yaml
from etalon.errors import ConfigError
from etalon.pipeline import forecast, graph
from etalon.recipe import Recipe, StageSpec
from etalon.sft.rows import checkpoint_steps
from etalon.types import Domain, Problem

RECIPE = """
name = "cluster"
engine = "verl"
autocast = "bf16"
jobs = 1
[model]
max_positions = 8192
heads = 8
[base]
optim = { name = "adamw" }
[rl]
max_tokens = 4096
[verl]
nodes = 2
sequence_parallel = 4
"""
RL_STAGES = ("rl-math", "rl-long2short", "rl-code", "rl-stem", "instruct")
STAGES = {"base", "sft-broad", "sft-hard", "distill", *RL_STAGES}  # of the list that a recipe without one has
PHASE = "reward.custom_reward_function.reward_kwargs.phase"
BRANCHES = """
engine = "verl"
autocast = "bf16"
jobs = 1
[model]
max_positions = 8192
heads = 8
[rl]
max_tokens = 4096
[[stages]]
name = "base"
kind = "base"
model = "nowhere"
[[stages]]
name = "rl-all"
kind = "rl"
[[stages]]
name = "rl-plain"
kind = "rl"
from = "base"
domains = ["math"]
gamma = 0.0
reward = "own.py:score"
judge = "toy@http://127.0.0.1:9/v1"
[[stages]]
name = "rl-none"
kind = "rl"
steps = 0
"""


def recipe(folder: Path, *overrides: str) -> Recipe:
    path = folder / "cluster.toml"
    path.write_text(RECIPE)
    return config.load(path, overrides).resolved()


def branches(folder: Path) -> Recipe:
    """RL alone: one base, two phases from it, and one that takes no step."""
    (folder / "own.py").write_text("def score(problem, response):\n    return 1.0\n")
    (folder / "branches.toml").write_text(BRANCHES)
    return config.load(folder / "branches.toml").resolved()


def two_bases(folder: Path, *, from_narrow: int) -> Recipe:
    """A base with a short window, and one with a long one; a phase behind each."""
    stages = [
        {"name": "a", "kind": "base", "model": str(folder / "narrow")},
        {"name": "rl-a", "kind": "rl", "from": "a", "max_tokens": from_narrow},
        {"name": "b", "kind": "base", "model": str(folder / "wide")},
        {"name": "rl-b", "kind": "rl", "from": "b", "max_tokens": 32768},
    ]
    rows = tuple(StageSpec.model_validate(row) for row in stages)
    values = {"engine": "verl", "autocast": "bf16", "jobs": 1, "stages": rows}
    return Recipe.model_validate(values)


def config_text(recipe: Recipe, stage: str) -> str:
    [text] = [to_yaml(found, base=base) for name, _, base, found in planned(recipe, Path("run")) if name == stage]
    return text


def settings_of(recipe: Recipe, stage: str) -> dict[str, object]:
    return {s.key: s.value for name, _, _, found in planned(recipe, Path("run")) for s in found if name == stage}


def test_a_dry_run_writes_a_config_per_stage_and_the_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.run(recipe(tmp_path), run_dir=tmp_path / "run", dry_run=True)
    printed = capsys.readouterr().out
    assert {path.stem for path in (tmp_path / "run.verl").iterdir()} == STAGES
    assert not (tmp_path / "run").exists()
    for name in STAGES:
        assert f"--config-dir {tmp_path / 'run.verl'} --config-name {name}\n" in printed
    assert "-m verl.model_merger merge --backend fsdp" in printed


@pytest.mark.live
def test_a_dry_run_needs_neither_verl_nor_ray_nor_torch(tmp_path: Path) -> None:
    recipe(tmp_path)
    program = (
        "import sys; from pathlib import Path; from etalon import config, pipeline\n"
        f"pipeline.run(config.load(Path({str(tmp_path / 'cluster.toml')!r})), "
        f"run_dir=Path({str(tmp_path / 'run')!r}), dry_run=True)\n"
        "assert not {'verl', 'ray', 'torch', 'pyarrow'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_objective_of_the_paper_is_what_the_rl_configs_ask_for(tmp_path: Path) -> None:
    plain, short = (settings_of(recipe(tmp_path), stage) for stage in ("rl-math", "rl-long2short"))
    actor, rollout = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    assert (plain["algorithm.adv_estimator"], plain["algorithm.etalon.brevity"]) == ("mgpo", 0.0)
    assert (short["algorithm.adv_estimator"], short["algorithm.etalon.brevity"]) == ("mgpo_long2short", 0.2)
    assert plain[f"{actor}.loss_agg_mode"] == "seq-mean-token-mean"
    assert plain[f"{actor}.ppo_mini_batch_size"] == plain["data.train_batch_size"] == 64
    assert (plain[f"{actor}.ppo_epochs"], plain["trainer.v1.trainer_mode"]) == (1, "sync")
    assert plain["algorithm.rollout_correction.rollout_is"] == "token"
    assert plain["algorithm.rollout_correction.rollout_is_threshold"] == 2.0
    assert [plain[f"{rollout}.{key}"] for key in ("temperature", "top_p", "top_k")] == [1.0, 1.0, -1]
    assert [plain[f"{actor}.{key}"] for key in ("clip_ratio", "clip_ratio_low", "clip_ratio_high")] == [0.2] * 3


def test_importance_none_leaves_the_mismatch_in_the_ratio(tmp_path: Path) -> None:
    found = settings_of(recipe(tmp_path, "rl.importance=none"), "rl-math")
    assert found["algorithm.rollout_correction.rollout_is"] is None
    assert found["algorithm.rollout_correction.bypass_mode"] is True


def test_a_gpu_takes_its_part_of_the_longest_sequence(tmp_path: Path) -> None:
    key = "actor_rollout_ref.actor.ppo_max_token_len_per_gpu"
    wide = ["rl.max_tokens=65536", "model.max_positions=131072", "rl.micro_tokens=16384"]
    assert settings_of(recipe(tmp_path, *wide), "rl-math")[key] == -(-(65536 + 2048) // 4)
    assert settings_of(recipe(tmp_path), "rl-math")[key] == 16384 // 4  # verl multiplies by the GPUs of a sequence


@pytest.mark.parametrize("name", ["vibethinker-1.5b", "vibethinker-3b"])
@pytest.mark.parametrize("override", ["seed=0", "rl.micro_tokens=131072"])
def test_the_forecast_reckons_with_the_tokens_that_verl_is_told(name: str, override: str) -> None:
    papers = config.load(config.packaged_recipe(name), [override]).resolved()
    keys = ("actor_rollout_ref.actor.ppo_max_token_len_per_gpu", "data.max_token_len_per_gpu")
    told = [s.value for *_, settings in planned(papers, Path("run")) for s in settings if s.key in keys]
    shape = forecast.shape_of(papers)
    assert shape is not None
    assert max(told) == forecast.setup_of(papers, shape, gpu_of(papers.hardware.gpu)).tokens


def test_each_stage_of_the_list_has_a_config_and_its_own_window() -> None:
    papers = config.load(config.packaged_recipe("vibethinker-1.5b")).resolved()
    rl = {stage.name: stage.spec.max_tokens for stage in listed(papers) if stage.kind == "rl"}
    supervised = {stage.name for stage in listed(papers) if stage.kind in ("sft", "distill")}
    assert {name for name, *_ in planned(papers, Path("run"))} == rl.keys() | supervised
    assert len(set(rl.values())) > 1
    for name, window in rl.items():
        assert settings_of(papers, name)["data.max_response_length"] == window


def test_branches_have_configs_of_their_own_and_a_stage_without_steps_has_none(tmp_path: Path) -> None:
    made = branches(tmp_path)
    assert [name for name, *_ in planned(made, Path("run"))] == ["rl-all", "rl-plain"]
    gammas = [settings_of(made, name)["algorithm.etalon.gamma"] for name in ("rl-all", "rl-plain")]
    assert gammas == [1.0, 0.0]
    [command] = [line for line in engine_of(made).plan(tmp_path / "run") if "rl-plain" in line]
    assert f"--config-dir {tmp_path / 'run.verl'}" in command
    places = settings_of(made, "rl-plain")
    assert places["trainer.default_local_dir"] == "run/stages/rl-plain/state/shards"
    assert places["trainer.experiment_name"] == "rl-plain"


def test_a_reward_worker_is_told_of_a_reward_and_a_judge_of_the_stage_alone(tmp_path: Path) -> None:
    made = branches(tmp_path)
    assert settings_of(made, "rl-all")[PHASE] == ""
    told = json.loads(str(settings_of(made, "rl-plain")[PHASE]))
    assert told["name"] == "rl-plain"
    assert told["keys"] == {
        "domains": ["math"], "reward": f"{tmp_path}/own.py:score", "judge": "toy@http://127.0.0.1:9/v1",
    }  # fmt: skip
    assert str(tmp_path) in told["searched"]
    assert f"phase: {json.dumps(json.dumps(told))}" in config_text(made, "rl-plain")


def test_keys_of_stages_that_are_left_out_are_refused_all_the_same(tmp_path: Path) -> None:
    none = [f"{stage}.steps=0" for stage in RL_STAGES]
    override = "verl.overrides=actor_rollout_ref.actor.ppo_epochs=4"
    with pytest.raises(ConfigError, match="ppo_epochs: is set from the recipe"):
        check_recipe(recipe(tmp_path, *none, override))


def test_the_widest_phase_must_fit_the_window_of_the_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rl-code\.max_tokens: is 16384, but \[model\] says a window of 8192"):
        check_recipe(recipe(tmp_path, "rl-code.max_tokens=16384"))
    check_recipe(recipe(tmp_path, "rl-code.max_tokens=16384", "rl-code.steps=0"))


def test_every_base_of_the_list_must_do_for_the_phases_behind_it(tmp_path: Path) -> None:
    for name, window in (("narrow", 2048), ("wide", 65536)):
        (tmp_path / name).mkdir()
        shape = {"max_position_embeddings": window, "num_attention_heads": 8, "num_key_value_heads": 8}
        (tmp_path / name / "config.json").write_text(json.dumps(shape))
    message = rf"rl-a\.max_tokens: is 4096, but {tmp_path}/narrow/config\.json says a window of 2048"
    with pytest.raises(ConfigError, match=message):
        check_recipe(two_bases(tmp_path, from_narrow=4096))
    check_recipe(two_bases(tmp_path, from_narrow=1024))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("device=cpu", "device: is 'cpu', but verl trains on GPUs only"),
        ("autocast=off", "autocast: is 'off', but verl trains and samples in bf16"),
        ("jobs=2", "jobs: is 2, but evaluations beside training would take GPU memory"),
        ("base.optim.name=muon", "base.optim.name: is 'muon', but verl has AdamW only"),
        ("sft.optim.name=muon", "sft.optim.name: is 'muon'"),
        ("rl.max_tokens=65536", "rl.max_tokens: is 65536, but [model] says a window of 8192"),
        ("verl.sequence_parallel=16", "verl.sequence_parallel: is 16, which does not split 8 heads in 2 groups"),
        ("verl.tensor_parallel=3", "verl.tensor_parallel: is 3, which does not divide 8 GPUs a node"),
        ("verl.sequence_parallel=5", "verl.sequence_parallel: is 5, which does not divide all 16 GPUs"),
        ("verl.address=ray://head:10001", "verl.address: is 'ray://head:10001'; run etalon on a node of the cluster"),
        ("sft.batch=6", "sft.batch: is 6, which does not spread evenly over 4 data-parallel ranks"),
        ("sft-hard.optim.name=muon", "sft-hard.optim.name: is 'muon', but verl has AdamW only"),
        ("sft-hard.batch=6", "sft-hard.batch: is 6, which does not spread"),
        (
            "rl-code.tokens=9000",
            "rl-code.tokens: is 9000, but verl is told the number of steps before it starts; set it",
        ),
        ("rl-code.judge=nano", "rl-code.judge: is 'nano', and every reward worker of verl would load it; serve it"),
        ("verl.overrides=nonsense", "verl.overrides: nonsense: expected KEY=VALUE"),
        ("verl.overrides=reward.custom_reward_function.reward_kwargs.phase=x", "phase: is set from the recipe"),
        ("verl.overrides=+algorithm.etalon.gamma=3", "verl.overrides: algorithm.etalon.gamma: is set from the recipe"),
        (
            "verl.overrides=['actor_rollout_ref.rollout={top_p:0.5}']",
            "verl.overrides: actor_rollout_ref.rollout: holds actor_rollout_ref.rollout.calculate_log_probs, which is",
        ),
        (
            "verl.overrides=['++actor_rollout_ref.actor={clip_ratio_high:0.9,ppo_epochs:4}']",
            "verl.overrides: actor_rollout_ref.actor: holds actor_rollout_ref.actor.checkpoint.save_contents, which is",
        ),
        ("verl.overrides=actor_rollout_ref.actor.policy_loss.loss_mode=gspo", "policy_loss.loss_mode: is set from"),
        ("verl.overrides=data.train_files.0=/x", "verl.overrides: data.train_files.0: is set from the recipe"),
        ("verl.overrides=~trainer.logger=x", "verl.overrides: ~trainer.logger=x: expected KEY=VALUE"),
        ("verl.overrides=--config-dir=/x", "verl.overrides: --config-dir=/x: expected KEY=VALUE"),
        ("verl.overrides=actor@critic.x=dp_actor", "verl.overrides: actor@critic.x=dp_actor: expected KEY=VALUE"),
    ],
)
def test_what_verl_cannot_honour_is_refused_before_anything_is_trained(
    tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_recipe(recipe(tmp_path, override))
    with pytest.raises(ConfigError, match=re.escape(message)):
        engine_of(recipe(tmp_path, override)).check()


def test_the_prompts_of_every_stage_must_spread_over_the_ranks(tmp_path: Path) -> None:
    one = ("rl-code.prompts_per_step=3", "rl-code.group_size=3")
    message = r"rl-code\.prompts_per_step \* rl-code\.group_size: is 9, which does not spread evenly over 4"
    with pytest.raises(ConfigError, match=message):
        check_recipe(recipe(tmp_path, *one))


def test_the_recipe_of_these_tests_is_accepted(tmp_path: Path) -> None:
    check_recipe(recipe(tmp_path))


@pytest.mark.skipif(importlib.util.find_spec("verl") is not None, reason="verl is installed here")
def test_verl_that_is_not_installed_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the package verl is not installed; install it .*\(docs/verl.md\)"):
        check_installed()


def test_commands_are_lists_and_paths_with_spaces_stay_whole(tmp_path: Path) -> None:
    files = Files(tmp_path / "a run; rm -rf x" / "rl-math")
    command = train_command("verl.trainer.main_ppo", files.config, recipe(tmp_path, "verl.overrides=trainer.x=a b"))
    assert command[1:] == [
        "-m", "verl.trainer.main_ppo", "--config-dir", str(files.inner), "--config-name", "config", "trainer.x=a b"
    ]  # fmt: skip


@pytest.mark.parametrize(("steps", "count"), [(15, 8), (9, 5), (14, 5), (23, 8), (1003, 8), (10, 8), (17, 8), (3, 8)])
def test_supervised_checkpoints_are_near_those_of_the_other_engines(steps: int, count: int) -> None:
    wanted = checkpoint_steps(steps, count)
    every = save_every(wanted)
    found = nearest_saved(wanted, every)
    assert found == sorted(set(found))
    assert (len(found), found[-1]) == (len(wanted), steps)
    assert all(step % every == 0 for step in found[:-1])  # verl saves no other
    distance = steps / len(wanted)
    assert all(abs(a - b) <= max(1, distance / 4) for a, b in zip(found, wanted, strict=True))
    assert -(-steps // every) <= 2 * len(wanted)  # each costs a disk full of optimiser state


def test_a_number_of_steps_that_divides_is_saved_no_more_often_than_needed() -> None:
    assert save_every(checkpoint_steps(1000, 8)) == 125
    assert nearest_saved(checkpoint_steps(1000, 8), 125) == checkpoint_steps(1000, 8)
    assert save_every(checkpoint_steps(7, 1)) == 7


def test_a_path_that_verl_would_interpolate_is_refused() -> None:
    with pytest.raises(ConfigError, match="rename the path"):
        to_yaml([Setting("model.path", "/models/${HOME}")], base="ppo_trainer")


@pytest.mark.parametrize(
    ("available", "wanted", "group", "ranks", "found"),
    [(100, 64, 16, 8, 64), (30, 64, 16, 8, 30), (30, 64, 3, 8, 24), (5, 64, 3, 8, 0), (7, 64, 2, 4, 6)],
)
def test_a_step_takes_as_many_prompts_as_spread_evenly(
    available: int, wanted: int, group: int, ranks: int, found: int
) -> None:
    assert prompts_per_step(available, wanted, group, ranks) == found
    assert found * group % ranks == 0


def test_another_cluster_redoes_nothing_and_other_overrides_do(tmp_path: Path) -> None:
    def keys(*overrides: str) -> dict[str, str]:
        return graph.graph_of(recipe(tmp_path, *overrides)).keys()

    before = keys()
    assert keys("verl.nodes=4", "verl.address=10.0.0.1:6379") == before
    after = keys("verl.overrides=actor_rollout_ref.rollout.enforce_eager=true")
    assert [name for name in before if before[name] == after[name]] == ["problems"]


class Pairs:
    """A tokenizer with one token for a full stop at the end of a line, and one for any other character."""

    def apply_chat_template(self, messages: list[dict[str, str]], **_: bool) -> str:
        return "".join(f"<{message['role'][0]}>{message['content']}" for message in messages)

    def encode(self, text: str, **_: bool) -> list[str]:
        return re.findall(r"\.\n|.", text, re.DOTALL)


def test_the_longest_prompt_is_measured_as_it_is_asked() -> None:
    options = {"A": "up.", "B": "down"}
    question = Problem(
        id="p", domain=Domain.STEM, prompt="Where?\nA) up.\nB) down", answer="A", options=options, shuffle=True
    )
    asked = [problem_row(question, i, seed=0)["prompt"][0]["content"] for i in range(4)]
    lengths = {len(Pairs().encode(f"<u>{text}")) for text in asked}
    assert len(lengths) == 2
    assert longest_prompt(Pairs(), [question] * 4, seed=0) == max(lengths)
    assert longest_prompt(Pairs(), [question] * 4, seed=0, system="Think.") == max(lengths) + len("<s>Think.")


@pytest.mark.live
def test_rewards_are_judged_by_cpu_time() -> None:
    program = (
        "import asyncio; from etalon.engines.verl.export import problem_row\n"
        "from etalon.engines.verl.reward import compute_score\n"
        "from etalon.types import Domain, Problem; from etalon.verifiers.math.engine import symbolic\n"
        "row = problem_row(Problem(id='p', domain=Domain.MATH, prompt='?', answer='x'), 0, seed=0)\n"
        "found = asyncio.run(compute_score('', 'no answer', 'p', row['extra_info']))\n"
        "assert found['score'] == 0, found\n"
        "assert symbolic._POOLS.get()._wall_factor == symbolic.PATIENCE > 1"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
