"""CLR as a Sampler around a Sampler: whole batches of flows move through the two stages together.

    all conversations, or some flows of some -> their K responses each, asked for together -> Flow per flow
    -> rounds: one inner.sample(n = 1) over the next verifications of every undecided flow -> one Rollout per flow

The early decision saves verification calls. Its rounds are few: 1 to 3 per flow on average in simulation (K = 32),
for at most 0.6 points more of the 2K calls than one call at a time. Generation is one batch, so it is not stopped
early here; `live` has one flow whose calls are sent and cancelled one by one.

What a flow asks depends on its conversation, the seed and its index alone: flow i is the same whichever others are
asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from etalon.clr.claims import (
    generation_conversation,
    load_templates,
    question_of,
    system_messages,
    verification_conversation,
)
from etalon.clr.flow import Cluster, Early, Flow
from etalon.clr.knobs import check, refuse_greedy
from etalon.clr.record import final_rollout
from etalon.clr.reliability import Exponent
from etalon.clr.replies import read_verdicts
from etalon.clr.trajectory import read_trajectory
from etalon.sampling.single import TOGETHER, SingleSampler
from etalon.store import seed_from
from etalon.types import Conversation, Rollout, Sampler, SamplingParams, Stop
from etalon.verifiers import cluster as cluster_answers

Call = tuple[Flow, int]  # a trajectory of a flow to verify
Single = tuple[Conversation, int]  # a flow of a conversation
Generated = tuple[int, Sequence[Rollout]]  # the place of a flow among those that are asked for, its K responses
Generate = Callable[[Sequence[Single], SamplingParams, int], Iterator[Generated]]


class ClrSampler:
    """A `Sampler` whose every rollout is the answer of one whole CLR flow over `inner`.

    k: trajectories per flow; m: claims per trajectory; prior: reliability of a trajectory without a claim, in [0, 1].
    exponent: of the mean of a trajectory's verdicts, M or 1.
    early: "exact" stops verifying once the answer can no longer change, "off" verifies everything.
    prompts: folder with clr_generate.txt and clr_verify.txt: packaged ("default", "nano") or a path.
    verify_temperature: of the verification calls; None is the temperature of generation (CLR paper).
    """

    def __init__(
        self,
        inner: Sampler,
        *,
        k: int = 32,
        m: int = 5,
        early: Early = "exact",
        prior: float = 0.5,
        exponent: Exponent = "m",
        prompts: str = "default",
        verify_temperature: float | None = None,
        cluster: Cluster = cluster_answers,
    ) -> None:
        """ConfigError for a value that cannot be run, InputError for prompts that cannot be used."""
        check(k, m, prior, early, exponent)
        self.inner = inner
        self.k = k
        self.m = m
        self.early: Early = early
        self.prior = Fraction(str(prior))
        self.exponent: Exponent = exponent
        self.templates = load_templates(prompts)
        self.verify_temperature = verify_temperature
        self.cluster = cluster
        self.name = f"clr-k{k}-m{m}{'' if exponent == 'm' else '-mean'}({inner.name})"

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """Yield n final answers per conversation, from n independent flows; `detail` of each is its record.

        Raises ConfigError at temperature 0: the K trajectories would be one and the same.
        """
        refuse_greedy(params, self.k)
        return self._sample(conversations, n, params, seed)

    def sample_single(
        self, asked: Sequence[tuple[Conversation, int]], *, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, Rollout]]:
        """Yield (place among `asked`, the final answer of that flow of the conversation): what `sample` has there.

        At most TOGETHER flows are under way, so that the first answers do not wait for the last. Raises as `sample`.
        """
        refuse_greedy(params, self.k)
        return self._sample_parts(asked, params, seed)

    def _sample(
        self, conversations: Sequence[Conversation], n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        asked = [(conversation, flow) for conversation in conversations for flow in range(n)]
        groups: dict[int, dict[int, Rollout]] = {}
        for place, rollout in self._decide(asked, params, seed, self._generate_all):
            group = groups.setdefault(place // n, {})
            group[rollout.index] = rollout
            if len(group) == n:
                yield place // n, tuple(group[flow] for flow in range(n))
                del groups[place // n]

    def _sample_parts(
        self, asked: Sequence[tuple[Conversation, int]], params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, Rollout]]:
        for start in range(0, len(asked), TOGETHER):
            part = asked[start : start + TOGETHER]
            for place, rollout in self._decide(part, params, seed, self._generate_single):
                yield start + place, rollout

    def _decide(
        self, asked: Sequence[Single], params: SamplingParams, seed: int, generate: Generate
    ) -> Iterator[tuple[int, Rollout]]:
        """Both stages of all flows that are asked for."""
        shown = {}
        for place, (conversation, index) in enumerate(asked):
            if question_of(conversation) is None:
                yield place, _no_question(index)
            else:
                shown[place] = generation_conversation(conversation, self.templates.generate, self.m), index
        # a flow's responses are read as soon as all have come: only answers and claims stay in memory
        places = list(shown)
        flows = {
            places[position]: self._flow(asked[places[position]][0], rollouts)
            for position, rollouts in (generate(list(shown.values()), params, seed) if shown else ())
        }
        assert len(flows) == len(shown)
        undecided = dict(sorted(flows.items()))  # the order of verification does not depend on who came first
        while undecided:
            calls: list[Call] = []
            for place, flow in list(undecided.items()):
                needed = flow.next_round()
                calls += [(flow, trajectory) for trajectory in needed]
                if not needed:
                    del undecided[place]
                    yield place, final_rollout(flow, asked[place][1])
            if calls:
                self._verify(calls, params, _stage_seed(seed, "verify"))

    def _generate_all(self, asked: Sequence[Single], params: SamplingParams, seed: int) -> Iterator[Generated]:
        """Stage 1 of all flows 0 to n - 1 of each conversation, from one call where the inner sampler can do both."""
        if not isinstance(self.inner, SingleSampler):
            yield from self._generate_single(asked, params, seed)
            return
        n = 1 + max(flow for _, flow in asked)
        conversations = [conversation for conversation, flow in asked if flow == 0]
        found = self.inner.sample(conversations, n=n * self.k, params=params, seed=_stage_seed(seed, "generate"))
        for position, rollouts in found:
            assert len(rollouts) == n * self.k
            for flow in range(n):
                yield position * n + flow, rollouts[flow * self.k : (flow + 1) * self.k]

    def _generate_single(self, asked: Sequence[Single], params: SamplingParams, seed: int) -> Iterator[Generated]:
        """Stage 1 of some flows: of each conversation's responses, flow f has those from f x K on.

        An inner sampler without single samples is asked for K at a time, with a seed of the flow's own.
        """
        stage_seed = _stage_seed(seed, "generate")
        if isinstance(self.inner, SingleSampler):
            singles = [(shown, flow * self.k + number) for shown, flow in asked for number in range(self.k)]
            waiting: dict[int, dict[int, Rollout]] = {}
            for place, rollout in self.inner.sample_single(singles, params=params, seed=stage_seed):
                own = waiting.setdefault(place // self.k, {})
                own[place % self.k] = rollout
                if len(own) == self.k:
                    yield place // self.k, tuple(own[number] for number in range(self.k))
                    del waiting[place // self.k]
            return
        by_flow: dict[int, list[int]] = {}
        for place, (_, flow) in enumerate(asked):
            by_flow.setdefault(flow, []).append(place)
        for flow, places in by_flow.items():
            own_seed = seed_from([seed, "generate", flow]) if flow else stage_seed
            conversations = [asked[place][0] for place in places]
            for position, rollouts in self.inner.sample(conversations, n=self.k, params=params, seed=own_seed):
                yield places[position], rollouts

    def _flow(self, conversation: Conversation, rollouts: Sequence[Rollout]) -> Flow:
        question = question_of(conversation)
        assert question is not None
        assert len(rollouts) == self.k
        flow = Flow(
            question=question,
            system=system_messages(conversation),
            k=self.k,
            m=self.m,
            early=self.early,
            prior=self.prior,
            exponent=self.exponent,
            cluster=self.cluster,
        )
        for rollout in rollouts:
            flow.ledger.add("generate", rollout)
        flow.add(read_trajectory(rollout, index, self.m) for index, rollout in enumerate(rollouts))
        return flow

    def _verify(self, calls: Sequence[Call], params: SamplingParams, seed: int) -> None:
        """One round of stage 2: the next verifications of every undecided flow, in one call."""
        claims = [flow.trajectories[index].claims for flow, index in calls]
        shown = [
            verification_conversation(flow.question, own, self.templates.verify, system=flow.system)
            for (flow, _), own in zip(calls, claims, strict=True)
        ]
        if self.verify_temperature is not None:
            params = replace(params, temperature=self.verify_temperature)
        answered = dict(self.inner.sample(shown, n=1, params=params, seed=seed))
        for position, (flow, index) in enumerate(calls):
            (rollout,) = answered[position]
            flow.record_verdicts(index, rollout, read_verdicts(rollout.text, len(claims[position])))


def _stage_seed(seed: int, stage: str) -> int:
    """A seed per stage.

    All rounds share one: with an inner sampler that draws by seed and prompt, a trajectory's verdicts do not depend
    on its round or its neighbours, so early "exact" and "off" agree verdict by verdict.
    """
    return seed_from([seed, stage])


def _no_question(index: int) -> Rollout:
    error = "the conversation has no user message to answer"
    return Rollout(index=index, text="", stop=Stop.ERROR, num_tokens=0, calls=0, error=error)
