"""A stage of the verl engine from job to checkpoint, with verl's training replaced by a stand-in (no GPU here)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.verl, pytest.mark.live]
pytest.importorskip("verl", reason="the verl extra has an environment of its own: make test-verl")

import pyarrow.parquet as pq  # noqa: E402

from etalon.engines.jobs import RlJob, SupervisedJob  # noqa: E402
from etalon.engines.verl import engine as verl_engine  # noqa: E402
from etalon.errors import InputError, RunError  # noqa: E402
from etalon.model import loader  # noqa: E402
from etalon.recipe import OptimSpec, RlSpec  # noqa: E402
from etalon.rl.credit import CreditSpec  # noqa: E402
from etalon.rl.pool import prompts_of_step  # noqa: E402
from etalon.store import read_jsonl, truncate_jsonl  # noqa: E402
from etalon.types import Domain, Problem  # noqa: E402
from test_verl import recipe  # noqa: E402
from tiny_models import random_rows, tiny_language_model  # noqa: E402

PROMPTS = [Problem(id=f"p{i}", domain=Domain.MATH, prompt=f"{i}+1=?", answer=str(i + 1)) for i in range(5)]
ONE_GPU = ("verl.nodes=1", "verl.gpus_per_node=1", "verl.sequence_parallel=1")


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    language_model = tiny_language_model()
    return loader.save(language_model, tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verl_engine, "RL_MODULE", "verl_stand_in")
    monkeypatch.setattr(verl_engine, "SFT_MODULE", "verl_stand_in")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def rl_job(folder: Path, model_dir: Path, **changes: Any) -> RlJob:
    spec = RlSpec(group_size=4, prompts_per_step=2, max_tokens=64, save_every=2, steps=5)
    job = RlJob(
        source=model_dir, prompts=PROMPTS, spec=spec, credit=CreditSpec.of(spec), seed=7, name="rl-math",
        directory=folder / "rl-math",
    )  # fmt: skip
    return replace(job, **changes)


def sft_job(folder: Path, model_dir: Path) -> SupervisedJob:
    steps = [[0, 1], [2, 3], [3, 1], [2, 0], [1, 2], [0, 3], [1]]  # the last is smaller than the others
    return SupervisedJob(
        source=model_dir, rows=random_rows([(2, 3), (4, 1), (1, 6), (3, 3)]), steps=steps, optim=OptimSpec(),
        micro_tokens=64, num_checkpoints=3, directory=folder / "sft-broad",
    )  # fmt: skip


def mark(path: Path) -> float:
    """The step that the stand-in wrote into the weights."""
    return float(loader.load(path, device="cpu").model.lm_head.weight[0, 0])


def test_an_rl_phase_leaves_a_checkpoint_metrics_and_rollouts(tmp_path: Path, model_dir: Path) -> None:
    job = rl_job(tmp_path, model_dir)
    seen: list[tuple[int, Mapping[str, Any]]] = []
    path = verl_engine.engine(recipe(tmp_path, *ONE_GPU)).reinforce(job, lambda step, row: seen.append((step, row)))
    assert (path, mark(path)) == (job.directory / "checkpoint", 5.0)
    assert [step for step, _ in seen] == [1, 2, 3, 4, 5]
    row = read_jsonl(job.directory / "metrics.jsonl")[0]
    # two prompts of four: 2 of 4 right, and 1 of 3 with one undecided (its last, a right one, has no score)
    assert row["accuracies"] == pytest.approx([1 / 2, 1 / 3])
    assert (row["undecided"], row["truncated"], row["mean_tokens"], row["grad_norm"]) == (1, 0.25, 12.0, 1.5)
    assert row["weights"][0] == 1.0 > row["weights"][1]
    groups = read_jsonl(job.directory / "rollouts.jsonl")
    by_step = [[g["problem_id"] for g in groups if g["step"] == step + 1] for step in range(5)]
    assert by_step == [[p.id for p in prompts_of_step(PROMPTS, step, 2, 7)] for step in range(5)]
    assert [r["score"] for r in groups[1]["rollouts"]] == [0.0, 1.0, 0.0, None]


def test_a_killed_phase_continues_from_its_newest_shards(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, engine = rl_job(tmp_path, model_dir), verl_engine.engine(recipe(tmp_path, *ONE_GPU))
    whole = rl_job(tmp_path / "whole", model_dir)
    engine.reinforce(whole, lambda step, row: None)
    monkeypatch.setenv("STAND_IN_DIES_AT", "4")
    message = r"verl, rl-math: ended with signal SIGKILL; .*log.txt ends with: .*illegal memory access"
    with pytest.raises(RunError, match=message):
        engine.reinforce(job, lambda step, row: None)
    monkeypatch.delenv("STAND_IN_DIES_AT")
    seen: list[int] = []
    path = engine.reinforce(job, lambda step, row: seen.append(step))
    assert "starting after step 2, Ray at local" in (job.directory / "verl" / "log.txt").read_text()
    assert seen == [3, 4, 5]
    assert mark(path) == 5.0
    for name in ("metrics.jsonl", "rollouts.jsonl"):
        assert read_jsonl(job.directory / name) == read_jsonl(whole.directory / name)


def test_rollouts_of_a_killed_run_are_not_those_of_the_steps_taken_again(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, engine = rl_job(tmp_path, model_dir), verl_engine.engine(recipe(tmp_path, *ONE_GPU))
    monkeypatch.setenv("STAND_IN_DUMPS_LATE", "1")
    monkeypatch.setenv("STAND_IN_SAYS", "first ")
    monkeypatch.setenv("STAND_IN_DIES_AT", "4")
    with pytest.raises(RunError):
        engine.reinforce(job, lambda step, row: None)
    monkeypatch.delenv("STAND_IN_DIES_AT")
    monkeypatch.setenv("STAND_IN_SAYS", "second ")
    engine.reinforce(job, lambda step, row: None)
    said = [(g["step"], g["rollouts"][0]["text"].split()[0]) for g in read_jsonl(job.directory / "rollouts.jsonl")]
    assert said == [(s, "first" if s <= 2 else "second") for s in (1, 1, 2, 2, 3, 3, 4, 4, 5, 5)]


@pytest.mark.parametrize(("when", "step", "start"), [
    ("AFTER_SAVE", 4, 2), ("AFTER_LOG", 4, 2), ("AFTER_SAVE", 5, 4), ("AFTER_LOG", 2, 0),
])  # fmt: skip
def test_a_step_that_was_saved_and_not_logged_is_taken_again(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch, when: str, step: int, start: int
) -> None:
    job, engine = rl_job(tmp_path, model_dir), verl_engine.engine(recipe(tmp_path, *ONE_GPU))
    monkeypatch.setenv(f"STAND_IN_DIES_{when}", str(step))
    with pytest.raises(RunError, match="illegal memory access"):
        engine.reinforce(job, lambda step, row: None)
    monkeypatch.delenv(f"STAND_IN_DIES_{when}")
    assert mark(engine.reinforce(job, lambda step, row: None)) == 5.0
    assert f"starting after step {start}, Ray" in (job.directory / "verl" / "log.txt").read_text()
    assert [row["step"] for row in read_jsonl(job.directory / "metrics.jsonl")] == [1, 2, 3, 4, 5]
    assert [row["step"] for row in read_jsonl(job.directory / "rollouts.jsonl")] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_a_torn_mark_of_the_newest_shards_is_written_again(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, engine = rl_job(tmp_path, model_dir), verl_engine.engine(recipe(tmp_path, *ONE_GPU))
    monkeypatch.setenv("STAND_IN_DIES_AT", "5")
    with pytest.raises(RunError):
        engine.reinforce(job, lambda step, row: None)
    monkeypatch.delenv("STAND_IN_DIES_AT")
    shards = job.directory / "state" / "shards"
    (shards / "latest_checkpointed_iteration.txt").write_text("")
    torn = shards / "global_step_4" / "actor" / "optim_world_size_1_rank_0.pt"
    torn.write_bytes(torn.read_bytes()[:-30])
    assert mark(engine.reinforce(job, lambda step, row: None)) == 5.0
    assert "starting after step 2, Ray" in (job.directory / "verl" / "log.txt").read_text()


def test_a_step_that_verl_never_logs_is_an_error_and_not_a_gap(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, engine = rl_job(tmp_path, model_dir), verl_engine.engine(recipe(tmp_path, *ONE_GPU))
    monkeypatch.setenv("STAND_IN_LOSES", "3")
    with pytest.raises(RunError, match="rl-math: verl has ended, but step 3 of 5 is not in its log"):
        engine.reinforce(job, lambda step, row: None)
    monkeypatch.delenv("STAND_IN_LOSES")
    engine.reinforce(job, lambda step, row: None)  # from step 2
    assert [row["step"] for row in read_jsonl(job.directory / "metrics.jsonl")] == [1, 2, 3, 4, 5]


def test_rollouts_without_the_row_of_their_step_are_not_logged_twice(tmp_path: Path, model_dir: Path) -> None:
    job, engine = rl_job(tmp_path, model_dir), verl_engine.engine(recipe(tmp_path, *ONE_GPU))
    engine.reinforce(job, lambda step, row: None)
    whole = read_jsonl(job.directory / "rollouts.jsonl")
    truncate_jsonl(job.directory / "metrics.jsonl", 4)  # killed between the two
    engine.reinforce(job, lambda step, row: None)
    assert read_jsonl(job.directory / "rollouts.jsonl") == whole


def test_a_phase_that_is_trained_but_not_converted_only_converts(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, engine = rl_job(tmp_path, model_dir), verl_engine.engine(recipe(tmp_path, *ONE_GPU))
    path = engine.reinforce(job, lambda step, row: None)
    path.rename(tmp_path / "lost")
    monkeypatch.setenv("STAND_IN_DIES_AT", "1")  # would fail if it ran
    assert mark(engine.reinforce(job, lambda step, row: None)) == 5.0


def test_a_supervised_run_leaves_its_checkpoints_oldest_first(
    tmp_path: Path, model_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = sft_job(tmp_path, model_dir)
    paths = verl_engine.engine(recipe(tmp_path, *ONE_GPU)).supervise(job, lambda step, row: None)
    assert "sft-broad: 1 of 13 rows, over all epochs, left out" in capsys.readouterr().err
    assert [path.name for path in paths] == ["step-000002", "step-000004", "step-000006"]
    assert [mark(path) for path in paths] == [2.0, 4.0, 6.0]
    assert [row["step"] for row in read_jsonl(job.directory / "metrics.jsonl")] == [1, 2, 3, 4, 5, 6]


def test_prompts_that_leave_no_room_in_the_window_are_named(tmp_path: Path, model_dir: Path) -> None:
    job = rl_job(tmp_path, model_dir, prompts=[replace(PROMPTS[0], prompt="1+" * 40 + "1=?")] * 4)
    with pytest.raises(
        InputError, match=r"rl-math: prompts of up to \d+ tokens .* window of 96; lower rl-math.max_tokens"
    ):
        verl_engine.engine(recipe(tmp_path, *ONE_GPU)).reinforce(job, lambda step, row: None)


def test_a_system_message_is_before_every_prompt_and_counted(tmp_path: Path, model_dir: Path) -> None:
    job = rl_job(tmp_path, model_dir, system="7+5=12")
    verl_engine.engine(recipe(tmp_path, *ONE_GPU)).reinforce(job, lambda step, row: None)
    asked = [row["prompt"] for row in pq.read_table(job.directory / "verl" / "data.parquet").to_pylist()]
    assert len(asked) == 10
    assert all(one[0] == {"role": "system", "content": "7+5=12"} and one[1]["role"] == "user" for one in asked)
    tokenizer = loader.load_tokenizer(model_dir)
    rendered = [tokenizer.apply_chat_template(one, tokenize=False, add_generation_prompt=True) for one in asked]
    longest = max(len(tokenizer.encode(text, add_special_tokens=False)) for text in rendered)
    assert f"max_prompt_length: {longest} " in (job.directory / "verl" / "config.yaml").read_text()


def test_a_reward_that_decides_nothing_ends_the_run(
    tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.py").write_text("def score(problem, response):\n    return 'good'\n")
    job = rl_job(tmp_path, model_dir)
    job = replace(job, spec=job.spec.model_copy(update={"reward": f"{tmp_path / 'own.py'}:score"}))
    monkeypatch.setenv("STAND_IN_DECIDES", "nothing")
    with pytest.raises(RunError, match=r"^rl-math\.reward: 32 of 32 responses have no verdict, more than 20%"):
        verl_engine.engine(recipe(tmp_path, *ONE_GPU)).reinforce(job, lambda step, row: None)


def test_too_few_prompts_for_the_ranks_are_named(tmp_path: Path, model_dir: Path) -> None:
    job = rl_job(tmp_path, model_dir, prompts=PROMPTS[:1], spec=RlSpec(group_size=3))
    with pytest.raises(InputError, match="1 prompts x 3 rollouts do not spread over 4 data-parallel ranks"):
        verl_engine.engine(recipe(tmp_path)).reinforce(job, lambda step, row: None)
