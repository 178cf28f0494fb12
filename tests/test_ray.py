"""Rows over a Ray cluster of two processes: what comes back is what this machine alone would give."""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import shrunk
from etalon.errors import RunError
from etalon.rows.cluster import map_parts
from etalon.rows.files import Row
from etalon.rows.parts import slices, source_of
from etalon.rows.spread import map_rows

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]  # Ray's own warnings are not ours to fix

PART = 2000  # bytes: many parts of a small file


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster with two CPUs that dies with this process; only who has the token may use it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # the work of these tests, for its workers
        import ray  # reads the environment once

        context = ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield context.address_info["gcs_address"]
        ray.shutdown()


def verdict_rows() -> list[str]:
    rng = random.Random(0)
    kinds: list[Callable[[int], str]] = [
        lambda i: json.dumps(
            {"id": i, "domain": "math", "answer": "1/2", "response": f"\\boxed{{{rng.choice(['0.5', '3', 'x'])}}}"}
        ),
        lambda i: json.dumps(
            {
                "id": i,
                "domain": "code",
                "tests": {"inputs": ["2"], "outputs": ["4"]},
                "response": f"```py\nprint(int(input()) * {rng.choice([1, 2])})\n```",
            }
        ),
        lambda i: json.dumps({"id": i, "domain": "stem", "answer": "B", "options": ["a", "b"], "response": "(B)"}),
        lambda i: f"{{no row {i}",
        lambda i: "",
        lambda i: json.dumps({"id": f"é \ud800 {i}", "domain": "math", "answer": "?", "response": "\\boxed{1}"}),
    ]
    return [kinds[i % len(kinds)](i) for i in range(240)]


def etalon(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*shrunk.MAIN, *map(str, words)],
        capture_output=True, text=True, env=shrunk.ENVIRONMENT | os.environ, cwd=folder, check=False, timeout=300,
    )  # fmt: skip


def timeless(path: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in path.open()]


def test_verdicts_are_those_of_this_machine_in_the_same_order(cluster: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(verdict_rows()))
    here = etalon("verify", "rows.jsonl", "--out", "here.jsonl", "--counts", "--max-bad", "1", folder=tmp_path)
    there = etalon(
        "verify", "rows.jsonl", "--out", "there.jsonl", "--counts", "--max-bad", "1", "--ray", cluster, folder=tmp_path
    )
    assert (here.returncode, there.returncode) == (0, 0), there.stderr
    expected = timeless(tmp_path / "here.jsonl")
    assert len(expected) == 240
    assert sum(one["score"] is None and one["reason"].startswith("unreadable") for one in expected) == 80
    assert {1.0, 0.0, None} == {one["score"] for one in expected}
    assert timeless(tmp_path / "there.jsonl") == expected
    assert there.stderr.splitlines()[-1] == here.stderr.splitlines()[-1]


def test_the_gates_keep_the_same_bytes_and_count_the_same(cluster: str, tmp_path: Path) -> None:
    query = "How many positive integers below one hundred are divisible by three or five?"
    rows = [
        json.dumps({"prompt": f"{i} {query if i % 7 == 0 else 'short'}", "response": "so " * i}) for i in range(900)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join([*rows, "{", '{"prompt":  "kept as it is"}\r']))
    (tmp_path / "eval.jsonl").write_text(json.dumps({"question": query, "answer": "1"}))
    command = ("data", "filter", "rows.jsonl", "--against", "eval.jsonl")
    here = etalon(*command, "-o", "here.jsonl", "--report", "here.json", folder=tmp_path)
    there = etalon(*command, "-o", "there.jsonl", "--report", "there.json", "--ray", cluster, folder=tmp_path)
    assert (here.returncode, there.returncode) == (0, 0), there.stderr
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()
    assert (tmp_path / "there.json").read_bytes() == (tmp_path / "here.json").read_bytes()
    dropped = {gate["gate"]: gate["dropped"] for gate in json.loads((tmp_path / "here.json").read_text())}
    assert dropped["overlap"] == 129
    assert dropped["trace"] > 100


@dataclass(frozen=True, kw_only=True)
class Upper:
    """Upper case; the process that meets `poison` dies, only the first time if there is a `grave` to mark."""

    poison: str = ""
    grave: str = ""
    threads: int = 1

    def start(self) -> Callable[[Row], bytes]:
        def work(row: Row) -> bytes:
            if self.poison and self.poison.encode() in row.text and not (self.grave and Path(self.grave).exists()):
                if self.grave:
                    Path(self.grave).touch()
                os._exit(9)
            return row.text.strip().upper()

        return work


def numbered(path: Path, count: int = 3000) -> list[bytes]:
    path.write_text("".join(f"row {number}\n" for number in range(count)))
    return [f"ROW {number}".encode() for number in range(count)]


