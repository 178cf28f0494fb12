"""Many flows at once share calls, do not change each other, and answer alike with and without early decision."""

import random
from collections.abc import Iterator, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from etalon.clr.batch import ClrSampler
from etalon.types import Conversation, Rollout, SamplingParams, ask
from test_clr_sampler import PARAMS, SOUND, Scripted, said, scripted, solve, trace, verdict_per_claim


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("1112234"), st.integers(0, 3)), min_size=2, max_size=9), st.integers(1, 3))
def test_early_exact_answers_what_off_answers(shape: list[tuple[str, int]], m: int) -> None:
    traces = [
        trace(answer, *[f"false {i}" if i < refuted else f"true {i}" for i in range(m)]) for answer, refuted in shape
    ]
    exact = solve(scripted(traces), k=len(shape), m=m)
    off = solve(scripted(traces), k=len(shape), m=m, early="off")
    assert exact.text == off.text
    assert exact.calls <= off.calls == 2 * len(shape)


def by_question(prompt: str, index: int) -> Rollout:
    """Trajectories and verdicts that differ by question and index but not by anything else."""
    if prompt.endswith("<verify>"):
        return verdict_per_claim(prompt)
    rng = random.Random(f"{prompt} {index}")
    return trace(str(rng.choice([1, 1, 2, 3])), *[rng.choice(["true", "true", "false"]) for _ in range(5)])


def test_conversations_are_batched_and_do_not_change_each_other() -> None:
    questions = [ask(f"question {number}") for number in range(12)]
    inner = Scripted(by_question)
    together = dict(ClrSampler(inner, k=6, prompts="nano").sample(questions, n=2, params=PARAMS, seed=3))
    assert sorted(together) == list(range(12))
    assert [len(flows) for flows in together.values()] == [2] * 12
    assert len(inner.batches[0][0]) == 12  # stage 1 is one call
    assert inner.batches[0][1] == 2 * 6
    assert len(inner.batches) <= 1 + 6  # rounds are shared by all flows
    seeds = [batch[3] for batch in inner.batches]
    assert seeds[0] not in seeds[1:]
    for index, question in enumerate(questions):
        alone = Scripted(by_question)
        ((_, flows),) = ClrSampler(alone, k=6, prompts="nano").sample([question], n=2, params=PARAMS, seed=3)
        assert flows == together[index]
        assert [batch[3] for batch in alone.batches] == seeds[: len(alone.batches)]


class Noisy:
    """Verdicts are drawn by seed and prompt."""

    name = "noisy"

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        def respond(prompt: str, index: int) -> Rollout:
            if not prompt.endswith("<verify>"):
                return three_claims(prompt, index)
            rng = random.Random(f"{seed} {prompt}")
            words = [rng.choice(["valid", "valid", "refuted"]) for _ in range(3)]
            return said("<verdicts>\n" + "\n".join(words) + "\n</verdicts>")

        return Scripted(respond).sample(conversations, n=n, params=params, seed=seed)


def test_early_exact_and_off_see_the_same_verdicts_of_a_sampler_that_draws_by_seed_and_prompt() -> None:
    questions = [ask(f"question {number}") for number in range(40)]
    texts, calls = [], []
    for early in ("exact", "off"):
        clr = ClrSampler(Noisy(), k=8, m=3, early=early, prompts="nano")  # type: ignore[arg-type]
        flows = dict(clr.sample(questions, n=1, params=PARAMS, seed=5))
        texts.append([flows[index][0].text for index in range(40)])
        calls.append(sum(flows[index][0].calls for index in range(40)))
    assert texts[0] == texts[1]
    assert calls[0] < 0.9 * calls[1]


def three_claims(prompt: str, index: int) -> Rollout:
    answer = random.Random(f"{prompt} {index}").choice([1, 1, 1, 2, 3])
    return trace(str(answer), *[f"{index} {number}" for number in range(3)])


def test_flows_of_one_conversation_use_different_trajectories() -> None:
    traces = [trace("1", *SOUND)] * 3 + [trace("2", *SOUND)] * 3
    clr = ClrSampler(scripted(traces), k=3, prompts="nano")
    ((_, flows),) = clr.sample([ask("q")], n=2, params=PARAMS, seed=0)
    assert [(flow.index, flow.text) for flow in flows] == [(0, "\\boxed{1}"), (1, "\\boxed{2}")]
