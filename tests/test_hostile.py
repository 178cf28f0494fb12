"""Programs that cheat, break out, or look as if they did: one file each in tests/hostile, with its outcome.

Header of a file: what it does, then
    # mode: stdin (prints n + 1), call (f(n) returns n + 1, compared outside) or assert (checks call f)
    # outcome: pass, or the statuses of which one must be the verdict
    # needs: walls of which one is enough, or a library; the program is skipped where all are missing
    # check: instead of the usual checks; @ANSWER@ is a number that no program can know
"""

import os
import random
import socket
from pathlib import Path

import pytest

from etalon.sandbox import describe
from etalon.types import Domain, Problem
from etalon.verifiers import verify

pytestmark = pytest.mark.live

FILES = sorted((Path(__file__).parent / "hostile").glob("*.py"))
ANSWER = str(774_100_000_000 + random.SystemRandom().randrange(10**8))
OUTSIDE = ("/tmp/etalon-witness", "/dev/shm/etalon-witness")


@pytest.fixture(scope="module")
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def parts(file):
    """The fields of the header, and the program."""
    head, _, program = file.read_text().partition("\n\n")
    fields = {}
    for line in head.splitlines()[1:]:
        if line.startswith("#   "):  # a check of several lines
            fields["check"] += f"\n{line[4:]}"
        else:
            name, _, value = line[2:].partition(": ")
            fields[name] = value
    return fields, program


def problem(fields):
    check = fields.get("check", "")
    if fields["mode"] == "assert":
        tests = {"assert_code": check or "assert f(3) == 4\nassert f(4) == 5"}
    else:
        name = "f" if fields["mode"] == "call" else None
        outputs = [check] if check else ["4\n", "5\n"]
        tests = {"inputs": ["3\n", "4\n"][: len(outputs)], "outputs": outputs, "fn_name": name}
    return Problem(id="h", domain=Domain.CODE, prompt="", tests={**tests, "time_limit_s": 0.3, "memory_limit_mb": 256})


def test_there_are_hostile_programs():
    assert len(FILES) >= 40


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_hostile_program_ends_as_its_header_says(file, tmp_path, listener, monkeypatch):
    fields, program = parts(file)
    needs = fields.get("needs", "").split()
    if needs == ["numpy"]:
        pytest.importorskip("numpy")
    elif needs and set(needs) <= set(describe().missing):
        pytest.skip(f"no {needs} here")
    monkeypatch.setenv("ETALON_TEST_SECRET", ANSWER)
    secret, witness = tmp_path / "secret", tmp_path / "witness"
    secret.write_text(ANSWER)
    os.chmod(tmp_path, 0o777)
    os.chmod(secret, 0o644)
    names = {"@SECRET@": secret, "@WITNESS@": witness, "@PORT@": listener.getsockname()[1], "@ANSWER@": ANSWER}
    for name, value in names.items():
        fields["check"] = fields.get("check", "").replace(name, str(value))
        program = program.replace(name, str(value))
    verdict = verify(problem(fields), f"````python\n{program}\n````")
    expected = fields["outcome"].split()
    found = "pass" if verdict.score == 1 else verdict.reason.split()[0]
    assert found in expected, verdict
    assert verdict.score == (1.0 if expected == ["pass"] else 0.0)
    assert not witness.exists()
    assert not any(map(os.path.exists, OUTSIDE))
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_hostile_program_does_not_harm_the_next():
    tests = {"inputs": ["3\n"], "outputs": ["4\n"], "fn_name": None}
    for number in range(8):
        honest = f"# {number}\nimport os\nassert os.listdir() == []\nprint(int(input()) + 1)"
        verdict = verify(Problem(id="h", domain=Domain.CODE, prompt="", tests=tests), f"```python\n{honest}\n```")
        assert verdict.score == 1.0, verdict
