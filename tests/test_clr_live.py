"""One live flow: what is sent, cancelled, counted and answered, over a scripted model behind `complete`."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etalon.clr.knobs import ClrSettings
from etalon.clr.live.gathered import Gathered
from etalon.clr.live.result import ClrResult, NoAnswerError
from etalon.clr.live.run import LiveClr, clr_answer
from etalon.clr.live.watch import ClrEvent, line
from etalon.clr.record import judge
from etalon.clr.spend import Budget, Price
from etalon.errors import ConfigError, InputError
from etalon.types import Conversation, Message, Rollout, SamplingParams, Stop, ask
from scripted import Model, judged, said, trace

pytestmark = pytest.mark.live  # a live flow waits

SOUND = ("t1", "t2", "t3", "t4", "t5")
SHAKY = ("t1", "t2", "t3", "t4", "false")


def knobs(**changes: object) -> ClrSettings:
    return ClrSettings(**({"prompts": "nano", "k_min": 1, "repair": False} | changes))  # type: ignore[arg-type]


def solve(model: Model, budget: Budget | None = None, question: str = "1+2", **changes: object) -> ClrResult:
    return asyncio.run(clr_answer(question, model, knobs(**changes), budget=budget))


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("1112234?"), st.integers(0, 3)), min_size=2, max_size=12),
    st.integers(1, 3),
    st.integers(1, 12),
    st.integers(0, 2**20),
)
def test_early_decision_never_changes_the_answer_whatever_ends_first(
    shape: list[tuple[str, int]], m: int, concurrency: int, order: int
) -> None:
    traces = [
        said("I do not know")
        if answer == "?"
        else trace(answer, *[f"false {i}" if i < refuted else f"true {i}" for i in range(m)])
        for answer, refuted in shape
    ]
    rng = random.Random(order)
    steps = {(stage, number): rng.randrange(4) for stage in ("generate", "verify") for number in range(len(shape))}

    class Shuffled(Model):
        async def _answer(self, stage, number, conversation, on_delta):  # type: ignore[no-untyped-def]
            for _ in range(steps[stage, number]):
                await asyncio.sleep(0)
            return await super()._answer(stage, number, conversation, on_delta)

    outcomes = []
    for early in ("exact", "off"):
        model = Shuffled(traces=traces)
        try:
            result = solve(model, k=len(shape), m=m, early=early, concurrency=concurrency)
            outcomes.append((result.answer, result.usage.calls))
            assert result.finish_reason == "stop"
        except NoAnswerError as error:
            outcomes.append((str(error), error.usage.calls))
        assert model.running == 0
        assert model.peak <= concurrency
    (early_answer, early_calls), (full_answer, full_calls) = outcomes
    assert early_answer == full_answer
    assert early_calls <= full_calls
    assert full_calls == 2 * len(shape) - sum(answer == "?" for answer, _ in shape)


def test_two_reliable_trajectories_beat_four_that_are_refuted() -> None:
    result = solve(Model([*[trace("7", *SHAKY)] * 4, *[trace("3", *SOUND)] * 2]), k=6, early="off")
    assert result.answer == "3"
    assert result.text == "So \\boxed{3}"  # of a trajectory, without its reasoning and claims
    record = json.loads(json.dumps(result.record, allow_nan=False))
    assert (record["majority"], record["first"]) == ("7", "7")
    assert record["clusters"][0]["score"] == pytest.approx(4 * 0.32768)
    assert record["calls"] == {"generate": 6, "verify": 6}
    assert record["tokens"] == {"generate": 600, "verify": 60}
    assert record["usage"] == {"calls": 12, "prompt_tokens": 60, "completion_tokens": 660, "total_tokens": 720}
    assert record["trajectories"][0]["claims"][4] == {"text": "false", "valid": False}


def test_the_verifier_sees_the_question_the_claims_and_the_system_message_only() -> None:
    history = (Message(role="system", content="Think hard."), *ask("Hi"), Message(role="assistant", content="Hello"))
    model = Model([trace("12345", *SOUND), trace("67890", *SHAKY)])
    asyncio.run(clr_answer((*history, *ask("What is 1+2?")), model, knobs(k=4, early="off")))
    shown = [conversation for stage, conversation, _, _ in model.asked if stage == "verify"]
    assert len(shown) == 4
    for system, message in shown:
        assert (system.role, system.content) == ("system", "Think hard.")
        assert "User: Hi\n\nAssistant: Hello\n\nUser: What is 1+2?" in message.content
        assert not {"SECRET", "12345", "67890"} & set(message.content.replace("\n", " ").split())
    generated = next(conversation for stage, conversation, _, _ in model.asked if stage == "generate")
    assert generated[:-1] == history


def test_what_is_open_is_cancelled_as_soon_as_the_answer_is_decided() -> None:
    model = Model([trace("3", *SOUND)], delay=lambda stage, number: 60.0 if number in (2, 9) else 0.0)
    started = time.monotonic()
    result = solve(model, k=16)
    assert time.monotonic() - started < 30
    assert result.answer == "3"
    assert result.finish_reason == "stop"
    assert model.cancelled["generate"] == 2
    assert model.running == 0
    assert model.begun["verify"] <= 3
    assert result.record["saved"] == {
        "generations": 0, "generations_cut": 2, "verifications": 16 - model.begun["verify"]
    }  # fmt: skip
    assert result.record["calls"]["cancelled"] == 2
    assert result.usage.calls == 16 + model.begun["verify"]


def test_generations_that_cannot_matter_are_never_sent() -> None:
    model = Model([trace("3", *SOUND)])
    result = solve(model, k=32, concurrency=2)
    assert result.answer == "3"
    assert result.usage.calls < 32 + 4
    assert result.record["saved"]["generations"] > 5
    assert model.peak == 2


def test_with_early_decision_off_each_trace_is_verified_as_soon_as_it_ends() -> None:
    events: list[str] = []
    asyncio.run(
        clr_answer(
            "q",
            Model([trace("3", *SOUND), trace("4", *SOUND)], delay=lambda stage, number: 0.3 * (number == 3)),
            knobs(k=4, early="off"),
            on_event=lambda event: events.append(f"{event.kind} {event.index}"),
        )
    )
    assert events.index("verdicts 0") < events.index("trajectory 3")


def test_failed_truncated_and_unparsed_trajectories_are_dropped_and_counted() -> None:
    traces = [
        said("", Stop.ERROR, error="connection reset"), said("<think>and so on", Stop.LENGTH), said("hm"),
        trace("3", *SOUND), said("\\boxed{5}\n<claims>\nt1\nt2", Stop.LENGTH),
    ]  # fmt: skip
    result = solve(Model(traces), k=5, early="off")
    assert result.answer == "3"
    counts = result.record["counts"]
    assert (counts["failed"], counts["truncated"], counts["unparsed"], counts["usable"]) == (1, 1, 1, 2)
    assert [t["dropped"] for t in result.record["trajectories"]] == ["failed", "truncated", "unparsed", None, None]


FAILED, CUT = said("", Stop.ERROR, error="HTTP 500: out of memory"), said("", Stop.LENGTH)


def test_without_a_whole_response_it_is_an_error_that_says_why_and_keeps_the_record() -> None:
    with pytest.raises(NoAnswerError) as caught:
        solve(Model([FAILED, said("<think>SECRET</think>"), CUT, said("So it is", Stop.LENGTH)]), k=4, k_min=2)
    assert str(caught.value) == (
        "none of 4 trajectories is usable (at least 2 are needed): 1 failed, 2 truncated, 1 without an answer; "
        "first error: HTTP 500: out of memory"
    )
    assert caught.value.record["finish_reason"] == "error"
    assert caught.value.record["answer"] is None
    assert caught.value.usage.calls == 4


@pytest.mark.parametrize(
    ("traces", "fallback", "answer", "text", "reason"),
    [
        ([FAILED, said("hm"), trace("3", *SOUND), CUT], "majority", "3", "So \\boxed{3}", "only 1 of 4 trajectories"),
        ([said("\\boxed{5}")] + [said("\\boxed{7}")] * 3, "majority", "7", "\\boxed{7}", "none of 4 usable traj"),
        ([FAILED, said("<think>SECRET</think>Hm."), said("Well."), CUT], "plain", "", "Hm.", "none of 4 trajectories"),
    ],
)  # fmt: skip
def test_what_clr_cannot_judge_is_answered_all_the_same_and_flagged(traces, fallback, answer, text, reason) -> None:
    result = solve(Model(traces), k=4, k_min=2, early="off")
    assert (result.fallback, result.answer, result.text) == (fallback, answer, text)
    assert result.reason.startswith(reason)
    record = result.record
    assert (record["fallback"], record["answer"], record["error"]) == (fallback, answer or None, result.reason)
    assert "SECRET" not in json.dumps(record)


def test_failed_verifications_leave_the_majority_vote() -> None:
    traces = [trace("5", *SOUND), trace("7", *SOUND), trace("7", *SOUND)]
    result = solve(Model(traces, verify=lambda _: FAILED), k=3, early="off")
    assert (result.fallback, result.answer) == ("majority", "7")
    assert result.reason == "all of 3 verifications failed"
    assert solve(Model(traces), k=3, early="off").fallback is None


def test_nothing_more_is_sent_once_too_few_can_be_usable() -> None:
    model = Model([said("", Stop.ERROR, error="HTTP 401: no key")])
    with pytest.raises(NoAnswerError, match="HTTP 401"):
        solve(model, k=8, k_min=6, concurrency=1)
    assert model.begun["generate"] == 3


def test_one_repair_call_gives_a_trajectory_its_claims() -> None:
    silent = said("<think>SECRET</think>It is \\boxed{9}")
    block = said("<claims>\nfalse one\nt2\n</claims>")
    model = Model([silent, trace("3", *SOUND)], repair=lambda _: block)
    result = solve(model, k=2, m=5, repair=True, early="off")
    assert result.answer == "3"
    assert model.begun == {"generate": 2, "repair": 1, "verify": 2}
    [repair] = [conversation for stage, conversation, _, _ in model.asked if stage == "repair"]
    assert [message.role for message in repair] == ["user", "assistant", "user"]
    assert repair[1].content == "It is \\boxed{9}"  # the final part, no reasoning
    assert result.record["counts"]["repaired"] == 1
    assert result.record["counts"]["no_claims"] == 0
    assert result.record["trajectories"][0]["reliability"] == pytest.approx(0.8**5)
    assert result.record["calls"]["repair"] == 1


@pytest.mark.parametrize("reply", [said("I will not"), said("", Stop.ERROR, error="HTTP 500")])
def test_a_repair_without_claims_leaves_the_prior_and_is_not_tried_again(reply: Rollout) -> None:
    model = Model([said("\\boxed{9}"), trace("3", *SOUND)], repair=lambda _: reply)
    result = solve(model, k=2, repair=True, early="off")
    assert result.answer == "3"
    assert model.begun["repair"] == 1
    assert result.record["trajectories"][0]["reliability"] == 0.5
    assert result.record["counts"]["no_claims"] == 1


def test_a_budget_of_calls_is_never_exceeded_and_gives_the_best_so_far() -> None:
    traces = [trace("7", *SHAKY), trace("3", *SOUND)]
    for calls in range(1, 16):
        model = Model(traces)
        result = solve(model, Budget(calls=calls), k=8)
        assert model.begun.total() <= calls
        assert result.usage.calls == model.begun.total()
        assert result.finish_reason in ("budget", "stop")
    assert solve(Model(traces), Budget(calls=8), k=8).finish_reason == "budget"
    assert solve(Model(traces), Budget(calls=16), k=8).finish_reason == "stop"
    assert solve(Model([trace("3", *SOUND)]), Budget(calls=1), k=8, k_min=3).answer == "3"  # one answer is the best


def test_a_budget_of_tokens_stops_streams_on_their_way() -> None:
    model = Model([trace("3", *SOUND)], delay=lambda stage, number: 0.05 if number < 2 else 60.0)
    result = solve(model, Budget(tokens=230), k=8)
    assert result.finish_reason == "budget"
    assert result.answer == "3"
    assert model.cancelled["generate"] == 6
    assert 230 <= result.record["usage"]["total_tokens"] < 300


def test_a_budget_of_seconds_ends_in_time_with_the_best_so_far() -> None:
    model = Model([trace("3", *SOUND)], delay=lambda stage, number: 0.0 if number < 3 else 60.0)
    started = time.monotonic()
    result = solve(model, Budget(seconds=0.5), k=8)
    assert time.monotonic() - started < 20
    assert (result.finish_reason, result.answer) == ("budget", "3")
    assert result.record["counts"]["pending"] == 5


def test_a_budget_of_money_uses_the_price_table() -> None:
    prices = {"scripted": Price(prompt=0.0, completion=1e6), "*": Price(prompt=0.0, completion=0.0)}
    model = Model([trace("3", *SOUND), trace("4", *SOUND)])
    result = solve(model, Budget(money=250), k=8, concurrency=1, prices=prices)
    assert result.finish_reason == "budget"
    assert model.begun == {"generate": 3}
    assert result.record["money"] == 300
    with pytest.raises(ConfigError, match="no price is known for the model scripted"):
        solve(model, Budget(money=1))


def test_a_budget_that_ends_before_any_answer_is_an_error() -> None:
    model = Model([trace("3", *SOUND)], delay=lambda stage, number: 60.0)
    with pytest.raises(NoAnswerError, match=r"^the budget was used up: no trajectory had ended$") as caught:
        solve(model, Budget(seconds=0.3), k=4)
    assert caught.value.record["calls"]["cancelled"] == 4
    with pytest.raises(ConfigError, match=r"budget\.calls: 0"):
        Budget(calls=0)


def test_stop_gives_the_best_so_far() -> None:
    async def interrupted() -> ClrResult:
        model = Model([trace("3", *SOUND)], delay=lambda stage, number: 0.0 if number < 3 else 60.0)
        flow = LiveClr("q", model, knobs(k=8))
        work = asyncio.ensure_future(flow.run())
        while flow.progress().ended < 3:
            await asyncio.sleep(0.01)
        flow.stop()
        return await work

    result = asyncio.run(interrupted())
    assert (result.finish_reason, result.answer) == ("interrupted", "3")


def test_cancelling_the_flow_cancels_every_request() -> None:
    async def cancelled() -> Model:
        model = Model([trace("3", *SOUND)], delay=lambda stage, number: 60.0)
        work = asyncio.ensure_future(clr_answer("q", model, knobs(k=8)))
        while model.running < 8:
            await asyncio.sleep(0.01)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert len(asyncio.all_tasks()) == 1
        return model

    model = asyncio.run(cancelled())
    assert model.running == 0
    assert model.cancelled["generate"] == 8


def test_a_sampler_that_raises_ends_the_flow_and_its_requests() -> None:
    def broken(prompt: str) -> Rollout:
        raise RuntimeError("a bug")

    model = Model([trace("3", *SOUND), trace("4", *SOUND)], verify=broken)
    with pytest.raises(RuntimeError, match="a bug"):
        solve(model, k=8)
    assert model.running == 0


def test_events_tell_how_far_it_is() -> None:
    events: list[ClrEvent] = []
    model = Model([*[trace("7", *SHAKY)] * 3, trace("3", *SOUND)])
    asyncio.run(clr_answer("q", model, knobs(k=4, early="off"), on_event=events.append))
    assert [event.kind for event in events].count("trajectory") == 4
    assert [event.kind for event in events].count("verdicts") == 4
    assert events[-1].kind == "finish"
    last = events[-1].progress
    assert (last.ended, last.verified, last.calls, last.calls_open) == (4, 4, 8, 0)
    assert last.leader is not None
    assert last.rival is not None
    assert (last.leader.answer, last.rival.answer) == ("3", "7")
    assert line(last) == "4/4 trajectories, leader 3: 1.0, rival 7: 1.0, 4 verified, 480 tokens"


def test_calls_depend_on_the_seed_and_the_trajectory_only() -> None:
    def seeds(**changes: object) -> dict[str, list[int]]:
        model = Model([trace("3", *SOUND), trace("4", *SOUND)])
        solve(model, k=4, early="off", **changes)
        return {stage: sorted(s for own, _, _, s in model.asked if own == stage) for stage in ("generate", "verify")}

    assert seeds() == seeds(concurrency=1)
    assert seeds() != seeds(seed=1)
    assert len({*seeds()["generate"], *seeds()["verify"]}) == 8


def test_verification_uses_its_own_temperature() -> None:
    model = Model([trace("3", *SOUND), trace("4", *SOUND)])
    params = SamplingParams(temperature=0.7, top_p=0.9, max_tokens=77)
    solve(model, k=2, early="off", params=params, verify_temperature=0.0)
    used = {stage: params for stage, _, params, _ in model.asked}
    assert used["generate"] == params
    assert used["verify"] == SamplingParams(temperature=0.0, top_p=0.9, max_tokens=77)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 1}, r"clr\.k: 1 .* at least 2"), ({"m": 0}, r"clr\.m: 0"), ({"prior": 2.0}, r"clr\.prior"),
        ({"k": 4, "k_min": 5}, r"clr\.k_min: 5; use 1 to 4"), ({"early": "never"}, r"clr\.early"),
        ({"concurrency": 0}, r"clr\.concurrency"),
        ({"params": SamplingParams(temperature=0)}, "greedy sampling repeats one"),
    ],
)  # fmt: skip
def test_settings_that_cannot_run_are_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        knobs(**changes)


def test_a_conversation_without_a_question_is_refused() -> None:
    with pytest.raises(InputError, match="no user message"):
        solve(Model([]), question="  ")


def test_an_answer_that_could_join_two_rivals_keeps_the_flow_going() -> None:
    """Four votes beat two and two, but not if a later answer shows that the two and two are the same."""
    same = {"x+x": "2x", "x*2": "2x", "2*x": "2x"}
    joined = {"*": False}

    def cluster(answers):  # type: ignore[no-untyped-def]
        joined["*"] = joined["*"] or "2*x" in answers
        keys = [same.get(a, a) if joined["*"] else a for a in answers]
        order: dict[str, int] = {}
        return [None if key is None else order.setdefault(key, len(order)) for key in keys]

    def answer(early: str) -> str:
        traces = [trace(a, "t1") for a in ("y", "y", "y", "y", "x+x", "x+x", "x*2", "x*2", "2*x")]
        model = Model(traces, delay=lambda stage, number: 0.2 if (stage, number) == ("generate", 8) else 0.0)
        flow = LiveClr("q", model, knobs(k=9, m=1, early=early))
        flow.flow.cluster = cluster
        joined["*"] = False
        return asyncio.run(flow.run()).answer

    assert answer("off") == answer("exact") == "x+x"


def test_the_record_is_saved_whole(tmp_path: Path) -> None:
    result = solve(Model([trace("3", *SOUND)]), k=4)
    saved = json.loads(result.save(tmp_path / "deep" / "answer.json").read_text())
    assert saved == json.loads(json.dumps(result.record))
    assert (saved["kind"], saved["answer"], saved["question"]) == ("clr", "3", "1+2")


def test_json_schemas_are_sent_when_asked_for_and_their_replies_read() -> None:
    sent: list[dict[str, object]] = []

    class Constrained(Model):
        async def complete(self, conversation, params, *, seed, on_delta=None, extra=None):  # type: ignore[no-untyped-def]
            sent.append(extra["response_format"]["json_schema"])
            properties = sent[-1]["schema"]["properties"]  # type: ignore[index]
            if "claims" in properties:
                return said('{"solution": "Half.", "answer": "\\frac{1}{2}", "claims": ["a", "b"]}')
            return said('{"examination": "fine", "verdicts": ["valid", "refuted"]}')

    result = solve(Constrained([]), k=4, m=2, json_schema=True, early="off")
    assert result.answer == "\\frac{1}{2}"
    assert result.record["trajectories"][0]["claims"] == [{"text": "a", "valid": True}, {"text": "b", "valid": False}]
    assert {str(schema["name"]) for schema in sent} == {"clr_answer", "clr_verdicts"}


def test_a_model_that_cannot_be_told_a_form_is_refused_before_anything_is_asked() -> None:
    model = Model([])
    with pytest.raises(ConfigError, match=r"clr\.json_schema: it takes a server to enforce a form, and .* is none"):
        solve(model, json_schema=True)


def test_judging_is_what_the_scripts_say() -> None:
    assert judged("q\n<claims>\na\nfalse b\n</claims>\n<verify>").text == "<verdicts>\nv\nx\n</verdicts>"


class Batches:
    """Answers by conversation and seed, and remembers its batches."""

    name = "batches"

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def sample_each(
        self, conversations: Sequence[Conversation], *, params: SamplingParams, seeds: Sequence[int]
    ) -> list[Rollout]:
        self.sizes.append(len(conversations))
        if any("boom" in conversation[-1].content for conversation in conversations):
            raise RuntimeError("out of memory")
        return [
            judged(c[-1].content)
            if c[-1].content.endswith("<verify>")
            else trace(str(seed % 2), *(SOUND if seed % 3 else SHAKY))
            for c, seed in zip(conversations, seeds, strict=True)
        ]


def test_calls_that_wait_together_are_one_batch_of_a_sampler_in_this_process() -> None:
    inner = Batches()
    result = asyncio.run(clr_answer("q", Gathered(inner), knobs(k=12, early="off")))
    assert inner.sizes[0] == 12
    assert sum(inner.sizes) == 24
    early = asyncio.run(clr_answer("q", Gathered(Batches()), knobs(k=12)))
    assert early.answer == result.answer
    assert early.usage.calls < 24
    with pytest.raises(RuntimeError, match="out of memory"):
        asyncio.run(clr_answer("boom", Gathered(Batches()), knobs(k=4)))


def test_a_reference_says_who_was_right_and_leaves_failed_calls_out() -> None:
    traces = [
        *[trace("1/2", *SOUND)] * 2, *[trace("0.25", *SHAKY)] * 3, said("hm"), said("", Stop.ERROR, error="HTTP 500"),
    ]  # fmt: skip
    record = solve(Model(traces), k=7, early="off").record
    judged_record = judge(record, "0.5")
    assert (judged_record["correct"], judged_record["cons_k"]) == (True, False)
    assert judged_record["pass1"] == pytest.approx(2 / 6)
    assert [cluster["correct"] for cluster in judged_record["clusters"]] == [True, False]
    undecided = judge(record, "")
    assert (undecided["correct"], undecided["cons_k"], undecided["pass1"]) == (None, None, None)
