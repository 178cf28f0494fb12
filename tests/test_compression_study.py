"""The study of compression and coverage, shrunk: cells that resume, results that follow from them, the command."""

from __future__ import annotations

import gzip
import json
import math
import os
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import shrunk
from etalon.errors import ConfigError, InputError, RunError
from etalon.problems.nano.facts import BITS
from etalon.store import write_json_atomic
from etalon.studies.compression import page, plan, result, run, table, world
from etalon.studies.compression.cells import FILE, take_cells, write_cells
from etalon.studies.compression.plan import Budget, Cell, Design

TINY = Design(
    widths=(8, 12, 16),
    seeds=(0, 1),
    facts=(10, 20),
    budget=Budget(train=8, paths=2, documents=48, epochs=2, test=6, exposures=4, least_steps=40, max_tokens=40),
)


# ---- the plan


def test_real_parameters_span_two_orders_of_magnitude_and_every_size_gets_the_same() -> None:
    study = Design()
    sizes = [plan.shape_of(width).parameters for width in study.widths]
    bodies = [plan.shape_of(width).parameters - 2 * plan.shape_of(width).embedding for width in study.widths]
    assert len(sizes) >= 6
    assert max(sizes) / min(sizes) >= 100
    assert max(bodies) / min(bodies) >= 100
    assert len(study.seeds) >= 3
    assert len(study.cells) == len({cell.name for cell in study.cells}) == len(sizes) * 3 * (len(study.facts) + 1)
    assert len({run.tokens_of(cell, study) for cell in study.cells if not cell.facts}) == 1
    assert Design.of(json.loads(json.dumps(study.to_json()))) == study


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"widths": (8, 16, 17)}, "--sizes: no model of width 17; there are 8, 12"),
        ({"widths": (8, 16)}, "--sizes: 8,16; name at least 3 different ones"),
        ({"seeds": (0,)}, "--seeds: 0; name at least 2"),
        ({"facts": (20, 20)}, "--facts: 20,20; name at least 1 different"),
        ({"facts": (3,)}, "--facts: 3; name 10 or more"),
    ],
)
def test_a_study_that_could_show_nothing_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan.checked(replace(TINY, **change))
    assert words in str(caught.value)


