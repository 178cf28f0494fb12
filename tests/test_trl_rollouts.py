"""The page of a run of TRL's own GRPOTrainer, from the completions that it logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.trl, pytest.mark.filterwarnings("ignore")]  # of TRL and its trainer about themselves
torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")

from datasets import Dataset  # noqa: E402

from etalon.report.elsewhere import write_rollouts  # noqa: E402
from etalon.report.elsewhere.reading import files_at  # noqa: E402
from etalon.report.elsewhere.rollouts import measure_of, periods, read_log  # noqa: E402
from tiny_models import tiny_model, tokenizer  # noqa: E402

STEPS, PROMPTS, SIZE = 4, 2, 4


def has_digit(completions: list[str], **_: Any) -> list[float]:
    return [float(any(letter.isdigit() for letter in one)) for one in completions]


def brevity(completions: list[str], **_: Any) -> list[float | None]:
    return [None if not one else 1 / len(one) for one in completions]


def trained(folder: Path, *rewards: Any, logging_steps: int = 1, iterations: int = 1) -> Path:
    """The output directory of a short run on a random model."""
    arguments = trl.GRPOConfig(
        output_dir=str(folder), max_steps=STEPS, per_device_train_batch_size=PROMPTS * SIZE, num_generations=SIZE,
        max_completion_length=12, log_completions=True, logging_steps=logging_steps, num_iterations=iterations,
        report_to=[], use_cpu=True, save_strategy="no", bf16=False, disable_tqdm=True, seed=1,
    )  # fmt: skip
    prompts = Dataset.from_dict({"prompt": [f"{n}+{n}=" for n in range(8)]})
    trl.GRPOTrainer(
        model=tiny_model("qwen2", attention="sdpa"), reward_funcs=list(rewards), args=arguments, train_dataset=prompts,
        processing_class=tokenizer(),
    ).train()  # fmt: skip
    return folder


def test_what_trl_logs_is_read_as_its_steps_groups_and_rewards(tmp_path: Path) -> None:
    import pandas

    folder = trained(tmp_path / "run", has_digit)
    files = files_at(folder)
    assert [file.name for file in files] == [f"completions_{step:05d}.parquet" for step in range(1, STEPS + 1)]
    log = read_log(files)
    assert (log.kind, log.columns, len(log.seen), log.has_tokens) == (
        "TRL",
        ("has_digit",),
        STEPS * PROMPTS * SIZE,
        False,
    )
    for step, file in zip(periods(log, measure_of(log)), files, strict=True):
        table = pandas.read_parquet(file)
        assert step.reward == pytest.approx(table["has_digit"].mean())
        assert step.length == pytest.approx(table["completion"].str.len().mean())
        rates = table.groupby("prompt", sort=False)["has_digit"].mean()
        assert list(step.accuracies) == pytest.approx(list(rates))
        alike = (table.groupby("prompt")["advantage"].apply(lambda own: own.abs().max()) == 0).mean()
        assert step.alike == pytest.approx(alike)
    page = write_rollouts(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "written by TRL" in page
    assert "Lengths are characters" in page


def test_rollouts_that_are_logged_again_are_counted_once(tmp_path: Path) -> None:
    log = read_log(files_at(trained(tmp_path / "run", has_digit, brevity, iterations=2)))
    assert len(log.seen) == STEPS // 2 * PROMPTS * SIZE
    assert log.notes == ("2 files that repeat the rollouts of the one before",)
    assert log.columns == ("has_digit", "brevity")
    assert measure_of(log).columns == ("has_digit",)  # it has two values, as a verdict has
    assert measure_of(log, "brevity").values > 2
