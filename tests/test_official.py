"""LiveCodeBench's own checker as a second opinion; a stand-in with its command line says what the real one said."""

import sys
from pathlib import Path

import pytest

from etalon.errors import InputError, RunError
from etalon.evaluate.logs.disagreement import Why, likely_reason
from etalon.evaluate.logs.official import Release, official_lcb
from etalon.evaluate.store import Sample
from etalon.problems.files import read_problems
from etalon.types import Stop
from etalon.verifiers.code.outputs import USUAL
from etalon.verifiers.code.programs import Program

LCB = Path(__file__).parent / "logs" / "lcb"
STAND_IN = """\
import argparse, json, os, shutil
parser = argparse.ArgumentParser()
for name in ("custom_output_file", "release_version", "start_date", "end_date", "num_process_evaluate"):
    parser.add_argument(f"--{name}")
args = parser.parse_args()
with open(args.custom_output_file) as stream:
    outputs = json.load(stream)
assert os.path.isdir("lcb_runner"), "they open files by relative names"
assert "OWN_API_KEY" not in os.environ
assert [one["question_id"] for one in outputs] == ["own_a", "own_b", "own_c"], outputs
assert {len(one["code_list"]) for one in outputs} == {5}
assert (args.release_version, args.start_date, args.end_date) == ("release_v6", "2025-02-01", None), args
shutil.copy(os.environ["OWN_JUDGED"], args.custom_output_file[:-5] + "_codegeneration_output_eval_all.json")
"""
PROGRAMS = {
    ("own_b", 0): "print(sum(map(int, input().split())))",
    ("own_b", 1): "import threading, time\ndef main():\n    time.sleep(0.2)\n"
    "    print(sum(map(int, input().split())))\nthreading.Thread(target=main).start()",
    ("own_b", 2): "print(6)",
    ("own_b", 3): "import sys\nfor line in sys.stdin:\n    print(sum(map(int, line.split())))",
    ("own_b", 4): "print(reduce(lambda a, b: a + b, map(int, input().split())))",
    ("own_a", 0): "a, b = map(int, input().split())\nprint(a / b)",
    ("own_a", 1): "print('0.333333333')",
    ("own_a", 2): "import os\nos._exit(3)",
    (
        "own_c",
        0,
    ): "class Solution:\n    def pairs(self, nums):\n        return [(a, b) for a, b in zip(nums, nums[1:])]",
    (
        "own_c",
        1,
    ): "class Solution:\n    def pairs(self, nums):\n        return [[a, b] for a, b in zip(nums, nums[1:])]",
}


@pytest.fixture
def clone(tmp_path, monkeypatch):
    place = tmp_path / "clone"
    (place / "lcb_runner" / "runner").mkdir(parents=True)
    (place / "lcb_runner" / "runner" / "custom_evaluator.py").write_text(STAND_IN)
    (place / ".venv" / "bin").mkdir(parents=True)
    (place / ".venv" / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setenv("OWN_API_KEY", "secret")
    monkeypatch.setenv("OWN_JUDGED", str(LCB / "own_eval_all.json"))
    return place


def samples():
    return [
        Sample(id=name, index=index, text=f"Here:\n```python\n{text}\n```", stop=Stop.EOS)
        for (name, index), text in PROGRAMS.items()
    ]


@pytest.mark.live
def test_two_opinions_are_compared_program_by_program(clone, tmp_path):
    problems = read_problems(LCB / "release.jsonl")
    release = Release(name="release_v6", start_date="2025-02-01")
    found = official_lcb(clone, samples(), problems, out=tmp_path / "out", workers=2, release=release)
    assert (found.both_right, found.both_wrong, found.only_ours, found.only_theirs) == (3, 2, 4, 1)
    assert (found.undecided, found.missing) == (0, 0)
    assert {(one.id, one.index): one.why for one in found.disagreements} == {
        ("own_b", 1): Why.THREAD,
        ("own_b", 3): Why.IMITATED,
        ("own_b", 4): Why.HEADER,
        ("own_a", 0): Why.DIGITS,
        ("own_c", 0): Why.TUPLE,
    }
    assert found.reasons.total() == 5


@pytest.mark.live
def test_a_checker_that_fails_or_is_not_there_is_told_in_a_line(clone, tmp_path):
    problems = read_problems(LCB / "release.jsonl")
    with pytest.raises(RunError, match=r"release_latest, 3 problems.*status 1.*AssertionError"):
        official_lcb(clone, samples(), problems, out=tmp_path, workers=1)
    (clone / ".venv" / "bin" / "python").unlink()
    with pytest.raises(InputError, match="expected a clone of LiveCodeBench"):
        official_lcb(clone, samples(), problems, out=tmp_path, workers=1)
    with pytest.raises(InputError, match="interpreter that imports lcb_runner"):
        official_lcb(Path(sys.executable), samples(), problems, out=tmp_path, workers=1)
    with pytest.raises(InputError, match="no samples of these problems"):
        official_lcb(clone, [], problems, out=tmp_path, workers=1)


def test_the_likely_reason_goes_by_what_both_say():
    python, cpp = Program(text="print(1)"), Program(text="int main(){}", language="cpp")
    no_module = {"error_code": -4, "error_message": "Error during testing: No module named 'numpy'"}
    cases = [
        ((python, None, "infrastructure: no library numpy here", {}), Why.NO_PACKAGE_HERE),
        ((python, None, "infrastructure: the sandbox died", {}), Why.UNDECIDED),
        ((python, 0.0, "truncated", {}), Why.TRUNCATED),
        ((cpp, 1.0, "passed", {"error_code": -4}), Why.LANGUAGE),
        ((python, 1.0, "passed", no_module), Why.NO_PACKAGE_THERE),
        ((python, 1.0, "passed", {"error_code": -3, "error": "TimeoutException()"}), Why.TIME_THERE),
        ((python, 1.0, "passed", {"error_code": -5, "error": "IndexError('list index out of range')"}), Why.DIED),
        ((python, 1.0, "passed", {"error_code": -2, "output": "2", "expected": "1"}), Why.OTHER),
        ((python, 0.0, "timeout (test 3 of 9)", {}), Why.TIME_HERE),
        ((python, 0.0, "wrong (test 1 of 2)", {}), Why.OTHER),
        ((None, 0.0, "no_answer", {}), Why.OTHER),
    ]
    for (program, score, reason, told), why in cases:
        assert likely_reason(program, score, reason, told, USUAL) is why
    cut = {"error_code": -2, "output": "1\n...(truncated) ...0.5", "expected": "1\n...(truncated) ...0.5",
           "error_message": "Wrong answer at output_line_idx=9: 0.5000000001 != 0.5"}  # fmt: skip
    assert likely_reason(python, 1.0, "passed", cut, USUAL) is Why.DIGITS
