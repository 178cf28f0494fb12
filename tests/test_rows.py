"""Files of rows: whatever wrote them and packed them, the rows are the same, and a bad one is named."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shrunk
from etalon.errors import ConfigError, InputError
from etalon.rows.arrays import elements
from etalon.rows.bad import BadRows
from etalon.rows.files import Row, read_rows
from etalon.rows.mapping import ColumnMap, missing

ROWS = [
    {"id": "a", "text": 'He said: "x, y" \\ é', "more": "[1, 2]"},
    {"id": "b", "text": "two\nlines", "more": "}{"},
    {"id": "c", "text": "", "more": "\u2028"},
]

Write = Callable[[Path, Sequence[dict[str, Any]]], None]


def write_jsonl(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_crlf(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("\r\n".join(json.dumps(row) for row in rows), encoding="utf-8", newline="")


def write_marked(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8-sig")


def write_array(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def write_pretty(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows, indent=2), encoding="utf-8-sig")


def write_objects(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """As `jq .` does it."""
    path.write_text("\r\n".join(json.dumps(row, indent=2) for row in rows), encoding="utf-8-sig", newline="")


def write_log(path: Path, rows: Sequence[dict[str, Any]], indent: int | None = 2) -> None:
    path.write_text(json.dumps({"version": 2, "eval": {"task": "t"}, "samples": rows}, indent=indent))


def write_log_line(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    write_log(path, rows, indent=None)


def write_csv(path: Path, rows: Sequence[dict[str, Any]], **options: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]), **options)
        table.writeheader()
        table.writerows(rows)


def write_tsv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    write_csv(path, rows, delimiter="\t")


def write_excel(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """As Excel does where the comma is the decimal sign."""
    write_csv(path, rows, delimiter=";", quoting=csv.QUOTE_ALL)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), path)


WRITERS: list[tuple[str, Write]] = [
    ("rows.jsonl", write_jsonl),
    ("rows", write_crlf),
    ("rows.jsonl", write_marked),
    ("rows.json", write_array),
    ("rows.jsonl", write_pretty),
    ("rows.json", write_objects),
    ("log.json", write_log),
    ("log.json", write_log_line),
    ("rows.csv", write_csv),
    ("rows.TSV", write_tsv),
    ("rows.csv", write_excel),
    ("rows.parquet", write_parquet),
]


def columns(path: Path) -> list[dict[str, Any] | None]:
    return [row.columns for row in read_rows(path)]


def gzipped(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    with gzip.open(packed, "wb") as stream:
        stream.write(path.read_bytes())
    return packed


def zstandard(path: Path) -> Path:
    compress = pytest.importorskip("zstandard").ZstdCompressor().compress
    content, packed = path.read_bytes(), path.with_name(f"{path.name}.zst")
    packed.write_bytes(compress(content[:50]) + compress(content[50:]))  # two frames, as `cat a.zst b.zst` makes them
    return packed


@pytest.mark.parametrize(("name", "write"), WRITERS, ids=[write.__name__ for _, write in WRITERS])
@pytest.mark.parametrize("pack", [None, gzipped, zstandard])
def test_whatever_wrote_a_file_its_rows_are_the_same(
    name: str, write: Write, pack: Callable[[Path], Path] | None, tmp_path: Path
) -> None:
    write(tmp_path / name, ROWS)
    path = pack(tmp_path / name) if pack else tmp_path / name
    if pack and write is write_parquet:
        with pytest.raises(InputError, match="is parquet, which is read from a file only, and not from a packed one"):
            columns(path)
    else:
        assert columns(path) == ROWS


def test_rows_are_numbered_as_people_do(tmp_path: Path) -> None:
    places = {}
    for name, write in WRITERS[:10]:
        write(tmp_path / name, ROWS)
        places[write.__name__] = [row.place for row in read_rows(tmp_path / name)]
    assert places["write_jsonl"] == ["line 1", "line 2", "line 3"]
    assert places["write_array"] == ["row 1", "row 2", "row 3"]
    assert places["write_pretty"] == ["row 1, line 2", "row 2, line 7", "row 3, line 12"]
    assert places["write_objects"] == ["row 1, line 1", "row 2, line 6", "row 3, line 11"]
    assert places["write_log"] == ["row 1", "row 2", "row 3"]
    assert places["write_csv"] == ["line 2", "line 3", "line 5"]  # the header is line 1, and b has two


def test_nested_values_of_a_table_are_json_and_nulls_are_no_values(tmp_path: Path) -> None:
    rows = [{"a": {"x": 1, "y": None}, "n": None}, {"a": {"x": None, "y": [{"z": "t"}, None]}, "n": 2.5}]
    write_parquet(tmp_path / "rows.parquet", rows)
    assert columns(tmp_path / "rows.parquet") == [{"a": {"x": 1}}, {"a": {"y": [{"z": "t"}, None]}, "n": 2.5}]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.jsonl", b'{"a": \xff}', "not UTF-8 (column 7)"),
        ("a.jsonl", b'{"a": }', "not JSON (Expecting value: column 7)"),
        ("a.jsonl", b"[1, 2]", "found [1, 2], expected a JSON object"),
        ("a.jsonl", b'{"a": ' + b"1" * 5000 + b"}", "not JSON (Exceeds the limit"),
        ("a.jsonl", b'{"a":' * 20_000, "not JSON ("),
        (
            "a.json",
            b'[{"a": 1,}]',
            "not JSON (Expecting property name enclosed in double quotes: line 1, column 9 of it)",
        ),
        ("a.json", b'[["a"]]', 'found ["a"], expected a JSON object'),
        ("a.csv", b"a,b\n1\n", "found 1 cells, expected 2 as in the header"),
        ("a.csv", b"a,b\n1,\xff\n", "b: not UTF-8"),
        ("a.csv", b'a,b\n1,"x"y\n', "not CSV ("),
    ],
)
def test_a_bad_row_says_why_and_does_not_lose_the_next(name: str, content: bytes, why: str, tmp_path: Path) -> None:
    good = {"a.jsonl": b'\n{"a": "1"}', "a.json": b',\n{"a": "1"}]', "a.csv": b"1,2\n"}[name]
    content = content.removesuffix(b"]") if name == "a.json" else content
    (tmp_path / name).write_bytes(content + good)
    bad, last = read_rows(tmp_path / name)
    assert bad.columns is None
    assert bad.why.startswith(why)
    assert last.columns is not None
    assert last.columns["a"] == "1"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'[{"a": 1}', "damaged after its first bytes: the JSON array never closes"),
        ("a.json", b'[{"a": 1},\n{"a": 2},', "damaged after row 2, line 2: the JSON array never closes"),
        ("a.json", b"[\n{}]\n[{}]", "line 3: found b'[{}]' behind the end of the JSON array"),
        ("a.json", b'{\n "a": 1\n}\n\n{\n "a": }', "line 5: not JSON, an object of several lines begins there ("),
        ("a.json", b'{\n "a": 1,\n "b": "\xff"}', "line 3: not UTF-8, in an object of several lines"),
        ("a.csv", b"a,a\n1,2\n", 'line 1: two columns have the name "a"'),
        ("a.jsonl", b"PK\x03\x04", "is a zip archive; expected JSONL, a JSON array, CSV or parquet"),
        ("a.jsonl", "\ufeff{}".encode("utf-16-le"), "is UTF-16"),
        ("a.jsonl", gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), "is packed twice"),
        ("a.jsonl", gzip.compress(b"{}\n" * 9, mtime=0)[:-1], "damaged after line 9: "),
        ("a.jsonl", b"\x1f\x8b and no more", "damaged after its first bytes: "),
    ],
)
def test_a_file_that_cannot_be_read_on_says_where(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        columns(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: {message}")


def test_a_cut_zstd_file_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", ROWS * 50)
    packed = zstandard(tmp_path / "rows.jsonl")
    packed.write_bytes(packed.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"damaged after .*: the last zstd frame is cut"):
        columns(packed)


def test_blank_lines_are_told_from_bad_ones(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n\n \t\n{"a": 2}')
    assert [row.is_blank for row in read_rows(tmp_path / "rows.jsonl")] == [False, True, True, False]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


class Drops(io.RawIOBase):
    """A file that gives a few bytes at a time, as a pipe does."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content, self._size = content, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part, self._content = self._content[: self._size], self._content[self._size :]
        buffer[: len(part)] = part
        return len(part)


