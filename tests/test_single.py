"""Single samples: each is the same whichever others are asked for, and none is the copy of another."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from etalon.cli import app
from etalon.clr.batch import ClrSampler
from etalon.errors import ConfigError
from etalon.sampling.single import TOGETHER, sample_singly, to_ask_singly
from etalon.store import seed_from
from etalon.types import Conversation, Domain, Message, Problem, Rollout, SamplingParams, Stop, ask
from test_clr_sampler import said, trace
from upstream import Asked, Reply, Upstream

PARAMS = SamplingParams(temperature=1.0)
PROBLEMS = [Problem(id=f"p{i}", domain=Domain.MATH, prompt=f"question {i}", answer="1") for i in range(3)]


@dataclass
class Drawing:
    """Draws by seed, prompt and index, and knows CLR; remembers what it was asked."""

    name: str = "drawing"
    calls: list[tuple[int, int]] = field(default_factory=list)  # conversations, n

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        self.calls.append((len(conversations), n))
        for position in reversed(range(len(conversations))):
            prompt = conversations[position][-1].content
            yield position, tuple(replace(drawn(prompt, seed, index), index=index) for index in range(n))


class DrawingSingly(Drawing):
    """Gives single samples as well."""

    def sample_single(
        self, asked: Sequence[tuple[Conversation, int]], *, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, Rollout]]:
        self.calls.append((len(asked), 1))
        for place in random.Random(len(asked)).sample(range(len(asked)), len(asked)):
            conversation, index = asked[place]
            yield place, replace(drawn(conversation[-1].content, seed, index), index=index)


def drawn(prompt: str, seed: int, index: int) -> Rollout:
    rng = random.Random(f"{prompt} {seed} {index}")
    if prompt.endswith("<verify>"):
        count = len(prompt.split("<claims>\n")[1].split("\n</claims>")[0].splitlines())
        words = [rng.choice(["valid", "valid", "refuted"]) for _ in range(count)]
        return said("<verdicts>\n" + "\n".join(words) + "\n</verdicts>")
    return trace(rng.choice("112"), *[f"claim {rng.random()}" for _ in range(3)])


def singly(sampler: Any, *missing: tuple[int, int]) -> dict[tuple[int, int], Rollout]:
    """Those samples (number of the problem, index)."""
    asked = to_ask_singly(PROBLEMS, missing, seed=5)
    return {missing[place]: one for place, one in sample_singly(sampler, asked, params=PARAMS, seed=5)}


def test_samples_with_gaps_are_no_copies_of_those_between_them() -> None:
    """Of a sampler that can only be asked for the first n."""
    missing = [(0, 1, 2, 3), (0, 2), (2, 3, 5), (1, 4, 5), (3,), (5, 0)]
    by_index: dict[int, set[str]] = {}
    for indices in missing:
        found = singly(Drawing(), *((problem, index) for index in indices for problem in (0, 1)))
        assert sorted(found) == sorted((problem, index) for problem in (0, 1) for index in indices)
        for (problem, index), one in found.items():
            assert (one.problem_id, one.index) == (f"p{problem}", index)
            by_index.setdefault(index, set()).add(one.text)
    texts = [text for own in by_index.values() for text in own]
    assert len(by_index) == 6
    assert len(texts) == len(set(texts))  # what was drawn for one index was drawn for no other
    assert len(by_index[0]) == 2  # the first sample of each of both problems, whatever else is missing
    drawing = Drawing()
    singly(drawing, (0, 0), (1, 0), (0, 2), (2, 2), (2, 1))
    assert sorted(drawing.calls) == [(1, 1), (1, 2), (2, 1)]  # equal runs go together


@pytest.mark.parametrize("inner", [Drawing, DrawingSingly])
def test_a_flow_is_the_same_whichever_others_are_asked_for(inner: type[Drawing]) -> None:
    conversations = [ask(problem.prompt) for problem in PROBLEMS]
    clr = ClrSampler(inner(), k=6, m=3, prompts="nano")
    whole = dict(clr.sample(conversations, n=4, params=PARAMS, seed=5))
    expected = {(problem, index): whole[problem][index] for problem in range(3) for index in range(4)}
    assert len({json.dumps(one.detail) for one in expected.values()}) == 12
    for missing in ([(0, 0), (0, 2)], [(1, 3)], [(2, 1), (0, 3), (2, 0)], list(expected)):
        found = singly(clr, *missing)
        assert found == {key: replace(expected[key], problem_id=f"p{key[0]}") for key in missing}


@pytest.mark.parametrize("inner", [Drawing, DrawingSingly])
def test_flows_move_through_the_stages_together_and_stream_out_in_parts(inner: type[Drawing]) -> None:
    sampler = inner()
    asked = [(ask(f"question {number}"), 1) for number in range(2 * TOGETHER)]
    stream = ClrSampler(sampler, k=4, m=3, prompts="nano").sample_single(asked, params=PARAMS, seed=0)
    next(stream)
    assert sampler.calls[0] in [(TOGETHER, 4), (TOGETHER * 4, 1)]  # no more than a part was asked for
    assert 1 + len(list(stream)) == 2 * TOGETHER
    assert len(sampler.calls) <= 2 * (1 + 4)  # one call of the first stage and the rounds of the second, for each part


def test_a_single_flow_fails_alone_and_is_never_greedy() -> None:
    clr = ClrSampler(DrawingSingly(), k=2, m=3, prompts="nano")
    asked = [((Message(role="system", content="Be exact."),), 3), (ask("question"), 1)]
    found = dict(clr.sample_single(asked, params=PARAMS, seed=0))
    assert (found[0].stop, found[0].index, found[1].stop) == (Stop.ERROR, 3, Stop.EOS)
    with pytest.raises(ConfigError, match="greedy sampling repeats one"):
        clr.sample_single(asked, params=SamplingParams(temperature=0), seed=0)


@pytest.mark.live
def test_flows_that_failed_at_a_server_are_asked_again_as_themselves(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text('{"question": "What is 6 * 7?", "answer": "42"}\n')
    stage_seed = seed_from([0, "generate"])
    failing = {seed_from([stage_seed, flow * 2 + number]) for flow in (0, 2) for number in range(2)}

    def reply(asked: Asked) -> Reply:
        if "<verdicts>" in asked.text:
            return Reply(content="<verdicts>\n1. valid\n</verdicts>")
        if asked.body["seed"] in failing:
            return Reply(status=400, body=b'{"error": {"message": "no"}}')
        return Reply(content=f"\\boxed{{{asked.body['seed']}}}\n<claims>\n1. it is {asked.body['seed']}\n</claims>")

    def evaluated(out: Path) -> dict[int, dict[str, Any]]:
        command = ["eval", file, "--endpoint", upstream.url, "--model", "toy", "--out", out, "--clr"]
        done = CliRunner().invoke(app, [*map(str, command), "-k", "2", "-m", "1", "-n", "4"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        rows = map(json.loads, (out / "samples-one.jsonl").read_text().splitlines())
        return {row["index"]: {name: row.get(name) for name in ("stop", "text", "detail", "calls")} for row in rows}

    with Upstream(reply) as upstream:
        before = evaluated(tmp_path / "out")
        assert [before[index]["stop"] for index in range(4)] == ["error", "eos", "error", "eos"]
        failing.clear()
        after = evaluated(tmp_path / "out")
        assert evaluated(tmp_path / "whole") == after
    assert (after[1], after[3]) == (before[1], before[3])
    assert len({json.dumps(row["detail"]) for row in after.values()}) == 4
