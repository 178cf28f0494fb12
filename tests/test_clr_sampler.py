"""CLR as a Sampler: what it asks, what it answers, what it counts and what it spends."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from etalon.clr.batch import ClrSampler
from etalon.errors import ConfigError
from etalon.types import Conversation, Message, Rollout, SamplingParams, Stop, ask
from etalon.verifiers.text import extract_answer

PARAMS = SamplingParams(temperature=1.0)


@dataclass
class Scripted:
    """A sampler that is a function of the conversation and the rollout's index; remembers each batch it was sent."""

    respond: Callable[[str, int], Rollout]
    name: str = "scripted"
    batches: list[tuple[list[str], int, SamplingParams, int]] = field(default_factory=list)

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        self.batches.append(([c[-1].content for c in conversations], n, params, seed))
        for index in reversed(range(len(conversations))):
            yield index, tuple(self.respond(conversations[index][-1].content, i) for i in range(n))

    def sample_single(
        self, asked: Sequence[tuple[Conversation, int]], *, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, Rollout]]:
        self.batches.append(([conversation[-1].content for conversation, _ in asked], 1, params, seed))
        for place in reversed(range(len(asked))):
            conversation, index = asked[place]
            yield place, self.respond(conversation[-1].content, index)


def said(text: str, stop: Stop = Stop.EOS, num_tokens: int = 10, error: str = "") -> Rollout:
    return Rollout(problem_id="", index=0, text=text, stop=stop, num_tokens=num_tokens, error=error)


def trace(answer: str, *claims: str) -> Rollout:
    block = "\n".join(claims)
    return said(f"<think>SECRET REASONING</think>\\boxed{{{answer}}}\n<claims>\n{block}\n</claims>", num_tokens=100)


def verdict_per_claim(prompt: str) -> Rollout:
    """Refutes the claims that contain the word "false"."""
    claims = prompt.split("<claims>\n")[1].split("\n</claims>")[0].splitlines()
    lines = ["refuted" if "false" in claim else "valid" for claim in claims]
    return said("<verdicts>\n" + "\n".join(lines) + "\n</verdicts>")


def scripted(traces: Sequence[Rollout], verify: Callable[[str], Rollout] = verdict_per_claim) -> Scripted:
    return Scripted(lambda prompt, i: verify(prompt) if prompt.endswith("<verify>") else traces[i % len(traces)])


def solve(inner: Scripted, k: int, m: int = 5, early: str = "exact", prior: float = 0.5) -> Rollout:
    clr = ClrSampler(inner, k=k, m=m, early=early, prior=prior, prompts="nano")  # type: ignore[arg-type]
    ((index, (rollout,)),) = clr.sample([ask("1+2")], n=1, params=PARAMS, seed=0)
    assert index == 0
    json.dumps(rollout.detail, allow_nan=False)
    return rollout


SOUND = ("t1", "t2", "t3", "t4", "t5")
SHAKY = ("t1", "t2", "t3", "t4", "false")
WEAK = ("t1", "false", "false", "false", "false")


def test_two_reliable_trajectories_beat_four_that_are_refuted() -> None:
    inner = scripted([trace("7", *SHAKY)] * 4 + [trace("3", *SOUND)] * 2)
    rollout = solve(inner, k=6, early="off")
    assert rollout.text == "\\boxed{3}"
    assert rollout.detail is not None
    wrong, right = rollout.detail["clusters"]
    assert (wrong["answer"], wrong["votes"], wrong["score"]) == ("7", 4, pytest.approx(4 * 0.32768))
    assert (right["answer"], right["votes"], right["score"]) == ("3", 2, 2.0)
    assert rollout.detail["majority"] == "7"  # Cons@K of the same trajectories
    assert rollout.calls == rollout.detail["calls_full"] == 12
    assert rollout.num_tokens == 6 * 100 + 6 * 10
    assert rollout.detail["tokens"] == {"generate": 600, "verify": 60}


