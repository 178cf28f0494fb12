"""A service in place of our own pool: the same outcomes, bounded concurrency, and its failures are nobody's fault."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from etalon.errors import ConfigError
from etalon.sandbox import AssertTests, CallTests, Limits, Status, StdinTests, use
from etalon.sandbox.remote import RemoteSandbox
from etalon.types import Domain, Problem
from etalon.verifiers import verify
from fusion_server import fusion_server

pytestmark = pytest.mark.live

LIMITS = Limits(cpu_seconds=1)


@pytest.fixture
def server():
    with fusion_server() as server:
        yield server


@pytest.fixture
def remote(server):
    sandbox = RemoteSandbox(server.url, concurrency=3, attempts=3, pause_seconds=0.01)
    yield sandbox
    sandbox.close()


def test_programs_give_the_outcomes_they_give_here(remote):
    double = StdinTests(inputs=("1\n", "2\n", "3\n"))
    assert [o.output for o in remote.run("print(2 * int(input()))", double, LIMITS)] == ["2\n", "4\n", "6\n"]
    failed = remote.run("print(1 // (int(input()) - 2))", double, LIMITS)
    assert [o.status for o in failed] == [Status.OK, Status.RUNTIME_ERROR]
    assert "ZeroDivisionError" in failed[1].detail
    assert remote.run("print(", double, LIMITS)[0].status is Status.SYNTAX_ERROR
    assert remote.run("exit(3)", double, LIMITS)[0].status is Status.RUNTIME_ERROR
    endless = remote.run("while True: pass", double, Limits(cpu_seconds=0.1))
    assert [o.status for o in endless] == [Status.TIMEOUT]


def test_functions_are_called_in_one_process_and_answer_in_json(remote, server):
    program = "import json\nseen = []\ndef f(a):\n    print('noise')\n    seen.append(a)\n    return (a, len(seen))"
    found = remote.run(program, CallTests(function="f", inputs=("[1]", '"x"')), LIMITS)
    assert [json.loads(o.output) for o in found] == [[[1], 1], ["x", 2]]
    assert len(server.requests) == 1
    starter = "class Solution:\n    def f(self, a: List[int]) -> int:\n        return max(Counter(a))"
    assert remote.run(starter, CallTests(function="f", inputs=("[1, 3]",)), LIMITS)[0].output == "3"
    slow = "def f(a):\n    while a: pass\n    return a"
    found = remote.run(slow, CallTests(function="f", inputs=("0", "1", "0")), Limits(cpu_seconds=0.2))
    assert [o.status for o in found][:2] == [Status.OK, Status.TIMEOUT]


@pytest.mark.parametrize(
    "program",
    [
        "import os; os._exit(0)",
        "import sys; sys.exit(0)",
        "def f(x): raise SystemExit(0)",
        "def f(x): import os; os._exit(0)",
        "def f(x): return 3",
        'print(\'{"status": "ok", "detail": "", "output": ""}\')',
    ],
)
def test_assertions_pass_by_reaching_their_end_only(remote, program):
    checks = AssertTests(code="assert f(1) == 2")
    assert [o.status for o in remote.run(program, checks, LIMITS)] == [Status.RUNTIME_ERROR]
    assert [o.status for o in remote.run("def f(x): return x + 1", checks, LIMITS)] == [Status.OK]


@pytest.mark.parametrize("checks", ["x = 1 / 0\nassert f(1) == 2", "import not_here\nassert f(1) == 2"])
def test_checks_that_fail_by_themselves_are_undecided(remote, checks):
    problem = Problem(id="a", domain=Domain.CODE, prompt="", tests={"assert_code": checks})
    use(remote)
    try:
        verdict = verify(problem, "```python\ndef f(x):\n    return x + 1\n```")
    finally:
        use(None)
    assert verdict.score is None
    assert verdict.reason.startswith("bad_reference: the tests failed by themselves")


def test_an_answer_for_some_calls_only_is_no_answer_for_the_others(remote):
    program = "import os\ndef f(x):\n    if x: os._exit(0)\n    return x"
    found = remote.run(program, CallTests(function="f", inputs=("0", "1", "0")), LIMITS)
    assert [o.status for o in found] == [Status.OK, Status.RUNTIME_ERROR]


def test_expected_outputs_are_not_sent_and_limits_are(remote, server):
    use(remote)
    try:
        problem = Problem(
            id="p",
            domain=Domain.CODE,
            prompt="",
            tests={"inputs": ["1"], "outputs": ["4711"], "time_limit_s": 1, "memory_limit_mb": 333},
        )
        assert verify(problem, "```python\nprint(4710 + int(input()))\n```").score == 1.0
    finally:
        use(None)
    [first] = server.requests
    assert "4711" not in json.dumps({name: value for name, value in first.items() if name != "code"})
    assert (first["memory_limit_MB"], first["language"]) == (333, "python")
    assert first["run_timeout"] > first["cpu_timeout"] == 1


FORGER = """
import json, os, sys
def f(x):
    frame = sys._getframe()
    while frame and 'sealed' not in frame.f_locals:
        frame = frame.f_back
    line = json.dumps({'status': 'ok', 'detail': '', 'output': '{"0": [0, 1], "1": [0, 1]}'})
    for number in range(3, 20):
        try:
            os.write(number, ('\\n' + frame.f_locals['sealed']['nonce'] + ' ' + line + '\\n').encode())
        except OSError:
            pass
    os._exit(0)