def test_many_parts_come_back_whole_and_in_order(cluster: str, tmp_path: Path) -> None:
    expected = numbered(tmp_path / "rows")
    assert len(slices(source_of(tmp_path / "rows"), PART)) > 10
    for workers in (1, 2):
        parts = map_parts(source_of(tmp_path / "rows"), Upper(), address=cluster, workers=workers, slice_bytes=PART)
        assert [line for part in parts for line in part] == expected


def test_a_worker_that_dies_in_the_middle_loses_no_row(cluster: str, tmp_path: Path) -> None:
    expected = numbered(tmp_path / "rows")
    work = Upper(poison="row 1500", grave=str(tmp_path / "grave"))
    parts = map_parts(source_of(tmp_path / "rows"), work, address=cluster, slice_bytes=PART)
    assert [line for part in parts for line in part] == expected
    assert (tmp_path / "grave").exists()


def test_a_part_that_kills_every_worker_is_one_line_and_not_a_hole(cluster: str, tmp_path: Path) -> None:
    numbered(tmp_path / "rows")
    with pytest.raises(RunError, match=r"every process that worked on bytes \d+ to \d+ died, 4 in all") as caught:
        list(map_parts(source_of(tmp_path / "rows"), Upper(poison="row 1500"), address=cluster, slice_bytes=PART))
    assert "nothing was written" in str(caught.value)


def test_an_error_of_the_work_keeps_its_traceback(cluster: str, tmp_path: Path) -> None:
    from ray.exceptions import RayTaskError

    numbered(tmp_path / "rows", 10)
    with pytest.raises(RayTaskError, match="ZeroDivisionError"):
        list(map_parts(source_of(tmp_path / "rows"), Broken(), address=cluster))


@dataclass(frozen=True, kw_only=True)
class Broken:
    threads: int = 1

    def start(self) -> Callable[[Row], bytes]:
        return lambda row: b"%d" % (1 // 0)


@dataclass(frozen=True, kw_only=True)
class Taking:
    """Takes the file away from under the parts behind row 100."""

    path: str
    threads: int = 1

    def start(self) -> Callable[[Row], bytes]:
        def work(row: Row) -> bytes:
            if row.text.startswith(b"row 100"):
                Path(self.path).rename(f"{self.path}-elsewhere")
            return b""

        return work


def test_a_file_that_a_machine_lacks_is_named(cluster: str, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    numbered(path, 1000)
    parts = map_parts(source_of(path), Taking(path=str(path)), address=cluster, workers=1, slice_bytes=PART)
    with pytest.raises(RunError, match=r"no such file or directory on machine .*; put it where every machine sees it"):
        list(parts)


@dataclass(frozen=True, kw_only=True)
class Columns:
    threads: int = 1

    def start(self) -> Callable[[Row], bytes]:
        return lambda row: json.dumps([row.place, row.columns, row.why]).encode()


def test_tables_and_shards_come_back_as_one_process_reads_them(cluster: str, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(
        {"prompt": [f"p{i}" * (i % 50) for i in range(9000)], "tags": [["a"] * (i % 3) for i in range(9000)]}
    )
    shards = tmp_path / "shards"
    shards.mkdir()
    parquet.write_table(table, shards / "a.parquet")  # one row group
    parquet.write_table(table.slice(0, 700), shards / "b.parquet", row_group_size=100)
    parquet.write_table(table.slice(0, 0), shards / "c.parquet")
    (shards / "d.jsonl").write_text("\n".join(verdict_rows()))
    assert len(source_of(shards / "a.parquet").parts(PART)) == 16
    for file in (shards / "a.parquet", shards / "b.parquet", shards / "c.parquet"):
        assert list(map_rows(file, Columns(), ray=cluster)) == list(map_rows(file, Columns()))
        parts = map_parts(source_of(file), Columns(), address=cluster, slice_bytes=PART)
        assert [line for part in parts for line in part] == [line for _, line in map_rows(file, Columns())]
    there = list(map_rows(shards, Upper(), ray=cluster))
    assert there == list(map_rows(shards, Upper()))
    assert there[-1][0] == f"{shards / 'd.jsonl'}: line 240"


def test_a_damaged_table_is_one_line(cluster: str, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"n": list(range(5000))}), path)
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"?" * 400 + content[404:])
    with pytest.raises(RunError, match=r"rows\.parquet: .* on machine"):
        list(map_rows(path, Columns(), ray=cluster))


def test_an_empty_file_gives_an_empty_file(cluster: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").touch()
    done = etalon("verify", "rows.jsonl", "--out", "out.jsonl", "--ray", cluster, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_no_cluster_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}\n")
    failed = etalon("verify", "rows.jsonl", "--out", "out.jsonl", "--ray", "127.0.0.1:1", folder=tmp_path)
    assert failed.returncode == 2, failed.stderr
    assert "start a cluster with: ray start --head" in failed.stderr.splitlines()[-1]
    assert not (tmp_path / "out.jsonl").exists()
