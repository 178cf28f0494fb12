"""The files of a run survive SIGKILL, a full disk and two processes at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from etalon import store
from etalon.errors import InputError, RunError

SRC = str(Path(store.__file__).parents[1])


def start_python(program: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": SRC},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def python(program: str, *arguments: str | Path) -> str:
    with start_python(program, *arguments) as process:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output.strip()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_an_atomic_write_replaces_the_whole_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "summary.json"
    store.write_atomic(target, "a long first content")
    store.write_atomic(target, b"short")
    assert target.read_bytes() == b"short"
    assert os.listdir(target.parent) == ["summary.json"]


def test_an_atomic_write_that_fails_keeps_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    store.write_json_atomic(target, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json_atomic(target, {"a": float("nan")})
    with pytest.raises(TypeError):
        store.write_json_atomic(target, {"a": object()})
    assert store.read_json(target) == {"a": 1}
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError, match="directory"):
        store.write_atomic(tmp_path / "directory", "x")
    assert sorted(os.listdir(tmp_path)) == ["a.json", "directory"]


def test_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    store.write_atomic(tmp_path / "a", "x")
    store.append_jsonl(tmp_path / "b", [{}])
    (tmp_path / "plain").write_text("x")
    assert {(tmp_path / name).stat().st_mode for name in ("a", "b", "plain")} == {(tmp_path / "a").stat().st_mode}


def test_json_that_cannot_be_read_is_an_input_error_with_the_path(tmp_path: Path) -> None:
    for name, content in {"cut": b'{"a": 1', "bytes": b'{"a": "\xff"}', "empty": b"", "deep": b"[" * 100_000}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}: not valid JSON"):
            store.read_json(tmp_path / name)
    with pytest.raises(InputError, match="gone: no such file"):
        store.read_json(tmp_path / "gone")
    with pytest.raises(InputError, match="is a directory"):
        store.read_json(tmp_path)


@pytest.mark.parametrize(
    "text", ["é∑日本", "line\u2028separator\u0085next\nnewline\r\n", "lone \ud800 surrogate", "\x00\x1c"]
)
def test_any_text_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    store.append_jsonl(tmp_path / "rows", [{"text": text}, {"text": "next"}])
    assert store.read_jsonl(tmp_path / "rows") == [{"text": text}, {"text": "next"}]
    store.write_json_atomic(tmp_path / "value", text)
    assert store.read_json(tmp_path / "value") == text


def test_a_torn_last_line_is_ignored_and_cut_off_by_the_next_append(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    assert store.read_jsonl(rows) == []
    store.append_jsonl(rows, [{"a": 1}, {"a": 2}])
    for torn in (b'{"a": 3, "te', b'{"a": 3}', b"{" + b"x" * 200_000):
        with open(rows, "ab") as stream:
            stream.write(torn)
        assert store.read_jsonl(rows) == [{"a": 1}, {"a": 2}]
        store.repair_jsonl(rows)
        assert rows.read_bytes() == b'{"a": 1}\n{"a": 2}\n'
    with open(rows, "ab") as stream:
        stream.write(b'{"torn')
    store.append_jsonl(rows, [{"a": 3}])
    assert store.read_jsonl(rows) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_a_file_that_holds_only_a_torn_line_has_no_rows(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(b'{"a')
    assert store.read_jsonl(rows) == []
    store.append_jsonl(rows, [{"a": 1}])
    assert rows.read_bytes() == b'{"a": 1}\n'


@pytest.mark.parametrize("line", [b"{", b"", b"[1]", b"\xff", b"\x00\x00"])
def test_a_malformed_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path, line: bytes) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(InputError, match=r"rows\.jsonl: line 2 is not"):
        store.read_jsonl(rows)


def test_an_append_is_all_or_nothing_when_a_row_is_bad(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.append_jsonl(rows, [{"a": 1}, {"a": float("inf")}])
    assert store.read_jsonl(rows) == []


def test_truncation_keeps_the_first_rows_and_refuses_a_file_that_has_fewer(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    store.truncate_jsonl(rows, 0)
    store.append_jsonl(rows, [{"a": i, "text": "é" * i} for i in range(5)])
    with open(rows, "ab") as stream:
        stream.write(b"torn")
    store.truncate_jsonl(rows, 5)
    assert [row["a"] for row in store.read_jsonl(rows)] == [0, 1, 2, 3, 4]
    store.truncate_jsonl(rows, 2)
    assert [row["a"] for row in store.read_jsonl(rows)] == [0, 1]
    with pytest.raises(RunError, match="has 2 rows, the saved state needs 3"):
        store.truncate_jsonl(rows, 3)
    store.truncate_jsonl(rows, 0)
    assert rows.read_bytes() == b""


def test_hashes_follow_content_and_names_but_not_order(tmp_path: Path) -> None:
    assert store.stable_hash({"a": 1, "b": (2, 3)}) == store.stable_hash({"b": [2, 3], "a": 1})
    assert store.stable_hash({"a": 1}) != store.stable_hash({"a": "1"})
    assert len(store.stable_hash(None)) == 16
    one, two = tmp_path / "one", tmp_path / "two"
    for tree, names in ((one, ("a", "sub/b")), (two, ("sub/b", "a"))):
        for name in names:
            store.write_atomic(tree / name, f"content of {name}")
    assert store.hash_tree(one) == store.hash_tree(two)
    assert store.hash_file(one / "a") == store.hash_file(two / "a")
    os.rename(two / "a", two / "c")
    assert store.hash_tree(one) != store.hash_tree(two)
    with pytest.raises(InputError, match="no such directory"):
        store.hash_tree(tmp_path / "gone")
    with pytest.raises(InputError, match="no such file"):
        store.hash_file(tmp_path / "gone")


def test_an_unfinished_write_does_not_change_a_tree_hash_and_the_lock_sweeps_it(tmp_path: Path) -> None:
    store.write_atomic(tmp_path / "a", "x")
    before = store.hash_tree(tmp_path)
    leftover = tmp_path / f".a.1-00{store.TEMPORARY_SUFFIX}"
    leftover.write_text("half")
    assert store.hash_tree(tmp_path) == before
    with store.RunLock(tmp_path):
        assert not leftover.exists()


def test_a_stage_is_done_only_by_its_marker(tmp_path: Path) -> None:
    stage = store.StageDir(tmp_path / "stages" / "01-base")
    assert stage.done() is None
    store.write_atomic(stage.path / "checkpoint" / "weights", "w")
    assert stage.done() is None
    stage.finish({"steps": 3})
    assert stage.done() == {"steps": 3}
    stage.clear()
    assert stage.done() is None
    assert os.listdir(stage.path) == []
    for content, why in (("[]", "not a JSON object"), ('{"steps": ', "not valid JSON: .*")):
        (stage.path / "DONE.json").write_text(content)
        with pytest.raises(InputError, match=rf"DONE\.json: {why}; delete .* to redo the stage"):
            stage.done()


WRITER = """
import sys
from pathlib import Path
from etalon import store
folder = Path(sys.argv[1])
start = len(store.read_jsonl(folder / "rows"))
print("ready", flush=True)
for i in range(start, 10**9):
    store.append_jsonl(folder / "rows", [{"i": i, "pad": "x" * 5000}, ] * 2)
    store.write_json_atomic(folder / "state", {"i": i, "pad": "x" * 20000, "end": i})
