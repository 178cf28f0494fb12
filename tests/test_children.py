"""Commands that do not outlive us: asked to end, killed, and with them whatever they started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from etalon.errors import RunError
from etalon.processes.children import Child

pytestmark = [pytest.mark.live, pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")]

DETACHED = (
    "import subprocess, sys; p = subprocess.Popen(['sleep', '60'], start_new_session=True); print(p.pid, flush=True)"
)


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def is_gone(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def written(log):
    return log.read_text() if log.exists() else ""


def test_a_command_that_ends_well_is_waited_for(tmp_path):
    looks = []
    with Child([sys.executable, "-c", "print('hello')"], log=tmp_path / "log") as child:
        child.wait(lambda: looks.append(1), name="it")
    assert written(tmp_path / "log") == "hello\n"
    assert looks


def test_one_that_fails_is_named_with_its_last_words(tmp_path):
    (tmp_path / "log").write_text("words of another run\n")
    program = "import sys; print('early'); sys.exit('no such tensor')"
    with Child([sys.executable, "-c", program], log=tmp_path / "log") as child, pytest.raises(RunError) as raised:
        child.wait(name="rl-math")
    assert str(raised.value) == f"rl-math: ended with status 1; {tmp_path}/log ends with: early | no such tensor"
    with Child(["sh", "-c", "kill -9 $$"], log=tmp_path / "log") as child, pytest.raises(RunError) as raised:
        child.wait(name="it")
    assert "signal SIGKILL" in str(raised.value)
    with Child(["not-a-command-of-anybody"], log=tmp_path / "log") as child, pytest.raises(RunError) as raised:
        child.wait(name="it")
    assert "not-a-command-of-anybody: No such file" in str(raised.value)


@pytest.mark.parametrize("ending", ["", "import time; time.sleep(60)"])
def test_what_it_started_goes_with_it(tmp_path, ending):
    log = tmp_path / "log"
    with Child([sys.executable, "-c", f"{DETACHED}\n{ending}"], log=log) as child:
        assert wait_for(lambda: written(log).endswith("\n"))
        if not ending:
            child.wait(name="it")
    assert is_gone(int(written(log)))


def test_one_that_ignores_sigterm_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("etalon.processes.children.PATIENCE_SECONDS", 0.3)
    log = tmp_path / "log"
    program = (
        "import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(60)"
    )
    with Child([sys.executable, "-c", program], log=log):
        assert wait_for(lambda: written(log).endswith("\n"))
    assert is_gone(int(written(log)))


def test_it_dies_with_a_parent_that_was_killed(tmp_path):
    log = tmp_path / "log"
    inner = f"{DETACHED}; import time; time.sleep(60)"
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom etalon.processes.children import Child\n"
        f"child = Child([sys.executable, '-c', {inner!r}], log=Path({str(log)!r}))\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    assert wait_for(lambda: written(log).endswith("\n"))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert wait_for(lambda: is_gone(int(written(log))))


def test_it_dies_with_a_guard_that_was_killed(tmp_path):
    log = tmp_path / "log"
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with Child([sys.executable, "-c", program], log=log) as child:
        assert wait_for(lambda: written(log).endswith("\n"))
        os.kill(child._process.pid, signal.SIGKILL)
        assert wait_for(lambda: is_gone(int(written(log))))
        with pytest.raises(RunError, match="signal SIGKILL"):
            child.wait(name="it")