def test_the_verifier_never_sees_the_trace_or_the_answer() -> None:
    inner = scripted([trace("12345", *SOUND), trace("67890", *WEAK)])
    solve(inner, k=4, early="off")
    prompts = [prompt for batch in inner.batches[1:] for prompt in batch[0]]
    assert len(prompts) == 4
    for prompt in prompts:
        assert "SECRET" not in prompt
        assert "12345" not in prompt
        assert "67890" not in prompt
        assert "1+2" in prompt


def test_equivalent_answers_share_a_cluster_although_their_strings_differ() -> None:
    rollout = solve(scripted([trace("0.5", "a"), trace("\\frac{1}{2}", "a"), trace("3", "a"), trace("1/2", "a")]), k=4)
    assert rollout.detail is not None
    assert [cluster["trajectories"] for cluster in rollout.detail["clusters"]] == [[0, 1, 3], [2]]


def test_a_trajectory_without_claims_gets_the_prior_and_is_counted() -> None:
    silent = said("\\boxed{9}")
    rollout = solve(scripted([silent, trace("3", *SOUND)]), k=2)
    assert rollout.text == "\\boxed{3}"  # with r = 1 for silence, 9 would win the tie
    assert rollout.detail is not None
    assert rollout.detail["counts"]["no_claims"] == 1
    assert rollout.detail["trajectories"][0]["reliability"] == 0.5
    assert solve(scripted([silent, trace("3", *SOUND)]), k=2, prior=1.0).text == "\\boxed{9}"


def test_missing_claims_are_padded_as_valid_and_counted() -> None:
    rollout = solve(scripted([trace("3", "t1", "false"), trace("4", *SOUND)]), k=2, early="off")
    assert rollout.detail is not None
    assert rollout.detail["counts"]["missing_claims"] == 3
    assert rollout.detail["trajectories"][0]["reliability"] == pytest.approx(0.8**5)
    assert len(rollout.detail["trajectories"][0]["claims"]) == 2


def test_unreadable_verdicts_count_as_valid_and_are_counted() -> None:
    inner = scripted([trace("3", *SHAKY), trace("4", *SOUND)], verify=lambda prompt: said("I cannot tell"))
    rollout = solve(inner, k=2, early="off")
    assert rollout.detail is not None
    assert rollout.detail["counts"]["unreadable_verdicts"] == 10
    assert rollout.detail["trajectories"][0]["reliability"] == 1.0
    assert rollout.detail["trajectories"][0]["claims"][0] == {"text": "t1", "valid": None}
    assert rollout.text == "\\boxed{3}"


def test_a_verification_call_that_failed_leaves_the_prior_not_a_perfect_score() -> None:
    broken = said("", Stop.ERROR, 0, error="connection reset")
    inner = scripted(
        [trace("3", "unlucky"), trace("4", *SOUND)],
        verify=lambda prompt: broken if "unlucky" in prompt else verdict_per_claim(prompt),
    )
    rollout = solve(inner, k=2, early="off")
    assert rollout.text == "\\boxed{4}"
    assert rollout.detail is not None
    assert rollout.detail["counts"]["failed_verifications"] == 1
    assert rollout.detail["trajectories"][0]["reliability"] == 0.5
    assert not rollout.detail["trajectories"][0]["verified"]


def test_failed_truncated_and_unparsed_trajectories_are_dropped_and_counted() -> None:
    traces = [
        said("\\boxed{8}", Stop.ERROR, error="connection reset"),
        said("<think>and so on", Stop.LENGTH),
        said("I do not know"),
        trace("3", *SOUND),
        said("\\boxed{5}\n<claims>\nt1\nt2", Stop.LENGTH),  # cut after its answer: usable
    ]
    rollout = solve(scripted(traces), k=5)
    assert rollout.detail is not None
    counts = rollout.detail["counts"]
    assert (counts["failed"], counts["truncated"], counts["unparsed"], counts["usable"]) == (1, 1, 1, 2)
    assert [t["dropped"] for t in rollout.detail["trajectories"]] == ["failed", "truncated", "unparsed", None, None]
    assert [t["stop"] for t in rollout.detail["trajectories"]] == ["error", "length", "eos", "eos", "length"]
    assert rollout.text == "\\boxed{3}"


