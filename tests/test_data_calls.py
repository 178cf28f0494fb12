"""Calls that are paid once: what is kept is never asked again, whatever happened in between."""

from __future__ import annotations

import json
import random
import resource
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from etalon import config
from etalon.data.asking.quality import judge_records
from etalon.data.calls import kept
from etalon.data.calls.remembered import GIVE_UP, Remembered
from etalon.data.records import Record
from etalon.errors import ConfigError, InputError, RunError
from etalon.pipeline import inputs
from etalon.sampling.program import ProgramSampler
from etalon.sampling.source import check_named, contents_of, identity_of, sampler_named
from etalon.store import hash_file
from etalon.types import Conversation, Domain, Problem, Rollout, Sampler, SamplingParams, Stop, ask

PARAMS = SamplingParams(max_tokens=50)
ASKED = [ask(f"What is {number}?") for number in range(5)]
FAILS = ask("What fails?")


class Counted:
    """A program with a count of its calls: the text tells prompt, index and seed; one prompt always fails."""

    def __init__(self, answer: Callable[[str, int, int], str | None] | None = None) -> None:
        self.answer = answer or (lambda prompt, index, seed: f"{prompt} {index} {seed}")
        self.calls: Counter[tuple[str, int]] = Counter()

    def __call__(self, prompt: str, index: int, seed: int) -> str | None:
        self.calls[prompt, index] += 1
        if prompt == FAILS[0].content:
            raise ValueError("no idea")
        return self.answer(prompt, index, seed)

    def sampler(self, *, together: int = 1) -> ProgramSampler:
        return ProgramSampler(self, name="toy", together=together)


def texts(sampler: Sampler, n: int, *, conversations: Sequence[Conversation] = ASKED, seed: int = 3) -> list[list[str]]:
    came = dict(sampler.sample(conversations, n=n, params=PARAMS, seed=seed))
    return [[rollout.text for rollout in came[place]] for place in range(len(conversations))]


def test_more_samples_ask_only_for_those_that_are_missing_and_are_those_of_one_request(tmp_path: Path) -> None:
    program = Counted()
    whole = texts(program.sampler(), 8)
    program.calls.clear()
    for n in (4, 8, 2):
        with Remembered(program.sampler(together=3), tmp_path / "calls.jsonl") as teacher:
            assert texts(teacher, n) == [row[:n] for row in whole]
            assert teacher.calls.asked == 5 * n
            assert teacher.calls.remembered == {4: 0, 8: 20, 2: 10}[n]
    assert set(program.calls.values()) == {1}
    assert len(program.calls) == 40


def test_neither_the_order_of_the_file_nor_a_torn_last_line_changes_an_answer(tmp_path: Path) -> None:
    program, path = Counted(), tmp_path / "calls.jsonl"
    with Remembered(program.sampler(), path) as teacher:
        before = texts(teacher, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    random.Random(0).shuffle(lines)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:-9])
    with Remembered(program.sampler(), path) as teacher:
        assert texts(teacher, 3) == before
    assert sorted(program.calls.values()) == [1] * 14 + [2]
    assert sorted(path.read_bytes().splitlines()) == sorted(line.strip() for line in lines)


def test_another_model_seed_or_parameter_is_another_call_and_equal_conversations_are_one(tmp_path: Path) -> None:
    program, path = Counted(), tmp_path / "calls.jsonl"
    for identity, seed, params in (
        ("a", 0, PARAMS), ("b", 0, PARAMS), ("a", 1, PARAMS), ("a", 0, SamplingParams(max_tokens=51)), ("a", 0, PARAMS),
    ):  # fmt: skip
        with Remembered(program.sampler(), path, identity=identity) as teacher:
            came = dict(teacher.sample([ASKED[0], ASKED[0]], n=1, params=params, seed=seed))
            assert came[0] == came[1]
    assert program.calls.total() == 4


