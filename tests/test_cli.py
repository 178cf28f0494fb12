"""The command line: quick to start, one line for what the user can fix, nothing lost."""

from __future__ import annotations

import errno
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

import forked
from etalon import __version__, cli
from etalon.commands.fuse import parse_weights
from etalon.commands.run import find_recipe
from etalon.errors import ConfigError, InputError

pytestmark = pytest.mark.live

MAIN = [sys.executable, "-c", "from etalon.cli import main; raise SystemExit(main())"]


def etalon(*arguments: str | Path, stdin: str | bytes = b"", cwd: Path | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command line."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    return forked.run(list(map(str, arguments)), cwd=cwd, env=os.environ, stdin=given)


def complaint(*arguments: str | Path, cwd: Path | None = None) -> str:
    code, output, errors = etalon(*arguments, cwd=cwd)
    assert (code, output) == (2, ""), errors
    assert errors.startswith("etalon: ")
    assert errors.count("\n") == 1
    return errors.removeprefix("etalon: ").rstrip("\n")


def best_of_five(command: list[str]) -> float:
    """CPU seconds: a busy machine must not decide."""

    def once() -> float:
        before = os.times()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        return sum(after[2:4]) - sum(before[2:4])

    return min(once() for _ in range(5))


def test_help_starts_in_under_four_tenths_of_a_second() -> None:
    baseline = best_of_five([sys.executable, "-c", "pass"])
    assert best_of_five([*MAIN, "--help"]) - baseline < 0.4


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["run", "gone.toml"], ["run", "x", "--set", "y"]])
def test_help_and_typos_load_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys; from etalon.cli import main; main(); "
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(finished.stderr.splitlines()[-1].split())
    assert "etalon" in loaded
    assert not loaded & {"torch", "transformers", "numpy", "sympy", "math_verify", "rich"}


def test_help_names_every_command() -> None:
    for arguments in ((), ("--help",)):
        code, output, _ = etalon(*arguments)
        assert code == 0
        for command in ("run", "demo", "verify", "eval", "fuse", "report"):
            assert f"\n  {command} " in output


def test_the_version_is_the_package_version() -> None:
    assert etalon("--version") == (0, f"etalon {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum"], "No such command 'rum'"),
        (["run"], "Missing argument 'RECIPE'"),
        (["run", "nano", "--form", "rl-math"], "No such option: --form"),
        (["eval", "x.jsonl", "--model", "m", "-n", "many"], "Invalid value for '-n'"),
        (["fuse", "a", "b"], "Missing option"),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_help(arguments: list[str], message: str) -> None:
    line = complaint(*arguments)
    assert message in line
    assert "--help)" in line


def test_what_the_user_can_fix_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[rl]\ngrop_size = 8\n")
    (tmp_path / "model").mkdir()
    here = tmp_path
    assert complaint("run", "x.toml", cwd=here) == "x.toml: rl.grop_size: unknown key; did you mean 'group_size'?"
    assert complaint("run", "y.toml", cwd=here) == "y.toml: no such file"
    assert complaint("run", "model/", cwd=here).startswith("no recipe named 'model/' comes with etalon; there are: ")
    assert complaint("demo", "--set", "rl.gama=0", cwd=here).startswith(
        "--set rl.gama: unknown key; did you mean 'gamma'?"
    )
    assert complaint("report", "runs/gone", cwd=here) == "runs/gone: no such run directory"
    assert complaint("eval", "gone.jsonl", "--model", "model", cwd=here) == "gone.jsonl: no such file"
    assert complaint("eval", "x.toml", "--model", "gone", cwd=here).startswith("gone: no such directory; --model takes")
    assert complaint("fuse", "model", "-o", "merged", cwd=here) == "fuse needs at least two checkpoints"
    assert complaint("verify", "gone.jsonl", cwd=here) == "gone.jsonl: no such file"
    assert complaint("verify", "model", cwd=here) == "model: is a directory; name a JSONL file"
    assert complaint("verify", "--domain", "maths", cwd=here).startswith(
        "--domain maths: unknown domain; choose one of math"
    )
    assert complaint("verify", "x.toml", "--out", "gone/out", cwd=here) == "--out gone/out: no such directory gone"
    assert complaint("verify", "x.toml", "--out", "model", cwd=here) == "--out model: is a directory; name a file"


def test_without_the_train_extra_one_line_names_the_command_that_installs_it(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("")
    program = "import sys; sys.modules['torch'] = None; from etalon.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", program, "run", "x.toml"]
    finished = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert finished.returncode == 2
    assert finished.stderr == "etalon: this needs torch: in Etalon's folder run pip install -e '.[train]'\n"
    assert os.listdir(tmp_path) == ["x.toml"]


