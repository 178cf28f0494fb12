"""Several runs, or several evaluations, on one page: what differs, paired differences, curves over one another.

write_several([DIR, DIR, ...]): directories -> entries, groups of seeds -> sections -> one file
`paired.compare` pairs two of them; its numbers are the page's and those of `etalon compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from etalon.report.html import CHARTS, Html, count, document, folded, grid, join, section, tag
from etalon.report.several import cells, tables
from etalon.report.several.entries import Entry, Group, default_name, distinct, entries, groups, letters, names_of
from etalon.report.several.moved import moved_section
from etalon.report.several.overlays import curve_section
from etalon.report.several.paired import SEED, SideBySide, compare
from etalon.store import write_atomic

NAVIGATION = {
    "differs": "What differs", "stages": "Stages", "benchmarks": "Benchmarks", "seeds": "Over seeds",
    "curves": "Curves", "clr": "CLR", "moved": "Problems that moved",
}  # fmt: skip
PAIRED = "The same problems in both, paired by problem: what the difference would be on others like them."
AGAINST = "Each against the first, over the problems that both have. Pass@1 in percent, * where an interval excludes 0."


def write_several(paths: Sequence[Path], file: Path | None = None) -> Path:
    """Write the page of two or more runs, or of two or more directories of `etalon eval --out`, and return its path.

    file: left out, `report-A-B.html` in the working directory, named after them.
    Raises InputError for a directory that is neither, for runs and evaluations mixed, for the same one twice.
    """
    found = distinct(paths)
    names = names_of(found)
    others = [
        compare(found[0], other, named=(paths[0], path)) for path, other in zip(paths[1:], found[1:], strict=True)
    ]
    page = _runs(found, others) if others[0].of_runs else _evaluations(names, others)
    path = file or Path(default_name(names))
    write_atomic(path, page)
    return path


# ---- runs


def _runs(paths: Sequence[Path], others: Sequence[SideBySide]) -> str:
    runs = entries(paths)
    found = groups(runs)
    if len(found) == len(runs):
        parts = [_knobs(found, others, hidden=()), _pairs(found, others)]
    else:
        firsts = [others[runs.index(group.members[0]) - 1] for group in found[1:]]
        parts = [_knobs(found, firsts, hidden=(SEED,)), tables.seeds_section(found)]
        parts += [_pairs(groups_of(runs), others, lead=_of_seeds(runs))] if len(runs) == 2 else []
    parts += [curve_section(found), tables.clr_section(found)]
    parts += [moved_section(others[0], *paths)] if len(paths) == 2 else []
    names = [run.name for run in runs]
    return _document(names, [_key(found), _missing(runs)], parts)


def groups_of(runs: Sequence[Entry]) -> list[Group]:
    """Every run by itself."""
    return [Group(run.letter, (run,)) for run in runs]


def _knobs(found: Sequence[Group], others: Sequence[SideBySide], hidden: Sequence[str]) -> Html:
    return tables.knob_section(others, [group.letter for group in found], hidden=hidden)


def _of_seeds(runs: Sequence[Entry]) -> str:
    """Above, both are A; of seeds that deal problems anew only few problems are in both."""
    first, second = runs
    return f"Here A is {first.name} and B is {second.name}, paired by the problems that both of these seeds have drawn."


def _pairs(found: Sequence[Group], others: Sequence[SideBySide], *, lead: str = PAIRED) -> Html:
    if not any(one.lines for one in others):
        return section("stages", "Stages", "Nothing to pair: no stage of one name was evaluated in both.")
    if len(others) == 1:
        note = tag("p", cells.caption(others[0]), class_="note")
        return section("stages", "Stages", lead, tables.pair_table(others[0]), note)
    pairs = [(group.letter, one) for group, one in zip(found[1:], others, strict=True)]
    return section("stages", "Stages", AGAINST, tables.others_table(found[0].letter, pairs))


def _key(found: Sequence[Group]) -> Html:
    """Who the letters are."""
    rows = [
        [group.letter, member.name, str(member.seed), _progress(member), ", ".join(member.run.overrides)]
        for group in found
        for member in group.members
    ]
    return grid(["", "Run", "Seed", "Stages", "--set"], rows, styles={1: "left", 4: "left"})


def _progress(member: Entry) -> str:
    done = {folder.name for folder in member.run.folders if folder.is_done}
    return f"{count(sum(name in done for name in member.run.listed))} of {len(member.run.listed)}"


def _missing(runs: Sequence[Entry]) -> Html:
    told = [f"{run.name}: {'; '.join(run.run.missing)}" for run in runs if run.run.missing]
    return folded("Not in this report", *(tag("p", words, class_="note") for words in told)) if told else join([])


# ---- evaluations


def _evaluations(names: Sequence[str], others: Sequence[SideBySide]) -> str:
    called = [letter for letter, _ in zip(letters(), names, strict=False)]
    if len(others) == 1:
        [found] = others
        note = tag("p", cells.caption(found), class_="note")
        parts = [section("benchmarks", "Benchmarks", PAIRED, tables.pair_table(found), _refused(found), note)]
        parts += [
            _listed("moved", "Problems that moved", ["Benchmark", "Problem", "A", "B", "B − A"], cells.moved(found))
        ]
        parts += [_listed("asked", "How each was asked", ["", "A", "B"], cells.protocol(found))]
    else:
        pairs = list(zip(called[1:], others, strict=True))
        parts = [section("benchmarks", "Benchmarks", AGAINST, tables.others_table(called[0], pairs))]
    key = grid(["", "Evaluation"], [list(row) for row in zip(called, names, strict=True)], styles={1: "left"})
    return _document(names, [key], [tables.knob_section(others, called), *parts])


def _refused(found: SideBySide) -> Html:
    told = [f"{one.name}: not compared: {one.refused}" for one in found.lines if one.refused]
    return join([tag("p", words, class_="note") for words in told])


def _listed(name: str, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    return section(name, title, "", grid(head, rows, styles={1: "left"})) if rows else join([])


def _document(names: Sequence[str], head: Sequence[Html], parts: Sequence[Html]) -> str:
    title = " and ".join(names) if len(names) == 2 else f"{names[0]} and {len(names) - 1} more"
    links = [tag("a", words, href=f"#{name}") for name, words in NAVIGATION.items() if f'id="{name}"' in join(parts)]
    header = tag("header", tag("h1", title), *head, tag("nav", *links))
    return document(f"{title}: Etalon report", tag("body", header, *parts), scripts=CHARTS)
