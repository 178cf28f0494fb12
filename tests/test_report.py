"""The report shows the numbers of a real run, whatever is missing, and nothing a model wrote can act in it."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import shrunk
from conftest import Finished
from etalon.errors import InputError
from etalon.report import page, write_report
from etalon.report.load import load_run
from etalon.report.trials import read_trials

pytestmark = pytest.mark.torch

READ = {  # what the report reads below stages/
    "DONE.json", "inputs.json", "metrics.jsonl", "pool.json", "probe.json", "selection.json", "gates.json",
    "strata.json", "clr.jsonl",
}  # fmt: skip
SECTIONS = ["bought", "stages", "checks", "spectrum", "across", "rl", "sft", "data", "distill", "clr", "inputs"]
MATH = "math"


class Outline(HTMLParser):
    """Tags, attributes and the visible text; void elements aside every tag must be closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)


def text_of(markup: str) -> str:
    """What one would read of any part of a page."""
    return unescape(re.sub(r"<style>.*?</style>|<script.*?</script>|<[^>]+>", "", markup, flags=re.DOTALL))


def scripts_of(html: str) -> list[str]:
    """The code of every script that runs."""
    return re.findall(r"<script>(.*?)</script>", html, re.DOTALL)


def section_of(html: str, name: str) -> str:
    """The markup of one section."""
    found = re.search(rf'<section id="{name}">.*?</section>', html, re.DOTALL)
    assert found, name
    return found[0]


def written(run: Path) -> str:
    return write_report(run).read_text(encoding="utf-8")


def copied(run: Path, target: Path) -> Path:
    """What the report reads of a run, to be changed."""
    shutil.copytree(
        run, target, ignore=shutil.ignore_patterns("checkpoint*", "*rollouts*", "pool.jsonl", "plain.jsonl")
    )
    return target


def files_read(run: Path) -> list[Path]:
    found = [run / "summary.json", run / "env.json", *sorted(p for p in run.glob("stages/*/*") if p.name in READ)]
    assert len(found) > 60
    return found


def changed(path: Path, change: Callable[[Any], Any]) -> None:
    """A JSON file with something else in it."""
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