@given(rows=st.lists(json_values, max_size=5), size=st.integers(1, 9), indent=st.sampled_from([None, 0, 2]))
def test_the_elements_of_an_array_are_those_that_json_reads(rows: list[Any], size: int, indent: int | None) -> None:
    text = json.dumps(rows, indent=indent)
    found = list(elements(io.BufferedReader(Drops(f" \n{text}\n ".encode(), size), 16)))
    assert [json.loads(element) for _, element in found] == rows
    lines = f" \n{text}".split("\n")
    assert all(element.decode().split("\n")[0] in lines[line - 1] for line, element in found)


@pytest.mark.live
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    row = json.dumps({"question": "x" * 2000, "answer": "1"})
    with (tmp_path / "rows.jsonl").open("w") as stream:
        stream.writelines(f"{row}\n" for _ in range(100_000))
    with (tmp_path / "rows.json").open("w") as stream:
        stream.write("[")
        stream.writelines(f"{row},\n" for _ in range(50_000))
        stream.write(f"{row}]")
    assert (tmp_path / "rows.jsonl").stat().st_size > 200e6
    program = (
        "import sys, resource; from etalon.rows.files import read_rows\n"
        "peak = lambda: int(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])\n"
        "before = peak()\n"
        "print(sum(row.columns is not None for row in read_rows(sys.argv[1])), peak() - before)"
    )
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell the peak of one process")
    for name, count in (("rows.jsonl", 100_000), ("rows.json", 50_001)):
        command = [sys.executable, "-c", program, str(tmp_path / name)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, env=shrunk.ENVIRONMENT).stdout
        rows, grown_kb = map(int, told.split())
        assert rows == count
        assert grown_kb < 30_000


