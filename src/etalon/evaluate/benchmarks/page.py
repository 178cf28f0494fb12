"""The tables of docs/benchmarks.md, made of the catalogue.

`python -m etalon.evaluate.benchmarks.page docs/benchmarks.md` writes the tables of that page again, between the marks
`<!-- benchmarks -->` or `<!-- published -->` and `<!-- end -->`; whatever else stands there stays.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from etalon.errors import InputError
from etalon.evaluate.benchmarks.catalogue import Benchmark, Published, catalogue
from etalon.store import write_atomic

MARKED = re.compile(r"(<!-- (benchmarks|published) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(page: str) -> str:
    """The page with its two tables as the catalogue is now; InputError for one that is not there once."""
    tables = {"benchmarks": _benchmarks(), "published": _scores()}
    named = [name for _, name, _ in MARKED.findall(page)]
    if sorted(named) != sorted(tables):
        raise InputError(f"found the marks {', '.join(named) or 'none'}, expected each of {', '.join(tables)} once")
    return MARKED.sub(lambda mark: f"{mark[1]}\n{tables[mark[2]]}\n{mark[3]}", page)


def _benchmarks() -> str:
    head = "| Name | What | Problems | Domain | n | File | Had from | Licence |\n|---|---|---|---|---|---|---|---|\n"
    return head + "".join(map(_line, catalogue().values()))


def _line(one: Benchmark) -> str:
    at = f" at `{one.revision[:12]}`" if one.revision else ""
    had = "; ".join([f"{one.source}{at}", *one.also]) if one.source else "-"
    files = "generated" if one.generated else ", ".join(f"`{name}`" for name in one.names)
    return _row(
        f"`{one.name}`", one.title, str(one.expected or "-"), one.domain.value, str(one.n), files, had, one.licence
    )


def _scores() -> str:
    head = "| Name | Model | Score | Measured as | Settings | From |\n|---|---|---|---|---|---|\n"
    return head + "".join(
        _row(
            f"`{one.name}`",
            score.model,
            f"{100 * score.score:.1f}",
            _measure(score),
            score.settings or "-",
            score.source,
        )
        for one in catalogue().values()
        for score in one.published
    )


def _measure(score: Published) -> str:
    if score.metric == "clr":
        return f"CLR, mean of {score.n} runs" if score.n else "CLR"
    return f"avg@{score.n}" if score.n else "n not told"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main(arguments: list[str]) -> int:
    """Write the tables of each page that is named again."""
    for argument in arguments:
        path = Path(argument)
        write_atomic(path, written(path.read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