@pytest.fixture(scope="module")
def html(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(copied(finished.run, tmp_path_factory.mktemp("report") / "run"))


@pytest.fixture(scope="module")
def branch_html(branched: Finished, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(copied(branched.run, tmp_path_factory.mktemp("report") / "run"))


def minus(digits: str) -> str:
    return digits.replace("-", "−")


# ---- what is shown


def test_every_section_of_a_finished_run_is_there_and_linked_at_the_top(html: str) -> None:
    outline = Outline(html)
    assert [attributes["id"] for tag, attributes in outline.tags if tag == "section"] == SECTIONS
    linked = re.findall(r'<a href="#([^"]+)">', html.partition("</header>")[0])
    assert linked == SECTIONS
    assert outline.open == []
    assert "Not in this report" not in html


def test_the_page_needs_nothing_but_itself(html: str) -> None:
    outline = Outline(html)
    assert {tag for tag, _ in outline.tags}.isdisjoint({"link", "img", "iframe", "object", "base", "form"})
    for tag, attributes in outline.tags:
        assert not any(name.startswith("on") or name in ("src", "style", "srcset") for name in attributes), tag
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in html
    assert "@import" not in html


def test_the_policy_allows_only_the_style_sheet_and_the_scripts_that_are_in_the_page(html: str) -> None:
    policies = [a["content"] for _, a in Outline(html).tags if a.get("http-equiv") == "Content-Security-Policy"]
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style
    digests = [
        base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for code in (style[1], *scripts_of(html))
    ]
    [policy] = policies
    assert policy
    assert policy.startswith("default-src 'none'")
    assert re.findall(r"'sha256-([^']+)'", policy) == digests
    assert len(digests) >= 2
    assert html.count("<script") == len(digests) - 1
    assert "unsafe" not in policy


def test_the_report_loads_no_torch(finished: Finished, tmp_path: Path) -> None:
    run = copied(finished.run, tmp_path / "run")
    program = (
        "import sys; from pathlib import Path; from etalon.report import write_report\n"
        "write_report(Path(sys.argv[1])); sys.exit('torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(run)], env=shrunk.ENVIRONMENT, timeout=60, check=False)
    assert ran.returncode == 0


def test_the_tables_show_the_numbers_of_the_summary(finished: Finished, html: str) -> None:
    words = set(Outline(html).words)
    summary = shrunk.summary(finished.run)
    rows = [row for stage in summary["stages"] if "as" not in stage for row in stage["domains"].values()]
    assert len(rows) >= 50
    for row in rows:
        assert {percent(row["pass1"]), percent(row["passk"]), f"{row['mean_tokens']:.1f}"} <= words
        assert f"[{percent(row['pass1_low'])}, {percent(row['pass1_high'])}]" in words
        assert {f"{row['truncated']:.1%}", f"{row['no_answer']:.1%}", str(row["undecided"])} <= words
        assert row["correct_tokens"] is None or f"{row['correct_tokens']:.1f}" in words
        if "delta" in row:
            assert {points(row["delta"]), interval(row)} <= words
    for method in ("pass1", "cons_k", "cons_2k", "clr"):
        clr = summary["clr"]
        assert percent(clr[method]) in words
        assert f"[{percent(clr[method + '_low'])}, {percent(clr[method + '_high'])}]" in words


def stage_cells(html: str) -> dict[str, list[tuple[str, str]]]:
    """The one table of stages: class and text of every cell between a stage's name and its time."""
    [table] = re.findall(r'<table class="stages">.*?</table>', html)
    rows = [row for row in re.findall(r"<tr>(.*?)</tr>", table) if 'scope="row"' in row]
    found = {}
    for row in rows:
        name = re.search(r'scope="row"><span>([^<]+)</span>', row)
        cells = re.findall(r'<td(?: class="(\w+)")?[^>]*>(.*?)</td>', row)
        assert name
        found[name[1]] = [(style, text_of(cell)) for style, cell in cells[:-1]]
    return found


def test_one_table_has_every_stage_with_its_change_on_every_domain(finished: Finished, html: str) -> None:
    cells = stage_cells(html)
    stages = shrunk.summary(finished.run)["stages"]
    known = list(stages[0]["domains"])
    assert len(known) == 5
    columns = re.findall(r'<th scope="col">([^<]+)</th>', html[html.index('<table class="stages">') :])
    assert columns[: len(known) + 2] == ["Stage", *known, "Time"]
    for stage in stages:
        if "as" in stage:
            assert cells[stage["name"]] == [("words", f"as {stage['as']}")]
            continue
        for (style, told), (domain, score) in zip(cells[stage["name"]], stage["domains"].items(), strict=True):
            assert style == ("own" if domain in stage.get("trained_on", ()) else "")
            changed = f"{points(score['delta'])} {interval(score)}" if "delta" in score else ""
            mark = "" if not changed or not is_clear(score) else "▲ " if score["delta"] > 0 else "▼ "
            assert told == f"{percent(score['pass1'])}{mark}{changed}"
    assert [told for _, told in cells["data"]] == ["label queries, distil several traces per query, gate them"]


def test_the_top_says_what_each_phase_bought_and_cost_elsewhere(finished: Finished, tmp_path: Path) -> None:
    run = copied(finished.run, tmp_path / "run")

    def change(summary: Any) -> Any:
        stages = {stage["name"]: stage["domains"] for stage in summary["stages"]}
        for domain, delta in {MATH: 0.2, "code": -0.125, "stem": -0.25, "instruct": 0.05, "claims": 0.0}.items():
            reach = 0.1 if domain in (MATH, "code", "stem") else 0.2
            stages["rl-math"][domain] |= {"delta": delta, "delta_low": delta - reach, "delta_high": delta + reach}
        for domain in (MATH, "code", "stem"):
            stages["instruct"][domain] |= {"delta": 0.0, "delta_low": -0.1, "delta_high": 0.1}
        stages["instruct"]["claims"] |= {"delta": 0.3, "delta_low": 0.2, "delta_high": 0.4}
        stages["rl-math"][MATH] |= {"pass1": 0.65, "correct_tokens": 50.0}
        stages["rl-long2short"][MATH] |= {"correct_tokens": 30.0}
        stages["sft-hard-fused"][MATH] |= {"pass1": 0.45}
        return summary

    changed(run / "summary.json", change)
    html = written(run)
    asked = "Asked of the model in instruct: to keep to rules on an answer&#x27;s form; claims: to say of each claim"
    bought = section_of(html, "bought")
    assert asked in bought
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>.*?</tr>", bought)]
    phases = {re.sub(r"<small>.*", "", row[0]): [text_of(cell) for cell in row[1:]] for row in rows[1:]}
    assert list(phases) == ["rl-math", "rl-long2short", "rl-code", "rl-stem", "distill", "instruct"]
    assert phases["rl-math"] == [
        "math 45.0 → 65.0 ▲ +20.0 [+10.0, +30.0]",
        "stem ▼ −25.0 [−35.0, −15.0]code ▼ −12.5 [−22.5, −2.5]nothing clear on instruct, claims",
        "–",
    ]
    assert phases["instruct"][1:] == ["nothing clear on math, code, stem", "claims ▲ +30.0 [+20.0, +40.0]"]
    shorter = "math correct answers 50.0 → 30.0 tokens (−40.0%), Pass@1 65.0 → "
    assert phases["rl-long2short"][0].startswith(shorter)
    assert "answers it mended" not in bought  # no transcripts, no link


def test_self_distillation_says_what_the_student_was_before_what_its_teachers_are_and_what_it_is(
    finished: Finished, html: str
) -> None:
    stages = {stage["name"]: stage["domains"] for stage in shrunk.summary(finished.run)["stages"]}
    row = next(
        row for row in re.findall(r"<tr>.*?</tr>", section_of(html, "bought")) if "<th" in row and "distill" in row
    )
    assert "taught math, code, stem" in text_of(row)
    rows = [
        [text_of(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in re.findall(r"<tr>.*?</tr>", section_of(html, "distill"))
    ]
    told = {row[0]: row[1:] for row in rows}
    before, teacher, after = (100 * stages[name][MATH]["pass1"] for name in ("rl-stem", "rl-long2short", "distill"))
    assert told[MATH][:3] == [f"{before:.1f}", f"{teacher:.1f} rl-long2short", f"{after:.1f}"]
    assert told["instruct"][1] == "none"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.1, 0.02, "CLR@K cannot be told from Cons@2K: 70.0 against 74.0, paired difference −4.0 [−10.0, +2.0]."),
        (-0.07, -0.01, "CLR@K clearly loses to Cons@2K: 70.0 against 74.0, paired difference −4.0 [−7.0, −1.0]."),
    ],
)
def test_clr_says_first_whether_it_beats_the_vote_and_how_sure_that_is(
    finished: Finished, tmp_path: Path, low: float, high: float, words: str
) -> None:
    run = copied(finished.run, tmp_path / "run")
    bounds = {"clr_minus_cons_2k_low": low, "clr_minus_cons_2k_high": high}
    changed(run / "summary.json", lambda found: found | {"clr": found["clr"] | {"clr": 0.7, "cons_2k": 0.74} | bounds})
    assert words in text_of(section_of(written(run), "clr"))


def test_every_phase_links_to_its_answers_before_and_after_where_the_page_has_them(finished: Finished) -> None:
    html = page(load_run(finished.run), finished.run)
    links = re.findall(r'href="#([^"]+)">answers it mended and broke</a>', section_of(html, "bought"))
    stages = shrunk.summary(finished.run)["stages"]
    trained = [stage["name"] for stage in stages if "trained_on" in stage or stage["kind"] == "distill"]
    assert len(links) == len(trained) == 6
    assert set(links) <= {f"transcripts-{name}" for name in trained} | {"transcripts"}
    assert all(f' id="{place}"' in html for place in links)


def test_the_head_names_the_run_its_seed_and_its_overrides(html: str, branch_html: str) -> None:
    for shown_html, told in ((html, []), (branch_html, ["instruct.gamma=0", "instruct.steps=3"])):
        header = re.search(r"<header>.*?</header>", shown_html, re.DOTALL)
        assert header
        facts = Outline(header[0]).words
        assert facts[0] == "shrunk"
        assert [fact.removeprefix("--set ") for fact in facts if fact.startswith("--set ")] == told
        assert "seed 0" in facts
        assert f"<title>{', '.join(['shrunk', 'seed 0', *told])}: Etalon report</title>" in shown_html


def test_every_count_of_the_strata_is_shown(finished: Finished, html: str) -> None:
    data = section_of(html, "data")
    for name in ("data", "sft-hard"):
        cells = json.loads((shrunk.stage_dir(finished.run, name) / "strata.json").read_text())
        assert cells
        title = f"<summary>{name}: traces by length in tokens and error rate of the query</summary>"
        table = data[data.index(title) :]
        table = table[: table.index("</details>")]
        rows = [re.findall(r">([^<>]+)</t[hd]>", row) for row in re.findall(r"<tr>.*?</tr>", table)]
        rates, *lines = rows
        shown = {(line[0], rate): count for line in lines for rate, count in zip(rates[1:], line[1:], strict=True)}
        assert sum(int(count.replace(",", "")) for count in shown.values()) == sum(cell["traces"] for cell in cells)
        for cell in cells:
            row = f"{cell['domain']}, {cell['tokens_low']:,} to {cell['tokens_high']:,}"
            low, high = cell["error_low"], cell["error_high"]
            rate = "not measured" if low is None else f"{low:.2f} {f'to {high:.2f}' if high else 'and more'}"
            assert shown[row, rate] == f"{cell['traces']:,}"
    assert "not measured" in data


def test_a_run_of_many_stages_keeps_every_one_in_the_table_and_folds_what_is_long(
    finished: Finished, tmp_path: Path
) -> None:
    run = copied(finished.run, tmp_path / "run")

    def repeated(summary: Any) -> Any:
        phase = next(stage for stage in summary["stages"] if stage["name"] == "rl-math")
        phase["domains"]["code"] |= {"delta": -0.2, "delta_low": -0.3, "delta_high": -0.1}
        more = [phase | {"name": f"phase-{i}", "from": f"phase-{i - 1}" if i else "instruct"} for i in range(60)]
        return summary | {"stages": [*summary["stages"], *more]}

    changed(run / "summary.json", repeated)
    html = written(run)
    assert Outline(html).open == []
    assert [name for name in stage_cells(html) if name.startswith("phase-")] == [f"phase-{i}" for i in range(60)]
    assert "<summary>54 more phases</summary>" in section_of(html, "bought")
    listed = section_of(html, "checks").partition("<details>")
    assert listed[0].count("<li") == 24
    assert "phase-59 keeps the domains that it is not for" in listed[2]


def phases(html: str) -> dict[str, str]:
    """The text of every RL phase, by stage."""
    parts = section_of(html, "rl").split("<h3>")[1:]
    return {part.partition("</h3>")[0]: text_of(part) for part in parts}


def test_every_phase_shows_the_weight_of_its_own_gamma(html: str, branch_html: str) -> None:
    shown = phases(html)
    assert list(shown) == ["rl-math", "rl-long2short", "rl-code", "rl-stem", "instruct"]
    assert all("MGPO weight, γ = 1" in told for told in shown.values())
    shown = phases(branch_html)
    assert list(shown) == ["rl-math", "rl-long2short", "rl-code", "rl-stem", "instruct", "rl-stem-plain"]
    assert {name for name, told in shown.items() if "MGPO weight, γ = 0" in told} == {"instruct", "rl-stem-plain"}
    weight = re.findall(r'<path d="(M[^"]+)" class="line c1">', section_of(branch_html, "rl"))
    assert any(len({point.partition(",")[2] for point in path.split("L")}) == 1 for path in weight)  # gamma 0: w = 1


def test_only_a_phase_with_lambda_shows_the_trade_of_length_and_accuracy(html: str) -> None:
    shown = phases(html)
    assert {name for name, told in shown.items() if "Length against accuracy, λ = 0.2" in told} == {"rl-long2short"}
    assert "λ = 0.2" in shown["rl-long2short"]


def test_fine_tuning_shows_the_losses_of_base_sft_and_distill_alone(html: str) -> None:
    titles = re.findall(r"<h4>([^<]+): loss</h4>", html)
    assert titles == ["base", "sft-broad", "sft-hard", "distill"]
    assert all(f"<h4>{name}: loss</h4>" in section_of(html, "sft") for name in titles)
    stability = [part.partition("</details>")[0] for part in html.split("<summary>Stability</summary>")[1:]]
    assert len(stability) == section_of(html, "rl").count("<h4>Loss</h4>") == html.count("<h4>Loss</h4>") == 5
    assert all("<h4>Loss</h4>" in part for part in stability)


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def points(difference: float) -> str:
    return minus(f"{100 * difference:+.1f}")


def interval(score: Any) -> str:
    return f"[{points(score['delta_low'])}, {points(score['delta_high'])}]"


def is_clear(score: Any) -> bool:
    return bool(score["delta_low"] > 0 or score["delta_high"] < 0)


def rows_of(html: str, stage: str) -> list[str]:
    """The text of every table row that begins with a stage."""
    return [text_of(row) for row in re.findall(r"<tr[^>]*>.*?</tr>", html) if f'"row">{stage}</th>' in row]


def test_weights_that_did_not_change_have_one_line_and_no_change(branched: Finished, branch_html: str) -> None:
    unchanged = [stage for stage in shrunk.summary(branched.run)["stages"] if "as" in stage]
    assert "rl-none" in [stage["name"] for stage in unchanged]
    for stage in unchanged:
        reason = f"as {stage['as']}" + (f"; skipped: {stage['skipped']}" if "skipped" in stage else "")
        assert stage_cells(branch_html)[stage["name"]] == [("words", reason)]
        told = rows_of(section_of(branch_html, "stages").partition("<details>")[2], stage["name"])
        *by_domain, path = sorted(told, key=len)
        assert reason in path
        assert by_domain == [f"{stage['name']}{reason}"] * 5
    words = text_of(section_of(branch_html, "checks"))
    assert "does not holdrl-none ran. Skipped: it has 0 steps" in words
    assert "rl-none lifts" not in words


def test_a_branch_names_the_stage_it_starts_from(html: str, branch_html: str) -> None:
    assert "starts from" not in section_of(html, "spectrum").partition("</p>")[2]
    assert "<small>from " not in html
    assert branch_html.count("rl-stem-plain starts from rl-code") == 5
    assert "<span>rl-stem-plain</span><small>from rl-code</small>" in section_of(branch_html, "stages")
    assert "rl-stem-plain lifts Pass@1 on stem clearly above rl-code." in branch_html


def test_the_path_lists_every_stage_of_the_recipe_in_its_order(branched: Finished, branch_html: str) -> None:
    names = re.findall(r'^name = "(.+)"$', branched.recipe.read_text(), re.MULTILINE)[1:]
    assert len(names) == 15
    path = branch_html[branch_html.index("The path: 15 stages") :]
    assert re.findall(r'<th scope="row">([^<]+)</th>', path[: path.index("</table>")]) == names


# ---- what did not do its job


def checks_of(html: str) -> dict[str, tuple[str, str]]:
    """Claim -> outcome and what was measured."""
    found = re.findall(
        r"<li class=\"\w+\"><b>([^<]+)</b><div>(.*?) <span>(.*?)</span></div>", section_of(html, "checks")
    )
    assert found
    return {claim: (outcome, text_of(measured)) for outcome, claim, measured in found}


def test_gains_are_claimed_of_rl_stages_on_what_they_train_and_losses_elsewhere(
    finished: Finished, tmp_path: Path
) -> None:
    run = copied(finished.run, tmp_path / "run")

    def losing(summary: Any) -> Any:
        stages = {stage["name"]: stage["domains"] for stage in summary["stages"]}
        stages["rl-code"]["stem"] |= {"delta": -0.2, "delta_low": -0.3, "delta_high": -0.1}
        return summary

    changed(run / "summary.json", losing)
    checks = checks_of(written(run))
    num_gains = num_losses = 0
    for stage in shrunk.summary(run)["stages"]:
        lost, trained = [], stage.get("trained_on", ())
        known = {} if "as" in stage else {d: score for d, score in stage["domains"].items() if "delta" in score}
        for domain, score in known.items():
            gain = f"{stage['name']} lifts Pass@1 on {domain} clearly above {stage['from']}."
            if domain in trained and "long2short" not in stage["name"]:
                outcome = "cannot tell" if not is_clear(score) else "holds" if score["delta"] > 0 else "does not hold"
                assert checks[gain] == (outcome, shown(score))
                num_gains += 1
            else:
                assert gain not in checks
            if domain not in trained and is_clear(score) and score["delta"] < 0:
                lost.append(f"{domain} {shown(score)}")
        loss = (
            f"{stage['name']} keeps {'the domains that it is not for' if trained else 'every domain'}: no clear loss."
        )
        assert (loss in checks) == bool(known)
        if known:
            outcome, told = checks[loss]
            assert outcome == ("does not hold" if lost else "holds")
            assert set(told.split(", ")) >= {part for one in lost for part in one.split(", ")}
            num_losses += len(lost)
    assert num_gains == 4
    assert num_losses >= 1


def shown(score: Any) -> str:
    """A change as every part of the page writes it."""
    mark = "" if not is_clear(score) else "▲ " if score["delta"] > 0 else "▼ "
    return f"{mark}{points(score['delta'])} {interval(score)}"


def test_every_check_says_its_tolerance_and_the_lead_counts_them(html: str) -> None:
    checks = checks_of(html)
    assert "sft-broad-fused is at most 2 points below the best single checkpoint in mean Pass@4 of its probe." in checks
    student = "distill is at most 1 point below the best of its teachers in mean Pass@1 over math, code, stem."
    assert student in checks
    assert re.fullmatch(r"\d+\.\d against \d+\.\d of rl-\w+", checks[student][1])
    num = {word: sum(outcome == word for outcome, _ in checks.values()) for word in ("holds", "does not hold")}
    counted = f"Of {len(checks)} checks {num['holds']} hold, {num['does not hold']} do not, and "
    assert counted in text_of(section_of(html, "checks"))
    shorter = "rl-long2short (λ = 0.2) makes correct answers on math at least 20% shorter"
    assert any(claim.startswith(shorter) for claim in checks)
    assert "CLR@K of instruct clearly beats the majority vote of 2K samples." in checks


def test_the_outcomes_follow_the_numbers(finished: Finished, tmp_path: Path) -> None:
    run = copied(finished.run, tmp_path / "run")

    def change(summary: Any) -> Any:
        stages = {stage["name"]: stage["domains"] for stage in summary["stages"]}
        stages["rl-math"][MATH] |= {"delta": 0.2, "delta_low": 0.1, "delta_high": 0.3, "correct_tokens": 50.0}
        stages["rl-code"]["code"] |= {"delta": -0.2, "delta_low": -0.3, "delta_high": -0.1}
        stages["rl-long2short"][MATH] |= {"delta": 0.0, "delta_low": -0.1, "delta_high": 0.1, "correct_tokens": 30.0}
        for domain in (MATH, "code", "stem"):
            stages["distill"][domain]["pass1"] = 0.705
            stages["rl-stem"][domain]["pass1"] = 0.71
        summary["clr"] |= {"clr": 0.6, "cons_2k": 0.5, "clr_minus_cons_2k_low": 0.02, "clr_minus_cons_2k_high": 0.18}
        summary["clr"] |= {"rejected_wrong": 0.4, "rejected_right": 0.35}
        return summary

    changed(run / "summary.json", change)
    checks = checks_of(written(run))
    outcomes = {claim: outcome for claim, (outcome, _) in checks.items()}
    assert outcomes["rl-math lifts Pass@1 on math clearly above sft-hard-fused."] == "holds"
    assert outcomes["rl-code lifts Pass@1 on code clearly above rl-long2short."] == "does not hold"
    [shorter] = [claim for claim in checks if claim.startswith("rl-long2short (λ = 0.2)")]
    assert checks[shorter] == ("holds", minus("50.0 to 30.0 tokens (-40.0%), Pass@1 +0.0 [-10.0, +10.0]"))
    student = "distill is at most 1 point below the best of its teachers in mean Pass@1 over math, code, stem."
    assert checks[student] == ("holds", "70.5 against 71.0 of rl-stem")
    assert checks["CLR@K of instruct clearly beats the majority vote of 2K samples."] == (
        "holds", "60.0 against 50.0, paired difference +10.0 [+2.0, +18.0]",
    )  # fmt: skip
    refuting = "instruct refutes claims of wrong answers more often than those of right ones, by at least 10 points."
    assert checks[refuting] == ("does not hold", "40.0% of the wrong and 35.0% of the right ones")


def test_what_is_undecided_anywhere_is_counted_in_one_place(finished: Finished, tmp_path: Path) -> None:
    run = copied(finished.run, tmp_path / "run")
    assert checks_of(written(run))["Everything was decided."][0] == "holds"
    steps = run / "stages" / "rl-math" / "metrics.jsonl"
    first, *rest = steps.read_text().splitlines()
    steps.write_text("\n".join([json.dumps(json.loads(first) | {"undecided": 1}), *rest]) + "\n")
    changed(run / "stages" / "rl-math" / "pool.json", lambda pool: pool | {"undecided": 2, "prompts": 9})
    html = written(run)
    measured = "steps of rl-math: 1 rollout; prefilter of rl-math: 2 of 9 prompts"
    assert checks_of(html)["Everything was decided."] == ("does not hold", measured)
    assert "1 undecided rollouts in its steps" in phases(html)["rl-math"]


def test_a_run_that_is_not_finished_says_how_far_it_is(finished: Finished, tmp_path: Path) -> None:
    run = copied(finished.run, tmp_path / "run")
    (run / "summary.json").unlink()
    for name in ("rl-stem", "distill", "instruct", "clr", "eval-rl-math"):
        shutil.rmtree(run / "stages" / name)
    (run / "stages" / "rl-code" / "DONE.json").unlink()
    html = written(run)
    assert "8 of 13 stages finished" in html
    assert "<h3>rl-code (not finished)</h3>" in html
    assert "does not holdrl-code finished. Its DONE.json is not there." in text_of(html)
    cells = stage_cells(html)
    told = {name: own[0][1] for name, own in cells.items() if len(own) == 1}
    assert [told[name] for name in ("rl-math", "rl-code", "rl-stem", "clr")] == [
        "not evaluated", "not finished", "not started", "not started",
    ]  # fmt: skip
    assert cells["base"] == stage_cells(written(copied(finished.run, tmp_path / "whole")))["base"]  # as it will be told


def test_directories_of_another_recipe_are_left_out(finished: Finished, tmp_path: Path) -> None:
    run = copied(finished.run, tmp_path / "run")
    (run / "stages" / "rl-math").rename(run / "stages" / "rl-old")
    assert "rl-old" not in written(run)


def test_several_stages_of_clr_are_all_shown(finished: Finished, tmp_path: Path) -> None:
    run = copied(finished.run, tmp_path / "run")
    shutil.copytree(run / "stages" / "clr", run / "stages" / "clr-code")
    text = (run / "resolved.toml").read_text()
    (run / "resolved.toml").write_text(
        text.replace('name = "clr"', 'name = "clr-code"\nkind = "clr"\n[[stages]]\nname = "clr"')
    )
    changed(
        run / "summary.json",
        lambda summary: summary | {"clr_before": {"clr-code": {**summary["clr"], "of": "rl-code"}}},
    )
    told = re.findall(r"<h3>([^<]+)</h3>", section_of(written(run), "clr"))
    titles = [title for title in told if " of " in title and "problems" not in title]
    assert titles == ["clr-code of rl-code", "clr of instruct"]
    with pytest.raises(InputError, match=r"several records of CLR, name one: .*clr/clr\.jsonl, .*clr-code/clr\.jsonl"):
        read_trials(run)
    assert len(read_trials(finished.run)) == 8


# ---- hostile, torn and missing files

HOSTILE = "</style></title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x00\u202e\ud800"


def poison(value: Any) -> Any:
    """The same JSON with hostile text in every string and every free key; a kind stays one."""
    if isinstance(value, str):
        return HOSTILE + value
    if isinstance(value, list):
        return [poison(row) for row in value]
    if isinstance(value, dict):
        found = {key: row if key == "kind" else poison(row) for key, row in value.items()}
        return found | {HOSTILE: poison(next(iter(value.values()), 1))}
    return value


def test_text_from_files_cannot_become_markup(finished: Finished, tmp_path: Path) -> None:
    run = copied(finished.run, tmp_path / f"run<b>{'x' * 20}")
    for path in files_read(run):
        rows = [path.read_text()] if path.suffix == ".json" else path.read_text().splitlines()
        path.write_text("\n".join(json.dumps(poison(json.loads(row))) for row in rows))
    for name in ("recipe.toml", "resolved.toml", "overrides"):
        (run / name).write_text(f"# {HOSTILE[:-1]}\n", encoding="utf-8")
    html = written(run)
    outline = Outline(html)
    assert html.count("alert(1)") > 50
    assert {"img", "b "}.isdisjoint({tag for tag, _ in outline.tags})
    assert not any("alert" in code for code in scripts_of(html))
    assert html.count("<script") == len(scripts_of(html)) == 1
    assert html.count("</style>") == 1
    assert not re.search("[\x00\u202e\ud800]", html)


def test_an_empty_run_directory_says_what_is_missing(tmp_path: Path) -> None:
    text = text_of(written(tmp_path))
    assert "summary.json is not there; recipe.toml is not there; resolved.toml is not there; env.json" in text
    assert "No stage has been evaluated yet" in text


def test_no_run_directory_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such run directory"):
        write_report(tmp_path / "nowhere")


@pytest.mark.slow
def test_a_run_without_any_one_file_still_has_a_report(finished: Finished, tmp_path: Path) -> None:
    run = copied(finished.run, tmp_path / "run")
    for path in [*files_read(run), run / "recipe.toml", run / "resolved.toml", run / "overrides"]:
        content = path.read_bytes()
        path.unlink()
        assert Outline(written(run)).open == []
        path.write_bytes(content)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "7", "null", '{"stages": 3, "clr": []}', "[" * 100_000, '{"a": NaN}']
)
def test_torn_and_odd_files_are_noted_and_not_fatal(finished: Finished, tmp_path: Path, content: str) -> None:
    run = copied(finished.run, tmp_path / "run")
    for path in [*files_read(run), run / "resolved.toml"]:
        path.write_text(content)
    html = written(run)
    assert Outline(html).open == []
    if content == "{":
        assert "summary.json is not valid JSON" in html
        assert "rl-math/metrics.jsonl: unreadable lines left out: 1" in html


