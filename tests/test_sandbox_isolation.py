"""What the sandbox keeps away from programs, that it says what it cannot, and that nothing of a long run stays."""

import asyncio
import gc
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from etalon.errors import ConfigError
from etalon.sandbox import (
    AssertTests,
    CallTests,
    Level,
    Limits,
    LocalSandbox,
    SandboxPool,
    Status,
    StdinTests,
    connect,
    describe,
    run_program,
    use,
)
from etalon.sandbox import isolation as isolation_module
from etalon.sandbox import pool as sandbox_pool
from etalon.sandbox.isolation import PROTECTS, WALLS, Isolation, plan, tell
from etalon.types import Domain, Problem
from etalon.verifiers import verify

pytestmark = pytest.mark.live

PLUS_ONE = "print(int(input()) + 1)"
CALL = CallTests(function="f", inputs=("1", "2"))


@pytest.fixture(scope="module")
def pool():
    with SandboxPool(workers=2) as pool:
        yield pool


def test_every_wall_that_is_missing_is_named_with_its_reason():
    with SandboxPool(workers=1, walls=()) as pool:
        isolation = pool.isolation()
    assert isolation.level is Level.WEAK
    assert set(isolation.missing) == set(WALLS)
    lines = "\n".join(isolation.lines())
    assert lines.count("WITHIN REACH") == len(PROTECTS)
    assert all(f"missing: {wall} (switched off); it takes" in lines for wall in WALLS)


@pytest.mark.parametrize(
    ("missing", "level"),
    [
        ((), Level.STRONG),
        (("files", "network", "processes"), Level.STRONG),  # a plain container
        (("landlock",), Level.STRONG),
        (("landlock", "files"), Level.PARTIAL),
        (("seccomp", "network"), Level.PARTIAL),
        (WALLS, Level.WEAK),
    ],
)
def test_the_level_says_whether_anything_is_within_reach(missing, level):
    assert Isolation(missing=dict.fromkeys(missing, "no")).level is level


def test_what_is_missing_is_logged_once(caplog):
    missing = Isolation(missing={"landlock": f"reason {os.urandom(4).hex()}"})
    with caplog.at_level(logging.WARNING, logger="etalon.sandbox"):
        for _ in range(3):
            tell(missing)
        tell(Isolation(missing={}))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "landlock (reason" in caplog.text


def test_a_pool_that_asks_for_more_than_there_is_runs_nothing():
    with SandboxPool(workers=1, require=Level.STRONG, walls=("network",)) as pool:
        (outcome,) = pool.run(PLUS_ONE, StdinTests(inputs=("1",)), Limits())
    assert outcome.status is Status.INFRASTRUCTURE
    assert "below STRONG" in outcome.detail


@pytest.mark.parametrize("walls", [WALLS, ("seccomp", "landlock"), ("files", "network", "processes"), ()])
def test_honest_programs_run_behind_any_set_of_walls(walls):
    with SandboxPool(workers=1, walls=walls) as pool:
        assert pool.run(PLUS_ONE, StdinTests(inputs=("1", "2")), Limits())[1].output == "3\n"
        assert [o.output for o in pool.run("def f(n): return n + 1", CALL, Limits())] == ["2", "3"]
        checks = AssertTests(code="assert f(1) == 2")
        assert pool.run("def f(n): return n + 1", checks, Limits())[0].status is Status.OK


def test_the_plan_lets_no_package_in_but_the_named_libraries():
    found = plan("/nowhere", walls=WALLS, libraries=("numpy",))
    shown = [path for path in found["readable"] if "site-packages" in path]
    assert all(Path(path).name in ("numpy", "numpy.libs") for path in shown)


def test_the_whole_standard_library_can_be_imported(pool):
    skipped = ("antigravity", "this", "idlelib", "lib2to3", "test", "turtledemo")
    program = f"""
import importlib, sys
for name in sorted(sys.stdlib_module_names - {set(skipped)}):
    try:
        importlib.import_module(name)
    except ImportError:
        pass  # of another system, or not built here
    except PermissionError:
        print("DENIED", name)
"""
    (outcome,) = pool.run(program, StdinTests(inputs=("",)), Limits())
    assert outcome.status is Status.OK, outcome.detail
    assert "DENIED" not in outcome.output


def test_with_fork_each_no_test_sees_another(pool):
    program = "import sys\nprint(getattr(sys, 'seen', 0))\nsys.seen = int(input())"
    batch = StdinTests(inputs=("1", "2", "3"))
    assert [o.output for o in pool.run(program, batch, Limits())] == ["0\n", "1\n", "2\n"]
    each = StdinTests(inputs=("1", "2", "3"), fork_each=True)
    assert [o.output for o in pool.run(program, each, Limits())] == ["0\n"] * 3
    stops = StdinTests(inputs=("1", "0", "3"), fork_each=True)
    found = pool.run("print(1 // int(input()))", stops, Limits())
    assert [o.status for o in found] == [Status.OK, Status.RUNTIME_ERROR]


