"""What goes wrong around a step of the data engine: nothing is lost, and nothing half done is taken for whole."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from etalon.cli import app
from etalon.commands.options import written
from etalon.data.asking.expand import expand_records
from etalon.data.calls.remembered import Remembered
from etalon.data.records import Record, read_records
from etalon.data.step_reports import StepLog
from etalon.errors import EtalonError, InputError, RunError
from etalon.model.tokens import token_counter
from etalon.sampling.program import ProgramSampler
from etalon.store import hash_file, read_json, read_jsonl
from etalon.types import Conversation, Domain, Problem, Rollout, SamplingParams

PARAMS = SamplingParams()
NOUNS = ("apples", "books", "coins", "drums", "eggs", "forks", "goats", "hats", "inks", "jars")


def data(*words: object) -> None:
    """`etalon data ...`, in this process."""
    typer.main.get_command(app).main(["data", *map(str, words)], prog_name="etalon", standalone_mode=False)


def file(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def question(number: int) -> str:
    return f"How many {NOUNS[number % 10]} and {NOUNS[(number * 3 + 1) % 10]} stand on shelf {'x' * (number + 1)}?"


def row(number: int, *responses: str, **more: Any) -> dict[str, Any]:
    given = [{"response": text} for text in responses]
    return {"id": f"q{number}", "domain": "math", "prompt": question(number), "answer": "5", "traces": given, **more}


RIGHT, WRONG = "<think>two and three</think>\\boxed{5}", "<think>two and four</think>\\boxed{6}"


# --- filter ------------------------------------------------------------------------------------------------------


def test_what_was_verified_is_called_right_also_where_no_trace_of_the_record_goes(tmp_path: Path) -> None:
    unknown = row(4, RIGHT)
    del unknown["answer"]
    source = file(tmp_path / "in.jsonl", [row(1, RIGHT), row(2, RIGHT, WRONG), row(3, WRONG), unknown])
    data("filter", source, "-o", tmp_path / "out.jsonl", "--verify")
    assert [one["traces"] for one in read_jsonl(tmp_path / "out.jsonl")] == [
        [{"response": RIGHT, "correct": True}],
        [{"response": RIGHT, "correct": True}],
        [],
        [{"response": RIGHT}],
    ]
    gates = {gate["gate"]: gate for gate in read_json(tmp_path / "out.jsonl.report.json")["gates"]}
    assert gates["correctness"]["reasons"] == {"different": 2, "undecided: no reference, kept": 1}
    assert [gates["correctness"][name] for name in ("kept", "dropped", "undecided")] == [3, 2, 1]
    data("filter", source, "-o", tmp_path / "plain.jsonl")
    assert (tmp_path / "plain.jsonl").read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"prompt": question(n), "response": "I see.", "answer": "5"} for n in range(9)], "no row of 9 is kept"),
        ([{"prompt": question(1), "answer": str(n % 2)} for n in range(9)], "copies that disagree on the answer 9"),
        ([], "has no rows"),
    ],
)
def test_a_filter_that_keeps_nothing_says_so_and_writes_only_why(
    tmp_path: Path, rows: list[dict[str, Any]], told: str
) -> None:
    source = file(tmp_path / "in.jsonl", rows)
    with pytest.raises(EtalonError, match=told):
        data("filter", source, "-o", tmp_path / "out.jsonl", "--verify", "--dropped", tmp_path / "why.jsonl")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in.jsonl", "why.jsonl"]
    assert len(read_jsonl(tmp_path / "why.jsonl")) == len(rows)


# --- build -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_seeds", [True, False])
def test_what_was_made_of_a_question_is_in_one_part_with_it(tmp_path: Path, has_seeds: bool) -> None:
    seeds = [row(n, RIGHT) for n in range(30)]
    children = [
        row(100 + 30 * turn + n, RIGHT, parent=f"q{n}", dimension="target") | {"prompt": question(100 + 30 * turn + n)}
        for turn in range(2)
        for n in range(30)
    ]
    source = file(tmp_path / "in.jsonl", [*(seeds if has_seeds else []), *children])
    data("build", source, "-o", tmp_path / "out", "--unverified", "--probe", 6, "--test", 6)
    family = {one["prompt"]: one.get("parent", one["id"]) for one in (*seeds, *children)}
    places: dict[str, set[str]] = {}
    for name in ("stage1.jsonl", "rl-math.jsonl", "probe.jsonl", "test.jsonl"):
        found = read_jsonl(tmp_path / "out" / name)
        assert found
        for one in found:
            places.setdefault(family[one["prompt"]], set()).add(name)
    assert len(places) == 30
    assert {len(names) for names in places.values()} == {1}


def test_a_build_says_whose_error_rates_it_took(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates = {"llama8b": {"stated": 0.9}}
    source = file(tmp_path / "in.jsonl", [row(n, RIGHT, error_rates=rates) for n in range(9)])
    data("build", source, "-o", tmp_path / "out")
    assert "difficulty is the error rate of llama8b\n" in capsys.readouterr().err


def test_two_builds_never_write_one_folder(tmp_path: Path) -> None:
    source, out = file(tmp_path / "in.jsonl", [row(n, RIGHT) for n in range(9)]), tmp_path / "out"
    out.mkdir()
    other = os.open(out, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(RunError, match="another process writes here"):
        data("build", source, "-o", out)
    os.close(other)
    data("build", source, "-o", out)
    assert (out / "manifest.json").exists()


# --- files -------------------------------------------------------------------------------------------------------


def test_two_commands_never_write_one_file_and_a_failed_one_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with written(out) as stream:
        stream.write(b"first\n")
        with pytest.raises(RunError, match="another process writes it"), written(out):
            pass
    assert out.read_bytes() == b"first\n"
    with pytest.raises(TypeError), written(out) as stream:
        stream.write("no bytes")  # type: ignore[arg-type]
    (tmp_path / "out.jsonl.part").write_bytes(b"of a process that was killed")
    with written(out) as stream:
        stream.write(b"third\n")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("out.jsonl", b"third\n")]


def test_a_file_that_changes_while_it_is_read_is_told_and_later_changes_leave_the_report_alone(tmp_path: Path) -> None:
    source = file(tmp_path / "in.jsonl", [row(n) for n in range(3)])
    records = read_records(source)
    next(records)
    with source.open("a") as stream:
        stream.write(json.dumps(row(4)) + "\n")
    with pytest.raises(InputError, match="changed while it was read"):
        list(records)
    log, before = StepLog(step="label", inputs=[source]), hash_file(source)
    source.unlink()
    log.write(file(tmp_path / "out.jsonl", []), seconds=0)
    assert read_json(tmp_path / "out.jsonl.report.json")["inputs"] == [{"file": "in.jsonl", "sha256": before}]


@pytest.mark.parametrize("beside", [{"parent": "q0", "dimension": "target"}, {"votes": {"5": 2}}, {"cluster": "c"}])
@pytest.mark.live
def test_records_that_no_import_made_come_back_from_an_export_as_they_were(
    tmp_path: Path, beside: dict[str, Any]
) -> None:
    source, records = tmp_path / "in.jsonl", tmp_path / "records.jsonl"
    data("export", file(source, [row(1, RIGHT, **beside)]), "--to", "jsonl", "-o", records)
    for to in ("verl", "trl", "jsonl"):
        data("export", records, "--to", to, "-o", tmp_path / "rows.jsonl")
        data("import", tmp_path / "rows.jsonl", "-o", tmp_path / "back.jsonl")
        assert (tmp_path / "back.jsonl").read_bytes() == records.read_bytes(), to


# --- teachers ----------------------------------------------------------------------------------------------------


def seed() -> Record:
    return Record(problem=Problem(id="s", domain=Domain.MATH, prompt="What is 5?", answer="5"))


def test_half_of_a_character_in_a_query_is_kept_as_it_is(tmp_path: Path) -> None:
    def write(prompt: str, index: int, seed: int) -> str:
        return f"<query>What is \ud83d of {len(prompt)}?</query>"

    with Remembered(ProgramSampler(write, name="toy"), tmp_path / "calls.jsonl") as teacher:
        _, child = expand_records([seed()], teacher, count=1, params=PARAMS, seed=0).kept
    assert child.problem.prompt.startswith("What is \ud83d of")


def test_a_sampler_that_leaves_calls_out_and_a_program_that_exits_are_told(tmp_path: Path) -> None:
    class Silent:
        name = "silent"

        def sample(
            self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
        ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
            return iter(())

    def leave(prompt: str, index: int, seed: int) -> str:
        raise SystemExit("bye")

    with (
        Remembered(Silent(), tmp_path / "silent.jsonl") as teacher,
        pytest.raises(RunError, match="said nothing at all to 1 of 1 calls"),
    ):
        expand_records([seed()], teacher, count=1, params=PARAMS, seed=0)
    with (
        Remembered(ProgramSampler(leave, name="toy"), tmp_path / "toy.jsonl") as teacher,
        pytest.raises(RunError, match="SystemExit: bye"),
    ):
        expand_records([seed()], teacher, count=1, params=PARAMS, seed=0)


def test_half_of_a_character_is_counted_by_a_tokenizer(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert token_counter(tmp_path)(["a \ud83d a", "a"]) == [3, 1]


def test_a_file_that_holds_no_calls_is_never_cut(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.write_text("a line of my own without an end")
    with pytest.raises(InputError, match="line 1 is no answer that was kept"):
        Remembered(ProgramSampler(lambda *_: "x", name="toy"), notes)
    assert notes.read_text() == "a line of my own without an end"


@pytest.mark.live
def test_a_pipe_is_filtered_in_one_pass_and_a_folder_is_named_by_its_files(tmp_path: Path) -> None:
    folder, pipe = tmp_path / "in", tmp_path / "pipe"
    folder.mkdir()
    source = file(folder / "a.jsonl", [row(1, RIGHT)])
    data("filter", folder, "-o", tmp_path / "out.jsonl")
    assert [one["file"] for one in read_json(tmp_path / "out.jsonl.report.json")["inputs"]] == ["a.jsonl"]
    os.mkfifo(pipe)
    with subprocess.Popen(["cp", str(source), str(pipe)]) as writer:
        data("filter", pipe, "-o", tmp_path / "piped.jsonl")
    assert writer.returncode == 0
    assert (tmp_path / "piped.jsonl").read_bytes() == source.read_bytes()
