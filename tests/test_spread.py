"""Work on lines of a file: parts that cover it, gates that travel, and `etalon data filter`."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shrunk
from etalon import __version__ as etalon_version
from etalon.data.contamination.index import rule
from etalon.data.contamination.items import Item
from etalon.data.filtering import GateRows, Sifted
from etalon.errors import InputError
from etalon.rows.cluster import run_part
from etalon.rows.files import read_rows, row_of
from etalon.rows.parts import Source, read_slice, slices, source_of
from etalon.verifiers.rows import VerifyRows

pytestmark = pytest.mark.live  # commands are run

QUERY = "How many positive integers below one hundred are divisible by three or by five?"
HELD_OUT = rule([Item(benchmark="eval.jsonl", row="line 1", text=QUERY)])
LOOP = "and again we see that it holds " * 60


def row(**columns: object) -> str:
    return json.dumps(columns)


ROWS = [
    row(prompt=f"{QUERY} Think first.", response="47"),
    row(id=1, prompt="What is the sum of two and two?", response="It is \\boxed{4}."),
    "{broken",
    "",
    row(question="Name a prime.", completion=LOOP),
    row(messages=[{"role": "system", "content": QUERY}, {"role": "user", "content": "Name a square."}]),
    row(score=1),
    '{"prompt": "Spaces  stay ", "x": 1.50}\r',
]


def etalon(*words: object, folder: Path, program: str = "") -> subprocess.CompletedProcess[str]:
    if not program:
        return shrunk.etalon(*words, cwd=folder)
    code = f"{program}\nfrom etalon.cli import main; raise SystemExit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True, text=True, env=shrunk.ENVIRONMENT, cwd=folder, check=False, timeout=120,
    )  # fmt: skip


@given(content=st.binary(max_size=60).map(lambda b: b.replace(b"\x01", b"\n")), size=st.integers(1, 20))
def test_parts_cover_a_file_and_its_lines_are_those_of_the_whole(
    content: bytes, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("lines") / "rows.jsonl"
    path.write_bytes(b"{} " + content)  # never taken for a packed file, nor for an object of several lines
    source = source_of(path)
    parts = slices(source, size)
    assert [start for start, _ in parts] == [0, *(stop for _, stop in parts)][:-1]
    assert parts[-1][1] == source.size
    there = [row._replace(place="") for row in read_rows(path)]
    assert [row for part in parts for row in read_slice(source, *part)] == there


def test_an_empty_file_has_no_parts(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").touch()
    assert slices(source_of(tmp_path / "rows.jsonl"), 10) == []
    with pytest.raises(InputError, match=r"none\.jsonl: no such file or directory"):
        source_of(tmp_path / "none.jsonl")


def test_a_part_says_why_it_cannot_be_worked_on(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    gone = run_part(0, 3, source=Source(path="/no/where.jsonl", size=3), work=GateRows(), version=etalon_version)
    assert gone["error"].startswith("/no/where.jsonl: no such file or directory on machine ")
    assert gone["error"].endswith("; put it where every machine sees it")
    other = run_part(0, 3, source=Source(path=str(path), size=4), work=GateRows(), version=etalon_version)
    assert "has 3 bytes on machine" in other["error"]
    old = run_part(0, 3, source=source_of(path), work=GateRows(), version="0.0")
    assert "install the same" in old["error"]
    assert not run_part(0, 3, source=source_of(path), work=GateRows(), version=etalon_version)["error"]


def test_a_table_is_cut_where_its_row_groups_end_and_a_large_group_in_a_few(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "rows.parquet"
    table = pa.table({"prompt": [f"p{i}" for i in range(5000)], "n": list(range(5000))})
    with parquet.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table.slice(0, 50))
        writer.write_table(table.slice(50, 4000), row_group_size=4000)
        writer.write_table(table.slice(4050), row_group_size=400)
    source = source_of(path)
    assert (source.unit, source.end) == ("rows", 5000)
    there = list(read_rows(path))
    for size in (100, source.size // 20, source.size * 2):
        parts = source.parts(size)
        assert [start for start, _ in parts] == [0, *(stop for _, stop in parts)][:-1]
        assert [row for part in parts for row in source.read(*part)] == there
    done = [run_part(*part, source=source, work=GateRows(), version=etalon_version) for part in source.parts(100)]
    assert b"".join(one["output"] for one in done).count(b"\n") == 5000
    path.write_bytes(path.read_bytes()[:-4] + b"oops")
    with pytest.raises(InputError, match=r"rows\.parquet: cannot be read as parquet"):
        source_of(path)
    failed = run_part(0, 50, source=source, work=GateRows(), version=etalon_version)
    assert "cannot be read as parquet" in failed["error"]


@pytest.mark.parametrize("work", [GateRows(against=HELD_OUT), VerifyRows(domain="math")])
def test_work_travels_and_gives_one_line_per_line(work: GateRows | VerifyRows) -> None:
    again = pickle.loads(pickle.dumps(work))
    assert again == work
    assert hash(again) == hash(work)
    run = again.start()
    assert not any(b"\n" in run(row_of("", line.encode())) for line in ROWS)


def test_gates_drop_overlap_and_repetition_and_keep_the_rest_byte_for_byte() -> None:
    sifted = Sifted()
    work = GateRows(against=HELD_OUT)
    run = work.start()
    kept = list(sifted.kept((f"line {i}", run(row_of("", line.encode()))) for i, line in enumerate(ROWS, start=1)))
    assert kept == [ROWS[i].encode() for i in (1, 7)]
    read, overlap, faulty, *_ = sifted.rows()
    assert (read["kept"], read["dropped"], read["undecided"]) == (5, 0, 3)
    assert set(read["reasons"]) == {
        "unreadable: not JSON",
        "unreadable: the line is blank",
        "unreadable: prompt: missing",
    }
    assert (overlap["kept"], overlap["dropped"]) == (3, 2)
    assert overlap["examples"][0]["text"].startswith("eval.jsonl line 1, 1.00 of it: how many positive integers")
    assert (faulty["kept"], faulty["dropped"]) == (2, 1)
    assert str(sifted).startswith("8 rows: 2 kept, ")


def test_filter_writes_what_passed_and_reports_the_rest(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes("\n".join(ROWS).encode())
    (tmp_path / "eval.jsonl").write_text(row(question=QUERY, answer="47") + "\n")
    done = etalon(
        "data", "filter", "rows.jsonl", "--against", "eval.jsonl", "--threshold", "0.8", "--ngram", "8",
        "-o", "kept.jsonl", "--report", "gates.json", "--max-bad", "0.3", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "kept.jsonl").read_bytes() == b"".join(f"{ROWS[i]}\n".encode() for i in (1, 7))
    assert [gate["gate"] for gate in json.loads((tmp_path / "gates.json").read_text())] == [
        "read", "overlap", "trace", "correctness", "duplicates",
    ]  # fmt: skip
    assert done.stderr.splitlines()[-1].startswith("8 rows: 2 kept, ")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "eval.jsonl", "gates.json", "kept.jsonl", "kept.jsonl.report.json", "rows.jsonl",
    ]  # fmt: skip


def test_several_files_are_filtered_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f"{ROWS[1]}\n{{broken\n")
    (tmp_path / "b.jsonl").write_text(f"{ROWS[7]}\n{ROWS[1]}\n")
    words = ("data", "filter", "a.jsonl", "b.jsonl", "-o", "kept.jsonl")
    failed = etalon(*words, folder=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1].startswith("etalon: a.jsonl: line 2: not JSON")
    done = etalon(*words, "--max-bad", "0.3", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "4 rows: 2 kept, unreadable: not JSON 1, copy of another row 1"
    assert (tmp_path / "kept.jsonl").read_bytes().count(b"\n") == 2
    report = json.loads((tmp_path / "kept.jsonl.report.json").read_text())
    assert [one["file"] for one in report["inputs"]] == ["a.jsonl", "b.jsonl"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data", "filter", "-", "rows.jsonl"], "-: standard input is read alone; name files only"),
        (["data", "filter", "rows.jsonl", "--ray", "auto"], "--ray: needs --out FILE"),
        (["data", "filter", "none.jsonl", "--workers", "2"], "none.jsonl: no such file"),
        (["data", "filter", "none.jsonl"], "none.jsonl: no such file"),
        (["data", "filter", "rows.jsonl", "--against", "none.jsonl"], "none.jsonl: no such file"),
        (["data", "filter", "rows.jsonl", "--report", "no/x.json"], "--report no/x.json: no such directory no"),
        (["verify", "rows.jsonl", "--ray", "auto"], "--ray: needs --out FILE"),
        (["verify", "-", "--ray", "auto", "-o", "x"], "standard input: --ray needs a file that every machine sees"),
        (
            ["verify", "rows.jsonl.gz", "--ray", "auto", "-o", "x"],
            "rows.jsonl.gz: is packed by gzip; --ray reads parts of plain JSONL and of parquet",
        ),
        (
            ["verify", "rows.jsonl", "--ray", "auto", "-o", "x"],
            "--ray needs Ray Data: in Etalon's folder run pip install -e '.[ray]'",
        ),
    ],
)
def test_what_the_user_can_fix_is_one_line(words: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    (tmp_path / "rows.jsonl.gz").write_bytes(b"\x1f\x8b")
    without_ray = (
        "import importlib.util as util; real = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'ray' else real(name, *rest)"
    )
    failed = etalon(*words, folder=tmp_path, program=without_ray)
    assert failed.returncode == 2, failed.stderr
    [line] = failed.stderr.splitlines()
    assert told in line
    assert not (tmp_path / "x").exists()


JUDGE = """
def say(prompt, index, seed):
    if "silent" in prompt:
        return "I like it."
    return "It is not.\\nNo" if "unsound" in prompt else "It is.\\nYes"
