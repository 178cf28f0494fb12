"""Rows over processes: the same output as one process gives, one line when a worker dies, and nobody left behind."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import shrunk
from etalon.errors import InputError, RunError
from etalon.rows import parts
from etalon.rows.files import Row, read_rows
from etalon.rows.pool import map_over
from etalon.rows.spread import files_of, map_rows

pytestmark = pytest.mark.live  # processes are started

LINES = [json.dumps({"prompt": f"ä {i}", "n": i}) for i in range(40)]
LINES[7:9] = ["{broken", ""]


@dataclass(frozen=True, kw_only=True)
class Told:
    """The place and what was read; the process that meets `poison` dies of it, `slow` seconds go by for each row."""

    poison: str = ""
    slow: float = 0.0
    threads: int = 1

    def start(self) -> Callable[[Row], bytes]:
        def work(row: Row) -> bytes:
            time.sleep(self.slow)
            if self.poison and self.poison.encode() in row.text:
                os.kill(os.getpid(), signal.SIGKILL)
            if b"divide" in row.text:
                return b"%d" % (1 // 0)
            if b"refuse" in row.text:
                raise InputError(f"{row.place}: refused")
            print("what a library prints")  # noqa: T201
            return json.dumps([row.place, row.columns, row.why, row.text.decode("utf-8", "replace")]).encode()

        return work


def written(folder: Path) -> Iterator[Path]:
    """A file of every kind, some with what is odd in them."""
    text = "\n".join(LINES)
    contents = {
        "plain.jsonl": text.encode(),
        "mark.jsonl": b"\xef\xbb\xbf" + text.encode() + b"\n\n",
        "latin.jsonl": "\n".join(LINES).encode("latin-1"),
        "packed.jsonl.gz": gzip.compress(text.encode()),
        "array.json": b"[" + ",\n".join([f"{line}" for line in map(str, LINES[:7])] + ["3"]).encode() + b"]",
        "log.jsonl": json.dumps({"samples": [{"prompt": "a"}, {"prompt": "b"}]}).encode() + b"\n" + text.encode(),
        "object.json": json.dumps({"rows": [{"prompt": "a"}]}, indent=1).encode(),
        "table.csv": b'prompt,n\na,1\n"b\nc",2\nd\n',
        "empty.jsonl": b"",
        "blank.jsonl": b"\n\n \n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        yield folder / name
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"prompt": ["a", None, "c"], "x": [[1], [], [2, 3]]}), folder / "table.parquet")
    yield folder / "table.parquet"


@pytest.mark.parametrize("size", [1, 60, 1 << 18])
def test_parts_hold_the_rows_of_the_file_with_their_places(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", size)
    monkeypatch.setattr(parts, "PART_ROWS", 2)
    files = list(written(tmp_path))
    assert len(files) == 11
    for path in files:
        there = list(read_rows(path))
        found = [pickle.loads(pickle.dumps(part)) for part in parts.parts_of(path)]
        assert [row for part in found for row in part.rows()] == there, path
        assert [place for part in found for place in part.places()] == [row.place for row in there], path
    assert (len(list(parts.parts_of(files[0]))) > 15) == (size < 100)


def test_a_damaged_file_says_how_far_it_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(("\n".join(LINES * 100)).encode(), compresslevel=1)[:900])
    told = []
    for read in (read_rows, parts.parts_of):
        with pytest.raises(InputError, match=r"damaged after line \d\d+: ") as caught:
            list(read(path))
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_several_processes_give_what_one_gives_and_say_of_which_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 100)
    files = list(written(tmp_path))
    alone = list(map_rows(files, Told()))
    capfd.readouterr()
    assert list(map_rows(files, Told(), processes=3)) == alone
    assert capfd.readouterr().out == ""  # what the work prints is no answer
    assert [place for place, _ in alone][:2] == [f"{files[0]}: line 1", f"{files[0]}: line 2"]
    assert [place for place, _ in map_rows(files[0], Told(), processes=2)][:2] == ["line 1", "line 2"]
    assert list(map_rows(tmp_path, Told(), processes=2)) == list(map_rows(files_of(tmp_path), Told()))
    assert [Path(file).name for file in files_of(tmp_path)][:2] == ["blank.jsonl", "empty.jsonl"]


def test_a_worker_that_dies_is_one_line_that_names_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_BYTES", 150)
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(LINES))
    with pytest.raises(RunError) as caught:
        list(map_rows(path, Told(poison='"n": 20'), processes=2))
    place = str(caught.value).removeprefix(f"{path}: the process that worked on line ").split(" ")
    assert int(place[0]) <= 21 <= int(place[3])
    assert "died (signal SIGKILL)" in str(caught.value)
    assert children() == []


@pytest.mark.parametrize(
    ("line", "kind", "told"), [("divide", ZeroDivisionError, "integer"), ("refuse", InputError, "line 42: refused")]
)
def test_an_error_of_the_work_is_raised_here_with_its_traceback(
    line: str, kind: type[Exception], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([*LINES, "", line]))
    with pytest.raises(kind, match=told) as caught:
        list(map_rows(path, Told(), processes=2))
    assert "in work\n" in str(caught.value.__cause__)
    assert children() == []


def test_a_reader_that_stops_early_leaves_no_process_and_reads_little_ahead(tmp_path: Path) -> None:
    taken = []

    def endless() -> Iterator[tuple[str, parts.Part]]:
        for number in range(1, 10_000):
            taken.append(number)
            yield "x", parts.Lines(first=number, count=1, text=b"{}\n")

    done = map_over(endless(), Told(), processes=2)
    assert next(done)[1].places() == ["line 1"]
    assert len(children()) == 2
    done.close()
    assert len(taken) < 20
    assert children() == []


def children(process: int | None = None) -> list[int]:
    """The workers that a process, or this one, has started."""
    tasks = Path(f"/proc/{process or os.getpid()}/task").glob("*/children")
    found = [int(one) for task in tasks for one in task.read_text().split()]
    return [one for one in found if b"etalon.rows.pool" in Path(f"/proc/{one}/cmdline").read_bytes()]


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)])
def test_no_worker_outlives_the_command(sent: signal.Signals, status: int, tmp_path: Path) -> None:
    row = json.dumps({"prompt": "x", "response": " ".join(f"word{number}" for number in range(30_000))})
    (tmp_path / "rows.jsonl").write_text(f"{row}\n" * 200)  # seconds of work
    words = ["data", "filter", "rows.jsonl", "--workers", "2", "-o", "out.jsonl"]
    command = subprocess.Popen(
        [*shrunk.MAIN, *words], cwd=tmp_path, env=shrunk.ENVIRONMENT, stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(found := children(command.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(found) == 2
    os.killpg(command.pid, sent)
    _, told = command.communicate(timeout=60)
    assert command.returncode == status, told
    assert b"Traceback" not in told
    while any(Path(f"/proc/{one}").exists() for one in found) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{one}").exists() for one in found)
    assert not (tmp_path / "out.jsonl").exists()


def test_the_gates_over_processes_keep_the_same_bytes_and_count_the_same(tmp_path: Path) -> None:
    rows = [
        json.dumps({"prompt": f"{i} is short", "response": "so " * (i % 90) + "it is é, à or ç. " * 3})
        for i in range(3000)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join([*rows, "{", '{"prompt":  "kept as it is"}\r']))
    made = []
    for workers in ("1", "2"):
        words = ["data", "filter", "rows.jsonl", "-o", "kept.jsonl", "--report", "gates.json", "--workers", workers]
        command = shrunk.command(*words)  # an interpreter each, whose sets have orders of their own
        done = subprocess.run(command, cwd=tmp_path, env=shrunk.ENVIRONMENT, capture_output=True)
        assert done.returncode == 0, done.stderr
        made.append((done.stderr, *((tmp_path / name).read_bytes() for name in ("kept.jsonl", "gates.json"))))
    assert made[0] == made[1]
    assert b'"gate": "trace"' in made[0][2]
    assert 0 < made[0][1].count(b"\n") < 3000