def test_a_recipe_is_a_path_when_it_looks_like_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").write_text("")
    for path in ("gone.toml", "folder/recipe", "mine"):
        assert find_recipe(path) == Path(path)
    with pytest.raises(ConfigError, match="no recipe named 'nono' comes with etalon"):
        find_recipe("nono")


def test_weights_are_given_to_all_checkpoints_or_to_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c=1"):
        (tmp_path / name).mkdir()
    assert parse_weights(["a", "b", "c=1"]) == [(Path("a"), 1 / 3), (Path("b"), 1 / 3), (Path("c=1"), 1 / 3)]
    assert parse_weights(["a=1", "b=3"]) == [(Path("a"), 0.25), (Path("b"), 0.75)]
    assert parse_weights(["a=0", "c=1=2"]) == [(Path("a"), 0.0), (Path("c=1"), 1.0)]
    for texts, message in {
        ("a=1", "b"): "b: has no weight; give one to every checkpoint or to none",
        ("a=1", "b=-1"): "b=-1: a weight must be a finite number of at least 0",
        ("a=1", "b=nan"): "b=nan: a weight must be a finite number of at least 0",
        ("a=1", "b=half"): "b=half: 'half' is not a weight; write CKPT=0.3",
        ("a=0", "b=0"): "the weights sum to 0; at least one must be positive",
        ("a=1",): "fuse needs at least two checkpoints",
    }.items():
        with pytest.raises(ConfigError) as caught:
            parse_weights(list(texts))
        assert str(caught.value) == message
    with pytest.raises(InputError, match="gone: no such directory"):
        parse_weights(["a", "gone"])


def test_a_full_disk_or_a_forbidden_path_is_one_line_and_another_system_error_keeps_its_traceback() -> None:
    assert cli.describe(OSError(errno.ENOSPC, "", "runs/x")) == (
        "no space left on the device while writing runs/x; free some and run the same command again"
    )
    assert cli.describe(OSError(errno.ENOSPC, "")).startswith("no space left on the device; free")
    assert cli.describe(PermissionError(errno.EACCES, "", "/root/x")) == "/root/x: permission denied"
    with pytest.raises(FileNotFoundError):
        cli.describe(FileNotFoundError(errno.ENOENT, "", "x"))


ROWS = [
    {"id": "right", "answer": "4", "response": "\\boxed{4}"},
    {"id": "wrong", "answer": "4", "response": "\\boxed{5}"},
]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)


