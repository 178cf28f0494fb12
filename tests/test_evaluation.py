"""An evaluation: what it keeps, what it asks again, and every number of results.json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon import stats
from etalon.errors import InputError, RunError
from etalon.evaluate import Evaluation, Task, evaluate, metrics, results, store
from etalon.evaluate.benchmarks.catalogue import Published
from etalon.evaluate.scoring import score
from etalon.evaluate.store import Sample, Scored
from etalon.sampling.single import sample_singly, to_ask_singly
from etalon.show.progress import Progress
from etalon.types import Conversation, Domain, Problem, Rollout, Rule, SamplingParams, Stop
from upstream import Reply, Upstream

SUMS = [Problem(id=f"p{i}", domain=Domain.MATH, prompt=f"What is {i} + {i}?", answer=str(2 * i)) for i in range(8)]
PARAMS = SamplingParams(temperature=1.0, top_p=0.95, max_tokens=None)


class Adder:
    """Right about sums up to a limit, for even seeds of a sample."""

    name = "adder"

    def __init__(self, limit: int = 100) -> None:
        self.limit, self.asked = limit, 0

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        for index, conversation in enumerate(conversations):
            self.asked += n
            number = int(conversation[-1].content.split()[2])
            text = f"\\boxed{{{2 * number if number <= self.limit else 0}}}"
            yield index, tuple(Rollout(index=i, text=text, stop=Stop.EOS, num_tokens=3) for i in range(n))


def task(**changes: Any) -> Task:
    return replace(Task(name="sums", problems=SUMS, n=2, params=PARAMS, of=len(SUMS)), **changes)


def run(sampler: Any, out: Path | None, *tasks: Task, **changes: Any) -> dict[str, Any]:
    evaluation = replace(Evaluation(model="toy", identity={"served": "toy"}), **changes)
    return evaluate(evaluation, tasks or [task()], sampler, progress=Progress(), out=out)


# ---- the store


@pytest.mark.parametrize("text", ["", "42", "<think>a", "<think>a</think>", "<think>a</think>b</think>c", "x<think>y"])
def test_a_response_is_kept_without_loss(text: str) -> None:
    sample = Sample(id="q", index=3, text=text, stop=Stop.LENGTH, tokens=5, order=("B", "A"), seconds=0.25, seed=7)
    row = json.loads(json.dumps(store.sample_to_row(sample)))
    assert store.sample_from_row(row) == sample
    assert sum(len(value) for key in ("text", "reasoning") if (value := row.get(key))) <= len(text)


@given(st.text(alphabet="<think>/ab"))
def test_any_response_is_kept_without_loss(text: str) -> None:
    assert store.whole(*store.parted(text)) == text


def test_the_later_of_two_rows_counts_and_a_torn_line_none(tmp_path: Path) -> None:
    path = store.scores_path(tmp_path, "x")
    verdict = Scored(id="q", index=0, score=None, reason="sampling_error", stop=Stop.ERROR)
    right = replace(verdict, score=1.0, reason="exact", stop=Stop.EOS, strict=(True, None))
    lines = [json.dumps(store.scored_to_row(one)) + "\n" for one in (verdict, right)]
    path.write_text("".join(lines) + '{"id": "q", "ind')
    assert store.read_scores(tmp_path, "x") == {("q", 0): right}


# ---- samples


def test_a_single_sample_is_the_one_that_the_whole_group_has() -> None:
    with Upstream(lambda asked: Reply(content=str(asked.body["seed"]))) as upstream:
        from etalon.sampling.endpoint import EndpointSampler, EndpointSettings

        sampler = EndpointSampler(EndpointSettings(urls=(upstream.url,), model="toy", concurrency=2))
        asked = to_ask_singly(SUMS, [(0, 3), (1, 0), (0, 1)], seed=5)
        found = dict(sample_singly(sampler, asked, params=PARAMS, seed=5))
        whole = dict(sampler.sample([one.conversation for one in asked[:2]], n=4, params=PARAMS, seed=5))
        assert [found[0].text, found[1].text, found[2].text] == [whole[0][3].text, whole[1][0].text, whole[0][1].text]
        assert (found[0].problem_id, found[0].index, found[2].index) == ("p0", 3, 1)


def test_more_generations_ask_only_for_what_is_missing(tmp_path: Path) -> None:
    model = Adder()
    run(model, tmp_path)
    assert model.asked == 16
    more = run(model, tmp_path, task(n=5))
    assert model.asked == 40
    assert more["benchmarks"][0]["samples"] == 40
    fewer = run(model, tmp_path, task(n=3, problems=SUMS[:4]))  # and so do fewer, and a limit
    assert model.asked == 40
    assert [fewer["benchmarks"][0][key] for key in ("samples", "problems", "of")] == [12, 4, 8]


def test_a_directory_is_bound_to_how_its_samples_were_made(tmp_path: Path) -> None:
    run(Adder(), tmp_path)
    cold = replace(PARAMS, temperature=0.6)
    with pytest.raises(RunError, match=r"holds another evaluation \(sums: temperature 1.0 there, 0.6 now\)"):
        run(Adder(), tmp_path, task(params=cold))
    with pytest.raises(RunError, match=r"model.served toy there, other now; seed 0 there, 1 now"):
        run(Adder(), tmp_path, identity={"served": "other"}, seed=1)
    both = run(Adder(), tmp_path, task(name="again", params=cold))  # another benchmark of the same model
    assert [row["name"] for row in both["benchmarks"]] == ["sums", "again"]


def test_verdicts_follow_the_convention_and_samples_stay(tmp_path: Path) -> None:
    from etalon.types import Answers

    model = Adder()
    assert run(model, tmp_path)["benchmarks"][0]["avg"] == 1.0
    [row] = run(model, tmp_path, task(answers=Answers.HASH))["benchmarks"]
    assert (row["avg"], row["no_answer"], model.asked) == (0.0, 1.0, 16)
    assert "16 would have one with --answers boxed" in row["warnings"][0]


def test_a_part_of_an_evaluation_gets_no_verdict_and_says_what_is_not_there(tmp_path: Path) -> None:
    published = [Published(model="Toy", score=0.9, source="x")]
    run(Adder(), tmp_path, task(published=published))
    path = store.samples_path(tmp_path, "sums")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:9]))  # as a kill leaves it
    store.scores_path(tmp_path, "sums").unlink()
    [row] = run(None, tmp_path, task(published=published))["benchmarks"]
    assert (row["samples"], row["missing"], row["verdict"], row["published"][0]["verdict"]) == (9, 7, None, None)
    assert "7 not there of 16 samples" in row["verdict_refused"]
    assert row["warnings"][0] == "7 of 16 samples are not there yet: the score is of a part"
    [row] = run(Adder(), tmp_path, task(published=published, expected=30))["benchmarks"]
    assert (row["missing"], row["verdict"], row["expected"]) == (0, None, 30)
    assert row["verdict_refused"] == "the file has 8 problems, the published set 30"


def test_what_was_last_asked_for_counts_and_more_is_said_to_be_there(tmp_path: Path) -> None:
    run(Adder(), tmp_path, task(n=3))
    [row] = run(Adder(), tmp_path, task(n=2, problems=SUMS[:5]))["benchmarks"]
    assert row["samples"] == 10
    assert "14 more samples are kept and not counted: of other problems, or beyond n" in row["warnings"]
    assert sorted(store.counted(tmp_path, "sums")) == [(f"p{i}", j) for i in range(5) for j in range(2)]


@pytest.mark.parametrize(
    ("change", "told"),
    [({"stop": "weird"}, "is not a valid Stop"), ({"index": "0"}, "index: found '0'"), ({"id": [1]}, "id: found"),
     ({"tokens": "x"}, "tokens: found 'x'"), ({"text": 5}, "text: found 5")],
)  # fmt: skip
def test_a_row_that_was_changed_by_hand_is_one_line(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    run(Adder(), tmp_path)
    path = store.samples_path(tmp_path, "sums")
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{line}\n" for line in [json.dumps(json.loads(lines[0]) | change), *lines[1:]]))
    store.scores_path(tmp_path, "sums").unlink()
    with pytest.raises(InputError, match=rf"samples-sums.jsonl: line 1: .*{re.escape(told)}.*; delete the line"):
        run(None, tmp_path)


def test_a_damaged_results_file_is_made_again(tmp_path: Path) -> None:
    whole = run(Adder(), tmp_path)
    for content in ("[]", '{"benchmarks": "x"}', "{"):
        (tmp_path / store.RESULTS).write_text(content)
        assert run(Adder(), tmp_path)["benchmarks"] == whole["benchmarks"]


def test_what_a_server_refuses_will_not_be_answered_when_it_is_asked_again() -> None:
    reasons = ["HTTP 500: x", "HTTP 400: context", "HTTP 429: wait", "cannot be reached: refused"]
    scored = [verdict("a", i, None, reason=f"sampling_error: http://x {reason}", stop=Stop.ERROR)
              for i, reason in enumerate(reasons)]  # fmt: skip
    errors = results.errors_of({"a": scored})
    assert {kind: errors[kind] for kind in ("HTTP 500", "HTTP 400", "HTTP 429")} == dict.fromkeys(
        ("HTTP 500", "HTTP 400", "HTTP 429"), 1
    )
    assert results.unanswered({"errors": errors}) == 3
    many = [verdict("a", i, None, reason=f"sampling_error: kind {i}", stop=Stop.ERROR) for i in range(20)]
    assert results.unanswered({"errors": results.errors_of({"a": many})}) == 20  # rare kinds are counted together


# ---- one verdict


THOUGHT = "<think>so \\boxed{4} then"


@pytest.mark.parametrize(
    ("text", "stop", "score_", "has_none"),
    [
        ("<think>so</think>\\boxed{4}", Stop.EOS, 1.0, False),
        (THOUGHT, Stop.LENGTH, 0.0, True),  # cut inside
        (THOUGHT.removeprefix("<think>"), Stop.LENGTH, 0.0, True),  # where the server sent no tag
        ("<think>so</think>It is \\boxed{4}, for", Stop.LENGTH, 0.0, False),
        ("<think>so</think>It is", Stop.LENGTH, 0.0, True),
        ("<think>so</think>It is", Stop.EOS, 0.0, True),
        ("\\boxed{5}", Stop.EOS, 0.0, False),
    ],
)
def test_what_was_cut_is_wrong_and_a_cut_thought_is_no_answer(
    text: str, stop: Stop, score_: float, has_none: bool
) -> None:
    found = score(SUMS[2], Sample(id="p2", index=0, text=text, stop=stop))
    assert (found.score, found.no_answer) == (score_, has_none)
    assert (found.answer is None) == has_none


def test_rules_are_read_strictly_and_loosely() -> None:
    rules = (Rule(id="punctuation:no_comma"), Rule(id="startend:quotation"))
    problem = Problem(id="r", domain=Domain.INSTRUCT, prompt="Say it.", rules=rules)
    found = score(problem, Sample(id="r", index=0, text='Sure:\n"all right"', stop=Stop.EOS))
    assert (found.strict, found.loose, found.score) == ((True, False), (True, True), 1.0)
    assert score(problem, Sample(id="r", index=0, text='Sure:\n"yes"', stop=Stop.EOS), mode="strict").score == 0.0
    cut = score(problem, Sample(id="r", index=0, text='"so it goes', stop=Stop.LENGTH))
    assert (cut.strict, cut.loose, cut.score, cut.no_answer) == ((False, False), (False, False), 0.0, True)


def test_votes_for_an_option_are_for_its_content_whatever_letter_it_had() -> None:
    options = {"A": "one", "B": "two", "C": "three"}
    prompt = "Which?\n\nA. one\nB. two\nC. three"
    problem = Problem(id="c", domain=Domain.STEM, prompt=prompt, answer="C", options=options, shuffle=True)
    shown = [("\\boxed{A}", ("C", "A", "B")), ("\\boxed{C}", ("A", "B", "C")), ("\\boxed{A}", None)]
    found = [
        score(problem, Sample(id="c", index=i, text=text, stop=Stop.EOS, order=order))
        for i, (text, order) in enumerate(shown)
    ]
    assert [(one.score, one.answer) for one in found] == [(1.0, "C"), (1.0, "C"), (0.0, "A")]
    assert metrics.majority({"c": found}, {"c": problem}, [3]) == {"3": 1.0}


# ---- numbers


def verdict(id_: str, index: int, right: bool | None, **changes: Any) -> Scored:
    value = None if right is None else float(right)
    one = Scored(id=id_, index=index, score=value, reason="", stop=Stop.EOS, tokens=100, answer=str(right))
    return replace(one, **changes)


def measured(scored: Sequence[Scored], ks: Sequence[int] = (1, 2), **options: Any) -> dict[str, Any]:
    problems = {one.id: SUMS[0] for one in scored}
    by_problem = {id_: [one for one in scored if one.id == id_] for id_ in problems}
    n = max(map(len, by_problem.values()))
    return metrics.measure(by_problem, problems, n=n, ks=ks, **options)


def test_means_are_over_problems_and_undecided_samples_are_no_part_of_them() -> None:
    scored = [verdict("a", 0, True), verdict("a", 1, None), verdict("b", 0, False), verdict("b", 1, True)]
    scored += [verdict("c", 0, None, stop=Stop.ERROR, tokens=None), verdict("c", 1, None)]
    row = measured(scored)
    assert row["avg"] == 0.75
    assert (row["pass"], row["maj"]) == ({"1": 0.75, "2": 1.0}, {"2": 0.5})  # of b alone, whose vote is a tie
    assert [row[key] for key in ("problems", "samples", "undecided", "failed", "undecided_problems")] == [3, 6, 2, 1, 1]
    assert 0 <= row["low"] < 0.75 < row["high"] <= 1
    assert row["sampling_noise"] == stats.sampling_noise([(1, 1), (2, 1)])
    assert (row["mean_tokens"], row["tokens_per_right"]) == (100, 250)


def test_nothing_decided_is_no_score() -> None:
    row = measured([verdict("a", 0, None)])
    assert [row[key] for key in ("avg", "low", "high", "no_answer")] == [None] * 4
    assert results.refusal(row) == "nothing was scored"


def test_tokens_per_second_count_calls_that_overlap_once_and_pauses_not() -> None:
    spans = [(10.0, 2.0), (11.0, 2.0), (100.0, 3.0)]  # end, seconds
    scored = [verdict("a", i, True, at=at, seconds=seconds) for i, (at, seconds) in enumerate(spans)]
    row = measured(scored, prices=metrics.Prices(prompt=1.0, completion=2.0))
    assert row["seconds"] == pytest.approx(6.0)
    assert row["tokens_per_second"] == pytest.approx(50.0)
    assert row["cost"] == {"total": pytest.approx(6e-4), "per_right": pytest.approx(2e-4)}


def test_the_four_accuracies_count_prompts_and_instructions() -> None:
    rows = [((True, True), (True, True)), ((False, True), (True, True)), ((False, False), (False, True))]
    scored = [verdict(f"q{i}", 0, None, strict=strict, loose=loose) for i, (strict, loose) in enumerate(rows)]
    scored.append(verdict("q3", 0, None, strict=(None, True), loose=(None, True)))
    found = measured(scored)["accuracies"]
    assert {name: one["share"] for name, one in found.items()} == {
        "prompt_strict": pytest.approx(1 / 3), "instruction_strict": pytest.approx(4 / 7),
        "prompt_loose": pytest.approx(2 / 3), "instruction_loose": pytest.approx(6 / 7),
    }  # fmt: skip
    assert (found["prompt_loose"]["decided"], found["prompt_loose"]["undecided"]) == (3, 1)
    assert all(one["low"] <= one["share"] <= one["high"] for one in found.values())


@pytest.mark.parametrize(("score_", "told"), [(0.5, "inside"), (0.99, "below"), (0.01, "above")])
def test_a_published_score_lies_inside_our_interval_or_not(score_: float, told: str) -> None:
    scored = [verdict(f"q{i}", j, j < 2) for i in range(30) for j in range(4)]
    numbers = measured(scored)
    published = [Published(model="Other", score=0.5, source="x", metric="clr"),
                 Published(model="Toy", score=score_, source="y", n=64)]  # fmt: skip
    row = results.row_of(task(published=published), numbers, model="org/toy-3b", metric="avg")
    assert row["verdict"] == told
    assert [one["verdict"] for one in row["published"]] == [None, told]
    missing = results.row_of(task(published=published), numbers | {"failed": 2}, model="toy", metric="avg")
    assert (missing["verdict"], missing["published"][1]["verdict"]) == (None, None)
    assert "2 failed, 0 undecided of 120 samples" in missing["verdict_refused"]
    part = results.row_of(task(published=published, of=300), numbers, model="toy", metric="avg")
    assert (part["verdict"], part["verdict_refused"]) == (None, "only 8 of 300 problems were asked")
