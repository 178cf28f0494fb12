"""`etalon sandbox`: SandboxFusion's /run_code over our pool, for this machine or with a key, within its bounds."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from etalon.errors import ConfigError
from etalon.sandbox import AssertTests, CallTests, Limits, LocalSandbox, Outcome, SandboxPool, Status, StdinTests
from etalon.sandbox.native import compiler
from etalon.sandbox.remote import RemoteSandbox
from etalon.serve import patience
from etalon.serve.sandbox import SandboxService, ServiceLimits, bind
from upstream import serving

pytestmark = pytest.mark.live

COMMAND = [sys.executable, "-c", "import sys; from etalon.cli import main; sys.exit(main())", "sandbox", "--port", "0"]
JSON = {"Content-Type": "application/json"}
PROGRAM = {"code": "print(int(input()) + 1)", "language": "python", "stdin": "41"}


@contextmanager
def service(*options, **environment):
    command = [*COMMAND, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def url():
    with service("--workers", "2", "--request-mb", "1") as url:
        yield url


def post(url, body, headers=JSON, method="POST", path="/run_code"):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        connection.request(method, path, content, headers)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text[:1] == b"{" else text, dict(response.headers)
    finally:
        connection.close()


def test_a_program_is_run_and_answered_in_their_words(url):
    status, body, _ = post(url, {"code": "print(int(input()) + 1)", "language": "python", "stdin": "41"})
    assert status == 200
    assert set(body) == {"status", "message", "compile_result", "run_result", "executor_pod_name", "files"}
    assert (body["status"], body["compile_result"]) == ("Success", None)
    result = body["run_result"]
    assert (result["status"], result["return_code"], result["stdout"]) == ("Finished", 0, "42\n")


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        ("1 / 0", "Finished", "runtime_error"),
        ("def", "Finished", "syntax_error"),
        ("while True: pass", "TimeLimitExceeded", "timeout"),
        ("x = bytearray(10**10)", "Finished", "memory"),
        ("print('x' * 2**25)", "Finished", "output_limit"),
    ],
)
def test_a_program_that_fails_says_how(url, code, status, outcome):
    _, body, _ = post(url, {"code": code, "language": "python", "run_timeout": 0.3, "memory_limit_MB": 200})
    assert body["status"] == "Failed"
    assert (body["run_result"]["status"], body["run_result"]["outcome"]) == (status, outcome)
    assert body["run_result"]["return_code"] != 0


def test_one_request_may_hold_many_inputs(url):
    body = {"code": "print(6 // int(input()))", "language": "python", "stdins": ["1", "2", "0", "3"]}
    _, reply, _ = post(url, body)
    assert [result["stdout"] for result in reply["run_results"]] == ["6\n", "3\n", "", "2\n"]
    assert [result["return_code"] for result in reply["run_results"]] == [0, 0, 1, 0]
    assert reply["status"] == "Failed"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "JSON"),
        (b"[]", "object"),
        ({"language": "python"}, "code"),
        ({"code": "", "language": "bash"}, "language"),
        ({"code": "", "language": "python", "stdin": 3}, "stdin"),
        ({"code": "", "language": "python", "stdins": []}, "stdins"),
        ({"code": "", "language": "python", "run_timeout": "1"}, "run_timeout"),
        ({"code": "", "language": "python", "run_timeout": 1e9}, "run_timeout"),
        ({"code": "", "language": "python", "run_timeout": 10**400}, "run_timeout"),
        ({"code": "", "language": "python", "cpu_timeout": 10**400}, "cpu_timeout"),
        ({"code": "", "language": "python", "memory_limit_MB": 10**400}, "memory_limit_MB"),
        ({"code": "", "language": "python", "run_timeout": float("nan")}, "run_timeout"),
        ({"code": "", "language": "python", "memory_limit_MB": 1e9}, "memory_limit_MB"),
        ({"code": "", "language": "python", "files": {"a": ""}}, "files"),
    ],
)
def test_a_request_that_cannot_be_run_is_refused_by_name(url, body, word):
    status, reply, _ = post(url, body)
    assert status == 400
    assert word in reply["detail"]


def test_other_paths_methods_and_types_are_refused(url):
    assert post(url, {}, path="/")[0] == 404
    assert post(url, {}, method="GET")[0] == 405
    assert post(url, {}, method="GET", path="/v1/ping")[:2] == (200, b"pong")
    assert post(url, {"code": "", "language": "python"}, {"Content-Type": "text/plain"})[0] == 415
    assert post(url, b"x" * (1 << 20) + b"x")[0] == 413
    chunked = {**JSON, "Transfer-Encoding": "chunked"}
    assert post(url, b"200001\r\n" + b"x" * 0x200001 + b"\r\n0\r\n\r\n", chunked)[0] == 413


def test_our_own_client_uses_it_like_the_pool(url):
    sandbox = RemoteSandbox(url)
    try:
        limits = Limits(cpu_seconds=0.5)
        found = sandbox.run("print(2 * int(input()))", StdinTests(inputs=("1", "2")), limits)
        assert [o.output for o in found] == ["2\n", "4\n"]
        assert sandbox.run("while True: pass", StdinTests(inputs=("", "")), limits)[0].status is Status.TIMEOUT
        assert sandbox.run("x = 'a' * 10**10", StdinTests(inputs=("",)), limits)[0].status is Status.MEMORY
        assert sandbox.run("def f(a): return [a]", CallTests(function="f", inputs=("1",)), limits)[0].output == "[1]"
        assert sandbox.run("def f(): return 1", AssertTests(code="assert f() == 1"), limits)[0].status is Status.OK
        assert sandbox.run("exit()", AssertTests(code="assert f() == 1"), limits)[0].status is Status.RUNTIME_ERROR
    finally:
        sandbox.close()


def test_many_requests_at_once_get_their_own_answers(url):
    def double(number):
        body = {"code": "print(2 * int(input()))", "language": "python", "stdin": str(number)}
        return post(url, body)[1]["run_result"]["stdout"]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(double, range(60))) == [f"{2 * number}\n" for number in range(60)]


def test_more_requests_than_may_wait_are_told_to_come_back():
    with service("--workers", "1", "--waiting", "1") as url, ThreadPoolExecutor(8) as threads:
        slow = {"code": "import time; time.sleep(1)", "language": "python", "run_timeout": 5}
        replies = list(threads.map(lambda _: post(url, slow), range(8)))
    assert {status for status, _, _ in replies} == {200, 503}
    assert all(headers["retry-after"] == "1" for status, _, headers in replies if status == 503)


def test_a_key_is_asked_for_and_compared():
    with service(ETALON_SANDBOX_KEY="correct horse battery") as url:
        body = {"code": "print(1)", "language": "python"}
        assert post(url, body)[0] == 401
        assert post(url, body, {**JSON, "Authorization": "Bearer wrong"})[0] == 401
        assert post(url, body, {**JSON, "Authorization": "Basic correct horse battery"})[0] == 401
        assert post(url, body, {**JSON, "Authorization": "Bearer correct horse battery"})[0] == 200


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": ""}]
)
def test_web_pages_of_other_sites_are_refused_without_a_key(url, headers):
    status, reply, _ = post(url, {"code": "print(1)", "language": "python"}, {**JSON, **headers})
    assert status == 403
    assert "the sandbox has no key" in reply["detail"]
    assert post(url, {}, headers, method="GET", path="/v1/ping")[0] == 403


def test_with_a_key_any_name_of_the_machine_will_do():
    with service(ETALON_SANDBOX_KEY="correct horse battery") as url:
        headers = {**JSON, "Host": "node7.example", "Authorization": "Bearer correct horse battery"}
        assert post(url, {"code": "print(1)", "language": "python"}, headers)[0] == 200
        assert post(url, {}, {"Host": "node7.example"}, method="GET", path="/v1/ping")[0] == 200


@contextmanager
def in_process(**limits):
    with (
        SandboxPool(workers=1) as pool,
        serving(SandboxService(LocalSandbox(pool), ServiceLimits(workers=1, **limits)).app) as url,
    ):
        yield url


def send_only(url, content, *, length):
    """A connection that sent its headers and `content`, and waits."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=30)
    head = f"POST /run_code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}"
    connection.sendall(head.encode() + b"\r\n\r\n" + content)
    return connection