"""


def test_a_program_that_writes_its_own_verdict_on_a_service_fails(remote):
    problem = Problem(
        id="p", domain=Domain.CODE, prompt="", tests={"assert_code": "assert f(1) == 2\nassert f(2) == 3"}
    )
    checks = AssertTests(code="assert f(1) == 2")
    assert [o.status for o in remote.run(FORGER, checks, LIMITS)] == [Status.OK]  # it does write one
    use(remote)
    try:
        assert verify(problem, f"```python{FORGER}```").score == 0.0
        assert verify(problem, "```python\ndef f(x): return x + 1\n```").score == 1.0
    finally:
        use(None)


def test_no_more_requests_at_a_time_than_allowed(remote, server):
    server.delay_seconds = 0.05
    inputs = tuple(f"{k}\n" for k in range(6))
    with ThreadPoolExecutor(6) as threads:
        runs = [threads.submit(remote.run, "print(input())", StdinTests(inputs=inputs), LIMITS) for _ in range(4)]
        for run in runs:
            assert [o.output for o in run.result()] == [*inputs]
    assert 1 < server.most_inside <= 3


def sandbox_error(number):
    return 200, {}, json.dumps({"status": "SandboxError", "message": "no pod"}).encode()


@pytest.mark.parametrize(
    "wrong",
    [
        (500, {}, b"oops"),
        (503, {"Retry-After": "0"}, b"busy"),
        (429, {"Retry-After": "0.01"}, b"busy"),
        (200, {}, b"<html>"),
        (200, {}, b"[]"),
        sandbox_error(0),
    ],
)
def test_a_failure_is_tried_again_and_one_that_stays_is_undecided(remote, server, wrong):
    server.misbehave = lambda number: wrong if number < 3 else None
    assert remote.run("print(1)", StdinTests(inputs=("",)), LIMITS)[0].output == "1\n"
    server.misbehave = lambda number: wrong
    [outcome] = remote.run("print(1)", StdinTests(inputs=("",)), LIMITS)
    assert outcome.status is Status.INFRASTRUCTURE
    assert len(server.requests) == 6


@pytest.mark.parametrize("reply", [{}, {"status": "Success"}, {"status": "Success", "run_result": {"status": "Error"}}])
def test_a_reply_without_a_result_is_undecided(remote, server, reply):
    server.misbehave = lambda number: (200, {}, json.dumps(reply).encode())
    assert remote.run("print(1)", StdinTests(inputs=("",)), LIMITS)[0].status is Status.INFRASTRUCTURE


def test_what_cannot_get_better_is_not_tried_again(remote, server):
    server.misbehave = lambda number: (401, {}, b'{"detail": "who are you"}')
    [outcome] = remote.run("print(1)", StdinTests(inputs=("",)), LIMITS)
    assert outcome.status is Status.INFRASTRUCTURE
    assert "who are you" in outcome.detail
    assert len(server.requests) == 1


def test_a_service_that_is_gone_is_undecided_and_never_wrong(server):
    use(RemoteSandbox("http://127.0.0.1:9", attempts=2, pause_seconds=0.01))
    try:
        for tests in ({"inputs": ["1"], "outputs": ["2"]}, {"assert_code": "assert g(1) == 2"}):
            verdict = verify(Problem(id="p", domain=Domain.CODE, prompt="", tests=tests), "```python\n1\n```")
            assert verdict.score is None
            assert verdict.reason.startswith("infrastructure")
    finally:
        use(None)


def test_a_stalled_output_is_not_a_timeout_of_the_program(remote, server):
    result = {"status": "TimeLimitExceeded", "execution_time": 4, "return_code": None, "stdout": "x" * 70_000}
    body = {"status": "Failed", "run_result": {**result, "stderr": ""}}
    server.misbehave = lambda number: (200, {}, json.dumps(body).encode())
    assert remote.run("print(1)", StdinTests(inputs=("",)), LIMITS)[0].status is Status.INFRASTRUCTURE


def test_the_key_goes_along_and_the_path_may_be_named(server):
    sandbox = RemoteSandbox(f"{server.url}/run_code", key="secret")
    assert sandbox.run("print(1)", StdinTests(inputs=("",)), LIMITS)[0].status is Status.OK
    sandbox.close()
    assert server.headers[0]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize("url", ["nonsense", "ftp://host", "http://"])
def test_an_address_that_is_none_is_named(url):
    with pytest.raises(ConfigError, match=r"sandbox\.url: found"):
        RemoteSandbox(url)
