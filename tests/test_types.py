"""Closed sets that must be written out in two places are the same sets."""

from __future__ import annotations

from typing import get_args

from etalon.recipe import DomainName
from etalon.types import Domain


def test_a_recipe_names_the_domains_that_there_are() -> None:
    assert get_args(DomainName) == tuple(domain.value for domain in Domain)