def test_bodies_that_do_not_arrive_block_nobody_and_are_given_up():
    with in_process(waiting=1, body_seconds=1.0) as url, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(send_only(url, b"{", length=100)) for _ in range(20)]
        assert post(url, {"code": "print(1)", "language": "python"})[0] == 200
        for connection in slow:
            assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("language", "code"),
    [("python", "while True: pass"), ("cpp", "int main() { for (volatile int i = 0;; i = 1) {} }")],
)
def test_a_client_that_leaves_takes_its_program_along(language, code):
    if language == "cpp" and compiler() is None:
        pytest.skip("no C++ compiler")
    endless = json.dumps({"code": code, "language": language, "run_timeout": 600}).encode()
    with in_process(waiting=8) as url:
        post(url, {"code": "print(1)", "language": "python"})
        idle = len(descendants())
        leaving = [send_only(url, endless, length=len(endless)) for _ in range(4)]  # one runs, three wait
        wait_until(lambda: len(descendants()) > idle)
        for connection in leaving:
            connection.close()
        assert post(url, {"code": "print(6 * 7)", "language": "python"})[1]["run_result"]["stdout"] == "42\n"
        wait_until(lambda: len(descendants()) <= idle)


def descendants():
    """Processes below this one."""
    found, todo = set(), [os.getpid()]
    while todo:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{(parent := todo.pop())}/task"):
                with contextlib.suppress(OSError), open(f"/proc/{parent}/task/{task}/children") as children:
                    new = set(map(int, children.read().split())) - found
                    found |= new
                    todo += new
    return found