def test_checks_that_swallow_everything_do_not_pass_a_program_that_left(pool):
    checks = AssertTests(code="try:\n    f(1)\nexcept BaseException:\n    pass")
    (outcome,) = pool.run("import os\ndef f(n): os._exit(0)", checks, Limits())
    assert outcome.status is Status.RUNTIME_ERROR


def test_a_function_is_judged_by_its_own_cpu_time(pool):
    limits = Limits(cpu_seconds=0.2)
    found = pool.run("def f(n):\n    while n: pass", CallTests(function="f", inputs=("0", "1")), limits)
    assert [o.status for o in found] == [Status.OK, Status.TIMEOUT]
    assert 0.2 <= found[1].seconds < 1


def test_numpy_programs_run_within_the_usual_memory(pool):
    pytest.importorskip("numpy")
    program = "import numpy as np\nvalues = np.ones((500, 500))\nprint(int((values @ values)[0, 0]), np.median([3, 1]))"
    (outcome,) = pool.run(program, StdinTests(inputs=("",)), Limits(memory_mb=256))
    assert (outcome.status, outcome.output) == (Status.OK, "500 2.0\n"), outcome.detail
    found = pool.run("import numpy as np\ndef f(n): return np.arange(n)", CALL, Limits())
    assert [o.output for o in found] == ["[0]", "[0, 1]"]
    (outcome,) = pool.run("import numpy as np\nnp.ones(10**9)", StdinTests(inputs=("",)), Limits(memory_mb=256))
    assert outcome.status is Status.MEMORY


def test_a_zygote_killed_in_the_middle_loses_nothing():
    sleepy = "import time\nn = int(input())\ntime.sleep(0.05)\nprint(n + 1)"
    with SandboxPool(workers=2) as pool:
        is_over = threading.Event()

        def kill_now_and_then():
            while not is_over.wait(0.4):
                for zygote in children(os.getpid()):
                    if b"forkserver" in Path(f"/proc/{zygote}/cmdline").read_bytes():
                        os.kill(zygote, signal.SIGKILL)
                        break

        killer = threading.Thread(target=kill_now_and_then)
        killer.start()
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda n: pool.run(sleepy, StdinTests(inputs=(str(n),)), Limits()), range(60)))
        is_over.set()
        killer.join()
    assert [outcomes[0].output for outcomes in found] == [f"{n + 1}\n" for n in range(60)]


def test_zygotes_that_died_idle_cost_nothing():
    with SandboxPool(workers=4) as pool:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda n: pool.run(PLUS_ONE, StdinTests(inputs=(str(n),)), Limits()), range(40)))
        for zygote in pool._idle:
            os.kill(zygote._process.pid, signal.SIGKILL)
            zygote._process.wait()
        assert pool.run(PLUS_ONE, StdinTests(inputs=("1",)), Limits())[0].output == "2\n"


def test_threads_and_an_event_loop_call_at_once(pool):
    def one(number):
        return pool.run(PLUS_ONE, StdinTests(inputs=(str(number),)), Limits())[0].output

    async def many(start):
        return await asyncio.gather(*(asyncio.to_thread(one, start + n) for n in range(40)))

    with ThreadPoolExecutor(8) as threads:
        by_threads = threads.map(one, range(100))
        by_loop = asyncio.run(many(1000))
        assert list(by_threads) == [f"{n + 1}\n" for n in range(100)]
    assert by_loop == [f"{n + 1}\n" for n in range(1000, 1040)]


MIXTURE = (
    (PLUS_ONE, Status.OK),
    ("open('a', 'w').write('x')\nprint(int(input()) + 1)", Status.OK),
    ("1 / 0", Status.RUNTIME_ERROR),
    ("import os\nos._exit(3)", Status.RUNTIME_ERROR),
    ("x = [0] * 10**11", Status.MEMORY),
    ("print('x' * 10**7)\nprint('x' * 10**7)", Status.OUTPUT_LIMIT),
    ("def f(:", Status.SYNTAX_ERROR),
)
ASSERTIONS = ("def f(n): return n + 1", "def f(n): return n", "import os\ndef f(n): os._exit(0)")


def children(process):
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def resident_mb(process):
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def leftovers(zygote):
    """Whatever a run could leave: descriptors here and there, processes of the zygote, folders."""
    folders = os.listdir(tempfile.gettempdir())
    found = (os.listdir("/proc/self/fd"), os.listdir(f"/proc/{zygote}/fd"), children(zygote), folders)
    return [len(each) for each in found]


