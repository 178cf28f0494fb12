"""One pool for each process: a fork neither shares nor closes its parent's, nor waits for a lock nobody gives back."""

import os
import subprocess
import sys
import threading

import pytest

from etalon.processes.per_process import PerProcess


class Pool:
    def __init__(self):
        self.owner = os.getpid()

    def close(self):
        pass


def in_a_fork(question):
    """What a forked child answers, as an exit status."""
    child = os.fork()
    if child == 0:
        os._exit(int(question()))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_all_threads_of_a_process_get_the_same_one():
    pools = PerProcess(Pool)
    assert not pools.is_made
    found = []
    threads = [threading.Thread(target=lambda: found.append(pools.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {pools.get()}


def test_a_forked_child_makes_its_own():
    pools = PerProcess(Pool)
    pools.get()
    assert in_a_fork(lambda: not pools.is_made and pools.get().owner == os.getpid()) == 1
    assert pools.get().owner == os.getpid()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # from 3.12 on: it is what is tested
def test_a_fork_beside_a_thread_that_makes_one_does_not_hang():
    is_making, go_on = threading.Event(), threading.Event()

    def slow():
        is_making.set()
        go_on.wait(30)
        return Pool()

    pools = PerProcess(slow)
    maker = threading.Thread(target=pools.get)
    maker.start()
    is_making.wait(30)
    program = in_a_fork(lambda: go_on.set() or pools.get().owner == os.getpid())
    go_on.set()
    maker.join()
    assert program == 1


def test_it_is_closed_at_exit_by_its_owner_alone():
    program = """
import os
from etalon.processes.per_process import PerProcess
class Pool:
    def close(self):
        print("closed", flush=True)
PerProcess(Pool).get()
if os.fork():
    os.wait()
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert printed.stdout == "closed\n"
