"""Programs are parsed by many threads at once."""

import ast
import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from etalon.problems.syntax import parse

PROGRAM = "\n".join(f"def f{i}(x):\n    return [x * {i} + (1, 2, 3)[j] for j in range(3)]" for i in range(60))


@pytest.fixture
def busy_collector():
    """A garbage collector that runs often, and lets other threads run while it does."""

    def give_way(phase, info):
        time.sleep(0)

    before = gc.get_threshold()
    gc.set_threshold(50)
    gc.callbacks.append(give_way)
    yield
    gc.callbacks.remove(give_way)
    gc.set_threshold(*before)


def test_threads_may_parse_at_once(busy_collector):
    expected = ast.dump(ast.parse(PROGRAM))
    with ThreadPoolExecutor(4) as threads:  # ast.parse itself raises SystemError here on CPython 3.11
        trees = list(threads.map(parse, [PROGRAM] * 24))
    assert {ast.dump(tree) for tree in trees} == {expected}


def test_an_end_of_an_object_that_parses_does_no_harm():
    def end(phase, info):
        ast.parse("x = 1")  # what printing the traceback of an unraisable error does

    before = gc.get_threshold()
    gc.set_threshold(50)
    gc.callbacks.append(end)
    try:
        trees = [parse(PROGRAM) for _ in range(5)]  # ast.parse itself raises SystemError here
        assert gc.isenabled()
    finally:
        gc.callbacks.remove(end)
        gc.set_threshold(*before)
    assert len({ast.dump(tree) for tree in trees}) == 1
