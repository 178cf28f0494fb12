"""Multi-path selection (2.1.1 step 3): several distinct valid traces per query, the spectrum that SFT learns.

Two traces are the same path when they share most of their n-grams, whatever their spaces, case and punctuation;
a derivation that is checked by doing it again is another path than the same without the check.
Chosen are the traces that differ most: first the one of middle length, then whichever is least similar to those chosen.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from etalon.data.gates import KEEP, Decision, Gated, drop, sift
from etalon.data.ngrams import Ngram, ngrams, tokens
from etalon.types import Trace

NGRAM = 4  # (ours) tokens, operators included: two derivations use the same words on other numbers
MAX_SIMILARITY = 0.8  # (ours)
SAME = "same path as another trace of the query"


def distinct_paths(traces: Sequence[Trace], *, max_paths: int, max_similarity: float = MAX_SIMILARITY) -> Gated[Trace]:
    """At most max_paths distinct traces per query, in the order given; the choice does not depend on that order."""
    decisions = path_decisions(traces, max_paths=max_paths, max_similarity=max_similarity)
    return sift("paths", zip(traces, decisions, strict=True))


def path_decisions(
    traces: Sequence[Trace], *, max_paths: int, max_similarity: float = MAX_SIMILARITY
) -> list[Decision]:
    """What becomes of each trace, in order."""
    by_query: dict[str, dict[str, Trace]] = defaultdict(dict)
    for trace in traces:
        by_query[trace.problem_id].setdefault(trace.response, trace)
    reasons: dict[tuple[str, str], str | None] = {}
    for query, by_response in by_query.items():
        for response, reason in _choose(list(by_response.values()), max_paths, max_similarity).items():
            reasons[query, response] = reason

    def decide(trace: Trace) -> Decision:
        is_first = by_query[trace.problem_id][trace.response] is trace
        reason = reasons[trace.problem_id, trace.response] if is_first else SAME
        return KEEP if reason is None else drop(reason, trace.response)

    return [decide(trace) for trace in traces]


def similarity(one: Counter[Ngram], other: Counter[Ngram]) -> float:
    """The share of n-grams that two texts have in common, of all they have (Jaccard, repetitions counted)."""
    fewer, more = sorted((one, other), key=len)
    shared = sum(min(count, more[ngram]) for ngram, count in fewer.items() if ngram in more)
    union = one.total() + other.total() - shared
    return shared / union if union else 1.0


def fingerprint(text: str) -> Counter[Ngram]:
    """The n-grams of a text; the whole text when it is shorter than one."""
    found = tokens(text)
    return Counter(ngrams(found, NGRAM)) or Counter([tuple(found)])


def _choose(traces: Sequence[Trace], max_paths: int, max_similarity: float) -> dict[str, str | None]:
    """response -> None if chosen, else why not, for the traces of one query."""
    ordered = sorted(traces, key=lambda trace: (trace.num_tokens, trace.response))
    if len(ordered) == 1:
        return {ordered[0].response: None}
    prints = {trace.response: fingerprint(trace.response) for trace in ordered}
    first = ordered[len(ordered) // 2].response
    chosen = [first]
    closest = {r: similarity(prints[r], prints[first]) for r in prints if r != first}  # to any chosen one
    while closest and len(chosen) < max_paths:
        candidate = min(closest, key=closest.__getitem__)  # the shortest among equals: dicts keep their order
        if closest[candidate] >= max_similarity:
            break
        chosen.append(candidate)
        del closest[candidate]
        closest = {r: max(s, similarity(prints[r], prints[candidate])) for r, s in closest.items()}
    rest = {r: SAME if s >= max_similarity else f"more than {max_paths} paths" for r, s in closest.items()}
    return {**dict.fromkeys(chosen), **rest}
