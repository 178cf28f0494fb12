"""Headless Chromium over the DevTools protocol, on two pipes: no port and no client of websockets is needed.

Protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 60.0


class Tab:
    """One page. complaints: errors, warnings and refusals of its content policy, as the console tells them."""

    def __init__(self, reading: int, writing: int) -> None:
        self.complaints: list[str] = []
        self._reading, self._writing = reading, writing
        self._rest = b""
        self._last = 0
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command; what the page complains of meanwhile is kept."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._last:
            self._note(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)
        self.wait_for("document.readyState === 'complete'")

    def run(self, expression: str) -> Any:
        """The JSON value of an expression, awaited."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """The value of an expression as soon as it is true."""
        deadline = time.monotonic() + SECONDS
        while not (value := self.run(expression)):
            assert time.monotonic() < deadline, expression
            time.sleep(0.02)
        return value

    def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
            self.complaints.append(json.dumps(event["params"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._reading], [], [], SECONDS)
            assert ready, "the browser does not answer"
            content = os.read(self._reading, 1 << 20)
            assert content, "the browser has ended"
            self._rest += content
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


@contextmanager
def tab(folder: Path, *, width: int = 1200, height: int = 1000) -> Iterator[Tab]:
    """A page of a browser of its own, whose profile is in `folder`; it ends with the block."""
    assert BROWSER is not None
    (to_read, writing), (reading, to_write) = os.pipe(), os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_read, to_write)]  # apart from the browser's 3 and 4
    shell = f'exec "$@" 3<&{ends[0]} 4>&{ends[1]}'
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
    flags += [f"--user-data-dir={folder}", f"--window-size={width},{height}"]
    quiet = subprocess.DEVNULL
    command = ["bash", "-c", shell, "bash", BROWSER, *flags]
    with subprocess.Popen(command, pass_fds=ends, stdout=quiet, stderr=quiet) as process:
        for end in (to_read, to_write, *ends):
            os.close(end)
        try:
            yield Tab(reading, writing)
        finally:
            process.terminate()
            process.wait(SECONDS)
            os.close(reading)
            os.close(writing)