def damaged(value: Any, random_: random.Random) -> Any:
    """The same JSON with some values that are missing, or of another type."""
    if random_.random() < 0.12:
        return random_.choice([None, "text", [], {}, True, float("nan"), 1e308, -1])
    if isinstance(value, list):
        return [damaged(row, random_) for row in value]
    return {key: damaged(row, random_) for key, row in value.items()} if isinstance(value, dict) else value


def lines(path: Path) -> Iterator[Any]:
    yield from map(json.loads, [path.read_text()] if path.suffix == ".json" else path.read_text().splitlines())


def test_every_value_may_be_missing_null_or_of_another_type(finished: Finished, tmp_path: Path) -> None:
    run = copied(finished.run, tmp_path / "run")
    random_ = random.Random(3)
    originals = {path: list(lines(path)) for path in files_read(run)}
    for _ in range(12):
        for path, rows in originals.items():
            path.write_text("\n".join(json.dumps(damaged(row, random_)) for row in rows))
        assert Outline(written(run)).open == []


def test_a_torn_last_line_loses_only_itself(finished: Finished, tmp_path: Path) -> None:
    run = copied(finished.run, tmp_path / "run")
    metrics = run / "stages" / "rl-math" / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + '{"step": 61, "accu')
    found = load_run(run)
    assert len(next(folder for folder in found.folders if folder.name == "rl-math").steps) == 4
    assert found.missing == ("stages/rl-math/metrics.jsonl: unreadable lines left out: 1",)
