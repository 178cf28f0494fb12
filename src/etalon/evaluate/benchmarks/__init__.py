"""Benchmarks under a name: a table of catalogue.toml each, and files that are never in the package.

argument -> choose -> Chosen(name, benchmark, path) -> problems -> evaluation
catalogue -> listed -> `etalon eval --list`, docs/benchmarks.md
"""

from etalon.evaluate.benchmarks.catalogue import Benchmark, Published, catalogue, read_catalogue
from etalon.evaluate.benchmarks.choose import FOLDERS_ENV, choose
from etalon.evaluate.benchmarks.chosen import Chosen
from etalon.evaluate.benchmarks.contests import Contest, by_contest
from etalon.evaluate.benchmarks.listing import Listed, listed, listed_json, print_listed, published_row

__all__ = [
    "FOLDERS_ENV", "Benchmark", "Chosen", "Contest", "Listed", "Published", "by_contest", "catalogue", "choose",
    "listed", "listed_json", "print_listed", "published_row", "read_catalogue",
]  # fmt: skip
