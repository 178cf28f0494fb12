"""A domain whose held-out problems come from several data sets is scored by set, too."""

import json
from pathlib import Path

import pytest

from etalon import config, pipeline
from etalon.problems.made.stories import stories
from etalon.store import read_json

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from etalon.model import loader  # noqa: E402
from etalon.report import write_report  # noqa: E402
from tiny_models import tiny_language_model  # noqa: E402

RECIPE = """
name = "two-sets"
jobs = 1
prompts = "default"
model = { base = "BASE" }
problems = { files = ["gsm.jsonl", "svamp.jsonl"], domains = ["math"], test = 12 }
eval = { n = 2, k = 2, max_tokens = 4 }

[[stages]]
name = "base"
kind = "base"
"""


def written(folder: Path) -> Path:
    rows = list(stories(18, seed=0, steps=(1, 1)))
    svamp = [
        {"ID": f"s-{i}", "Body": row["question"], "Question": "How many?", "Answer": float(i), "Type": "Addition"}
        for i, row in enumerate(rows[9:])
    ]
    for name, found in (("gsm", rows[:9]), ("svamp", svamp)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    base = loader.save(tiny_language_model(max_position_embeddings=512), folder / "base")
    path = folder / "two-sets.toml"
    path.write_text(RECIPE.replace("BASE", str(base)))
    return path


def test_sets_of_a_domain_are_in_the_summary_the_table_and_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path)
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    pipeline.run(config.load(path), run_dir=run, recipe_path=path)
    [stage] = read_json(run / "summary.json")["stages"]
    whole, sets = stage["domains"]["math"], stage["sets"]
    assert list(sets) == ["math/made-stories", "math/svamp"]
    assert sum(one["problems"] for one in sets.values()) == whole["problems"]
    weighed = sum(one["mean_tokens"] * one["problems"] for one in sets.values()) / whole["problems"]
    assert weighed == pytest.approx(whole["mean_tokens"])
    printed = capsys.readouterr().out
    assert "- made-stories" in printed
    assert "- svamp" in printed
    html = write_report(run).read_text()
    assert "By data set: math/made-stories, math/svamp" in html
