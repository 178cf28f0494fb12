"""The steps that ask a model: expand, label, distill, error rates; as functions, and killed as commands."""

from __future__ import annotations

import hashlib
import json
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import shrunk
from etalon import cli
from etalon.data.asking.distill import distill_records
from etalon.data.asking.error_rates import measure_error_rates
from etalon.data.asking.expand import expand_records
from etalon.data.asking.label import label_records
from etalon.data.calls.remembered import Remembered
from etalon.data.records import ErrorRate, Record, read_records
from etalon.errors import InputError, RunError
from etalon.problems.given.traces import GivenTrace
from etalon.problems.instructions import with_instruction
from etalon.sampling.program import ProgramSampler
from etalon.types import Conversation, Domain, Problem, Rollout, SamplingParams, Stop
from upstream import Asked, Reply, Upstream

PARAMS = SamplingParams()
Answer = Callable[[str, int, int], str | None]


def record(question: str, answer: str | None = None, domain: Domain = Domain.MATH, **more: Any) -> Record:
    problem = Problem(id=question, domain=domain, prompt=with_instruction(question, domain), answer=answer, source="s")
    return Record(problem=problem, **more)


@pytest.fixture
def teacher(tmp_path: Path) -> Iterator[Callable[[Answer], Remembered]]:
    """Makes a teacher of a function."""
    made: list[Remembered] = []

    def make(answer: Answer) -> Remembered:
        made.append(Remembered(ProgramSampler(answer, name="toy"), tmp_path / f"{len(made)}.jsonl"))
        return made[-1]

    yield make
    for one in made:
        one.__exit__()


def boxed(*answers: str) -> Answer:
    """Answers by index; "" is a response without a box, "!" a failed call."""

    def answer(prompt: str, index: int, seed: int) -> str | None:
        told = answers[index % len(answers)]
        return None if told == "!" else f"So \\boxed{{{told}}}." if told else "I cannot say."

    return answer


# --- expand ------------------------------------------------------------------------------------------------------


def test_new_queries_stand_behind_their_seed_and_say_whose_they_are(teacher: Callable[[Answer], Remembered]) -> None:
    def write(prompt: str, index: int, seed: int) -> str | None:
        number = re.findall(r"\d+", prompt)[0]
        if "inverse" in prompt:
            return "no query"
        return "<query>What is 5?</query>" if number == "6" else f"<query>What is {number}{index}{len(prompt)}?</query>"

    program = record("Write f.", domain=Domain.CODE)
    records = [record("What is 5?", "5", license="mit"), program, record("What is 6?", "6")]
    gated = expand_records(records, teacher(write), count=4, params=PARAMS, seed=0)
    *own, code, last = gated.kept
    assert (own[0], code, last) == tuple(records)
    assert len(own) == 4
    for child in own[1:]:
        assert (child.parent, child.license, child.problem.answer) == ("What is 5?", "mit", None)
        assert child.problem.id.startswith(f"What is 5?+{child.dimension}-")
        assert child.problem.source == "expanded from s"
    assert len({child.dimension for child in own[1:]}) == 3
    assert gated.report.reasons == {"copy of another query": 3, "no <query> in the response": 2}
    with pytest.raises(InputError, match="no query to start from"):
        expand_records([program], teacher(write), count=1, params=PARAMS, seed=0)
    with pytest.raises(RunError, match="wrote no new query in 2 calls: no <query> in the response"):
        expand_records(records, teacher(boxed("")), count=1, params=PARAMS, seed=0)


# --- label -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "label", "votes", "reason"),
    [
        (("1/2", "0.5", "3", "1/2", ""), "1/2", {"1/2": 3, "": 1, "3": 1}, ""),
        (("2", "2", "3", "3", ""), None, {}, "tie between answers"),
        (("2", "2", "3", "4", ""), None, {}, "agreement below 0.6"),
        (("2", "2", "!", "!", "3"), "2", {"2": 2, "3": 1}, ""),
        (("2", "2", "!", "!", "!"), None, {}, "undecided: fewer than half of the calls answered"),
    ],
)
def test_votes_are_kept_and_make_a_label_where_enough_agree(
    teacher: Callable[[Answer], Remembered], answers: tuple[str, ...], label: str | None, votes: object, reason: str
) -> None:
    kept = [record("What is 1?", "1"), record("Write f.", domain=Domain.CODE)]
    records = [kept[0], record("What is x?"), kept[1]]
    done = label_records(records, teacher(boxed(*answers)), n=5, agreement=0.6, params=PARAMS, seed=0)
    voted = [one for one in done.gated.kept if one not in kept]
    assert [one for one in done.gated.kept if one in kept] == kept
    assert [(one.problem.answer, one.votes) for one in voted] == ([(label, votes)] if label else [])
    assert list(done.gated.report.reasons) == ([reason] if reason else [])
    assert (done.asked, done.checked, done.gated.report.undecided) == (1, 0, int(reason.startswith("undecided")))