"""


@pytest.mark.live
def test_after_sigkill_at_any_instant_files_are_whole(tmp_path: Path) -> None:
    for attempt in range(12):
        with start_python(WRITER, tmp_path) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(0.003 * attempt)
            writer.send_signal(signal.SIGKILL)
        rows = store.read_jsonl(tmp_path / "rows")
        store.repair_jsonl(tmp_path / "rows")
        assert store.read_jsonl(tmp_path / "rows") == rows
        if (tmp_path / "state").exists():
            state = store.read_json(tmp_path / "state")
            assert state["i"] == state["end"]
    assert store.read_jsonl(tmp_path / "rows"), "the writer never got to write"


HOLDER = """
import sys, time
from pathlib import Path
from etalon.store import RunLock
with RunLock(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_run_directory_in_use_is_refused_and_free_again_after_sigkill(tmp_path: Path) -> None:
    run_dir = tmp_path / "runs" / "x"
    with start_python(HOLDER, run_dir) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        message = rf"run directory .*x is in use by another process \(pid {holder.pid}\)"
        with pytest.raises(RunError, match=message), store.RunLock(run_dir, wait_seconds=0.1):
            pass
        holder.send_signal(signal.SIGKILL)
    mine = pytest.raises(RunError, match=f"pid {os.getpid()}")
    with store.RunLock(run_dir, wait_seconds=0.0), mine, store.RunLock(run_dir, wait_seconds=0.0):
        pass
    with store.RunLock(run_dir, wait_seconds=0.0):
        pass


def test_a_waiting_process_gets_the_lock_when_it_is_released(tmp_path: Path) -> None:
    program = HOLDER.replace("time.sleep(60)", "sys.stdin.read()")
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": SRC},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        program = HOLDER.replace("time.sleep(60)", "pass").replace("with", "print('waiting', flush=True)\nwith", 1)
        waiting = start_python(program, tmp_path)
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "waiting\n"
        time.sleep(0.1)
        holder.communicate(timeout=60)
    with waiting:
        output, _ = waiting.communicate(timeout=60)
    assert output == "locked\n"
    assert waiting.returncode == 0


def test_a_file_in_place_of_a_run_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(RunError, match="is a file; a run needs a directory"), store.RunLock(tmp_path / "x"):
        pass


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tiny_disk: Path) -> None:
    store.write_atomic(tiny_disk / "state.json", "old")
    store.append_jsonl(tiny_disk / "rows.jsonl", [{"a": 1}])
    message = r"no space left on the device while writing .*{}; free some and run the same command again"
    with pytest.raises(RunError, match=message.format(r"state\.json")):
        store.write_atomic(tiny_disk / "state.json", "x" * 200_000)
    with pytest.raises(RunError, match=message.format(r"rows\.jsonl")):
        store.append_jsonl(tiny_disk / "rows.jsonl", [{"a": "x" * 200_000}])
    assert (tiny_disk / "state.json").read_text() == "old"
    assert (tiny_disk / "rows.jsonl").read_bytes() == b'{"a": 1}\n'
    assert sorted(os.listdir(tiny_disk)) == ["rows.jsonl", "state.json"]
    store.append_jsonl(tiny_disk / "rows.jsonl", [{"a": 2}])
    assert store.read_jsonl(tiny_disk / "rows.jsonl") == [{"a": 1}, {"a": 2}]


LIMITED = """
import json, resource, sys
from pathlib import Path
from etalon import store
from etalon.errors import RunError
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
folder = Path(sys.argv[1])
messages = []
for write in (lambda: store.write_atomic(folder / "state", "x" * 20_000),
              lambda: store.append_jsonl(folder / "rows", [{"pad": "x" * 20_000}])):
    try:
        write()
    except RunError as error:
        messages.append(str(error))
print(json.dumps(messages))
"""


def test_a_file_size_limit_is_one_line_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    store.append_jsonl(tmp_path / "rows", [{"a": 1}])
    messages = json.loads(python(LIMITED, tmp_path))
    assert [message.split(";")[0] for message in messages] == [
        f"file size limit reached while writing {tmp_path / 'state'}",
        f"file size limit reached while writing {tmp_path / 'rows'}",
    ]
    assert os.listdir(tmp_path) == ["rows"]
    assert store.read_jsonl(tmp_path / "rows") == [{"a": 1}]