class Whole:
    """A sampler without single samples: what a sample is depends on how many it is asked for."""

    name = "whole"

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        for place, conversation in enumerate(conversations):
            self.asked.append((conversation[-1].content, n))
            yield (
                place,
                tuple(
                    Rollout(
                        index=i,
                        text=f"{i} of {n} for {seed}",
                        stop=Stop.LENGTH,
                        num_tokens=5,
                        detail={"prompt_tokens": 2},
                    )
                    for i in range(n)
                ),
            )


def test_a_sampler_of_whole_requests_is_kept_conversation_by_conversation(tmp_path: Path) -> None:
    sampler, path = Whole(), tmp_path / "calls.jsonl"
    with Remembered(sampler, path) as teacher:
        stream = teacher.sample(ASKED, n=4, params=PARAMS, seed=0)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    assert len(path.read_text().splitlines()) == 1
    with Remembered(sampler, path) as teacher:
        assert texts(teacher, 4, seed=0) == [[f"{i} of 4 for 0" for i in range(4)]] * 5
        calls = teacher.calls
    assert Counter(sampler.asked) == Counter((one[0].content, 4) for one in ASKED)
    assert (calls.asked, calls.remembered, calls.tokens, calls.prompt_tokens) == (20, 4, 100, 40)


def test_a_failed_call_is_kept_and_made_again_only_when_asked_to(tmp_path: Path) -> None:
    program, path = Counted(), tmp_path / "calls.jsonl"
    asked = [(conversation, index) for conversation in (*ASKED, FAILS) for index in range(2)]
    watched: list[int] = []
    for retry_failed, made in ((False, 12), (False, 0), (True, 2), (False, 0)):
        program.calls.clear()
        watched.clear()
        with Remembered(
            program.sampler(), path, retry_failed=retry_failed, watch=lambda done, total, _: watched.append(done)
        ) as teacher:
            teacher.fill(asked, params=PARAMS, seed=0)
            failed = teacher.rollout(FAILS, 1, params=PARAMS, seed=0)
        assert (failed.stop, failed.error) == (Stop.ERROR, "ValueError: no idea")
        assert program.calls.total() == made
        assert watched == list(range(12 - made, 13))


def test_a_teacher_that_gives_nothing_is_told_apart_from_one_that_fails_now_and_then(tmp_path: Path) -> None:
    program, path = Counted(), tmp_path / "calls.jsonl"
    with (
        Remembered(program.sampler(), path) as teacher,
        pytest.raises(RunError, match=r"toy: none of 3 calls gave an answer \(the last: ValueError: no idea\)"),
    ):
        teacher.fill([(FAILS, index) for index in range(3)], params=PARAMS, seed=0)
    with (
        Remembered(program.sampler(), path) as teacher,
        pytest.raises(RunError, match=f"the first {GIVE_UP} calls all failed"),
    ):
        teacher.fill([(FAILS, index) for index in range(1000)], params=PARAMS, seed=0)
    assert len(program.calls) == GIVE_UP
    assert set(program.calls.values()) == {1}


def test_what_fails_because_the_server_is_gone_is_not_kept(tmp_path: Path) -> None:
    class Gone(ProgramSampler):
        def check(self) -> None:
            raise InputError("endpoint http://127.0.0.1:1/v1 refused the connection")

    sampler, path = Gone(Counted(), name="toy"), tmp_path / "calls.jsonl"
    with Remembered(sampler, path) as teacher, pytest.raises(RunError, match=r"the server is gone: .*is kept in"):
        teacher.fill([(ASKED[0], 0), (FAILS, 0), (ASKED[1], 0)], params=PARAMS, seed=0)
    assert len(path.read_text().splitlines()) == 1


def test_a_full_disk_and_a_second_process_are_one_line_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, path = Counted(lambda prompt, index, seed: "x" * 400), tmp_path / "calls.jsonl"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Remembered(program.sampler(), path) as teacher:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
        try:
            with pytest.raises(RunError, match=r"file size limit reached while writing .*calls\.jsonl"):
                texts(teacher, 4)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert all(json.loads(line)["rollouts"] for line in path.read_text().splitlines())
        monkeypatch.setattr(kept, "LOCK_SECONDS", 0.1)
        with pytest.raises(RunError, match="another process asks and writes here"):
            Remembered(program.sampler(), path)
        assert texts(teacher, 4) == [["x" * 400] * 4] * 5
    assert sorted(set(program.calls.values())) == [1, 2]
    path.write_bytes(b"[]\n" + path.read_bytes())
    with pytest.raises(InputError, match="line 1 is no answer that was kept"):
        Remembered(program.sampler(), path)


