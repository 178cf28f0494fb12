"""A small server that speaks SandboxFusion's schema: one plain process per request, wall time, no extensions."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, dict[str, str], bytes]


class FusionServer(ThreadingHTTPServer):
    """misbehave: called with the number of the request; what it returns is sent instead of an answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.misbehave: Callable[[int], Answer | None] = lambda number: None
        self.delay_seconds = 0.0
        self.num_inside = self.most_inside = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, body: dict) -> dict:
        started = time.monotonic()
        try:
            with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
                file.write(body["code"])
                file.flush()
                done = subprocess.run(
                    [sys.executable, file.name],
                    input=(body.get("stdin") or "").encode(),
                    capture_output=True,
                    timeout=min(body["run_timeout"], 20),
                )
        except subprocess.TimeoutExpired:
            result = {"status": "TimeLimitExceeded", "execution_time": body["run_timeout"], "return_code": None}
            result |= {"stdout": "", "stderr": ""}
        else:
            result = {"status": "Finished", "execution_time": time.monotonic() - started}
            result |= {"return_code": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}
        is_fine = result["return_code"] == 0
        return {
            "status": "Success" if is_fine else "Failed",
            "message": "",
            "compile_result": None,
            "run_result": result,
            "executor_pod_name": None,
            "files": {},
        }


class Handler(BaseHTTPRequestHandler):
    server: FusionServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append(body)
            self.server.headers.append(dict(self.headers))
            number = len(self.server.requests)
            self.server.num_inside += 1
            self.server.most_inside = max(self.server.most_inside, self.server.num_inside)
        try:
            time.sleep(self.server.delay_seconds)
            wrong = self.server.misbehave(number) if self.path == "/run_code" else (404, {}, b"no such path")
            status, headers, content = wrong or (200, {}, json.dumps(self.server.answer(body)).encode())
        finally:
            with self.server.lock:
                self.server.num_inside -= 1
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def fusion_server() -> Iterator[FusionServer]:
    with FusionServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
