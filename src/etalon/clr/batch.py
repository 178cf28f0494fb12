"""CLR as a Sampler around a Sampler: whole batches of flows move through the two stages together.

    all conversations -> one inner.sample(n = flows x K) -> Flow per flow
    -> rounds: one inner.sample(n = 1) over the next verifications of every undecided flow -> one Rollout per flow

The early decision saves verification calls. Its rounds are few: 1 to 3 per flow on average in simulation (K = 32),
for at most 0.6 points more of the 2K calls than one call at a time. Generation is one batch, so it is not stopped
early here; `live` has one flow whose calls are sent and cancelled one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from etalon.clr.replies import read_verdicts
from etalon.clr.trajectory import read_trajectory
from etalon.store import seed_from
from etalon.types import Conversation, Rollout, Sampler, SamplingParams, Stop
from etalon.verifiers import cluster as cluster_answers

Call = tuple[Flow, int]  # a trajectory of a flow to verify


class ClrSampler:
    """A `Sampler` whose every rollout is the answer of one whole CLR flow over `inner`.

    k: trajectories per flow; m: claims per trajectory; prior: reliability of a trajectory without a claim, in [0, 1].
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
        prompts: str = "default",
        verify_temperature: float | None = None,
        cluster: Cluster = cluster_answers,
    ) -> None:
        """ConfigError for a value that cannot be run, InputError for prompts that cannot be used."""
        check(k, m, prior, early)
        self.inner = inner
        self.k = k
        self.m = m
        self.early: Early = early
        self.prior = Fraction(str(prior))
        self.templates = load_templates(prompts)
        self.verify_temperature = verify_temperature
        self.cluster = cluster
        self.name = f"clr-k{k}-m{m}({inner.name})"

    def sample(
        self, conversations: Sequence[Conversation], *, n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        """Yield n final answers per conversation, from n independent flows; `detail` of each is its record.

        Raises ConfigError at temperature 0: the K trajectories would be one and the same.
        """
        refuse_greedy(params, self.k)
        return self._sample(conversations, n, params, seed)

    def _sample(
        self, conversations: Sequence[Conversation], n: int, params: SamplingParams, seed: int
    ) -> Iterator[tuple[int, tuple[Rollout, ...]]]:
        questions: dict[int, str] = {}
        for index, conversation in enumerate(conversations):
            question = question_of(conversation)
            if question is None:
                yield index, tuple(_no_question(flow) for flow in range(n))
            else:
                questions[index] = question
        undecided = self._generate(conversations, questions, n, params, seed) if questions else {}
        verify_seed = _stage_seed(seed, "verify")
        while undecided:
            calls: list[Call] = []
            for index, flows in list(undecided.items()):
                needed = [(flow, trajectory) for flow in flows for trajectory in flow.next_round()]
                calls += needed
                if not needed:
                    del undecided[index]
                    yield index, tuple(final_rollout(flow, position) for position, flow in enumerate(flows))
            if calls:
                self._verify(calls, params, verify_seed)

    def _generate(
        self,
        conversations: Sequence[Conversation],
        questions: dict[int, str],
        n: int,
        params: SamplingParams,
        seed: int,
    ) -> dict[int, list[Flow]]:
        """Stage 1: the flows of each conversation that has a question, from one call over all of them."""
        indices = list(questions)
        asked = [generation_conversation(conversations[index], self.templates.generate, self.m) for index in indices]
        stage_seed = _stage_seed(seed, "generate")
        flows: dict[int, list[Flow]] = {}
        # each conversation's responses are read as they come: only answers and claims stay in memory
        for position, rollouts in self.inner.sample(asked, n=n * self.k, params=params, seed=stage_seed):
            assert len(rollouts) == n * self.k
            index = indices[position]
            flows[index] = [
                self._flow(conversations[index], questions[index], rollouts[start : start + self.k])
                for start in range(0, n * self.k, self.k)
            ]
        assert len(flows) == len(indices)
        return dict(sorted(flows.items()))  # the order of verification does not depend on who came first

    def _flow(self, conversation: Conversation, question: str, rollouts: Sequence[Rollout]) -> Flow:
        flow = Flow(
            question=question,
            system=system_messages(conversation),
            k=self.k,
            m=self.m,
            early=self.early,
            prior=self.prior,
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