def record(prompt: str) -> Record:
    return Record(problem=Problem(id=prompt, domain=Domain.MATH, prompt=prompt, answer="1"))


def test_a_judge_is_asked_once_and_one_that_answers_in_prose_is_no_judge(tmp_path: Path) -> None:
    records = [record("good"), record("bad"), record("odd")]
    judge = Counted(lambda prompt, index, seed: "Hm.\nYes" if "good" in prompt else "No" if "bad" in prompt else "Well")
    for _ in range(2):
        with Remembered(judge.sampler(), tmp_path / "judge.jsonl") as asking:
            gated = judge_records(records, asking)
        assert [one.problem.id for one in gated.kept] == ["good", "odd"]
        assert (gated.report.dropped, gated.report.undecided) == (1, 1)
        assert gated.report.groups == {("math", ""): {"": 2, "judge": 1}}
    assert sorted(judge.calls.values()) == [1, 1, 2]  # what was unreadable is asked a second time, with another seed
    prose = Counted(lambda prompt, index, seed: "It depends.").sampler()
    with Remembered(prose, tmp_path / "prose.jsonl") as asking, pytest.raises(RunError, match="no verdict on any of 3"):
        judge_records(records, asking)


PROGRAM = """
class Teacher:
    name = "own"
    def sample(self, conversations, *, n, params, seed):
        return iter(())
whole = Teacher()
def teach(prompt, index, seed):
    return {"none": None, "number": 4}.get(prompt, f"{prompt} {index}")
def short(prompt):
    return prompt
three = 3
"""


def test_a_program_is_a_model_and_says_what_it_lacks_to_be_one(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(PROGRAM)
    teacher = sampler_named(f"{file}:teach", key="--teacher")
    conversations = [ask("one"), ask("none"), ask("number")]
    came = dict(teacher.sample(conversations, n=2, params=PARAMS, seed=0))
    assert [rollout.text for rollout in came[0]] == ["one 0", "one 1"]
    assert {rollout.error for rollout in came[1]} == {"the program gave no answer"}
    assert {rollout.error for rollout in came[2]} == {"the program gave a int, a text was expected"}
    assert sampler_named(f"{file}:Teacher").name == sampler_named(f"{file}:whole").name == "own"
    for name, told in (("short", "does not take"), ("three", "is neither"), ("four", "has no 'four'")):
        with pytest.raises(ConfigError, match=f"--teacher: .*{told}"):
            sampler_named(f"{file}:{name}", key="--teacher")
    before = identity_of(f"{file}:teach")
    file.write_text(PROGRAM + "\n")
    assert before != identity_of(f"{file}:teach")
    assert identity_of("toy@http://a:1/v1") == identity_of("toy@http://b:2/v1") == "toy"
    for name in (str(tmp_path / "gone"), str(tmp_path / "gone.py:teach")):
        with pytest.raises((ConfigError, InputError), match=r"--teacher .*no such"):
            check_named(name, key="--teacher")


def test_a_recipe_names_programs_as_it_names_models(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[data]\nteacher = "own.py:teach"\n[eval]\njudge = "own.py:teach"\n')
    with pytest.raises(ConfigError, match=r"eval\.judge own\.py:teach: no such file"):
        inputs.check_inputs(config.load(recipe).resolved())
    (tmp_path / "own.py").write_text(PROGRAM)
    whole = config.load(recipe).resolved()
    inputs.check_inputs(whole)
    assert ("data.teacher", f"{tmp_path}/own.py:teach") in inputs.asked_models(whole)
    assert contents_of(whole.data.teacher, "toy@http://127.0.0.1:1") == {
        whole.data.teacher: hash_file(tmp_path / "own.py")
    }
