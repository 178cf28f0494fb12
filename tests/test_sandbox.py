"""Untrusted programs: what they return, how they are stopped, and that nothing of them stays."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from etalon.sandbox import AssertTests, CallTests, Limits, SandboxPool, Status, StdinTests, describe

pytestmark = pytest.mark.live

LIMITS = Limits(cpu_seconds=0.3, memory_mb=200)


@pytest.fixture(scope="module")
def pool():
    with SandboxPool(workers=2) as pool:
        yield pool


def outcomes(pool, program, *inputs, limits=LIMITS):
    return pool.run(program, StdinTests(inputs=inputs or ("",)), limits)


def status(pool, program, *inputs, limits=LIMITS):
    return outcomes(pool, program, *inputs, limits=limits)[-1].status


def test_each_test_gets_its_own_standard_input_and_output(pool):
    found = outcomes(pool, "print(int(input()) + 1)", "1\n", "41\n")
    assert [(o.status, o.output) for o in found] == [(Status.OK, "2\n"), (Status.OK, "42\n")]


@pytest.mark.parametrize(
    "program",
    [
        "import sys\nfor line in sys.stdin: print(line.strip())",
        "import sys\nprint(sys.stdin.read().strip())",
        "import sys\nwhile line := sys.stdin.buffer.readline(): sys.stdout.buffer.write(line)",
        "import os\nprint(os.read(0, 100).decode().strip())",
        "print(open(0).read().strip())",
        "import sys\nsys.stdout.write(sys.stdin.readline().strip() + '\\n' + input())",
        "def main():\n    print(input())\n    print(input())\nif __name__ == '__main__':\n    main()",
        "import sys, atexit, io\nout = io.StringIO()\natexit.register(lambda: os.write(1, out.getvalue().encode()))\n"
        "import os\nout.write(sys.stdin.read().strip())",
        "import threading\nthreading.Thread(target=lambda: print(input() + '\\n' + input())).start()",
        "import os, sys\nprint(sys.stdin.read().strip(), flush=True)\nos._exit(0)",
        "print(input())\nprint(input())\nexit()",
    ],
)
def test_every_honest_way_to_read_and_write_works(pool, program):
    for _ in range(2):
        assert outcomes(pool, program, "a\nb\n")[0].output.strip() == "a\nb"


def test_a_test_leaves_no_globals_to_the_next(pool):
    program = "import sys\nprint('seen' in globals(), __name__)\nseen = 1\nsys.stdout = None"
    assert [o.output for o in outcomes(pool, program, "", "")] == ["False __main__\n"] * 2


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("def f(:", Status.SYNTAX_ERROR),
        ("print('\ud800')\x00", Status.SYNTAX_ERROR),
        ("1 / 0", Status.RUNTIME_ERROR),
        ("import sys; sys.exit(3)", Status.RUNTIME_ERROR),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", Status.RUNTIME_ERROR),
        ("import os; os._exit(1)", Status.RUNTIME_ERROR),
        ("def f(): f()\nf()", Status.RUNTIME_ERROR),
        ("while True: pass", Status.TIMEOUT),
        ("try:\n    while True: pass\nfinally:\n    while True: pass", Status.TIMEOUT),
        ("x = bytearray(10**10)", Status.MEMORY),
        ("x = []\nwhile True: x.append(bytearray(5 * 10**7))", Status.MEMORY),
        ("while True: print('x' * 1000)", Status.OUTPUT_LIMIT),
    ],
)
def test_each_way_to_fail_has_its_own_status(pool, program, expected):
    limits = (
        LIMITS if expected is Status.TIMEOUT else replace(LIMITS, cpu_seconds=5)
    )  # pages are slow on a busy machine
    assert status(pool, program, limits=limits) is expected


def test_deeply_nested_folders_are_no_failure_of_ours(pool):
    program = "import os\nfor _ in range(3000):\n    os.mkdir('a')\n    os.chdir('a')\nprint(1)"
    assert [status(pool, program, limits=Limits(cpu_seconds=5)) for _ in range(2)] == [Status.OK] * 2


def test_waiting_ends_at_the_idle_limit(pool):
    assert status(pool, "import time; time.sleep(1000)", limits=Limits(cpu_seconds=0.05)) is Status.TIMEOUT


def test_the_time_limit_is_per_test(pool):
    program = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    assert [o.status for o in outcomes(pool, program, "", "", "")] == [Status.OK] * 3


def test_functions_return_typed_json(pool):
    program = "def f(a, b=1):\n    return (a, b, True, 1.5, {'k': None})"
    found = pool.run(program, CallTests(function="f", inputs=("[1]\n2", '"x"')), LIMITS)
    assert [o.output for o in found] == ['[[1], 2, true, 1.5, {"k": null}]', '["x", 1, true, 1.5, {"k": null}]']


def test_a_method_of_solution_is_found_and_starter_names_are_there(pool):
    program = "class Solution:\n    def f(self, a: List[int]) -> int:\n        return pow(max(Counter(a)), 2, 7)"
    assert pool.run(program, CallTests(function="f", inputs=("[1, 3]",)), LIMITS)[0].output == "2"


@pytest.mark.parametrize("body", ["return {1}", "return object()", "x = []; x.append(x); return x", "exit(0)"])
def test_a_result_that_is_not_json_is_an_error(pool, body):
    found = pool.run(f"def f(a):\n    {body}", CallTests(function="f", inputs=("1",)), LIMITS)
    assert found[0].status is not Status.OK or found[0].output == ""


@pytest.mark.parametrize(
    "program",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "def f(x): raise SystemExit(0)",
        "def f(x): import os; os._exit(0)",
        "import sys; sys.modules['builtins'].AssertionError = SystemExit\ndef f(x): return 3",
        "print('passed')\nclass f:\n    def __init__(self, x): exit(0)",
        'import os\nfor k in range(3, 40):\n    try:\n        os.write(k, b\'[null, "ok", 0, ""]\\n\')\n'
        "    except OSError:\n        pass\nos._exit(0)",
    ],
)
def test_leaving_early_never_passes_assertions(pool, program):
    found = pool.run(program, AssertTests(code="assert f(1) == 2"), LIMITS)
    assert [o.status for o in found] == [Status.RUNTIME_ERROR]


def test_assertions_that_hold_pass(pool):
    found = pool.run("def f(x): return x + 1", AssertTests(code="assert f(1) == 2"), LIMITS)
    assert [o.status for o in found] == [Status.OK]


def test_the_environment_is_empty_and_the_folder_fresh(pool, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    program = "import os\nprint(dict(os.environ), os.listdir('.'))\nopen('left', 'w').write('x')"
    with SandboxPool(workers=1) as fresh:
        for _ in range(2):
            assert outcomes(fresh, program)[0].output in ("{} []\n", "{'LC_CTYPE': 'C.UTF-8'} []\n")


@pytest.mark.parametrize(
    "change",
    ["open('a', 'w').write('x')", "os.makedirs('a/b')", "os.chmod('.', 0)", "open('a', 'w'); os.remove('a')"],
)
def test_a_folder_that_a_program_changed_is_replaced(pool, change):
    program = "import os\nprint(os.listdir(), oct(os.stat('.').st_mode))\n" + change
    with SandboxPool(workers=1) as fresh:
        assert [outcomes(fresh, program)[0].output for _ in range(3)] == ["[] 0o40755\n"] * 3


def test_what_a_program_leaves_in_its_zygote_is_nothing(pool):
    with SandboxPool(workers=1) as fresh:
        outcomes(fresh, "print(1)")
        zygote = fresh._idle[0]._process.pid
        time.sleep(0.1)  # it answers first and closes then
        before = os.listdir(f"/proc/{zygote}/fd")
        assert {os.readlink(f"/proc/{zygote}/fd/{number}").split(":")[0] for number in before} == {
            "pipe",
            "/dev/null",
            "/proc",
            "anon_inode",  # the rules of Landlock
        }
        for program in ("import random, sys; print(random.random()); sys.x = 1", "while True: pass", "def f(:"):
            outcomes(fresh, program, limits=Limits(cpu_seconds=0.05))
        assert fresh._idle[0]._process.pid == zygote
        time.sleep(0.1)
        assert os.listdir(f"/proc/{zygote}/fd") == before
        found = [outcomes(fresh, "import random, sys; print(random.random(), hasattr(sys, 'x'))") for _ in range(2)]
        assert found[0][0].output == found[1][0].output
        assert "False" in found[0][0].output


SLEEPY = "import time\nend = time.process_time() + 0.01\nwhile time.process_time() < end: pass\n"


def test_slow_tests_beyond_the_pause_are_left_out(pool):
    inputs = tuple("abcdef")
    fast = StdinTests(inputs=inputs, pause_after=2)
    assert [o.output for o in pool.run("print(input())", fast, LIMITS)] == [f"{text}\n" for text in inputs]
    assert [o.output for o in pool.run(SLEEPY + "print(input())", fast, LIMITS)] == ["a\n", "b\n"]
    calls = CallTests(function="f", inputs=("1", "2", "3"), pause_after=1)
    assert [o.output for o in pool.run(SLEEPY + "def f(x): return x", calls, LIMITS)] == ["1"]


@pytest.mark.parametrize("line", ['[null, "paused", 0, ""]', "junk", '[null, "ok", 999999, ""]', "[" * 5000])
def test_a_forged_control_line_is_no_answer(pool, line):
    forge = (
        f"import os\nfor k in range(3, 40):\n    try: os.write(k, {line!r}.encode() + b'\\n')\n    except OSError: pass"
    )
    assert outcomes(pool, forge, "", "")[0].status is Status.RUNTIME_ERROR


def test_large_inputs_and_outputs_pass(pool):
    found = outcomes(pool, "print(input())", "x" * 3_000_000, "y", limits=Limits(memory_mb=400))
    assert [len(o.output) for o in found] == [3_000_001, 2]


def test_an_idle_pool_uses_no_time(pool):
    with SandboxPool(workers=1) as idle:
        outcomes(idle, "print(1)")
        stat = Path(f"/proc/{idle._idle[0]._process.pid}/stat")
        before = stat.read_text().rpartition(")")[2].split()[11:13]
        time.sleep(1.5)
        assert stat.read_text().rpartition(")")[2].split()[11:13] == before


DAEMON = (
    "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n"
    "    time.sleep(600)\nprint('left')"
)
BOMB = (
    "import os, time\nfor n in range(5000):\n    try:\n        if os.fork() == 0:\n            time.sleep(600)\n"
    "    except OSError:\n        break\nprint(n)"
)
NAMESPACES = ("files", "network", "processes")


def descendants(process):
    found = [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return found + [below for child in found for below in descendants(child)]


@pytest.mark.parametrize("walls", [(), NAMESPACES, ("landlock",)])
def test_where_a_program_can_fork_what_it_starts_dies_with_it(walls):
    with SandboxPool(workers=1, walls=walls) as pool:
        assert outcomes(pool, "print(1)")[0].status is Status.OK
        before = descendants(pool._idle[0]._process.pid)  # the first process of a namespace, or nothing
        assert outcomes(pool, DAEMON)[0].output == "left\n"
        assert int(outcomes(pool, BOMB, limits=Limits(cpu_seconds=3))[0].output) < 4999
        assert descendants(pool._idle[0]._process.pid) == before
        assert status(pool, "print(1)") is Status.OK


def test_with_seccomp_no_process_is_started_at_all(pool):
    if "seccomp" in describe(pool).missing:
        pytest.skip("no seccomp")
    assert status(pool, DAEMON) is Status.RUNTIME_ERROR
    assert outcomes(pool, BOMB)[0].output == "0\n"


def test_a_zygote_that_dies_is_replaced_and_is_nobodys_wrong_answer():
    with SandboxPool(workers=1) as pool:
        assert status(pool, "print(1)") is Status.OK
        os.kill(pool._idle[0]._process.pid, signal.SIGKILL)
        assert status(pool, "print(1)") is Status.OK


def test_an_interpreter_that_does_not_start_is_undecided(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with SandboxPool(workers=1) as pool:
        assert status(pool, "print(1)") is Status.INFRASTRUCTURE


def test_threads_share_a_pool_and_get_their_own_answers(pool):
    def double(number):
        return outcomes(pool, "print(2 * int(input()))", f"{number}\n")[0].output

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(double, range(100))) == [f"{2 * number}\n" for number in range(100)]


def test_a_hung_program_does_not_delay_its_neighbours_verdict(pool):
    with ThreadPoolExecutor(2) as threads:
        hung = threads.submit(status, pool, "while True: pass", limits=Limits(cpu_seconds=1))
        assert status(pool, "print(1)") is Status.OK
        assert hung.result() is Status.TIMEOUT


def test_nothing_survives_the_parent():
    program = (
        "import threading, time\nfrom etalon.sandbox import *\npool = SandboxPool(workers=1)\n"
        "pool.run('print(1)', StdinTests(inputs=('',)), Limits())\nprint(pool._idle[0]._process.pid, flush=True)\n"
        "pool.run('import time; time.sleep(600)', StdinTests(inputs=('',)), Limits(cpu_seconds=300))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        zygote = int(parent.stdout.readline())
        time.sleep(0.2)
        parent.kill()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{zygote}").exists() and "Z" not in _state(zygote) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{zygote}").exists() or "Z" in _state(zygote)


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