def test_the_forecast_learns_from_the_models_that_are_done() -> None:
    speed = {str(width): 1000.0 * 8 / width for width in TINY.widths}
    before = run.forecast(TINY, speed, jobs=1, finished={})
    assert before == pytest.approx(sum(run.seconds_of(cell, TINY, speed) for cell in TINY.cells))
    assert before / 2 <= run.forecast(TINY, speed, jobs=2, finished={}) < before
    done = {cell.name: 3 * run.seconds_of(cell, TINY, speed) for cell in TINY.cells[:6]}
    left = sum(run.seconds_of(cell, TINY, speed) for cell in TINY.cells[6:])
    assert run.forecast(TINY, speed, jobs=1, finished=done) == pytest.approx(3 * left)
    assert run.forecast(TINY, speed, jobs=2, finished={cell.name: 1.0 for cell in TINY.cells}) == 0


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "report.html").touch()
    with pytest.raises(InputError, match="not the directory of this study"):
        run.check_directory(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_directory_keeps_its_budget_and_takes_more_sizes(tmp_path: Path) -> None:
    run.settle(tmp_path, TINY)
    run.settle(tmp_path, replace(TINY, widths=(8, 12, 16, 24), seeds=(0, 1, 2)))
    with pytest.raises(InputError, match="another budget"):
        run.settle(tmp_path, replace(TINY, budget=replace(TINY.budget, epochs=3)))
    with pytest.raises(RunError, match="18 of 18 models are not trained yet"):
        result.conclude(tmp_path, TINY)


# ---- cells


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's directory with its world."""
    folder = tmp_path_factory.mktemp("compression")
    run.settle(folder, TINY)
    world.prepare(folder, TINY.budget, lambda done, total: None)
    return folder


class KilledError(Exception):
    pass


def trained(folder: Path, cell: Cell, *, killed_at: int = 0) -> dict[str, Any]:
    """The result of one cell, interrupted once after so many steps."""
    from etalon.studies.compression import cell as worker

    def beat(done: int, total: int) -> None:
        if done == killed_at and killed_at < total:
            raise KilledError

    if killed_at:
        with pytest.raises(KilledError):
            worker.compute(folder, cell, beat)
        assert not run.cell_file(folder, cell).exists()
    worker.compute(folder, cell, lambda done, total: None)
    found: dict[str, Any] = json.loads(run.cell_file(folder, cell).read_text())
    return {name: value for name, value in found.items() if name not in ("train_seconds", "cpu_seconds")}


@pytest.mark.torch
@pytest.mark.live
@pytest.mark.parametrize("cell", [Cell(width=8, seed=1), Cell(width=12, seed=0, facts=20)], ids=lambda cell: cell.name)
def test_a_model_that_was_interrupted_ends_as_one_that_was_not(
    prepared: Path, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    from etalon.studies.compression import cell as worker

    monkeypatch.setattr(worker, "SAVE_EVERY", 3)
    whole = trained(prepared, cell)
    run.cell_file(prepared, cell).unlink()
    assert trained(prepared, cell, killed_at=5) == whole
    assert not (prepared / "work" / cell.name).exists()
    shape = plan.shape_of(cell.width)
    assert whole["parameters"] == {"all": shape.parameters, "body": shape.parameters - 2 * shape.embedding}
    assert whole["loss"][-1][0] == whole["steps"]
    if cell.facts:
        assert whole["exposures"] == TINY.budget.passes(20) == 40
        assert whole["bits"] == pytest.approx(20 * max(0.0, BITS - whole["surprise"]))
    else:
        assert {p["domain"] for p in whole["problems"]} == {"math", "stem", "code"}
        assert len(whole["problems"]) == 3 * TINY.budget.test


@pytest.mark.torch
@pytest.mark.live
def test_what_is_learned_by_heart_is_recalled_in_full_and_training_stops_there(tmp_path: Path) -> None:
    budget = replace(TINY.budget, exposures=400, batches=(16, 20, 10))
    run.settle(tmp_path, replace(TINY, budget=budget))
    world.prepare(tmp_path, budget, lambda done, total: None)
    found = trained(tmp_path, Cell(width=64, seed=0, facts=10))
    assert found["recalled"] == 10
    assert found["exposures"] < 400
    assert 0.98 * 10 * BITS < found["bits"] <= 10 * BITS


# ---- what follows from cells: the shape that `cell.compute` writes, with outcomes of our own


def written(study: Design, template: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The cells of a study in which reasoning is at its plateau of 0.8 early and each parameter stores half a bit."""
    cells = []
    for cell in study.cells:
        own = dict(template[cell.part])
        shape = plan.shape_of(cell.width)
        own |= {"name": cell.name, "width": cell.width, "seed": cell.seed,
                "parameters": {"all": shape.parameters, "body": shape.parameters - 2 * shape.embedding}}  # fmt: skip
        if cell.facts:
            bits = min(cell.facts * BITS, 0.5 * shape.parameters * (1 + 0.02 * cell.seed))
            own |= {"facts": cell.facts, "bits": bits, "recalled": round(bits / BITS)}
        else:
            share = 0.8 / (1 + (20_000 / shape.parameters) ** 3)
            problems = [{"id": f"{d}{i}", "cluster": f"{d}{i}", "domain": d, "level": 1 + i % 2, "stop": "eos",
                         "score": float((i + 0.5) / 50 < share + 0.01 * cell.seed)}
                        for d in ("math", "stem", "code") for i in range(50)]  # fmt: skip
            own |= {"problems": problems}
        cells.append(own)
    return cells


@pytest.mark.torch
@pytest.mark.live
def test_result_page_and_table_say_what_the_cells_hold(prepared: Path, tmp_path: Path) -> None:
    template = {cell.part: trained(prepared, cell) | {"train_seconds": 2.0}
                for cell in (Cell(width=8, seed=0), Cell(width=8, seed=0, facts=10))}  # fmt: skip
    study = Design()
    for row in written(study, template):
        write_json_atomic(tmp_path / "cells" / f"{row['name']}.json", row)
    found = result.conclude(tmp_path, study)
    assert json.loads((tmp_path / "result.json").read_text()) == found
    everything = found["reasoning"][0]
    assert everything["curve"]["all"]["state"] == "reached"
    assert 20_000 < everything["curve"]["all"]["near_plateau"]["value"] < 90_000
    assert everything["points"][-1]["mean"] == pytest.approx(0.8, abs=0.03)
    assert found["stored"]["growth"]["all"]["overall"]["value"] == pytest.approx(1.0, abs=0.05)
    assert [point["per_all"] for point in found["stored"]["points"]][:5] == pytest.approx([0.51] * 5, rel=0.01)
    needed = [one["all"]["value"] for one in found["needed"]]
    assert needed == sorted(needed)
    assert found["verdict"]["state"] == "supported"
    assert [math.log10(one["all"] / found["sizes"][-1]["all"]) for one in found["larger"]] == pytest.approx(
        [1, 2], abs=0.1
    )
    text = table.markdown(found)
    assert f"Conclusion: {found['verdict']['sentence']}" in text
    assert all(f"| {size['all']:,} |" in text for size in found["sizes"])
    html = page.write_page(tmp_path, found).read_text()
    assert found["verdict"]["sentence"] in html
    assert html.count("<svg") >= 8
    assert html.count("<circle") >= 7 * (1 + 3 + 6 + 3 + 1)  # all, domains, levels, recalls, bits
    assert "NaN" not in html
    assert "inf" not in {word.strip('",') for word in html.split()}


def test_another_directory_goes_on_from_the_file_of_models(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    cells = [cell for cell in TINY.cells if cell.seed == 0]
    for cell in cells:
        write_json_atomic(run.cell_file(one, cell), {"name": cell.name, "width": cell.width, "loss": [[1, 0.5]]})
    file = write_cells(one, TINY)
    assert file.read_bytes() == write_cells(one, TINY).read_bytes()
    larger = replace(TINY, seeds=(0, 1, 2))
    write_json_atomic(run.cell_file(other, cells[0]), {"name": cells[0].name, "mine": True})
    assert take_cells(file, other, larger) == len(cells) - 1
    assert json.loads(run.cell_file(other, cells[0]).read_text())["mine"]
    for cell in cells[1:]:
        assert run.cell_file(other, cell).read_bytes() == run.cell_file(one, cell).read_bytes()
    assert take_cells(one, other, larger) == 0
    with pytest.raises(InputError, match="trained on another budget"):
        take_cells(file, other, replace(TINY, budget=replace(TINY.budget, test=7)))
    for content in (b"", gzip.compress(b"{}\n[1]\n"), b"{}"):
        (tmp_path / "bad.gz").write_bytes(content)
        with pytest.raises(InputError, match="is not a file of trained models"):
            take_cells(tmp_path / "bad.gz", other, TINY)
    with pytest.raises(InputError, match="no such file"):
        take_cells(tmp_path / "none.gz", other, TINY)


def test_the_published_models_are_taken_by_the_study_as_it_stands(tmp_path: Path) -> None:
    published = Path(__file__).parents[1] / "docs" / "studies" / "compression-coverage.cells.jsonl.gz"
    taken = take_cells(published, tmp_path, Design())
    cells = [cell for cell in Design().cells if run.cell_file(tmp_path, cell).exists()]
    assert taken == len(cells) >= len(Design().cells) // 3
    for cell in cells:
        found = json.loads(run.cell_file(tmp_path, cell).read_text())
        assert (found["name"], found["part"], found["width"], found["seed"]) == (
            cell.name, cell.part, cell.width, cell.seed
        )  # fmt: skip
        assert found["parameters"]["all"] == plan.shape_of(cell.width).parameters


# ---- the command


@pytest.mark.live
def test_the_command_names_its_studies_and_refuses_what_is_no_number() -> None:
    assert "there is no 'fussion'" in shrunk.etalon("study", "fussion").stderr
    printed = shrunk.etalon("study", "compression-coverage", "--sizes", "8,x")
    assert printed.returncode == 2
    assert "--sizes 8,x: name whole numbers" in printed.stderr


@pytest.mark.torch
@pytest.mark.slow
def test_the_small_study_survives_a_kill_and_ends_with_its_conclusion(tmp_path: Path) -> None:
    arguments = ("study", "compression-coverage", "--small", "--sizes", "8,12,16", "--facts", "20", "--run", tmp_path)
    started = shrunk.start(*arguments)
    while not list((tmp_path / "cells").glob("*.json")):
        assert started.poll() is None, started.communicate()[1]
        time.sleep(0.2)
    os.kill(started.pid, signal.SIGKILL)
    started.communicate()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cells").glob("*.json")}
    printed = shrunk.etalon(*arguments, timeout=1200)
    assert printed.returncode == 0, printed.stderr
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["cells"] == 12
    assert found["verdict"]["state"] == "cannot be told"
    assert "Conclusion: Whether the hypothesis holds" in printed.stdout
    assert f"12 models, {len(before)} are trained; about" in printed.stderr


@pytest.mark.live
def test_the_published_table_and_conclusion_are_those_of_the_published_models() -> None:
    docs = Path(__file__).parents[1] / "docs"
    published = gzip.decompress((docs / "studies" / f"compression-coverage.{FILE}").read_bytes())
    made, *cells = map(json.loads, published.splitlines())
    assert made["budget"] == json.loads(json.dumps(asdict(Design().budget)))
    assert {cell["name"] for cell in cells} == {cell.name for cell in Design().cells}
    results = (docs / "results.md").read_text()
    section = results.partition("<!-- study:compression-coverage")[2].partition("<!-- end:compression-coverage")[0]
    told = table.markdown(result.found(Design(), cells))
    for line in told.replace("- Conclusion: ", "").splitlines():
        assert line in section
