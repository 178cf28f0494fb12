"""Trackers: what they are sent, once each, whatever happens to the run; with the real packages where they are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import struct
import time
from collections import Counter
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest

import shrunk
from conftest import Finished
from etalon.errors import ConfigError, InputError
from etalon.recipe import TrackerName
from etalon.store import append_jsonl, read_jsonl, truncate_jsonl
from etalon.track.feed import Feed, whole_rows
from etalon.track.sender import JOURNAL, Sender, Sent, folder_of, sending
from etalon.track.trackers import TRACKERS, Identity, require

FEW = {"loss", "accuracy", "mean_tokens", "truncated", "entropy", "grad_norm"}


class Kept:
    """A tracker that keeps what it is given; breaks after so many calls."""

    def __init__(self, breaks_after: int = 10**9) -> None:
        self.steps: list[tuple[str, int, int, dict[str, float]]] = []
        self.evaluations: list[tuple[str, int, dict[str, Mapping[str, float]]]] = []
        self.left = breaks_after

    def start(self, identity: Identity) -> None: ...

    def log(self, stage: str, step: int, overall: int, numbers: Mapping[str, float]) -> None:
        self._count()
        self.steps.append((stage, step, overall, dict(numbers)))

    def scores(self, group: str, position: int, scores: Mapping[str, Mapping[str, float]]) -> None:
        self._count()
        self.evaluations.append((group, position, dict(scores)))

    def _count(self) -> None:
        if not self.left:
            raise OSError("the network is gone")
        self.left -= 1

    def flush(self) -> None: ...

    def finish(self) -> None: ...


def sender(run: Path, tracker: Kept) -> Sender:
    """A sender as a new process would make it."""
    return Sender(Feed(run), tracker, Sent(folder_of(run, "kept") / JOURNAL))


def copy(run: Path, to: Path) -> Path:
    shutil.copytree(run, to)
    return to


def logged(run: Path) -> dict[str, int]:
    """Stage -> rows of its metrics.jsonl."""
    files = sorted((run / "stages").glob("*/metrics.jsonl"))
    assert files
    return {file.parent.name: len(read_jsonl(file)) for file in files}


@pytest.mark.torch
def test_a_tracker_is_sent_every_step_and_every_evaluation_once(finished: Finished, tmp_path: Path) -> None:
    run, kept = copy(finished.run, tmp_path / "run"), Kept()
    sender(run, kept).catch_up()
    counts = logged(run)
    assert Counter(stage for stage, *_ in kept.steps) == counts
    assert [overall for _, _, overall, _ in kept.steps] == list(range(1, sum(counts.values()) + 1))
    assert all(step <= counts[stage] and numbers.keys() <= FEW for stage, step, _, numbers in kept.steps)
    math = {step: numbers for stage, step, _, numbers in kept.steps if stage == "rl-math"}
    rows = read_jsonl(run / "stages" / "rl-math" / "metrics.jsonl")
    assert [math[row["step"]]["accuracy"] for row in rows] == [row["accuracy"] for row in rows]
    assert all("loss" not in numbers for numbers in math.values())
    names = Feed(run).listed
    evaluated = {names[place - 1]: scores for group, place, scores in kept.evaluations if group == "eval"}
    summary = {stage["name"]: stage["domains"] for stage in shrunk.summary(run)["stages"]}
    assert evaluated.keys() == summary.keys()
    assert {d: row["pass1"] for d, row in evaluated["rl-code"].items()} == {
        d: row["pass1"] for d, row in summary["rl-code"].items()
    }
    assert [group for group, *_ in kept.evaluations].count("clr") == 1
    assert sender(run, again := Kept()).catch_up() == 0
    assert not again.steps


@pytest.mark.torch
def test_a_stage_that_is_cut_and_continued_logs_no_step_twice(finished: Finished, tmp_path: Path) -> None:
    """As a killed run does: rows appear one by one, a saved state cuts some, the same steps are taken again."""
    run, kept = copy(finished.run, tmp_path / "run"), Kept()
    path = run / "stages" / "rl-code" / "metrics.jsonl"
    rows = read_jsonl(path)
    assert len(rows) == 10
    truncate_jsonl(path, 0)
    one = sender(run, kept)
    for row in rows[:7]:
        append_jsonl(path, [row])
        one.catch_up()
    truncate_jsonl(path, 4)  # seen by the process that read seven rows, and by the next
    append_jsonl(path, [{**row, "seconds": 123.456} for row in rows[4:9]])
    one.catch_up()
    append_jsonl(path, rows[9:])
    with path.open("ab") as stream:
        stream.write(b'{"step": 11, "torn')
    sender(run, kept).catch_up()
    assert [step for stage, step, *_ in kept.steps if stage == "rl-code"] == list(range(1, 11))
    overall = [overall for _, _, overall, _ in kept.steps]
    assert overall == list(range(1, len(overall) + 1))


@pytest.mark.torch
def test_a_stage_redone_with_other_values_is_another_one(
    finished: Finished, branched: Finished, tmp_path: Path
) -> None:
    run, kept = copy(finished.run, tmp_path / "run"), Kept()
    sender(run, kept).catch_up()
    before = len(kept.steps)
    for name in ("instruct", "eval-instruct"):
        shutil.rmtree(run / "stages" / name)
        shutil.copytree(branched.run / "stages" / name, run / "stages" / name)
    evaluations = len(kept.evaluations)
    sender(run, kept).catch_up()
    assert {stage for stage, *_ in kept.steps[before:]} == {"instruct.2"}
    assert [group for group, *_ in kept.evaluations[evaluations:]] == ["eval.2"]
    of_the_run = Sender(Feed(run), Kept(), Sent(tmp_path / "none.jsonl"), keys={})
    assert of_the_run.catch_up() == 0, "what was made with other values than a run under way has is left out"


@pytest.mark.torch
def test_what_a_tracker_refused_is_sent_the_next_time(finished: Finished, tmp_path: Path) -> None:
    run, broken, kept = copy(finished.run, tmp_path / "run"), Kept(breaks_after=60), Kept()
    with pytest.raises(OSError, match="network"):
        sender(run, broken).catch_up()
    sender(run, kept).catch_up()
    steps = [*broken.steps, *kept.steps]
    assert Counter(stage for stage, *_ in steps) == logged(run)
    assert [overall for _, _, overall, _ in steps] == list(range(1, len(steps) + 1))
    assert len(steps) == len({(stage, step) for stage, step, *_ in steps})


@pytest.mark.torch
def test_no_key_leaves_the_machine_with_the_recipe(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copy(finished.run, tmp_path / "run")
    resolved = (run / "resolved.toml").read_text()
    for old, new in (
        ('teacher = "nano"', 'teacher = "T@http://me:hunter22@HOST/v1?key=sesame99"'),
        ("arguments = []", 'arguments = ["--api-key", "sk-argument"]'),
        ('system = ""', 'system = "sk-environment"'),
    ):
        assert old in resolved
        resolved = resolved.replace(old, new)
    (run / "resolved.toml").write_text(resolved)
    monkeypatch.setenv("ETALON_API_KEY", "sk-environment")
    config = Feed(run).config
    told = json.dumps(config)
    assert not [key for key in ("hunter22", "sesame99", "sk-argument", "sk-environment") if key in told]
    assert config["data"]["teacher"] == "T@http://HOST/v1"
    assert config["rl"]["gamma"] == 1.0
    assert "sandbox" not in config


def test_what_cannot_be_tracked_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no tracker 'mlflow'; there are trackio, wandb, tensorboard"):
        require(["mlflow"])
    assert set(get_args(TrackerName)) == TRACKERS.keys()
    for name, kind in TRACKERS.items():
        if find_spec(name) is None:
            with pytest.raises(ConfigError, match=rf"'\.\[{kind.extra}\]'"):
                require([name])
    with pytest.raises(InputError, match=r"no resolved\.toml"):
        Feed(tmp_path)
    (tmp_path / "rows.jsonl").write_bytes(b'{"step": 1}\nbroken\n')
    with pytest.raises(InputError, match="no step as JSON"):
        whole_rows(tmp_path / "rows.jsonl", 0)


# ---- with the real packages, without a network (`make test-track`)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every tracker writes below this folder, or into the run."""
    for name in ("trackio", "wandb", "tensorboard"):
        pytest.importorskip(name)
    settings = {"TRACKIO_DIR": str(tmp_path / "trackio"), "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setitem(shrunk.ENVIRONMENT, name, value)
    return tmp_path


def in_trackio(folder: Path) -> list[dict[str, Any]]:
    """All that was logged, of one run, as its database has it."""
    database = sqlite3.connect(folder / "trackio" / "etalon.db")
    found = database.execute("select run_id, step, metrics from metrics order by id").fetchall()
    assert len({run for run, *_ in found}) == 1
    return [{**json.loads(metrics), "at": step} for _, step, metrics in found]


def in_tensorboard(run: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder_of(run, "tensorboard")), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def in_wandb(run: Path) -> list[dict[str, Any]]:
    """The history of all files of a run: records of the format of LevelDB's log, a protobuf each."""
    from wandb.proto import wandb_internal_pb2

    rows: list[dict[str, Any]] = []
    files = sorted(folder_of(run, "wandb").glob("wandb/offline-run-*/*.wandb"))
    assert files
    for file in files:
        for record in log_records(file.read_bytes()):
            message = wandb_internal_pb2.Record()
            message.ParseFromString(record)
            if message.WhichOneof("record_type") == "history":
                items = message.history.item
                rows.append({item.key or item.nested_key[0]: json.loads(item.value_json) for item in items})
    return rows


def log_records(content: bytes, *, block: int = 32768, header: int = 7) -> list[bytes]:
    """Payloads of LevelDB's log behind a header of the file's own."""
    place, records, parts = header, [], b""
    while place + header <= len(content):
        if block - place % block < header:
            place += block - place % block
            continue
        _, size, kind = struct.unpack_from("<IHB", content, place)
        parts += content[place + header : place + header + size]
        if kind in (1, 4):  # whole, or the last of several parts
            records.append(parts)
            parts = b""
        place += header + size
    return records


@pytest.mark.torch
@pytest.mark.live
@pytest.mark.track
def test_each_tracker_has_what_the_files_have(finished: Finished, offline: Path) -> None:
    run = copy(finished.run, offline / "run")
    told = shrunk.etalon("track", run, *TRACKERS)
    assert told.returncode == 0, told.stderr
    again = shrunk.etalon("track", run, *TRACKERS)
    assert again.stderr.count(" 0 steps and evaluations sent") == 3, again.stderr
    whole = sum(logged(run).values())
    rows = read_jsonl(run / "stages" / "rl-math" / "metrics.jsonl")
    score = shrunk.done(run)["eval-rl-math"]["outputs"]["scores"]["math"]["pass1"]
    place = Feed(run).listed.index("rl-math") + 1

    trackio = in_trackio(offline)
    assert [row["at"] for row in trackio if "overall_step" in row] == list(range(1, whole + 1))
    assert [row["rl-math/accuracy"] for row in trackio if "rl-math/step" in row] == [row["accuracy"] for row in rows]
    assert [row["eval/math/pass1"] for row in trackio if row.get("eval/stage") == place] == [score]

    board = in_tensorboard(run)
    assert [step for step, _ in board["overall_step"]] == list(range(1, whole + 1))
    assert [value for _, value in board["rl-math/entropy"]] == pytest.approx([row["entropy"] for row in rows])
    assert dict(board["eval/math/pass1"])[place] == pytest.approx(score)

    history = in_wandb(run)
    assert [row["overall_step"] for row in history if "overall_step" in row] == list(range(1, whole + 1))
    assert [row["rl-math/grad_norm"] for row in history if "rl-math/step" in row] == [r["grad_norm"] for r in rows]
    assert [row["eval/math/pass1"] for row in history if row.get("eval/stage") == place] == [score]


@pytest.mark.torch
@pytest.mark.live
@pytest.mark.track
def test_a_run_that_was_killed_goes_on_in_the_same_trackers(offline: Path) -> None:
    recipe, run = shrunk.write_recipe(offline), offline / "run"
    options = ["--run", run, *(part for name in TRACKERS for part in ("--track", name))]
    process = shrunk.start("run", recipe, *options, "--set", "jobs=2")
    steps = run / "stages" / "sft-broad" / "metrics.jsonl"
    while len(read_jsonl(steps)) < 30:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    resumed = shrunk.etalon("run", recipe, *options)  # at once: it waits for the trackers of the killed one
    assert resumed.returncode == 0, resumed.stderr
    assert "tracker" not in resumed.stderr
    whole = list(range(1, sum(logged(run).values()) + 1))
    assert [row["overall_step"] for row in in_trackio(offline) if "overall_step" in row] == whole
    assert [step for step, _ in in_tensorboard(run)["overall_step"]] == whole
    assert [row["overall_step"] for row in in_wandb(run) if "overall_step" in row] == whole
    places = [row["eval/stage"] for row in in_trackio(offline) if "eval/stage" in row]
    assert len(places) == len(set(places)) == len(shrunk.summary(run)["stages"])


@pytest.mark.torch
@pytest.mark.live
@pytest.mark.track
def test_a_tracker_that_fails_is_said_once_and_ends_nothing(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shrunk.ENVIRONMENT, "WANDB_MODE", "online")  # without a key and without a network
    monkeypatch.setitem(shrunk.ENVIRONMENT, "WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setitem(shrunk.ENVIRONMENT, "HOME", str(offline))
    recipe, run = shrunk.write_recipe(offline), offline / "run"
    told = shrunk.etalon("run", recipe, "--run", run, "--until", "data", "--track", "wandb", "--track", "tensorboard")
    assert told.returncode == 0, told.stderr
    [line] = [line for line in told.stderr.splitlines() if "tracker wandb" in line]
    assert "nothing of the run is lost" in line
    assert len(in_tensorboard(run)["base/loss"]) == logged(run)["base"]
    refused = shrunk.etalon("track", run, "wandb")
    assert refused.returncode == 2
    assert "wandb" in refused.stderr.splitlines()[-1]
    with sending(run, "tensorboard"):
        shut = shrunk.etalon("track", run, "tensorboard", timeout=120)
    assert shut.returncode == 2
    assert "in use by another process" in shut.stderr