"""


@pytest.mark.live
def test_a_judge_says_what_rules_cannot_see_and_every_trace_that_goes_is_told(tmp_path: Path) -> None:
    (tmp_path / "judge.py").write_text(JUDGE)
    good, bad = {"response": "So it is \\boxed{7}."}, {"response": "An unsound way to \\boxed{7}."}
    rows = [
        {"id": "a", "domain": "math", "prompt": "What is 3 + 4?", "answer": "7", "traces": [good, bad]},
        {"id": "b", "domain": "math", "prompt": "What is unsound in 3 + 5?", "answer": "8"},
        {"question": "What is a silent 3 + 9?", "answer": "12", "response": "It is \\boxed{12}."},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    words = ("data", "filter", "rows.jsonl", "--judge", "judge.py:say", "-o", "kept.jsonl", "--dropped", "gone.jsonl")
    done = etalon(*words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    kept = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    assert kept == [rows[0] | {"traces": [good]}, rows[2]]
    gone = [json.loads(line) for line in (tmp_path / "gone.jsonl").read_text().splitlines()]
    assert [(one["id"], one["gate"], one.get("response")) for one in gone] == [
        ("a", "judge", bad["response"]), ("b", "quality", None),
    ]  # fmt: skip
    report = json.loads((tmp_path / "kept.jsonl.report.json").read_text())
    gates = {gate["gate"]: (gate["kept"], gate["dropped"], gate["undecided"]) for gate in report["gates"]}
    assert (gates["quality"], gates["judge"]) == ((2, 1, 1), (2, 1, 0))
    (tmp_path / "rows.jsonl").write_text(json.dumps(rows[2]) + "\n")
    silent = etalon(*words, folder=tmp_path)
    assert silent.returncode == 2
    assert "no verdict on any of 2 questions and responses" in silent.stderr
