"""Pseudo-labels (2.1.1 step 2): the majority answer of a teacher, by equivalence, if enough of its answers agree.

problem + n answers -> clusters of equivalent answers -> the only largest -> share of all n >= agreement -> label
records -> those without an answer, and a share of the others -> n calls each -> Record.votes, label or drop
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from etalon.data.calls.remembered import Remembered
from etalon.data.gates import KEEP, Decision, Fate, Gated, Sieve, drop
from etalon.data.records import Record
from etalon.errors import RunError
from etalon.types import Conversation, Domain, Problem, Rollout, SamplingParams, Stop, ask
from etalon.verifiers.text import answer_of

VOTABLE = (Domain.MATH, Domain.FACTS, Domain.STEM)  # their problems have one final answer
Cluster = Callable[[Sequence[str | None]], list[int | None]]


@dataclass(frozen=True, kw_only=True)
class Label:
    """The majority answer and how strong it is; `answer` is None, with a reason, when there is none.

    agreement: votes for the answer over all answers, those that could not be read included.
    """

    answer: str | None
    votes: int
    agreement: float
    reason: str


def tally(answers: Sequence[str | None], *, cluster: Cluster | None = None) -> dict[str, int]:
    """How many gave each answer, the most frequent first; equivalent ones under one spelling, "" for no answer."""
    answers = [answer or None for answer in answers]
    groups = (cluster or _equivalence())(answers)
    assert len(groups) == len(answers)
    members: defaultdict[int, list[str]] = defaultdict(list)
    for answer, group in zip(answers, groups, strict=True):
        if group is not None and answer is not None:
            members[group].append(answer)
    votes = {spelling(own): len(own) for own in members.values()}
    if silent := len(answers) - sum(votes.values()):
        votes[""] = silent
    return dict(sorted(votes.items(), key=lambda pair: (-pair[1], pair[0])))


def spelling(answers: Sequence[str]) -> str:
    """The most frequent of equivalent answers, of equally frequent ones the shortest."""
    counts = Counter(answers)
    return min(counts, key=lambda answer: (-counts[answer], len(answer), answer))


def of_votes(votes: Mapping[str, int], *, agreement: float) -> Label:
    """The label that votes make: the one answer with the most, if its share of all is at least `agreement`."""
    given = sorted((count for answer, count in votes.items() if answer), reverse=True)
    if not given:
        return Label(answer=None, votes=0, agreement=0.0, reason="no answer could be read")
    share = given[0] / sum(votes.values())
    if len(given) > 1 and given[1] == given[0]:
        return Label(answer=None, votes=given[0], agreement=share, reason="tie between answers")
    if share < agreement:
        return Label(answer=None, votes=given[0], agreement=share, reason=f"agreement below {agreement:g}")
    winner = next(answer for answer, count in votes.items() if answer and count == given[0])
    return Label(answer=winner, votes=given[0], agreement=share, reason="majority")


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Records after the vote. checked, confirmed: withheld answers that got a label, and how many got the same.

    asked: records that the teacher was asked about; the others are as they were.
    """

    gated: Gated[Record]
    asked: int
    checked: int
    confirmed: int


def label_records(
    records: Sequence[Record],
    teacher: Remembered,
    *,
    n: int,
    agreement: float,
    params: SamplingParams,
    seed: int,
    relabel: float = 0.0,
) -> Labelled:
    """The records in order, those without an answer labelled by n votes of a teacher; without a label they are dropped.

    Votes are those of the calls that did not fail; where fewer than half gave a response the label is undecided.

    Args:
        relabel: share of the answered mathematics whose answer is withheld and voted, too, which checks the vote.

    Raises RunError where no response to any query holds an answer.
    """
    withheld, chosen = to_check(records, relabel), to_label(records, relabel)
    teacher.fill(calls_of([records[place] for place in chosen], n), params=params, seed=seed)
    sieve, kept = Sieve("label"), list[Record]()
    checked = confirmed = read = 0
    asked = set(chosen)
    for place, record in enumerate(records):
        if place not in asked:
            kept.append(record)
            continue
        rollouts = [teacher.rollout(ask(record.problem.prompt), i, params=params, seed=seed) for i in range(n)]
        voted, decision = _voted(record, [one for one in rollouts if one.stop is not Stop.ERROR], n, agreement)
        read += any(voted.votes.keys() - {""})
        if sieve.passes(decision, record.group):
            kept.append(voted)
            checked += place in withheld
            confirmed += place in withheld and _are_equal(voted.problem.answer, record.problem.answer)
    if chosen and not read:
        told = "ask for answers in \\boxed{}, raise --max-tokens, or name another teacher"
        raise RunError(f"{teacher.name}: no response to any of {len(chosen)} queries holds an answer; {told}")
    gated = Gated(kept=tuple(kept), report=sieve.report())
    return Labelled(gated=gated, asked=len(chosen), checked=checked, confirmed=confirmed)


def is_open(problem: Problem) -> bool:
    """Whether a vote can give it an answer that it lacks."""
    return problem.domain in VOTABLE and problem.answer is None


def to_check(records: Sequence[Record], share: float) -> set[int]:
    """The places of answered mathematics whose answers are withheld: evenly spread over the file."""
    known = [i for i, one in enumerate(records) if one.problem.domain is Domain.MATH and not is_open(one.problem)]
    return {place for number, place in enumerate(known) if (number * share) % 1 < share}


def to_label(records: Sequence[Record], relabel: float) -> list[int]:
    """The places of records that are voted on: without an answer, or to be checked."""
    withheld = to_check(records, relabel)
    return [place for place, one in enumerate(records) if place in withheld or is_open(one.problem)]


def calls_of(records: Sequence[Record], n: int) -> list[tuple[Conversation, int]]:
    """n calls per record: conversation, index of the sample; options stand in the problem's own order."""
    conversations = [ask(record.problem.prompt) for record in records]
    return [(conversation, index) for conversation in conversations for index in range(n)]


def _voted(record: Record, came: Sequence[Rollout], n: int, agreement: float) -> tuple[Record, Decision]:
    answers = [_in_letters(answer_of(rollout), record.problem) for rollout in came]
    label = of_votes(votes := tally(answers), agreement=agreement)
    voted = replace(record, votes=votes, problem=replace(record.problem, answer=label.answer))
    shown = f"{record.problem.prompt} | votes: {votes}"
    if 2 * len(came) < n:
        return voted, Decision(
            outcome=Fate.UNDECIDED, reason="undecided: fewer than half of the calls answered", text=shown
        )
    return voted, KEEP if label.answer is not None else drop(label.reason, shown)


def _in_letters(answer: str | None, problem: Problem) -> str | None:
    """An answer to a question with options as the letter it names, where it names one."""
    if answer is None or not problem.options:
        return answer
    from etalon.verifiers.choice import reference_letter

    return reference_letter(answer, problem.options) or answer


def _are_equal(voted: str | None, given: str | None) -> bool:
    from etalon.verifiers import are_equal

    return bool(voted and given and are_equal(voted, given))


def _equivalence() -> Cluster:
    from etalon.verifiers import cluster  # the math parser loads when an answer is compared, not before

    return cluster