def soak(num_programs, folder, monkeypatch):
    """Run so many programs on ten zygotes, one after the other; what the first two needed must do for the others.

    This process may have to find another place for a reply of 16 MB.
    """
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(sandbox_pool, "RECYCLE_AFTER", num_programs // 10)
    with SandboxPool(workers=1) as pool:

        def run_all(number):
            for _ in range(number):
                for program, status in MIXTURE:
                    assert pool.run(program, StdinTests(inputs=("1",)), Limits())[-1].status is status
                for program in ASSERTIONS:
                    pool.run(program, AssertTests(code="assert f(1) == 2"), Limits())

        def zygote_now():
            pool.isolation()  # starts one, if the last has served its time
            return pool._idle[0]._process.pid

        def settled():
            deadline = time.monotonic() + 5
            zygote = zygote_now()
            while leftovers(zygote) != before and time.monotonic() < deadline:
                time.sleep(0.02)  # the zygote answers first and clears then
            return leftovers(zygote)

        rounds = num_programs // (len(MIXTURE) + len(ASSERTIONS))
        run_all(rounds // 4)
        zygote = zygote_now()
        time.sleep(0.3)
        gc.collect()
        before, memory = leftovers(zygote), [resident_mb(process) for process in (os.getpid(), zygote)]
        run_all(rounds - rounds // 4)
        gc.collect()
        assert settled() == before
        after = [resident_mb(process) for process in (os.getpid(), zygote_now())]
        assert after[0] < memory[0] + 16 + 8, (memory, after)
        assert after[1] < memory[1] + 8, (memory, after)
    assert not Path(f"/proc/{zygote}").exists()
    assert os.listdir(folder) == []


@pytest.mark.slow
def test_a_hundred_executions_leave_nothing(tmp_path, monkeypatch):
    soak(100, tmp_path, monkeypatch)


@pytest.mark.slow
def test_ten_thousand_executions_leave_nothing(tmp_path, monkeypatch):
    soak(10_000, tmp_path, monkeypatch)


def test_describe_asks_a_zygote_that_has_tried(pool):
    assert describe(pool) == pool.isolation()


def test_doctor_prints_the_isolation():
    command = [sys.executable, "-c", "from etalon.cli import main; raise SystemExit(main())", "doctor"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[1:] == [f"  {line}" for line in describe().lines()]


# ---- without walls

CASES = "import unittest\nclass TestF(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(f(1), 2)\n"
OUT = {"inputs": [""], "outputs": [""]}
PLAIN_CASES = [
    ("print(int(input()) + 1)", {"inputs": ["1", "2"], "outputs": ["2", "3"]}, "passed"),
    ("import os\nprint(os.listdir(), *os.environ)\nopen('a', 'w')", {**OUT, "outputs": ["[]"]}, "passed"),
    ("print(len(str(7 ** 9000)))", {**OUT, "outputs": ["7605"]}, "wrong (test 1 of 1)"),
    ("class Solution:\n    def f(self, a: List[int]): return max(a)",
     {"inputs": ["[3, 4]"], "outputs": ["4"], "fn_name": "f"}, "passed"),
    ("def f(x): return x + 1", {"assert_code": "assert f(1) == 2\nassert f(2) == 3"}, "passed"),
    ("class f(int):\n    def __eq__(self, other): return True", {"assert_code": "assert f(1) == 2"}, "wrong"),
    ("def f(x): return x + 1", {"assert_code": CASES}, "passed"),
    ("import os\ndef f(x): os._exit(0)", {"assert_code": "assert f(1) == 2"}, "runtime_error"),
    ("def f(:", OUT, "syntax_error"),
    ("print(1int(input()))", OUT, "syntax_error (test 1 of 1): SyntaxError"),  # with a warning before it
    ("import sympy_of_nobody", OUT, "runtime_error"),
    ("x = [0]\nwhile True: x += x", {**OUT, "memory_limit_mb": 128}, "memory"),
    ("while True: print('x' * 10**6)", {**OUT, "time_limit_s": 3}, "output_limit"),
    ("n = int(input())\nwhile n: pass\nprint(n)", {"inputs": ["0", "1"], "outputs": ["0", "0"]}, "timeout (test 2"),
    ("import signal\nsignal.signal(signal.SIGPROF, signal.SIG_IGN)\nwhile True: pass", OUT, "timeout"),
]  # fmt: skip


@pytest.fixture
def plain():
    connect("", concurrency=1, key_env="", isolation="plain")
    yield
    use(None)


def judge(program, tests):
    problem = Problem(id="p", domain=Domain.CODE, prompt="", tests={"time_limit_s": 0.3, **tests})
    return verify(problem, f"```python\n{program}\n```")


@pytest.mark.parametrize(("program", "tests", "reason"), PLAIN_CASES)
def test_without_walls_the_verdict_is_that_behind_them(plain, program, tests, reason):
    verdict = judge(program, tests)
    assert verdict.reason.startswith(reason)
    assert verdict.score == (1.0 if reason == "passed" else 0.0)


def test_without_walls_nothing_that_a_program_starts_outlives_it(plain, tmp_path):
    note = tmp_path / "pid"
    program = f"import os, time\nif not os.fork(): open({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    [outcome] = run_program(program, StdinTests(inputs=("",)), Limits(cpu_seconds=0.01))
    assert outcome.status is Status.TIMEOUT
    deadline = time.monotonic() + 5
    while state_of(note.read_text()) not in "ZX" and time.monotonic() < deadline:
        time.sleep(0.01)  # a signal takes its time
    assert state_of(note.read_text()) in "ZX"


def state_of(process):
    """As in /proc; X once it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


MACOS = """#!{python} -IS
import builtins, os, resource, runpy, signal, sys, time
sys.platform = "darwin"
for module, names in {gone!r}.items():
    for name in names:
        if hasattr(sys.modules[module], name):
            delattr(sys.modules[module], name)
sys.modules["ctypes"] = sys.modules["_ctypes"] = None
opened, limit = builtins.open, resource.setrlimit
def refuse(name, *rest, **named):
    assert not str(name).startswith("/proc")
    return opened(name, *rest, **named)
def limited(kind, limits):
    if kind == resource.RLIMIT_AS:
        raise ValueError("current limit exceeds maximum limit")
    limit(kind, limits)
usage = resource.getrusage
class InBytes:
    def __init__(self, who):
        self.ru_maxrss = usage(who).ru_maxrss << 10
builtins.open, resource.setrlimit, resource.getrusage = refuse, limited, InBytes
sys.argv = sys.argv[5:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
LINUX_ONLY = {
    "os": ("memfd_create", "pidfd_open", "sched_getaffinity", "waitid", "unshare", "setns", "eventfd", "sendfile"),
    "signal": ("sigtimedwait", "sigwaitinfo", "pidfd_send_signal"),
    "resource": ("prlimit",),
}


def test_on_another_system_programs_are_undecided_until_plain_is_asked_for(tmp_path, monkeypatch):
    """As on macOS: without what only Linux has, here and in the interpreter of the program."""
    python = tmp_path / "python"
    python.write_text(MACOS.format(python=sys.executable, gone=LINUX_ONLY))
    python.chmod(0o755)
    for module, names in LINUX_ONLY.items():
        for name in names:
            monkeypatch.delattr(f"{module}.{name}", raising=False)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(sys, "platform", "darwin")
    tests = {"inputs": ["1"], "outputs": ["2"]}
    with SandboxPool(workers=1) as walls:
        use(LocalSandbox(walls))
        verdict = judge("print(int(input()) + 1)  # where no wall is", tests)
    assert verdict.score is None
    assert 'isolation = "plain"' in verdict.reason
    with SandboxPool(workers=1, isolation="plain") as plain:
        use(LocalSandbox(plain))
        assert judge("print(int(input()) + 1)  # where no wall is", tests).score == 1.0
        assert judge("def f(x): return x + 1", {"assert_code": "assert f(3) == 4\nassert f(4) == 5"}).score == 1.0
        grows = "x = []\nwhile True: x.append(bytearray(10**6))"
        assert "status -9" in judge(grows, {**tests, "memory_limit_mb": 64, "time_limit_s": 9}).reason
    use(None)


def test_plain_is_named_and_is_none_of_a_service(caplog):
    with caplog.at_level(logging.WARNING, logger="etalon.sandbox"), SandboxPool(workers=1, isolation="plain") as pool:
        isolation_module._told_plain.cache_clear()
        pool.run("print(1)", StdinTests(inputs=("",)), Limits())
        lines = "\n".join(pool.isolation().lines())
    assert 'isolation "plain"' in caplog.text
    assert lines.count("WITHIN REACH") == len(PROTECTS)
    assert 'isolation = "plain" was chosen' in lines
    with pytest.raises(ConfigError, match="beside the service"):
        connect("http://localhost:1", concurrency=1, key_env="", isolation="plain")
    with pytest.raises(ConfigError, match="expected walls or plain"):
        connect("", concurrency=1, key_env="", isolation="none")


def test_an_interpreter_that_does_not_start_is_undecided_without_walls_too(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with SandboxPool(workers=1, isolation="plain") as pool:
        [outcome] = pool.run("print(1)", StdinTests(inputs=("",)), Limits())
    assert outcome.status is Status.INFRASTRUCTURE
    assert "did not start" in outcome.detail