def test_withheld_answers_check_the_vote(teacher: Callable[[Answer], Remembered]) -> None:
    records = [record(f"What is {number}?", "2" if number % 4 else "9") for number in range(8)]
    done = label_records(records, teacher(boxed("2")), n=3, agreement=0.6, params=PARAMS, seed=0, relabel=0.5)
    assert (done.asked, done.checked, done.confirmed) == (4, 4, 2)
    assert [bool(one.votes) for one in done.gated.kept] == [True, False] * 4
    with pytest.raises(RunError, match="no response to any of 8 queries holds an answer"):
        label_records(records, teacher(boxed("")), n=3, agreement=0.6, params=PARAMS, seed=0, relabel=1.0)


def test_an_option_is_voted_for_by_its_letter_or_its_content(teacher: Callable[[Answer], Remembered]) -> None:
    problem = Problem(id="q", domain=Domain.STEM, prompt="Which?\nA. 7 J\nB. 9 J", options={"A": "7 J", "B": "9 J"})
    model = teacher(boxed("B", "(B)", "9 J"))
    done = label_records([Record(problem=problem)], model, n=3, agreement=1.0, params=PARAMS, seed=0)
    assert [(one.problem.answer, one.votes) for one in done.gated.kept] == [("B", {"B": 3})]


# --- distill and error rates -------------------------------------------------------------------------------------


class Cut:
    """Answers right, is cut, fails, and answers wrong, in turn."""

    name = "cut"

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        stops = (Stop.EOS, Stop.LENGTH, Stop.ERROR, Stop.EOS)
        told = ("\\boxed{1}", "\\boxed{1} and", "", "\\boxed{2}")
        for place in range(len(conversations)):
            yield place, tuple(Rollout(index=i, text=told[i], stop=stops[i], num_tokens=i + 3) for i in range(n))


def test_responses_become_traces_behind_those_that_are_there(
    tmp_path: Path, teacher: Callable[[Answer], Remembered]
) -> None:
    given = GivenTrace(response="old", is_correct=True)
    records = [record("What is 1?", "1", traces=(given,)), record("What is 2?", "2")]
    with Remembered(Cut(), tmp_path / "calls.jsonl") as model:
        gated = distill_records(records, model, n=4, params=PARAMS, seed=0)
    first, second = gated.kept
    assert first.traces == (given, *second.traces)
    assert [(one.response, one.is_complete, one.model, one.num_tokens) for one in second.traces] == [
        ("\\boxed{1}", True, "cut", 3), ("\\boxed{1} and", False, "cut", 4), ("\\boxed{2}", True, "cut", 6)
    ]  # fmt: skip
    assert (gated.report.kept, gated.report.undecided) == (6, 2)
    with pytest.raises(RunError, match="none of 4 calls gave a trace: empty response"):
        distill_records(records, teacher(lambda prompt, index, seed: " "), n=2, params=PARAMS, seed=0)


def test_an_error_rate_counts_decided_attempts_and_is_missing_where_there_are_none(tmp_path: Path) -> None:
    rates = {"other": ErrorRate(wrong=1, attempts=8), "cut": ErrorRate(wrong=8, attempts=8)}
    records = [record("What is 1?", "1", error_rates=rates), record("What is it?"), record("What is 3?", "3")]
    with Remembered(Cut(), tmp_path / "calls.jsonl") as model:
        measured = measure_error_rates(records, model, n=4, params=PARAMS, seed=0)
    first, open_, last = (one.error_rates for one in measured.records)
    assert first == {"other": ErrorRate(wrong=1, attempts=8), "cut": ErrorRate(wrong=2, attempts=3)}
    assert (open_, last) == ({}, {"cut": ErrorRate(wrong=3, attempts=3)})
    assert (measured.unmeasured, measured.undecided) == (1, 6)


# --- the commands, killed ----------------------------------------------------------------------------------------


def share(asked: Asked) -> int:
    """A number of 0 to 99 that depends on the request alone."""
    return int(hashlib.sha256(f"{asked.text} {asked.body['seed']}".encode()).hexdigest(), 16) % 100


def scripted(asked: Asked) -> Reply:
    """5% of the calls fail, 10% of the answers are wrong."""
    if share(asked) < 5:
        return Reply(status=403)
    answer = "7" if share(asked) < 90 else "8"
    return Reply(reasoning="let me see", content=f"So \\boxed{{{answer}}}", before=0.01)