def test_no_usable_trajectory_is_an_error_with_its_reason() -> None:
    rollout = solve(scripted([said("", Stop.ERROR, 0, "connection reset"), said("hm", Stop.LENGTH)]), k=4)
    assert rollout.stop is Stop.ERROR
    assert rollout.text == ""
    assert rollout.error == (
        "none of 4 trajectories is usable: 2 failed, 2 truncated, 0 without an answer; first error: connection reset"
    )
    assert rollout.calls == 4


def test_a_box_quoted_in_a_claim_does_not_change_the_answer() -> None:
    rollout = solve(scripted([trace("3", "the naive \\boxed{4} is wrong")]), k=2)
    assert rollout.text == "\\boxed{3}"


def test_an_answer_with_a_stray_brace_can_still_be_extracted() -> None:
    rollout = solve(scripted([said("Answer: {3, 4")]), k=2)
    assert extract_answer(rollout.text) == "{3, 4"


def test_ties_go_to_the_earliest_trajectory() -> None:
    assert solve(scripted([trace("8", *SOUND), trace("3", *SOUND)]), k=4, early="off").text == "\\boxed{8}"
    assert solve(scripted([trace("8", *SOUND), trace("3", *SOUND)]), k=4).text == "\\boxed{8}"


def test_a_unanimous_vote_is_not_verified_at_all() -> None:
    rollout = solve(scripted([trace("3", *WEAK)]), k=8)
    assert rollout.calls == 8
    assert rollout.detail is not None
    assert rollout.detail["calls"] == {"generate": 8, "verify": 0}
    assert rollout.detail["clusters"][0]["score_max"] == 8.0
    assert solve(scripted([trace("3", *WEAK)]), k=8, early="off").calls == 16


def test_a_flow_whose_calls_all_came_back_without_an_answer_is_a_response_without_one() -> None:
    rollout = solve(scripted([said("hm"), said("hm", Stop.LENGTH)]), k=4)
    assert (rollout.stop, rollout.text) == (Stop.EOS, "")
    assert "0 failed, 2 truncated, 2 without an answer" in rollout.error


def test_verification_uses_its_own_temperature_and_the_other_parameters() -> None:
    inner = scripted([trace("1", *SOUND), trace("2", *SOUND)])
    params = SamplingParams(temperature=0.7, top_p=0.9, max_tokens=77)
    list(ClrSampler(inner, k=2, prompts="nano", verify_temperature=0.0).sample([ask("q")], n=1, params=params, seed=0))
    assert inner.batches[0][2] == params
    assert inner.batches[1][2] == SamplingParams(temperature=0.0, top_p=0.9, max_tokens=77)


def test_a_conversation_without_a_user_message_fails_alone() -> None:
    conversations = [(Message(role="system", content="Be exact."),), ask("q")]
    clr = ClrSampler(scripted([trace("1", *SOUND)]), k=2, prompts="nano")
    flows = dict(clr.sample(conversations, n=1, params=PARAMS, seed=0))
    assert flows[0][0].stop is Stop.ERROR
    assert "no user message" in flows[0][0].error
    assert flows[1][0].text == "\\boxed{1}"


def test_greedy_sampling_is_refused_before_anything_is_sampled() -> None:
    inner = scripted([trace("1", *SOUND)])
    with pytest.raises(ConfigError, match="greedy sampling repeats one"):
        ClrSampler(inner, prompts="nano").sample([ask("q")], n=1, params=SamplingParams(temperature=0), seed=0)
    assert inner.batches == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 1}, r"clr\.k: 1 .* at least 2"),
        ({"m": 0}, r"clr\.m: 0"),
        ({"prior": 1.5}, r"clr\.prior: 1\.5"),
        ({"early": "always"}, r"clr\.early: 'always'; use 'exact' or 'off'"),
    ],
)
def test_settings_that_cannot_run_are_refused_by_name(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ClrSampler(scripted([]), prompts="nano", **settings)  # type: ignore[arg-type]
