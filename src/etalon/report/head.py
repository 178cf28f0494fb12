"""The top of the page: what run this is, where it ended, and what each phase of training bought and cost elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from etalon.report.files import Folder, Run, Score, StageRow
from etalon.report.html import (
    MISSING,
    Html,
    count,
    duration,
    escaped,
    folded,
    grid,
    join,
    section,
    share,
    signed,
    tag,
)
from etalon.report.stages import asked, before, change, domains, scored, targets

PACKAGES = ("etalon", "torch", "transformers", "vllm", "trl", "verl", "python")  # of env.json, in this order
PLAIN = (
    'Programs ran with isolation "plain": under limits and a deadline, but without walls around the files, the network '
    "and the processes of the machine."
)
MOST_PHASES = 12  # (ours) that stand open
MOST_NAMED = 6  # (ours) domains in one cell
LEAD = (
    "Pass@1, the share of answers that are right, on held-out problems in percent: at the end, and phase by phase. A "
    "phase trains on problems of its domains: there is what it bought. Elsewhere a change is named where its 95% "
    "interval excludes 0; the table of stages has all. Intervals are of these weights on such problems: the same "
    "training with another seed may differ by more."
)


def title(run: Run) -> list[Html]:
    """Name, seed and overrides, which tell one run of a recipe from another; then what it took and what made it."""
    summary, done = run.summary, {folder.name for folder in run.folders if folder.is_done}
    changed = tag("p", *(tag("span", f"--set {line}") for line in run.overrides), class_="facts overrides")
    facts = [
        f"seed {count(run.seed)}",
        f"{sum(name in done for name in run.listed)} of {len(run.listed)} stages finished",
        f"{duration(summary.seconds)} in all",
        f"peak memory {count(summary.peak_memory_mb)} MB",
    ]
    made = [f"{name} {words}" for name, words in run.setup.items()]
    made += [f"{name} {run.env[name]}" for name in PACKAGES if name in run.env]
    missing = tag("p", "Not in this report: ", "; ".join(run.missing), ".", class_="note") if run.missing else join([])
    return [
        tag("h1", run.name),
        *([changed] if run.overrides else []),
        tag("p", *(tag("span", fact) for fact in facts), class_="facts"),
        *([tag("p", *(tag("span", fact) for fact in made), class_="facts made")] if made else []),
        *([tag("p", PLAIN, class_="note")] if run.is_plain else []),
        missing,
    ]


def bought_section(run: Run, transcripts: Html) -> Html:
    """Where the run ended, and a line per phase: what it bought, what it cost elsewhere, where to read its answers."""
    if not domains(run):
        return join([])
    folders = {folder.name: folder for folder in run.folders}
    phases = [row for row in run.summary.stages if _meant(run, row, folders.get(row.name))]
    rows = [_phase(run, row, folders.get(row.name), transcripts) for row in phases]
    if not rows:
        return section("bought", "Where it ended", "Pass@1 on held-out problems in percent.", *asked(run), _tiles(run))
    head = ["Phase", "Bought where it trains", "Cost elsewhere", "Gained elsewhere", *(["Read"] if transcripts else [])]
    styles = dict.fromkeys(range(1, 5), "left")
    parts = [*asked(run), grid(head, rows[:MOST_PHASES], styles=styles)]
    if more := rows[MOST_PHASES:]:
        parts.append(folded(f"{len(more)} more phases", grid(head, more, styles=styles)))
    return section("bought", "What each phase bought", LEAD, _tiles(run), tag("div", *parts, class_="bought"))


def _tiles(run: Run) -> Html:
    """Pass@1 of the first and the last weights on each domain, and of the best where that is neither."""
    tiles = []
    for domain in domains(run):
        known = [(one, score) for one, score in scored(run, domain) if score.pass1 is not None and not one.unchanged]
        if not known:
            continue
        (first, earlier), (last, after) = known[0], known[-1]
        best, highest = max(known, key=lambda pair: pair[1].pass1 or 0.0)
        steps = [f"{first.name} {share(earlier.pass1)} → {last.name} {share(after.pass1)}"] if first != last else []
        steps += [f"best {share(highest.pass1)} after {best.name}"] if best not in (first, last) else []
        told = [tag("span", words) for words in steps or [first.name]]
        tiles.append(tag("div", tag("b", domain), tag("strong", share(after.pass1)), *told, class_="tile"))
    return tag("div", *tiles, class_="tiles")


def _phase(run: Run, row: StageRow, folder: Folder | None, transcripts: Html) -> list[str]:
    trained = _meant(run, row, folder)
    name = join([row.name, tag("small", _taught(folder, trained) or f"on {', '.join(trained)}{_mixed(folder)}")])
    if row.unchanged:
        return [name, row.unchanged]
    if not row.domains:
        return [name, "not evaluated"]
    known = [(domain, score) for domain, score in row.domains.items() if score.delta is not None]
    elsewhere = [(domain, score) for domain, score in known if domain not in trained and score.is_clear]
    lost = [(domain, score) for domain, score in elsewhere if (score.delta or 0) < 0]
    gained = [(domain, score) for domain, score in elsewhere if (score.delta or 0) > 0]
    others = [domain for domain, _ in known if domain not in trained]
    left = [domain for domain in others if domain not in dict(elsewhere)]
    cost = [_changed(domain, score) for domain, score in _worst_first(lost)]
    is_shortening = bool(folder and folder.inputs.keys.strength)
    return [
        name,
        _lines([_bought(run, row, domain, is_shortening=is_shortening) for domain in trained]),
        join([_lines(cost), *([f"nothing clear on {_named(left)}"] if left else [])]) if cost or left else MISSING,
        _lines([_changed(domain, score) for domain, score in _worst_first(gained)[::-1]]) if gained else MISSING,
        *([_link(row.name, transcripts)] if transcripts else []),
    ]


def _meant(run: Run, row: StageRow, folder: Folder | None) -> Sequence[str]:
    """The domains that a phase trains on, or that its teachers taught a distilled student."""
    taught = [domain for domain in folder.selection.teachers if domain in domains(run)] if folder else []
    return targets(run, row) or taught


def _taught(folder: Folder | None, trained: Sequence[str]) -> str:
    """`taught math, code, and replay`; "" of a phase that has no teachers."""
    if folder is None or not folder.selection.teachers:
        return ""
    keys = folder.inputs.keys
    more = [*(["own claims"] if keys.own_claims else []), *(["replay"] if keys.replay else [])]
    return f"taught {', '.join([*trained, *more])}"


def _mixed(folder: Folder | None) -> str:
    """`, 70% of its prompts asked of other domains`; "" where a phase has its own alone."""
    part = folder.inputs.keys.general if folder else None
    return f", {part:.0%} of its prompts asked of other domains" if part else ""


def _named(names: Sequence[str]) -> str:
    """`code, stem`, and how many more."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def _worst_first(scores: Sequence[tuple[str, Score]]) -> list[tuple[str, Score]]:
    return sorted(scores, key=lambda pair: pair[1].delta or 0.0)