def test_verify_answers_every_row_in_order_whatever_the_input(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(JSONL.encode() + b'{"id": "torn", \n\xff\xfe\n' + JSONL.encode())
    command = ("verify", "--domain", "math", "--workers", "1", tmp_path / "rows.jsonl")
    code, output, errors = etalon(*command, "--max-bad", "0.5")
    assert (code, errors) == (0, "")
    assert etalon(*command)[::2] == (
        2,
        f"etalon: {tmp_path}/rows.jsonl: line 3: not JSON (Expecting property name enclosed in double quotes: column "
        "16) (2 of 6 rows cannot be read, max_bad allows 1%)\n",
    )
    verdicts = [json.loads(line) for line in output.splitlines()]
    assert [verdict["score"] for verdict in verdicts] == [1.0, 0.0, None, None, 1.0, 0.0]
    assert all(verdict["reason"] for verdict in verdicts if verdict["score"] is None)


def test_the_examples_of_the_help_of_verify_are_rows_it_finds_right() -> None:
    code, output, _ = etalon("verify", "--help")
    assert code == 0
    rows = [json.loads(line) for line in output.splitlines() if line.strip().startswith("{")]
    assert {row["domain"] for row in rows} == {"math", "stem", "code", "instruct", "claims"}
    code, output, errors = etalon("verify", "--counts", stdin="\n".join(map(json.dumps, rows)))
    assert code == 0
    assert [json.loads(line)["score"] for line in output.splitlines()] == [1.0] * len(rows), output
    assert errors.endswith(f"{len(rows)} rows: {len(rows)} right, 0 wrong, 0 partial, 0 undecided\n")


def test_verify_counts_what_was_undecided_when_asked() -> None:
    code, output, errors = etalon("verify", "--domain", "math", "--counts", stdin=JSONL + "torn\n")
    assert (code, output.count("\n")) == (2, 3)
    assert errors.startswith(
        "3 rows: 1 right, 1 wrong, 0 partial, 1 undecided (unreadable 1)\netalon: standard input: "
    )


def test_verify_reads_standard_input_and_writes_a_whole_file(tmp_path: Path) -> None:
    rows = "".join(json.dumps({**row, "domain": "math"}) + "\n" for row in ROWS)
    assert etalon("verify", "--out", tmp_path / "out", "--workers", "1", stdin=rows) == (0, "", "")
    assert [json.loads(line)["id"] for line in (tmp_path / "out").read_text().splitlines()] == ["right", "wrong"]
    assert os.listdir(tmp_path) == ["out"]
    code, output, _ = etalon("verify", "--domain", "math", stdin="")
    assert (code, output) == (0, "")


def test_verify_reads_packed_rows_and_refuses_other_files_in_one_line(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl.gz"
    rows.write_bytes(gzip.compress(JSONL.encode()))
    for arguments, stdin in (([rows], b""), (["-"], rows.read_bytes())):
        code, output, errors = etalon("verify", "--domain", "math", *arguments, stdin=stdin)
        assert (code, errors) == (0, "")
        assert [json.loads(line)["score"] for line in output.splitlines()] == [1.0, 0.0]
    rows.write_bytes(gzip.compress(JSONL.encode() * 1000)[:60])
    code, _, errors = etalon("verify", "--domain", "math", "rows.jsonl.gz", cwd=tmp_path)
    assert (code, errors.count("\n")) == (2, 1)
    assert errors.startswith("etalon: rows.jsonl.gz: damaged after ")
    (tmp_path / "rows.zip").write_bytes(b"PK\x03\x04rest")
    said = "rows.zip: is a zip archive; expected JSONL, a JSON array, CSV or parquet, plain or packed by gzip or zstd"
    assert complaint("verify", "rows.zip", cwd=tmp_path) == said


def test_verify_of_parquet_without_its_reader_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    program = "import sys; sys.modules['pyarrow'] = None; from etalon.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", program, "verify", "rows.parquet"]
    finished = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    said = "etalon: rows.parquet: parquet needs pyarrow; run: pip install pyarrow\n"
    assert (finished.returncode, finished.stdout, finished.stderr) == (2, "", said)


def test_verify_reads_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    code, output, errors = etalon("verify", "--domain", "math", tmp_path / "rows.parquet")
    assert (code, errors) == (0, "")
    assert [json.loads(line)["score"] for line in output.splitlines()] == [1.0, 0.0]
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    assert complaint("verify", "torn.parquet", cwd=tmp_path).startswith("torn.parquet: cannot be read as parquet: ")


def test_a_sandbox_service_that_is_not_there_is_said_once_before_any_row() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        said = complaint("verify", "--sandbox", url)
    assert said.startswith(f"sandbox {url}: no answer (ConnectionRefusedError: ")


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes], IO[bytes]]]:
    """A running command with its three streams; killed when it hangs."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*MAIN, *arguments], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        yield process, process.stdin, process.stdout, process.stderr
        watchdog.cancel()


def test_verify_prints_rows_before_its_input_ends() -> None:
    with started("verify", "--domain", "math", "--workers", "1") as (process, stdin, stdout, _):
        stdin.write(JSONL.encode() * 40)
        stdin.flush()
        assert [json.loads(stdout.readline())["id"] for _ in range(2)] == ["right", "wrong"]
        assert process.poll() is None


def test_a_closed_pipe_ends_verify_quietly() -> None:
    with started("verify", "--domain", "math", "--workers", "1") as (process, stdin, stdout, stderr):
        stdin.write(JSONL.encode() * 40)
        stdin.flush()
        stdout.readline()
        stdout.close()
        with suppress(BrokenPipeError):
            stdin.write(JSONL.encode() * 40)
            stdin.close()
        assert stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line() -> None:
    code, _, errors = etalon("verify", "--domain", "math", "--out", "/dev/full", "--workers", "1", stdin=JSONL)
    assert code == 2
    assert (
        errors
        == "etalon: no space left on the device while writing /dev/full; free some and run the same command again\n"
    )


def test_ctrl_c_is_one_line_and_exit_code_130() -> None:
    with started("verify", "--domain", "math", "--workers", "1") as (process, stdin, stdout, stderr):
        stdin.write(JSONL.encode() * 40)
        stdin.flush()
        stdout.readline()  # it is at work
        process.send_signal(signal.SIGINT)
        assert stderr.read() == b"interrupted\n"
    assert process.returncode == 130
