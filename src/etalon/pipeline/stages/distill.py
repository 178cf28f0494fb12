"""Kind `distill` (2.3): verified traces of several checkpoints, ranked by what the student can still learn."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from etalon.config.stages import no_stage
from etalon.cost import work as costs
from etalon.cost.work import Cost
from etalon.data.curriculum.traces import trace_to_row
from etalon.errors import ConfigError
from etalon.pipeline import reckoning
from etalon.pipeline.stage import Outputs, Stage, Work
from etalon.pipeline.stages.own_claims import own_claim_traces
from etalon.pipeline.stages.sft import read_traces
from etalon.pipeline.stages.training import fit, fitting, kept, load, passed_through, response_logprobs
from etalon.pipeline.teachers import TEACHERS
from etalon.problems.options import as_asked
from etalon.recipe import RlSpec
from etalon.sampling import attempt
from etalon.sampling.source import sampling_from
from etalon.sft.selection import learning_potential, select
from etalon.store import append_jsonl, hash_tree, write_json_atomic
from etalon.types import REASONING_DOMAINS, Domain, Group, SamplingParams, Trace

if TYPE_CHECKING:
    from etalon.model.loader import LanguageModel


CHOSEN = {"band": "", "random": ", drawn at random", "top": ", of the highest learning potential"}


@dataclass(frozen=True, kw_only=True)
class Distill(Stage):
    """Verified traces of the teachers, ranked by what the student can still learn, teach one student (2.3)."""

    purpose: ClassVar[str] = "one student learns from the verified traces of all RL checkpoints"
    section: ClassVar[str] = "2.3"

    @property
    def teachers(self) -> dict[Domain, str]:
        """Whose traces each domain learns from: as the recipe says, else the last rl stage before this one of each."""
        if self.spec.teachers:
            return {Domain(name): source for name, source in self.spec.teachers.items()}
        phases = self.before("rl")
        found = {
            domain: [one.name for one in phases if not one.domains or domain.value in one.domains]
            for domain in REASONING_DOMAINS
        }
        return {domain: names[-1] for domain, names in found.items() if names}

    @property
    def _stages(self) -> list[str]:
        names = {one.name for one in self.others}
        return [source for source in dict.fromkeys(self.teachers.values()) if source in names]

    @property
    def needs(self) -> tuple[str, ...]:
        traces = (self.data_stage(),) if self.spec.replay else ()
        return tuple(dict.fromkeys((*super().needs, *traces, *self._stages)))

    @property
    def splits(self) -> frozenset[str]:
        return frozenset({"rl", "train"} if self.spec.own_claims else {"rl"})

    @property
    def knobs(self) -> Any:
        spec, recipe = self.spec, self.recipe
        teachers = {domain.value: source for domain, source in self.teachers.items()}
        data = recipe.data
        claims = [data.teacher, data.label_votes, data.agreement, data.max_tokens] if spec.own_claims else []
        windows = [self.window(source) for source in self.teachers.values()]
        return [
            spec.model_dump(exclude={"student", "teachers"}), teachers, windows, recipe.clr.m, recipe.clr.max_tokens,
            recipe.prompts, claims,
        ]  # fmt: skip

    def window(self, teacher: str) -> int:
        """Longest response of a teacher: that of its own phase, or of the table rl."""
        spec = next((one.spec for one in self.others if one.name == teacher), None)
        return int(spec.max_tokens if isinstance(spec, RlSpec) else self.recipe.rl.max_tokens)

    @property
    def outside(self) -> Mapping[str, str]:
        named = set(self.teachers.values()) - set(self._stages)
        named |= {self.recipe.data.teacher} - {*TEACHERS} if self.spec.own_claims else set()
        return {name: hash_tree(Path(name)) for name in sorted(named) if Path(name).is_dir()}

    def check(self) -> None:
        spec, names = self.spec, [one.name for one in self.others if one.makes_model]
        if spec.student and spec.student != self.source:
            raise ConfigError(f"{self.name}.student: {spec.student!r} and from = {self.source!r}; say one of the two")
        if not self.teachers:
            raise ConfigError(
                f"{self.name}.teachers: no rl stage stands before it; name a stage or a model directory for each "
                "domain, such as teachers = {math = STAGE}"
            )
        for domain, source in spec.teachers.items():
            if source == self.name:
                raise ConfigError(f"{self.name}.teachers.{domain}: is the stage itself; name another")
            if source not in names and not Path(source).is_dir():
                raise ConfigError(f"{self.name}.teachers.{domain}: {no_stage(source, names)}, or a model directory")

    @property
    def cost(self) -> Cost:
        spec, recipe = self.spec, self.recipe
        there = reckoning.domains_of(recipe)
        domains = [domain for domain in there if domain in self.teachers]
        rollouts = len(domains) * min(spec.problems, recipe.problems.rl) * spec.n
        share = reckoning.VERIFIED_SHARE * max(0.0, spec.high - spec.low)
        rows = rollouts * share + spec.replay * (len(there) - len(domains))
        window = max((self.window(source) for source in self.teachers.values()), default=recipe.rl.max_tokens)
        trained = costs.fine_tuning(rows, spec.epochs, reckoning.mean_response(recipe, window), batch=spec.batch)
        return costs.both(reckoning.sampling(recipe, rollouts, window), trained)

    def run(self, work: Work) -> Outputs:
        spec = self.spec
        traces, counts = self._verified(work)
        if not traces:
            return passed_through(work, self.source, "no checkpoint solved any of its problems")
        student = load(work, work.source)
        scored = with_learning_potential(student, traces, spec.micro_tokens)
        selection = select(
            scored, min_tokens=spec.min_tokens, num_buckets=spec.buckets, low=spec.low, high=spec.high,
            choose=spec.choose, seed=work.seed,
        )  # fmt: skip
        teachers = {domain.value: source for domain, source in self.teachers.items()}
        write_json_atomic(work.directory / "selection.json", selection.record() | counts | {"teachers": teachers})
        work.view.note(
            f"{len(selection.kept)} of {len(traces)} verified traces kept{CHOSEN[spec.choose]}; "
            f"{counts['rejected_wrong']} rollouts were not correct, {counts['repeats']} said again what another said"
        )
        own = own_claim_traces(work, work.source) if spec.own_claims else []
        if spec.own_claims:
            work.view.note(f"{len(own)} lists of the student's own claims judged by the teacher")
        chosen = [*selection.kept, *self._replay(work), *own]
        if not chosen:
            return passed_through(work, self.source, "no verified trace is left after selection")
        kept_traces = {"traces": len(selection.kept), "with_replay": len(chosen), "own_claims": len(own)}
        return self._taught(work, student, chosen) | kept_traces

    def _taught(self, work: Work, student: LanguageModel, chosen: Sequence[Trace]) -> Outputs:
        """Fine-tune the student on the chosen traces, which are kept."""
        from etalon.sft.rows import trace_row

        spec = self.spec
        path = work.directory / "traces.jsonl"
        path.unlink(missing_ok=True)
        append_jsonl(path, [trace_to_row(trace) for trace in chosen])
        rows = fitting([trace_row(trace, student) for trace in chosen], student, work)
        if not rows:
            return passed_through(
                work, self.source, f"every trace is longer than the student's window, {student.window}"
            )
        [checkpoint] = fit(
            work, work.source, rows, epochs=spec.epochs, batch=spec.batch, micro_tokens=spec.micro_tokens,
            optim=spec.optim, num_checkpoints=1,
        )  # fmt: skip
        return kept(work, checkpoint)

    def _verified(self, work: Work) -> tuple[list[Trace], dict[str, int]]:
        """The distinct correct responses of every teacher in its domain, and how many others there were."""
        traces: list[Trace] = []
        wrong = correct = 0
        for domain, source in self.teachers.items():
            groups = self._sampled(work, domain, source)
            traces += [trace for group in groups for trace in correct_traces(group, source)]
            verdicts = [verdict for group in groups for verdict in group.verdicts if not verdict.is_undecided]
            correct += sum(verdict.is_correct for verdict in verdicts)
            wrong += sum(not verdict.is_correct for verdict in verdicts)
        return traces, {"rejected_wrong": wrong, "repeats": correct - len(traces)}

    def _sampled(self, work: Work, domain: Domain, source: str) -> list[Group]:
        recipe = work.recipe
        problems = work.problems("rl", domain)[: self.spec.problems]
        checkpoint = work.checkpoint(source) if source in self._stages else Path(source)
        with sampling_from(checkpoint, recipe, folder=work.directory, has_helpers=True) as sampler:
            return attempt(
                sampler,
                problems,
                n=self.spec.n,
                params=SamplingParams(max_tokens=self.window(source)),
                seed=work.seed,
                path=work.directory / f"rollouts-{domain.value}.jsonl",
                watch=work.watch,
                on_part=work.watch,
            )

    def _replay(self, work: Work) -> list[Trace]:
        """SFT traces of the domains that no teacher covers, and of the form CLR asks for."""
        if not self.spec.replay:
            return []
        others: dict[str, list[Trace]] = {}
        for trace in read_traces(work, self.data_stage()):
            if trace.domain not in self.teachers:
                others.setdefault(trace.domain.value, []).append(trace)
            elif trace.problem_id.endswith("-claims"):
                others.setdefault("with claims", []).append(trace)
        chosen = []
        for name, members in sorted(others.items()):
            count = min(self.spec.replay, len(members))
            chosen += random.Random(f"{work.seed}-{name}").sample(members, count)
        return chosen


def correct_traces(group: Group, source: str) -> list[Trace]:
    """The distinct correct responses of a group (rejection sampling); a cut one is never correct."""
    found: dict[tuple[str, str], int] = {}
    for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True):
        if verdict.is_correct:
            prompt = as_asked(group.problem, rollout.order).prompt
            found.setdefault((prompt, rollout.text), rollout.num_tokens)
    return [
        Trace(
            problem_id=group.problem.id, domain=group.problem.domain, prompt=prompt, response=text,
            num_tokens=num_tokens, source=source,
        )
        for (prompt, text), num_tokens in found.items()
    ]  # fmt: skip


def with_learning_potential(student: LanguageModel, traces: Sequence[Trace], micro_tokens: int) -> list[Trace]:
    """The traces with S_LP: their mean negative log-probability per token under the student."""
    from etalon.sft.rows import trace_row

    rows = [trace_row(trace, student) for trace in traces]
    potential = map(learning_potential, response_logprobs(student, rows, micro_tokens))
    return [replace(trace, learning_potential=p) for trace, p in zip(traces, potential, strict=True)]