def _lines(found: Sequence[Html]) -> Html:
    more = [tag("div", f"and {len(found) - MOST_NAMED} more")] if len(found) > MOST_NAMED else []
    return join([*(tag("div", line) for line in found[:MOST_NAMED]), *more])


def _changed(domain: str, score: Score) -> Html:
    return join([f"{domain} ", change(score)])


def _bought(run: Run, row: StageRow, domain: str, *, is_shortening: bool) -> Html:
    """`math 64.6 → 82.8 ▲ +18.2 [+14.5, +21.9]`; what makes answers shorter says by how much."""
    earlier, score = before(run, row, domain), row.domains.get(domain)
    if score is None:
        return join([f"{domain}: not evaluated"])
    old, new = (earlier.correct_tokens if earlier else None), score.correct_tokens
    told = (
        f"correct answers {count(old, 1)} → {count(new, 1)} tokens ({signed(new / old - 1)}%), Pass@1 "
        if old and new
        else ""
    )
    moved = f"{share(earlier.pass1)} → {share(score.pass1)}" if earlier else share(score.pass1)
    shown = [" ", change(score)] if score.delta is not None else []
    return join([f"{domain} {told if is_shortening else ''}{moved}", *shown])


def _link(stage: str, transcripts: Html) -> Html:
    """To the answers before and after this stage, where the page shows any."""
    for place in (f"transcripts-{stage}", "transcripts"):
        if f' id="{escaped(place)}"' in transcripts:
            return tag("a", "answers it mended and broke", href=f"#{place}")
    return join([MISSING])