def wait_until(is_so, seconds=30):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_others_are_not_served_without_a_key(host):
    with pytest.raises(ConfigError, match="set ETALON_SANDBOX_KEY to the key"):
        bind(host, 0, key="")
    with pytest.raises(ConfigError, match="set OTHER to the key"):
        bind(host, 0, key="", key_env="OTHER")


def test_a_port_that_is_taken_is_one_line():
    with bind("127.0.0.1", 0, key="") as listener:
        port = listener.getsockname()[1]
        done = subprocess.run([*COMMAND[:-1], str(port)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert re.fullmatch(rf"etalon: --host 127\.0\.0\.1 --port {port}: .+\n", done.stderr)


def test_a_failure_of_the_sandbox_is_their_sandbox_error():
    from etalon.serve.run_code import read_request, reply

    request = read_request(b'{"code": "", "language": "python"}')
    body = reply(request, [Outcome(status=Status.INFRASTRUCTURE, detail="no zygote")])
    assert (body["status"], body["message"], body["run_result"]) == ("SandboxError", "no zygote", None)


def endless(url):
    with contextlib.suppress(OSError, http.client.HTTPException):  # the service ends first
        post(url, {"code": "while True: pass", "language": "python"})


def test_it_ends_when_told_and_leaves_no_process():
    with service("--workers", "1") as url:
        _, body, _ = post(url, {"code": "import os; print(os.getppid())", "language": "python"})
        zygote = int(body["run_result"]["stdout"])
        threading.Thread(target=endless, args=(url,)).start()
        time.sleep(0.3)
    deadline = time.monotonic() + 30
    while zygote > 1 and _is_alive(zygote) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert zygote <= 1 or not _is_alive(zygote)


def _is_alive(pid):
    try:
        os.kill(pid, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def resident_mb(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_half_open_connections_and_unfinished_bodies_keep_nobody_out_and_cost_little_memory():
    with subprocess.Popen([*COMMAND, "--workers", "2"], stdout=subprocess.PIPE, text=True) as process:
        open_ = []
        try:
            url = process.stdout.readline().strip()
            host, port = urlsplit(url).netloc.split(":")
            assert post(url, PROGRAM)[0] == 200
            before = resident_mb(process.pid)
            for number in range(500):
                open_.append(socket.create_connection((host, int(port)), timeout=10))
                if number < 400:
                    open_[-1].sendall(b"POST /run_code HTTP/1.1\r\nHost: x\r\nX-Half")
                    continue
                head = f"POST /run_code HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
                open_[-1].sendall(f"{head}Content-Length: 8000000\r\n\r\n".encode())
                with contextlib.suppress(OSError):  # one that has stalled too long was told to go
                    open_[-1].sendall(b" " * 4_000_000)
            with ThreadPoolExecutor(10) as threads:
                answers = list(threads.map(lambda _: post(url, PROGRAM), range(50)))
            assert {status for status, *_ in answers} == {200}
            assert resident_mb(process.pid) - before < 200  # 100 bodies of 4 MB were sent
        finally:
            for one in open_:
                one.close()
            process.terminate()


def test_headers_that_never_end_are_given_up(monkeypatch):
    monkeypatch.setattr(patience, "HEADER_SECONDS", 0.3)
    app = SandboxService(LocalSandbox(), ServiceLimits(workers=1)).app
    with serving(app, http=patience.PatientProtocol) as url:
        host, port = urlsplit(url).netloc.split(":")
        for sent in (b"", b"GET /v1/ping HTTP/1.1\r\nHost: x\r\nX-Ha"):
            with socket.create_connection((host, int(port)), timeout=10) as late:
                late.sendall(sent)
                assert late.recv(100) == b""
        with socket.create_connection((host, int(port)), timeout=10) as two:
            head = b"POST /run_code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            two.sendall(head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")  # two ends
            assert two.recv(12).endswith(b" 400")
        with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=10)) as kept:
            for _ in range(3):  # whole requests on one connection, longer apart than headers may take
                kept.request("GET", "/v1/ping")
                assert kept.getresponse().read() == b"pong"
                time.sleep(0.4)