def write_queries(path: Path, count: int) -> None:
    rows = [
        {"id": f"q{number}", "domain": "math", "prompt": f"What is {number}+7-{number}?"} for number in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(step: str, source: Path, out: Path, url: str, *more: str) -> list[str | Path]:
    return ["data", step, source, "-o", out, "--teacher", f"toy@{url}", "--concurrency", "8", "-n", "5", *more]


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def settled(upstream: Upstream) -> int:
    """How many requests came, once those of a process that is dead have all been seen."""
    seen, since = -1, time.monotonic()
    while seen != len(upstream.requests) or upstream.active or time.monotonic() - since < 0.2:
        if seen != len(upstream.requests):
            seen, since = len(upstream.requests), time.monotonic()
        time.sleep(0.01)
    return seen


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("kills", [2, 10])
def test_killed_at_random_the_steps_end_in_the_same_bytes_and_repeat_no_kept_call(tmp_path: Path, kills: int) -> None:
    rng, source = random.Random(kills), tmp_path / "in.jsonl"
    write_queries(source, 40)
    for place in ("whole", "killed"):
        (tmp_path / place).mkdir()
    with Upstream(scripted) as upstream:
        label, distill = tmp_path / "whole/label.jsonl", tmp_path / "whole/distill.jsonl"
        for arguments in (run("label", source, label, upstream.url), run("distill", label, distill, upstream.url)):
            done = shrunk.etalon(*arguments)
            assert done.returncode == 0, done.stderr
        assert max(Counter((one.text, one.body["seed"]) for one in upstream.requests).values()) == 2  # label, distill
        whole = len(upstream.requests)

        label, distill = tmp_path / "killed/label.jsonl", tmp_path / "killed/distill.jsonl"
        for step, given, out in (("label", source, label), ("distill", label, distill)):
            arguments = run(step, given, out, upstream.url)
            calls = out.with_name(out.name + ".calls.jsonl")
            for turn in range(kills // 2):
                kept, before = lines_of(calls), len(upstream.requests)
                process = shrunk.start(*arguments)
                goal = before + rng.randrange(1, 2 * 200 // kills)
                while process.poll() is None and len(upstream.requests) < goal:
                    time.sleep(0.001)
                time.sleep(rng.random() * 0.02)
                process.send_signal(signal.SIGKILL)
                process.communicate()
                made = settled(upstream) - before
                # what was under way is lost; an answer that failed may be
                assert lines_of(calls) - kept <= made <= lines_of(calls) - kept + 8 + 2, f"kill {turn}"
            kept, before = lines_of(calls), len(upstream.requests)
            done = shrunk.etalon(*arguments)
            assert done.returncode == 0, done.stderr
            assert len(upstream.requests) - before == 5 * lines_of(given) - kept
        assert whole <= len(upstream.requests) - whole <= whole + 9 * kills
    for name in ("label.jsonl", "distill.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
        reports = [json.loads((tmp_path / place / f"{name}.report.json").read_text()) for place in ("whole", "killed")]
        for report in reports:
            report.pop("seconds")
            assert 0 < report["calls"][0]["failed"] < 0.15 * report["calls"][0]["asked"]
            report["calls"][0].pop("remembered")
        assert reports[0] == reports[1]
    records = list(read_records(tmp_path / "killed/distill.jsonl"))
    assert len(records) > 30
    assert sum(one.problem.answer == "7" for one in records) > 0.9 * len(records)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.live
def test_what_a_user_can_mend_of_a_teacher_is_one_line_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out, other = tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "other.jsonl"
    write_queries(source, 4)

    def etalon(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["etalon", *map(str, arguments)])
        return cli.main(), *capsys.readouterr()

    def complaint(*arguments: str | Path) -> str:
        code, printed, errors = etalon(*arguments)
        assert (code, printed, errors.count("\n")) == (2, "", 1), errors
        assert not out.exists()
        assert not other.exists()
        return errors

    with Upstream(lambda asked: Reply(content="It depends.")) as upstream:
        more = ("--dry-run", "--max-tokens", "10", "--price", "1,2")
        _, plan, _ = etalon(*run("label", source, out, upstream.url, *more))
        assert "4 records, 20 calls, 0 of them kept" in plan
        assert "at most 200" in plan
        assert not upstream.requests
        assert "no response to any of 4 queries" in complaint(*run("label", source, out, upstream.url))
        assert len(upstream.requests) == 20
        _, plan, _ = etalon(*run("label", source, out, upstream.url, "--dry-run"))
        assert "20 calls, 20 of them kept" in plan
        assert "wrote no new query" in complaint(*run("expand", source, out, upstream.url))
    with Upstream(lambda asked: Reply(status=403)) as upstream:
        assert "none of 20 calls gave an answer" in complaint(*run("distill", source, other, upstream.url))
    assert "no such file" in complaint("data", "label", source, "-o", out, "--teacher", f"{tmp_path}/gone.py:teach")
    assert "--out: name the file" in complaint("data", "label", source, "--teacher", "toy@http://127.0.0.1:1")
