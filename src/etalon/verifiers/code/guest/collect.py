"""Behind a program: runs tests that pytest or unittest would run, one after the other; the first failure is raised.

Fixtures are functions of the tests, or one of BUILT_IN; marks are `parametrize`, `skip`, `skipif` and `xfail`.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import sys
from collections.abc import Iterator
from typing import Any

UNITTEST_MARKS = ("__unittest_skip__", "__unittest_expecting_failure__")


def etalon_run(test: Any) -> None:
    """Run a test function, or all tests of a class."""
    if not isinstance(test, type):
        _run_function(test, test.__globals__)
    elif "unittest" in sys.modules and issubclass(test, sys.modules["unittest"].TestCase):
        _run_cases(test)
    else:
        _run_methods(test)


def _run_cases(kind: Any) -> None:
    unittest = sys.modules["unittest"]
    if getattr(kind, "__unittest_skip__", False):
        return
    kind.setUpClass()
    try:
        for case in unittest.defaultTestLoader.loadTestsFromTestCase(kind):
            method = getattr(case, case._testMethodName)
            if not any(getattr(method, mark, False) for mark in UNITTEST_MARKS):
                case.debug()
    finally:
        kind.tearDownClass()


def _run_methods(kind: Any) -> None:
    names = sys.modules[kind.__module__].__dict__ if kind.__module__ in sys.modules else {}
    for name in [name for name in vars(kind) if name.startswith("test")]:
        instance = kind()
        fixtures = {**names, **{key: value.__get__(instance) for key, value in _fixtures(vars(kind)).items()}}
        for before in ("setup_class", "setup_method", "setUp"):
            _call_if_there(instance, before)
        try:
            _run_function(getattr(instance, name), fixtures)
        finally:
            for after in ("teardown_method", "tearDown"):
                _call_if_there(instance, after)


def _call_if_there(instance: Any, name: str) -> None:
    method = getattr(instance, name, None)
    if method is not None:
        method(*([None] * len(inspect.signature(method).parameters)))


def _run_function(test: Any, names: dict[str, Any]) -> None:
    marks = list(getattr(test, "pytestmark", ()))
    if any(_is_skipped(mark) for mark in marks):
        return
    tables = [list(_cases(mark)) for mark in marks if mark.name == "parametrize"]
    for cases in itertools.product(*tables):
        given = {name: value for case in cases for name, value in case.items()}
        with contextlib.ExitStack() as stack:
            made: dict[str, Any] = {}
            automatic = [name for name, function in _fixtures(names).items() if _is_automatic(names[name], function)]
            for name in automatic:
                _make(name, names, made, stack)
            wanted = [name for name in _asked_for(test) if name not in given]
            _finish(test(**given, **{name: _make(name, names, made, stack) for name in wanted}))


def _asked_for(test: Any) -> list[str]:
    """Parameters that fixtures fill: not those of `unittest.mock.patch`, which come first."""
    default = getattr(sys.modules.get("unittest.mock"), "DEFAULT", None)
    patches = [patch for patch in getattr(test, "patchings", ()) if not patch.attribute_name and patch.new is default]
    return list(inspect.signature(test).parameters)[len(patches) :]


def _finish(result: Any) -> None:
    if inspect.iscoroutine(result):
        import asyncio

        asyncio.run(result)


def _is_skipped(mark: Any) -> bool:
    return mark.name in ("skip", "xfail") or (mark.name == "skipif" and bool(mark.args and mark.args[0]))


def _cases(mark: Any) -> Iterator[dict[str, Any]]:
    names = mark.args[0] if mark.args else mark.kwargs["argnames"]
    listed = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    for values in mark.args[1] if len(mark.args) > 1 else mark.kwargs["argvalues"]:
        is_set = type(values).__name__ == "ParameterSet"  # of pytest.param
        row = values.values if is_set else [values] if len(listed) == 1 else list(values)
        yield dict(zip(listed, row, strict=True))


def _fixtures(names: dict[str, Any]) -> dict[str, Any]:
    return {name: function for name, value in names.items() if (function := _fixture(value)) is not None}


def _fixture(value: Any) -> Any:
    """The function of a fixture; None for anything else."""
    if type(value).__name__ == "FixtureFunctionDefinition":
        return value._get_wrapped_function()
    wrapped = getattr(value, "__pytest_wrapped__", None) if inspect.isfunction(value) else None
    return getattr(wrapped, "obj", None)


def _is_automatic(value: Any, function: Any) -> bool:
    marker = getattr(value, "_fixture_function_marker", None) or getattr(value, "_pytestfixturefunction", None)
    return bool(getattr(marker, "autouse", False))


def _make(name: str, names: dict[str, Any], made: dict[str, Any], stack: contextlib.ExitStack) -> Any:
    if name not in made:
        function = _fixture(names.get(name))
        if function is None and name in BUILT_IN:
            made[name] = BUILT_IN[name](stack)
        elif function is None:
            raise NameError(f"no fixture {name}")
        else:
            wanted = inspect.signature(function).parameters
            value = function(**{each: _make(each, names, made, stack) for each in wanted})
            made[name] = next(value) if inspect.isgenerator(value) else value
            if inspect.isgenerator(value):
                stack.callback(next, value, None)
    return made[name]


class _Captured:
    """What pytest's capsys is asked for."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._out, self._err = io.StringIO(), io.StringIO()
        stack.enter_context(contextlib.redirect_stdout(self._out))
        stack.enter_context(contextlib.redirect_stderr(self._err))

    def readouterr(self) -> Any:
        from collections import namedtuple

        texts = [stream.getvalue() for stream in (self._out, self._err)]
        for stream in (self._out, self._err):
            stream.seek(0)
            stream.truncate()
        return namedtuple("CaptureResult", "out err")(*texts)


def _temporary_folder(stack: contextlib.ExitStack) -> Any:
    import pathlib
    import tempfile

    return pathlib.Path(tempfile.mkdtemp(dir="."))


def _monkeypatch(stack: contextlib.ExitStack) -> Any:
    patch = sys.modules["pytest"].MonkeyPatch()
    stack.callback(patch.undo)
    return patch


BUILT_IN: dict[str, Any] = {"capsys": _Captured, "tmp_path": _temporary_folder, "monkeypatch": _monkeypatch}
