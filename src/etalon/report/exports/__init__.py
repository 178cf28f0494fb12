"""What an evaluation gives out: the content of its results.json as text, one function per format.

    table   for a terminal of 110 columns           hub    `.eval_results/*.yaml` of a model's repository
    csv     every number, unrounded                 card   a fragment of a model card, with the protocol
    md      for a README                            json   the results as they are
    latex   for a paper (booktabs)

`write_inspect` writes logs that `inspect view` opens, every sample with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from etalon.report.exports.hub import as_hub
from etalon.report.exports.inspect_log import write_inspect
from etalon.report.exports.terminal import as_table, print_table
from etalon.report.exports.texts import as_card, as_csv, as_latex, as_markdown

__all__ = ["FORMATS", "print_table", "write_inspect"]


def as_json(results: Mapping[str, Any]) -> str:
    """The results as they are, indented."""
    return json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "table": as_table,
    "csv": as_csv,
    "md": as_markdown,
    "latex": as_latex,
    "json": as_json,
    "card": as_card,
    "hub": as_hub,
}
