"""attempt: the one place that samples and verifies; killed at any chunk it ends with the same file."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from etalon.errors import RunError
from etalon.problems import nano
from etalon.problems.nano.models import NanoTeacher
from etalon.sampling import Judged, LiveNumbers, attempt, group_from_row, group_to_row, read_groups
from etalon.store import read_jsonl
from etalon.types import (
    Conversation,
    Criterion,
    Domain,
    Group,
    Problem,
    Rollout,
    Rule,
    SamplingParams,
    Stop,
    Verdict,
    ask,
)

PARAMS = SamplingParams(max_tokens=400)
PROBLEMS = nano.problems(Domain.MATH, "train", 10, seed=0)


class KilledError(Exception):
    """Stands for SIGKILL: nothing in the code catches it."""


@dataclass
class Shuffled:
    """The teacher, answering in another order, dying at the given call."""

    dies_at: int = -1
    calls: int = 0
    name: str = "shuffled"

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        self.calls += 1
        if self.calls == self.dies_at:
            raise KilledError
        answers = list(NanoTeacher().sample(conversations, n=n, params=params, seed=seed))
        random.Random(self.calls).shuffle(answers)
        yield from answers


def run(path: Path | None, sampler: object = None, problems: Sequence[Problem] = PROBLEMS, n: int = 3) -> list[Group]:
    return attempt(
        sampler or NanoTeacher(), problems, n=n, params=PARAMS, seed=5, path=path, workers=1, chunk=3  # type: ignore[arg-type]
    )  # fmt: skip


def outcomes(groups: Sequence[Group]) -> list[list[tuple[str, float | None, str]]]:
    return [
        [(r.text, v.score, r.problem_id) for r, v in zip(g.rollouts, g.verdicts, strict=True)] for g in groups
    ]  # fmt: skip


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_killed_after_any_chunk_the_file_ends_byte_for_byte_the_same(tmp_path: Path, chunks: int) -> None:
    whole = run(tmp_path / "whole.jsonl")
    with pytest.raises(KilledError):
        run(tmp_path / "torn.jsonl", Shuffled(dies_at=chunks + 1))
    assert len(read_jsonl(tmp_path / "torn.jsonl")) == 3 * chunks
    second = Shuffled()
    resumed = run(tmp_path / "torn.jsonl", second)
    assert second.calls == 4 - chunks  # what was there is not sampled again
    assert (tmp_path / "torn.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert outcomes(resumed) == outcomes(whole)


@pytest.mark.parametrize("tail", [1, 40, 4000])
def test_a_torn_tail_is_cut_off_and_done_again(tmp_path: Path, tail: int) -> None:
    path = tmp_path / "rollouts.jsonl"
    run(path)
    content = path.read_bytes()
    assert len(content) > 4000
    path.write_bytes(content[:-tail])
    run(path)
    assert path.read_bytes() == content


def test_a_finished_file_is_read_and_nothing_is_sampled(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.jsonl"
    first = run(path)
    idle = Shuffled(dies_at=1)
    assert outcomes(run(path, idle)) == outcomes(first)
    assert idle.calls == 0


def test_rollouts_of_other_problems_or_another_n_are_an_error_that_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.jsonl"
    run(path)
    content = path.read_bytes()
    others = nano.problems(Domain.MATH, "probe", 10, seed=0)
    with pytest.raises(RunError, match=r"rollouts.jsonl: holds rollouts of other problems or another n; delete it"):
        run(path, problems=others)
    with pytest.raises(RunError, match="another n"):
        run(path, n=2)
    with pytest.raises(RunError, match="other problems"):
        run(path, problems=PROBLEMS[:4])
    assert path.read_bytes() == content


def test_a_failed_call_is_undecided_and_harms_nobody(tmp_path: Path) -> None:
    unreadable = replace(PROBLEMS[1], id="unreadable", prompt="What is love?")
    groups = run(tmp_path / "rollouts.jsonl", problems=[PROBLEMS[0], unreadable, PROBLEMS[2]])
    failed = groups[1]
    assert all(r.stop is Stop.ERROR and "cannot read" in r.error for r in failed.rollouts)
    assert [(v.score, v.reason) for v in failed.verdicts] == [(None, "sampling_error")] * 3
    assert failed.accuracy is None
    assert outcomes([groups[0], groups[2]]) == outcomes(run(None, problems=[PROBLEMS[0], PROBLEMS[2]]))
    numbers = LiveNumbers(groups).numbers
    assert numbers == pytest.approx(LiveNumbers([groups[0], groups[2]]).numbers | {"undecided": 3})
    assert LiveNumbers([failed]).numbers == {"undecided": 3}


def test_the_order_and_the_chunks_of_problems_do_not_matter() -> None:
    forward = run(None)
    backward = run(None, problems=PROBLEMS[::-1])[::-1]
    assert outcomes(backward) == outcomes(forward)
    at_once = attempt(NanoTeacher(), PROBLEMS, n=3, params=PARAMS, seed=5, workers=4)
    assert outcomes(at_once) == outcomes(forward)
    assert outcomes(run(None, Shuffled())) == outcomes(forward)


def test_another_seed_gives_other_rollouts() -> None:
    again = attempt(NanoTeacher(), PROBLEMS, n=3, params=PARAMS, seed=6, workers=1)
    assert outcomes(again) != outcomes(run(None))


def test_a_group_survives_the_file(tmp_path: Path) -> None:
    group = run(None)[0]
    detail = {"clusters": [0, None, 1], "text": "\ud800"}
    rollouts = (
        replace(group.rollouts[0], calls=7, detail=detail),
        replace(group.rollouts[1], stop=Stop.ERROR, error="timeout"),
        replace(group.rollouts[2], stop=Stop.LENGTH),
    )
    group = replace(group, rollouts=rollouts)
    assert outcomes([group_from_row(group_to_row(group), group.problem)]) == outcomes([group])
    back = group_from_row(group_to_row(group), group.problem)
    assert back.rollouts == rollouts
    assert [(v.score, v.reason, v.extracted) for v in back.verdicts] == [
        (v.score, v.reason, v.extracted) for v in group.verdicts
    ]


def test_read_groups_gives_the_groups_of_a_finished_file(tmp_path: Path) -> None:
    groups = run(tmp_path / "rollouts.jsonl")
    assert outcomes(read_groups(tmp_path / "rollouts.jsonl", PROBLEMS)) == outcomes(groups)
    assert len(read_groups(tmp_path / "rollouts.jsonl", PROBLEMS[:2])) == 2


def test_watch_sees_every_chunk_and_converse_decides_what_is_asked() -> None:
    seen: list[tuple[int, int]] = []
    told: list[Mapping[str, float]] = []
    asked: list[str] = []

    def watch(done: int, total: int, numbers: Mapping[str, float]) -> None:
        seen.append((done, total))
        told.append(numbers)

    def converse(problem: Problem) -> Conversation:
        asked.append(problem.id)
        return ask(problem.prompt)

    groups = attempt(NanoTeacher(), PROBLEMS, n=1, params=PARAMS, seed=0, chunk=4, converse=converse, watch=watch)
    assert seen == [(4, 10), (8, 10), (10, 10)]
    for (done, _), numbers in zip(seen, told, strict=True):
        assert {name: numbers[name] for name in numbers if name != "tokens/s"} == LiveNumbers(groups[:done]).numbers
    assert asked == [p.id for p in PROBLEMS]


# --- cut responses --------------------------------------------------------------------------------------------


@dataclass
class Says:
    """One text, cut or whole."""

    text: str
    stop: Stop
    name: str = "says"

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        for index, _ in enumerate(conversations):
            yield index, tuple(Rollout(index=i, text=self.text, stop=self.stop, num_tokens=9) for i in range(n))


def right(problem: Problem, response: str) -> Verdict:
    return Verdict(score=0.5 if response else None, reason="mine")


RESPONSES = {
    Domain.MATH: "\\boxed{7} and so",
    Domain.STEM: "\\boxed{B} because",
    Domain.CODE: "```python\ndef f(x):\n return x\n```\nThis function",
    Domain.INSTRUCT: "lemon lemon",
    Domain.CLAIMS: "<verdicts>\nv\n</verdicts>",
}
LEMON = Rule(id="keywords:existence", kwargs={"keywords": ["lemon"]})
ASKED = {
    Domain.MATH: Problem(id="m", domain=Domain.MATH, prompt="7?", answer="7"),
    Domain.STEM: Problem(id="s", domain=Domain.STEM, prompt="?", answer="B", options={"A": "1", "B": "2"}),
    Domain.CODE: Problem(
        id="c", domain=Domain.CODE, prompt="f", tests={"inputs": ["3"], "outputs": ["3"], "fn_name": "f"}
    ),
    Domain.INSTRUCT: Problem(id="i", domain=Domain.INSTRUCT, prompt="say", rules=(LEMON,)),
    Domain.CLAIMS: Problem(id="l", domain=Domain.CLAIMS, prompt="?", answer="1"),
}  # fmt: skip


@pytest.mark.parametrize("domain", list(RESPONSES))
def test_a_cut_response_is_wrong_in_every_domain_whatever_it_had_said(domain: Domain) -> None:
    for stop, score in ((Stop.EOS, 1.0), (Stop.LENGTH, 0.0)):
        [group] = attempt(Says(RESPONSES[domain], stop), [ASKED[domain]], n=2, params=PARAMS, seed=0)
        assert [v.score for v in group.verdicts] == [score] * 2
    assert {v.reason for v in group.verdicts} == {"truncated"}


def test_a_reward_of_the_users_own_gives_nothing_for_a_cut_response() -> None:
    for stop, score in ((Stop.EOS, 0.5), (Stop.LENGTH, 0.0)):
        [group] = attempt(Says("x", stop), [ASKED[Domain.MATH]], n=1, params=PARAMS, seed=0, verifier=right)
        assert group.verdicts[0].score == score
    [group] = attempt(Says("", Stop.LENGTH), [ASKED[Domain.MATH]], n=1, params=PARAMS, seed=0, verifier=right)
    assert group.verdicts[0].is_undecided  # as a whole one would be


def test_a_judge_is_not_asked_about_a_cut_response() -> None:
    problem = Problem(id="r", domain=Domain.INSTRUCT, prompt="say", rubric=(Criterion(text="It is kind."),))
    asked: list[Judged] = []

    def review(judged: list[Judged]) -> list[Verdict]:
        asked.extend(judged)
        return [Verdict(score=1.0, reason="judge") for _ in judged]

    for stop, score in ((Stop.EOS, 1.0), (Stop.LENGTH, 0.0)):
        [group] = attempt(Says("you are kind", stop), [problem], n=1, params=PARAMS, seed=0, review=review)
        assert group.verdicts[0].score == score
    assert len(asked) == 1
