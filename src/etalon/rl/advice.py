"""Why prompts carry no signal, and which knob would help: the shares of what a model answered, in words (ours)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from etalon.recipe import RlSpec
from etalon.types import Group, Stop

MANY, MOST = 0.1, 0.5  # (ours) shares that make a cause worth naming


@dataclass(frozen=True, kw_only=True)
class Shares:
    """What became of all rollouts of some prompts; the six shares add up to 1, and `usable` counts prompts.

    right: fully correct. partial: some reward, not all. wrong: an answer, without any. no_answer: whole, but without an
    answer. truncated: cut by the window, without any reward. undecided: no verdict.
    """

    prompts: int
    rollouts: int
    right: float
    partial: float
    wrong: float
    no_answer: float
    truncated: float
    undecided: float
    usable: int  # prompts whose rollouts were not all rewarded alike
    all_right: int
    reason: str  # of the first undecided verdict, "" without one

    @classmethod
    def of(cls, groups: Sequence[Group]) -> Shares:
        """The shares of these groups."""
        found = dict.fromkeys(("right", "partial", "wrong", "no_answer", "truncated", "undecided"), 0)
        reason = ""
        for group in groups:
            for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True):
                if verdict.is_undecided:
                    reason = reason or verdict.reason
                    found["undecided"] += 1
                elif verdict.is_correct:
                    found["right"] += 1
                elif verdict.score:
                    found["partial"] += 1
                elif rollout.stop is Stop.LENGTH:
                    found["truncated"] += 1
                else:
                    found["no_answer" if verdict.gave_none else "wrong"] += 1
        total = sum(found.values())
        return cls(
            prompts=len(groups),
            rollouts=total,
            **{name: count / max(1, total) for name, count in found.items()},
            usable=sum(has_signal(group) for group in groups),
            all_right=sum(group.accuracy == 1 for group in groups),
            reason=reason,
        )

    @property
    def has_answers(self) -> bool:
        """Whether any response was whole and held something to judge, or could not be judged."""
        return any((self.right, self.partial, self.wrong, self.undecided))

    def __str__(self) -> str:
        words = {"right": "right", "partial": "partly right", "wrong": "wrong", "no_answer": "no answer"}
        words |= {"truncated": "truncated", "undecided": "undecided"}
        shown = {word: getattr(self, name) for name, word in words.items()}
        return ", ".join(f"{share:.0%} {word}" for word, share in shown.items() if share or word in ("right", "wrong"))


def has_signal(group: Group) -> bool:
    """Accuracy strictly between 0 and 1 (2.2), or partial rewards that differ: what an advantage can be made of."""
    accuracy = group.accuracy
    return accuracy is not None and (0 < accuracy < 1 or len(set(group.scores)) > 1)


def advice(shares: Shares, spec: RlSpec, *, stage: str) -> Iterator[str]:
    """What would help, the strongest cause first; always something. spec: of the phase."""
    return iter(list(_causes(shares, spec, stage)) or ["no prompt was answered differently twice: use other problems"])


def _causes(shares: Shares, spec: RlSpec, stage: str) -> Iterator[str]:
    if shares.undecided >= MANY:
        yield f"{shares.undecided:.0%} have no verdict ({shares.reason}): mend the references, the reward or the judge"
    if shares.truncated >= MANY:
        yield (
            f"{shares.truncated:.0%} were cut at {spec.max_tokens} tokens: raise {stage}.max_tokens, or ask for "
            "shorter answers with model.system"
        )
    if shares.no_answer >= MANY:
        yield (
            f"{shares.no_answer:.0%} end without an answer: the model does not know the form; say it in the prompt or "
            "model.system, or put an sft stage before this one"
        )
    if shares.prompts and shares.all_right / shares.prompts >= MOST:
        yield f"{shares.all_right} of {shares.prompts} prompts are always right: use harder problems"
    if not shares.right and shares.wrong >= MANY:
        asked = f"{stage}.group_size" + (f" and {stage}.prefilter_attempts" if spec.prefilter_attempts else "")
        yield (
            f"{shares.wrong:.0%} are wrong answers: use easier problems, more rollouts per prompt ({asked}), or put an "
            "sft stage before this one"
        )