# --- other names of columns --------------------------------------------------------------------------------------


def test_a_map_renames_columns_and_looks_into_json() -> None:
    row = {
        "target": 4,
        "doc": {"q": ["Why?"]},
        "meta": '{"k": {"id": "x"}}',
        "a.b": 1,
        "messages": [{"c": 1}, {"c": 2}],
    }
    found = ColumnMap.read(
        ["answer=target", "question=doc.q.0", "id=meta.k.id", "level=a.b", "response=messages.-1.c", "skill=nothing"]
    ).apply(row)
    assert found == {
        "doc": row["doc"], "meta": row["meta"], "messages": row["messages"],
        "answer": 4, "question": "Why?", "id": "x", "level": 1, "response": 2,
    }  # fmt: skip


def test_a_map_may_swap_columns_and_is_meant_whatever_else_there_is() -> None:
    assert ColumnMap.read(["answer=response", "response=answer"]).apply({"answer": 1, "response": 2}) == {
        "answer": 2,
        "response": 1,
    }
    row = {"final_answer": "wrong", "reward_model": {"ground_truth": "right"}}
    assert ColumnMap.read(["answer=reward_model.ground_truth"]).apply(row) == {"answer": "right"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("answer", "--map answer: expected FIELD=COLUMN, such as answer=target"),
        ("anwser=x", "--map: anwser: unknown field; did you mean 'answer'?"),
        ("zzz=x", "--map: zzz: unknown field; fields are id, domain, "),
        ("answer= ", "--map: answer: names no column"),
    ],
)
def test_a_map_that_cannot_be_is_told(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ColumnMap.read([text])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("row", "fields", "maps"),
    [
        ({"target": "4", "output": "x"}, ["response", "answer"], "--map response=output --map answer=target would do"),
        ({"Short Answer": 4}, ["answer"], "--map 'answer=Short Answer' would do"),
        ({"reward_model": {"ground_truth": "4"}}, ["answer"], "--map answer=reward_model.ground_truth would do"),
        ({"resps": [["x"]]}, ["response"], "--map response=resps.0.0 would do"),
        (
            {"chat": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]},
            ["response"],
            "--map response=chat.-1.content would do",
        ),
        ({"gold": [], "label": None, "x": "y"}, ["answer"], None),
    ],
)
def test_the_columns_found_and_a_map_that_would_do_are_named(
    row: dict[str, Any], fields: list[str], maps: str | None
) -> None:
    hint = f"; {maps}" if maps else ""
    assert str(missing(row, *fields)) == f"{fields[0]}: missing; columns found: {', '.join(row)}{hint}"


@pytest.mark.parametrize(
    ("rows", "bad", "max_bad", "is_too_many"),
    [(100, 1, 0.01, False), (100, 2, 0.01, True), (1, 1, 1.0, True), (0, 0, 0.0, False), (3, 0, 0.0, False)],
)
def test_more_bad_rows_than_may_be_or_nothing_else_are_an_error(
    rows: int, bad: int, max_bad: float, is_too_many: bool
) -> None:
    counted = BadRows("f.jsonl", max_bad)
    for number in range(rows):
        counted.count(f"line {number + 1}", "answer: missing" if number < bad else "")
    if is_too_many:
        with pytest.raises(InputError, match=r"^f\.jsonl: line 1: answer: missing \("):
            counted.check()
    else:
        counted.check()


def test_a_row_is_a_line_again_as_it_stood_or_as_json() -> None:
    assert Row("line 1", {"a": 1}, "", b'{"a":  1}\r').line() == b'{"a":  1}\r'
    assert Row("row 1", {"a": "é"}).line() == '{"a": "é"}'.encode()
    assert Row("row 1", {"a": "\ud800"}, "", b'{"a":\n"\\ud800"}').line() == b'{"a": "\\ud800"}'
