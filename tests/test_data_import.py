"""data import: whatever a file is, its rows become records, or somebody is told why not."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

import shrunk
from etalon.data.importing import Import, ImportSettings, Skipped, sources
from etalon.data.importing.seen import Keys, Seen
from etalon.data.records import Record, read_records, record_to_row
from etalon.data.step_reports import StepLog
from etalon.errors import InputError
from etalon.rows.mapping import ColumnMap
from etalon.store import to_json
from etalon.types import Domain, Problem

GOOD = [{"problem": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(200)]


class Told:
    """What came of an import."""

    def __init__(self, *files: Path | str, split: str = "", env: dict[str, str] | None = None, **settings: Any) -> None:
        self.skipped: list[Skipped] = []
        self.log = StepLog(step="import", inputs=[])
        self.reader = Import(ImportSettings(**settings), self.log, skip=self.skipped.append)
        self.records: list[Record] = []
        for source in sources([str(file) for file in files], split=split, environment=env or {}):
            self.records.extend(self.reader.records(source))
        self.reader.check()

    @property
    def dropped(self) -> dict[str, int]:
        return {reason: n for gate in self.reader.gates()[1:] for reason, n in gate.reasons.items()}


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def table(path: Path, rows: list[dict[str, Any]], **options: Any) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), path, **options)
    return path


ROW = {"problem": "What is 1 + 1?", "answer": "2"}
ODD: dict[str, tuple[str, bytes, int | str]] = {  # name -> (suffix, content, records or what the one line says)
    "a byte order mark": ("jsonl", b"\xef\xbb\xbf" + lines(ROW), 1),
    "carriage returns": ("jsonl", lines(ROW).replace(b"\n", b"\r\n"), 1),
    "no newline at the end": ("jsonl", lines(ROW).rstrip(), 1),
    "invalid UTF-8": ("jsonl", lines(ROW) + b'{"problem": "caf\xe9 ?", "answer": "1"}\n', r"line 2: not UTF-8"),
    "NaN for an answer": ("jsonl", b'{"problem": "What is it?", "answer": NaN}\n', r"line 1: answer: found nan"),
    "Infinity for an answer": ("jsonl", b'{"problem": "What is it?", "answer": 1e999}\n', r"answer: found inf"),
    "NaN where nobody looks": ("jsonl", b'{"problem": "What is it?", "answer": "1", "score": NaN}\n', 1),
    "NaN in the tests": (
        "jsonl",
        b'{"question": "Add.", "tests": {"inputs": ["1"], "outputs": ["1"], "time_limit_s": NaN}}\n',
        r"tests: holds NaN",
    ),
    "an array": ("json", json.dumps([ROW, {**ROW, "answer": "3"}]).encode(), 2),
    "an array of conversations": (
        "json",
        json.dumps([[{"from": "human", "value": "1 + 1?"}, {"from": "assistant", "value": "2"}]]).encode(),
        1,
    ),
    "an array that never closes": ("json", json.dumps([ROW, ROW]).encode()[:-1], r"damaged"),
    "an object of columns": ("json", b'{"problem": ["a ?", "b ?"], "answer": ["1", "2"]}', 2),
    "an object of columns by pandas": (
        "json",
        b'{"problem": {"0": "a ?", "1": "b ?"}, "answer": {"0": 1, "1": 2}}',
        2,
    ),
    "no bytes": ("jsonl", b"", r"has no rows"),
    "blank lines": ("jsonl", b"\n  \n\n", r"has no rows"),
    "gzip": ("jsonl.gz", gzip.compress(lines(ROW)), 1),
    "gzip that is cut": ("jsonl.gz", gzip.compress(lines(*GOOD))[:-20], r"damaged after line \d+"),
    "gzip without saying so": ("jsonl", gzip.compress(lines(ROW)), 1),
    "a zip archive": ("jsonl", b"PK\x03\x04" + bytes(40), r"is a zip archive"),
    "UTF-16": ("jsonl", lines(ROW).decode().encode("utf-16"), r"is UTF-16"),
    "UTF-16 without a mark": ("jsonl", lines(ROW).decode().encode("utf-16-le"), r"rows? .*can be read|only row"),
    "nested too deep": ("jsonl", lines(ROW) + b'{"a": ' * 99999 + b"1" + b"}" * 99999, r"line 2: not JSON"),
    "an unknown schema": (
        "jsonl",
        lines({"frage": "Was ist 1 + 1?", "loesung": "2"}),
        r"columns found: frage, loesung",
    ),
    "nulls everywhere": ("jsonl", lines({"problem": None, "answer": None}), r"columns found: problem, answer"),
    "lists for texts": ("jsonl", lines({"problem": [{"a": 1}], "answer": "2"}, ROW), r"line 1: problem: found"),
    "numbers as answers": ("jsonl", lines({"problem": "a ?", "answer": 2}, {"problem": "b ?", "answer": 0.5}), 2),
    "true for an answer": ("jsonl", lines({"problem": "Is it?", "answer": True}, ROW), r"line 1: answer: found true"),
    "half of a surrogate pair": ("jsonl", rb'{"problem": "What is \ud83d ?", "answer": "1"}', 1),
    "an escaped NUL": ("jsonl", rb'{"problem": "What is \u0000 ?", "answer": "1"}', 1),
    "a control character": ("jsonl", b'{"problem": "What is \x01 ?", "answer": "1"}\n', r"line 1: not JSON"),
    "a huge integer": ("jsonl", b'{"problem": "What is it?", "answer": ' + b"9" * 5000 + b"}\n", r"line 1: not JSON"),
    "line breaks in cells": ("csv", b'problem,answer\n"1\n+ 1?",2\n', 1),
    "ragged cells": ("csv", b"problem,answer\n1 + 1?,2\n1 + 2?\n", r"line 3: found 1 cells, expected 2"),
    "a header that says a name twice": ("csv", b"problem,answer,answer\n1,2,3\n", r"two columns have the name"),
    "a header alone": ("csv", b"problem,answer\n", r"has no rows"),
    "Latin-1": ("csv", "problem,answer\nCafé?,2\n".encode("latin-1"), r"problem: not UTF-8"),
    "traces that are none": ("jsonl", lines({**ROW, "traces": [1]}, ROW), r"line 1: "),
    "prose": ("jsonl", b"Dear reader,\nthis is no data.\n", r"none of 2 rows can be read"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_read_or_told_in_one_line(tmp_path: Path, name: str) -> None:
    suffix, content, expected = ODD[name]
    path = tmp_path / f"odd.{suffix}"
    path.write_bytes(content)
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected) as error:
            Told(path)
        assert str(path) in str(error.value)
    else:
        told = Told(path)
        assert len(told.records) == expected
        for record in told.records:
            to_json(record_to_row(record))


def test_tables_of_no_rows_of_nulls_and_of_large_rows(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    nothing = table(tmp_path / "nothing.parquet", [])
    with pytest.raises(InputError, match=r"nothing\.parquet: has no rows"):
        Told(nothing)
    del pyarrow
    deep = table(tmp_path / "deep.parquet", [{**ROW, "info": {"a": None, "b": {"c": None}}}, {**ROW, "answer": None}])
    assert [record.problem.answer for record in Told(deep).records] == ["2", None]
    large = [{**ROW, "problem": f"Row {n}?", "generations": ["x" * 3_000_000] * 2} for n in range(6)]
    told = Told(table(tmp_path / "large.parquet", large))
    assert [len(record.traces[0].response) for record in told.records] == [3_000_000] * 6


def test_rows_that_cannot_be_read_are_few_or_end_the_import(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(lines(*GOOD) + b'{"problem": 7, "answer": "1"}\n{"problem"\n')
    told = Told(path)
    assert len(told.records) == 200
    assert [(row.line, row.column) for row in told.skipped] == [(201, "problem"), (202, "")]
    assert told.reader.gates()[0].dropped == 2
    with pytest.raises(
        InputError, match=r"line 201: problem: found 7.*2 of 202 rows cannot be read, max_bad allows 0.5%"
    ):
        Told(path, max_bad=0.005)
    path.write_bytes(b"no\n" * 5000)
    with pytest.raises(InputError, match="none of 1000 rows can be read"):  # and no more are tried
        Told(path)


def test_rows_that_are_no_problem_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    verl = {"prompt": [{"role": "user", "content": "Add."}], "ability": "code", "reward_model": {"ground_truth": "{}"}}
    empty = {"question": "Add two numbers.", "input_output": '{"inputs": 7}'}
    rows = [ROW, {**ROW, "answer": "proof"}, {**ROW, "answer": "nan"}, verl, empty, {"problem": "Not asked yet."}]
    path.write_bytes(lines(*rows))
    told = Told(path)
    assert [record.problem.answer for record in told.records] == ["2", None]
    assert sum(told.dropped.values()) == 4
    assert {reason.partition(":")[0] for reason in told.dropped} >= {"answer", "reward_model.ground_truth"}
    assert not told.skipped
    assert told.reader.without_reference == 1
    assert sum(side.records for side in told.log.read.values()) == 6
    path.write_bytes(lines({**ROW, "answer": "proof"}))
    with pytest.raises(InputError, match=r"none of 1 rows is a problem to learn from: answer"):
        Told(path)


def test_copies_are_written_once_and_other_traces_are_no_copies(tmp_path: Path) -> None:
    traced = {**ROW, "generations": ["It is \\boxed{2}.", "\\boxed{2}"]}
    path = tmp_path / "rows.jsonl"
    path.write_bytes(lines(traced, {**traced, "uuid": "7"}, {**ROW, "generations": ["Two: \\boxed{2}"]}, ROW, ROW))
    told = Told(path, path)  # the same file twice is one file
    assert [len(record.traces) for record in told.records] == [2, 1, 0]
    assert told.dropped == {"an exact copy of an earlier row": 2}
    assert (told.reader.rows, told.reader.problems, told.reader.traces) == (5, 1, 3)
    first = [{**ROW, "id": "1"}, {"problem": "What is 2 + 2?", "answer": "4", "id": "1"}]
    path.write_bytes(lines(*first, {**first[1], "response": "four"}))
    told = Told(path)
    assert told.reader.renamed == 2
    ids = [record.problem.id for record in told.records]
    assert ids[0] == "1"
    assert ids[1] == ids[2] not in ("", "1")


def test_a_set_of_keys_forgets_none_and_invents_none() -> None:
    keys = Keys()
    numbers = [(n * 0x9E3779B97F4A7C15) % 2**64 or 1 for n in range(20_000)]
    assert all(keys.add(number) for number in numbers)
    assert not any(keys.add(number) for number in numbers)
    assert len(keys) == 20_000
    assert (numbers[5] ^ 1) not in keys
    seen = Seen()
    problem = Problem(id="p", domain=Domain.MATH, prompt="?")
    assert [seen.add(Record(problem=problem)).is_copy for _ in range(2)] == [False, True]


def test_what_a_row_leaves_open_is_said_once_for_all(tmp_path: Path) -> None:
    path = tmp_path / "my-set-00000-of-00002.jsonl"
    path.write_bytes(lines(ROW, {**ROW, "problem": "And 2?", "source": "other", "license": "mit"}))
    plain = Told(path).records
    assert [record.problem.source for record in plain] == ["my-set", "other"]
    assert [record.origin for record in plain] == [f"{path}: line 1", f"{path}: line 2"]
    said = Told(path, license="cc0", source="mine").records
    assert [(record.license, record.problem.source) for record in said] == [("cc0", "mine"), ("mit", "other")]
    again = tmp_path / "records.jsonl"
    again.write_bytes(b"".join(to_json(record_to_row(record)) + b"\n" for record in said))
    assert Told(again).records == said  # records stay what they are
    assert list(read_records(again)) == said


def test_formats_may_be_mixed_and_a_map_that_would_do_does(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(lines(ROW, {"question": "How many?", "answer": "Six and one.\n#### 7"}))
    assert len(Told(path).reader.formats) == 2
    path.write_bytes(lines({"nr": 12, "frage": "Was ist 1 + 1?", "loesung": "2"}))
    with pytest.raises(
        InputError, match=r"columns found: nr, frage, loesung.*--map (\S+) --map (\S+) would do"
    ) as error:
        Told(path)
    maps = [word for word in str(error.value).split() if "=" in word]
    told = Told(path, columns=ColumnMap.read(maps))
    assert (told.records[0].problem.prompt[:14], told.records[0].problem.answer) == ("Was ist 1 + 1?", "2")


def test_what_became_of_the_columns_is_found_in_the_record(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    row = {
        "uuid": "7", "prompt": [{"role": "user", "content": "What is 3 + 4?"}], "ability": "math",
        "reward_model": {"ground_truth": "7", "style": "rule"}, "generations": ["seven: \\boxed{7}", "7!"],
        "editorial": "A long story. " * 60,
    }  # fmt: skip
    path.write_bytes(lines(row))
    told = Told(path)
    (found,) = told.reader.mappings.values()
    assert found["question"].startswith("prompt")
    assert (found["answer"], found["traces"]) == ("reward_model.ground_truth", "generations")
    assert set(told.reader.unread) == {"editorial"}
    path.write_bytes(lines({"question": "Pick.", "options": ["red", "blue"], "answer": "blue", "license": "mit"}))
    (found,) = Told(path).reader.mappings.values()
    assert found == {"question": "question", "answer": "answer", "options": "options", "license": "license"}


def test_shards_and_data_sets_of_the_hub_are_files_in_order(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "datasets--org--set" / "snapshots" / "abc"
    (snapshot / "data").mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    (snapshot / "README.md").write_text("# a card")
    (snapshot / "dataset_infos.json").write_text("{}")
    for name, number in (("test-0", 3), ("train-00000-of-00002", 1), ("train-00001-of-00002", 2)):
        (snapshot / "data" / f"{name}.jsonl").write_bytes(lines({"problem": f"Row {number}?", "answer": str(number)}))
    for env in ({"HF_HUB_CACHE": str(tmp_path / "hub")}, {"HF_HOME": str(tmp_path)}):
        told = Told("hf:org/set", split="train", env=env)
        assert [record.problem.answer for record in told.records] == ["1", "2"]
    assert told.records[0].origin == "hf:org/set/data/train-00000-of-00002.jsonl: line 1"
    assert told.records[0].problem.source == "org/set"
    assert [record.problem.answer for record in Told(snapshot).records] == ["3", "1", "2"]
    for words, place, said in (
        (["hf:org/other"], env, r"not in the Hub cache .*hub; .*hf download org/other --repo-type dataset"),
        (["hf:../x/y"], env, r"expected hf:NAME"),
        (["hf:org/set/none"], env, r"no files of rows in"),
        ([str(tmp_path / "none.jsonl")], {}, r"none\.jsonl: no such file"),
        ([str(tmp_path / "hub" / "datasets--org--set" / "refs")], {}, r"a directory without files of rows"),
    ):
        with pytest.raises(InputError, match=said):
            Told(*words, env=place)
    with pytest.raises(InputError, match=r"no file of split 'dev'; there are data/test-0.jsonl"):
        Told(snapshot, split="dev")


def test_a_file_that_grows_meanwhile_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = tmp_path / "grows.jsonl"
    path.write_bytes(lines(*GOOD))
    reader = Import(ImportSettings(), StepLog(step="import", inputs=[]))
    records = reader.records(sources([str(path)])[0])
    next(records)
    with path.open("ab") as stream:
        stream.write(b'{"problem": "Half')
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 10**9))
    with pytest.raises(InputError, match=r"changed while it was read|unreadable|cannot be read"):
        list(records)


def etalon(*words: object, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return shrunk.etalon("data", *words, cwd=folder, stdin=stdin)


@pytest.mark.live
def test_the_command_writes_records_a_report_and_what_it_skipped(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(*GOOD, {**ROW, "answer": "proof"}) + b"{no\n")
    dry = etalon("import", "rows.jsonl", "--dry-run", "-o", "out.jsonl", folder=tmp_path)
    assert dry.returncode == 0, dry.stderr
    assert "question  <- problem" in dry.stdout
    assert dry.stdout.count("record ") == 3
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
    (tmp_path / "more.jsonl").write_bytes(lines({"question": "What is 7 + 8?", "target": "15"}))
    two = etalon("import", "rows.jsonl", "more.jsonl", "--dry-run", folder=tmp_path)
    assert "question and answer, more.jsonl:\n  question  <- question\n  answer    <- target" in two.stdout
    assert two.stdout.count("record ") == 4
    (tmp_path / "more.jsonl").unlink()
    done = etalon("import", "rows.jsonl", "-o", "out.jsonl", "--license", "mit", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "202 rows of 1 file -> 200 records: 200 problems" in done.stderr
    assert "mit 200" in done.stderr
    skipped = [json.loads(line) for line in (tmp_path / "out.jsonl.skipped.jsonl").read_text().splitlines()]
    assert [(row["line"], row["column"]) for row in skipped] == [(202, None)]
    report = json.loads((tmp_path / "out.jsonl.report.json").read_text())
    assert [(gate["gate"], gate["dropped"]) for gate in report["gates"]] == [("read", 1), ("usable", 1), ("copies", 0)]
    assert report["licenses"] == {"mit": 200}
    (tmp_path / "bad.jsonl").write_bytes(lines(ROW) + b"{no\n")
    for words, said in (
        (("import", "bad.jsonl", "-o", "new.jsonl"), "line 2: not JSON"),
        (("import", "out.jsonl", "-o", "out.jsonl"), "is the file that is read"),
        (("import", "rows.jsonl", "-o", "none/new.jsonl"), "no such directory"),
        (("import", "rows.jsonl", "--map", "answer"), "expected FIELD=COLUMN"),
    ):
        failed = etalon(*words, folder=tmp_path)
        assert failed.returncode == 2
        assert said in failed.stderr
        assert failed.stderr.count("\n") == 1
    assert not (tmp_path / "new.jsonl").exists()
    assert (tmp_path / "new.jsonl.skipped.jsonl").exists()
    piped = etalon("import", "-", folder=tmp_path, stdin=lines(ROW).decode())
    assert json.loads(piped.stdout)["origin"] == "-: line 1"
