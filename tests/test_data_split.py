import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etalon.data.ngrams import normalise
from etalon.data.split import NAMES, Splits, proportional, split_problems
from etalon.errors import InputError
from etalon.types import Domain, Problem

COUNTS = {"train": 1000, "probe": 64, "rl": 512, "test": 200}


def problems(count: int, domain: Domain = Domain.MATH) -> list[Problem]:
    return [Problem(id=f"{domain}-{n}", domain=domain, prompt=f"{domain}: what is {n} + 1?") for n in range(count)]


def cuts(splits: Splits) -> dict[str, tuple[Problem, ...]]:
    return {name: getattr(splits, name) for name in NAMES}


def test_sizes_follow_the_requested_proportion() -> None:
    splits = split_problems(problems(1776), **COUNTS, seed=0)
    assert {name: len(cut) for name, cut in cuts(splits).items()} == pytest.approx(COUNTS, abs=3)


@given(st.integers(4, 500), st.lists(st.integers(1, 1000), min_size=4, max_size=4))
def test_parts_are_at_least_one_and_sum_to_the_total(total: int, parts: list[int]) -> None:
    sizes = proportional(total, parts)
    assert sum(sizes) == total
    assert min(sizes) >= 1


def test_parts_worked_by_hand() -> None:
    # one each, then 10 more: 5.0, 2.5, 2.5 -> 5, 2 (+1 for the first of the equal remainders), 2
    assert proportional(13, [2, 1, 1]) == [6, 4, 3]


@given(st.integers(8, 60), st.integers(8, 30), st.integers(0, 99), st.randoms(use_true_random=False))
def test_splits_are_disjoint_complete_and_do_not_depend_on_order(
    num_math: int, num_stem: int, seed: int, shuffler: random.Random
) -> None:
    everything = problems(num_math) + problems(num_stem, Domain.STEM)
    splits = split_problems(everything, **COUNTS, seed=seed)
    assert Counter(p.id for cut in cuts(splits).values() for p in cut) == Counter(p.id for p in everything)
    for cut in cuts(splits).values():
        assert {p.domain for p in cut} == {Domain.MATH, Domain.STEM}
    shuffler.shuffle(everything)
    assert split_problems(everything, **COUNTS, seed=seed) == splits


@given(st.integers(0, 99))
def test_copies_of_a_query_share_a_split(seed: int) -> None:
    originals = problems(40)
    copies = [Problem(id=f"copy-{p.id}", domain=p.domain, prompt=p.prompt.upper() + " ") for p in originals]
    elsewhere = [Problem(id=f"stem-{p.id}", domain=Domain.STEM, prompt=p.prompt) for p in originals[:5]]
    splits = split_problems(originals + copies + elsewhere, **COUNTS, seed=seed)
    queries = [{normalise(p.prompt) for p in cut} for cut in cuts(splits).values()]
    assert sum(len(query) for query in queries) == len(set().union(*queries)) == 40


def test_the_seed_moves_problems() -> None:
    assert split_problems(problems(100), **COUNTS, seed=0) != split_problems(problems(100), **COUNTS, seed=1)


def test_more_problems_of_one_domain_leave_the_split_of_another_alone() -> None:
    alone = split_problems(problems(50), **COUNTS, seed=3)
    beside = split_problems(problems(50) + problems(90, Domain.CODE), **COUNTS, seed=3)
    assert alone.test == tuple(p for p in beside.test if p.domain is Domain.MATH)


def test_too_few_problems_of_a_domain_say_how_many_are_needed() -> None:
    few = problems(20) + problems(7, Domain.CODE) * 2
    with pytest.raises(InputError, match="found 7 distinct problems of domain code, needed are at least 8"):
        split_problems(few, **COUNTS, seed=0)
