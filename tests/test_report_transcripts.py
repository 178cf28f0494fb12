"""Transcripts before and after a stage are chosen by rule, and the browser holds every rollout it says it holds."""

from __future__ import annotations

import gzip
import json
import random
import re
import shutil
from base64 import b64decode
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conftest import Finished
from devtools import BROWSER, tab
from etalon.problems.rows import problem_from_row
from etalon.report import write_report
from etalon.report.transcripts import browser
from etalon.report.transcripts.browser import pack
from etalon.report.transcripts.pairs import pairs_of, shifts_of
from etalon.report.transcripts.rows import KINDS, Answers, Place, Question, kind_of, read_answers
from etalon.sampling import group_to_row, read_groups
from etalon.store import read_json, read_jsonl, to_json
from etalon.types import Domain, Group, Problem, Rollout, Stop, Verdict
from test_report import Outline, section_of, text_of

HOSTILE = (
    "<think></script><script>document.title = 'acted'</script>",
    "<!--<script>&lt;b&gt;<img src=x onerror=\"document.title = 'acted'\">",
    "lone \ud800 surrogate, nul \0, bidi \u202egnp.exe\u2066, lines \u2028\u2029\x85",
    "__proto__",
    "long " * 40_000,
)
OUTCOMES: dict[str, tuple[Stop, float | None, str]] = {
    "right": (Stop.EOS, 1.0, "exact"),
    "wrong": (Stop.EOS, 0.5, "2 of 4"),
    "cut": (Stop.LENGTH, 0.0, "truncated"),
    "no answer": (Stop.EOS, 0.0, "no_answer"),
    "undecided": (Stop.EOS, None, "reference does not parse"),
    "failed": (Stop.ERROR, None, "failed"),
}


def group(key: str, kinds: Sequence[str], *, domain: Domain = Domain.MATH, text: str = "<think>a</think>b") -> Group:
    """A problem with one rollout of each of these outcomes."""
    told = [OUTCOMES[kind] for kind in kinds]
    return Group(
        problem=Problem(id=key, domain=domain, prompt=f"{key}?", answer="1"),
        rollouts=tuple(
            Rollout(index=index, text=f"{text}{index}", stop=stop, num_tokens=index)
            for index, (stop, _, _) in enumerate(told)
        ),
        verdicts=tuple(Verdict(score=score, reason=reason) for _, score, reason in told),
    )


def answers_of(groups: Sequence[Group], stage: str = "s") -> dict[str, Answers]:
    """What is read of rows that are written of these groups."""
    rows = [json.loads(to_json(group_to_row(one))) for one in groups]
    return {
        row["problem_id"]: Answers(stage=stage, problem_id=row["problem_id"], rollouts=row["rollouts"]) for row in rows
    }


def asked_of(groups: Sequence[Group]) -> dict[str, Question]:
    rows = [{"id": one.problem.id, "domain": one.problem.domain, "prompt": one.problem.prompt} for one in groups]
    return {row["id"]: Question.model_validate(row) for row in rows}


def unpacked(html: str) -> tuple[dict[str, Any], list[Any]]:
    """The head and the problems in the block of a page."""
    found = re.search(r'<script type="application/gzip" id="rollouts-data">([A-Za-z0-9+/=]*)</script>', html)
    assert found
    head, *lines = gzip.decompress(b64decode(found[1])).decode("ascii").split("\n")
    return json.loads(head), list(map(json.loads, lines))


def whole(run: Path, target: Path) -> Path:
    """A run with its rollouts, to be changed."""
    shutil.copytree(run, target, ignore=shutil.ignore_patterns("checkpoint*"))
    return target


# ---- pure: what is chosen, what is packed, what is read


def test_a_rollout_is_of_one_kind_and_a_cut_one_is_neither_right_nor_wrong() -> None:
    [answers] = answers_of([group("q", list(OUTCOMES))]).values()
    assert [kind_of(rollout) for rollout in answers.rollouts] == list(OUTCOMES) == list(KINDS)
    assert answers.rate == 1 / 4  # what is undecided or has failed counts nowhere


def test_pairs_show_what_a_stage_mended_and_what_it_broke() -> None:
    solved = {  # problem: right of four before, and after
        "m0": (0, 4), "m1": (1, 4), "m2": (1, 2), "m3": (0, 1), "m-fell": (4, 3), "m-none": (0, 0),
        "c-rose": (0, 4), "c-fell": (4, 0), "c-some": (3, 2), "s-fell": (4, 2), "s-same": (2, 2),
    }  # fmt: skip
    domains = {"m": Domain.MATH, "c": Domain.CODE, "s": Domain.STEM}
    sides = [
        [
            group(key, ["wrong"] * (4 - counts[side]) + ["right"] * counts[side], domain=domains[key[0]])
            for key, counts in solved.items()
        ]
        for side in (0, 1)
    ]
    shifts = shifts_of(asked_of(sides[0]), answers_of(sides[0]), answers_of(sides[1]))
    pairs = pairs_of(shifts, ["math"])
    # three of math, which it trains on; of the broken one of math, one of stem: code lost less on average
    chosen = ["m0", "m1", "m2", "m-fell", "s-fell", "m-none"]
    assert [pair.question.id for pair in pairs] == chosen
    assert [pair.change for pair in pairs] == ["mended"] * 3 + ["broken"] * 2 + ["unsolved"]
    kinds = [(kind_of(pair.shown_before), kind_of(pair.shown_after)) for pair in pairs]
    assert kinds == [("wrong", "right")] * 3 + [("right", "wrong")] * 2 + [("wrong", "wrong")]
    everywhere = pairs_of(shifts, ["math", "code", "stem"])
    assert {pair.question.domain for pair in everywhere[:3]} >= {"math", "code"}  # domains take turns


def test_a_stage_that_only_mends_or_shares_nothing_with_the_one_before_has_fewer_pairs() -> None:
    before, after = [group("a", ["cut", "wrong"])], [group("a", ["right", "right"])]
    [pair] = pairs_of(shifts_of({}, answers_of(before), answers_of(after)), [])
    assert (pair.change, kind_of(pair.shown_before)) == ("mended", "wrong")  # a wrong answer tells more than a cut one
    undecided = [group("a", ["undecided"])]
    assert shifts_of({}, answers_of(undecided), answers_of(after)) == []
    assert shifts_of({}, {}, answers_of(after)) == []


def test_a_pack_never_exceeds_its_budget_and_loses_nothing_before_it() -> None:
    rng = random.Random(0)
    lines = [rng.randbytes(rng.randrange(1, 4000)).hex().encode() + b"a" * rng.randrange(9000) for _ in range(60)]
    budgets = (200, 9000, 30_000, 90_000, 10**7)
    found = [pack([b"head"], lines, budget=budget) for budget in budgets]
    for budget, packed in zip(budgets, found, strict=True):
        assert len(packed.content) <= budget
        assert gzip.decompress(packed.content).split(b"\n") == [b"head", *lines[: packed.num_lines]]
    counts = [packed.num_lines for packed in found]
    assert counts == sorted(counts)
    assert counts[0] == 0 < counts[1]
    assert counts[-1] == len(lines)


def test_the_browser_says_what_it_leaves_out() -> None:
    groups = [
        group(f"q{number}", ["right"] * 20, text=random.Random(number).randbytes(2000).hex()) for number in range(30)
    ]
    groups.append(group("long", ["right"], text="x" * 9000))
    html = browser(
        asked_of(groups), list(answers_of(groups).values()), first=["long"], left_out=["the moon"], budget=100_000
    )
    _, lines = unpacked(html)
    lead = text_of(html)
    assert lines[0][1] == "long"
    assert 1 < len(lines) < 31
    assert f"of {len(lines)} problems are in this page" in lead
    lost, more = 31 - len(lines), 4 * (len(lines) - 1)
    assert f"{lost} problems with {20 * lost} rollouts" in lead
    assert f"{more} rollouts of groups of more than 16" in lead
    assert "the middle of 1 texts" in lead
    assert "the moon" in lead
    assert len(html) < 100_000 + 2000


def test_a_large_run_is_read_in_part_the_same_problems_of_every_stage(tmp_path: Path) -> None:
    groups = [
        group(f"{d}-{n}", ["right", "wrong"], domain=d, text="x" * 500)
        for d in (Domain.MATH, Domain.CODE)
        for n in range(50)
    ]
    places = []
    for stage, order in (("a", groups), ("b", groups[::-1])):
        path = tmp_path / f"eval-{stage}" / "rollouts.jsonl"
        path.parent.mkdir()
        path.write_bytes(
            b"".join(to_json(group_to_row(one)) + b"\n" for one in order) + b'{"problem_id": "math-0", "ro'
        )
        places.append(Place(stage=stage, path=path))
    size = sum(place.path.stat().st_size for place in places)
    found = read_answers(places, asked_of(groups), read_bytes=size // 10)
    by_stage = [{one.problem_id for one in found.answers if one.stage == stage} for stage in "ab"]
    assert by_stage[0] == by_stage[1]
    assert Counter(key[:4] for key in by_stage[0]) == {"math": 5, "code": 5}
    assert any("90% of the problems of the evaluations" in words for words in found.left_out)
    assert sum("unreadable" in words for words in found.left_out) == 2
    phases = [Place(stage=place.stage, path=place.path, is_phase=True) for place in places]
    steps = read_answers(phases, {}, phase_bytes=size // 10).answers
    assert Counter(one.stage for one in steps) == {"a": 10, "b": 10}
    assert len(read_answers(places, {}).answers) == 200


# ---- of a real run


@pytest.fixture(scope="module")
def told(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> str:
    run = whole(finished.run, tmp_path_factory.mktemp("transcripts") / "run")
    return write_report(run).read_text(encoding="utf-8")


def title_counts(fold: str) -> tuple[int, int]:
    """The problems that rose and fell, those of trained domains and those elsewhere together."""
    title = re.findall(r"<summary>(.*?)</summary>", fold)[0]
    return tuple(
        sum(int(n) for n in re.findall(rf"(\d+) (?:problems solved )?{way}", title)) for way in ("more", "less")
    )


@pytest.mark.torch
def test_the_folds_agree_with_the_table_of_stages(finished: Finished, told: str) -> None:
    shown = section_of(told, "transcripts")
    problems = [problem_from_row(row) for row in read_jsonl(finished.run / "stages/problems/test.jsonl")]
    stages = {row["name"]: row for row in read_json(finished.run / "summary.json")["stages"]}
    folds = re.findall(r"<details><summary>(\S+) against (\S+): .*?</details>", shown, re.DOTALL)
    changed = [name for name, row in stages.items() if "as" not in row and row["from"]]
    assert [name for name, _ in folds] == changed
    for (name, source), fold in zip(folds, re.findall(r"<details>.*?</details>", shown, re.DOTALL), strict=True):
        before, after = (
            {
                one.problem.id: one.accuracy
                for one in read_groups(finished.run / f"stages/eval-{stage}/rollouts.jsonl", problems)
            }
            for stage in (source, name)
        )
        moved = [rate - old for key, rate in after.items() if rate is not None and (old := before[key]) is not None]
        up, down = sum(one > 0 for one in moved), sum(one < 0 for one in moved)
        words = text_of(fold)
        assert title_counts(fold) == (up, down)
        for domain, score in stages[name]["domains"].items():
            if score["delta"] is not None:
                mean = re.escape(f"{100 * score['delta']:+.1f}".replace("-", "−"))
                assert re.search(rf"{domain}: \d+ more, \d+ less often; {mean} points", words)
        assert words.count("Mended") == min(up, 3)
        assert words.count("Broken") == min(down, 2)


@pytest.mark.torch
def test_the_browser_of_a_run_holds_every_rollout_of_its_evaluations(finished: Finished, told: str) -> None:
    head, lines = unpacked(told)
    held: Counter[tuple[str, str]] = Counter()
    for _, key, prompt, _, different, groups in lines:
        assert prompt, key
        for stage, step, which in groups:
            if step is None:
                held.update((head["stages"][stage], head["kinds"][different[place][1]]) for place in which)
    kept: Counter[tuple[str, str]] = Counter()
    for path in finished.run.glob("stages/eval-*/rollouts.jsonl"):
        for row in read_jsonl(path):
            kept.update((path.parent.name.removeprefix("eval-"), kind_of(rollout)) for rollout in row["rollouts"])
    assert held == kept
    assert {head["stages"][stage] for line in lines for stage, step, _ in line[5] if step is not None} >= {"rl-math"}
    assert 'href="#clr"' in section_of(told, "transcripts")


@pytest.mark.torch
def test_weights_that_did_not_change_have_no_pairs(branched: Finished, tmp_path: Path) -> None:
    shown = section_of(write_report(whole(branched.run, tmp_path / "run")).read_text(encoding="utf-8"), "transcripts")
    folds = dict(re.findall(r"<summary>(\S+) against (\S+):", shown))
    assert folds["rl-stem-plain"] == "rl-code"
    assert "rl-none" not in folds
    assert "rl-none is as" in text_of(shown)


@pytest.mark.torch
def test_torn_and_odd_rollouts_are_noted_and_not_fatal(finished: Finished, tmp_path: Path) -> None:
    run = whole(finished.run, tmp_path / "run")
    odd = [
        b"[]", b"null", b'{"rollouts": 3}',
        b'{"problem_id": {}, "rollouts": [1, {}, {"text": [], "stop": {}, "order": [[]]}]}',
        b'{"problem_id": "x", "rollouts": [{"score": "1", "tokens": true, "extracted": {}}]}', b'{"problem_id": "t',
    ]  # fmt: skip
    (run / "stages/eval-rl-math/rollouts.jsonl").write_bytes(b"\n".join(odd))
    (run / "stages/rl-math/rollouts.jsonl").write_bytes(b"\n".join(odd))
    (run / "stages/problems/test.jsonl").write_bytes(b'{"id": 3}\n[')
    shown = section_of(write_report(run).read_text(encoding="utf-8"), "transcripts")
    assert text_of(shown).count("rl-math: 3 unreadable rows") == 2
    shutil.rmtree(run / "stages" / "problems")
    for path in run.glob("stages/*/rollouts.jsonl"):
        path.unlink()
    html = write_report(run).read_text(encoding="utf-8")
    assert 'id="transcripts"' not in html
    assert "rollouts-data" not in html


def with_hostile(finished: Finished, run: Path) -> Path:
    """A run in which a stage answers one problem with everything that could act, as the sampler writes it."""
    whole(finished.run, run)
    path = run / "stages/eval-rl-math/rollouts.jsonl"
    row = read_jsonl(path)[0]
    problem = next(
        p for p in map(problem_from_row, read_jsonl(run / "stages/problems/test.jsonl")) if p.id == row["problem_id"]
    )
    hostile = Group(
        problem=problem,
        rollouts=tuple(Rollout(index=i, text=t, stop=Stop.EOS, num_tokens=7000 + i) for i, t in enumerate(HOSTILE)),
        verdicts=tuple(Verdict(score=float(i % 2), reason=t[:50], extracted=t[:50]) for i, t in enumerate(HOSTILE)),
    )
    path.write_bytes(to_json(group_to_row(hostile)) + b"\n")
    return run


@pytest.mark.torch
def test_what_a_model_wrote_is_in_the_page_as_text_alone(finished: Finished, tmp_path: Path) -> None:
    html = write_report(with_hostile(finished, tmp_path / "run")).read_text(encoding="utf-8")
    scripts = [attributes for name, attributes in Outline(html).tags if name == "script"]
    assert scripts == [{"type": "application/gzip", "id": "rollouts-data"}, {}, {}]  # and those of charts and browser
    assert "\u202e" not in html
    _, lines = unpacked(html)
    texts = {rollout[0] for line in lines for rollout in line[4]}
    assert set(HOSTILE[:4]) <= texts
    assert any("192,000 characters left out" in text for text in texts)


TOLD = "document.querySelector('.told')?.textContent"


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_a_browser_filters_searches_and_moves_by_keys(finished: Finished, tmp_path: Path) -> None:
    page = write_report(with_hostile(finished, tmp_path / "run")).as_uri()
    with tab(tmp_path / "profile") as one:
        one.open(f"{page}#rollouts&stage=rl-math&from=7000")
        assert one.wait_for(TOLD) == "5 rollouts of 1 problem: 2 right, 3 wrong."
        assert one.run("document.querySelectorAll('[role=option]').length") == 5
        one.run("document.querySelector('.rows').focus()")
        for number in range(5):  # every hostile text is shown, and stays text
            assert one.run("document.querySelector('[aria-selected=true]').id") == f"rollout-{number}"
            assert one.run("document.querySelector('.one .said, .one .thought').childElementCount") == 0
            one.press("j")
        assert one.run("document.querySelector('.one .said').textContent").startswith("long long")
        one.press("k")
        assert one.run("location.hash") == "#rollouts&stage=rl-math&from=7000&row=3"
        one.press("/")
        for key in "<IMG":
            one.press(key)
        one.wait_for(f"{TOLD}.startsWith('1 rollout of')")
        assert "q=%3CIMG" in one.run("location.hash")
        assert "onerror" in one.run("document.querySelector('.one .said').textContent")
        assert one.run("document.images.length") == 0
        one.run("location.hash = '#rollouts&verdict=cut&stage=rl-math'")
        one.wait_for(f"{TOLD} === 'No rollout is like that.'")
        one.run("location.hash = '#rollouts&stage=rl-math@&step=1'")
        one.wait_for(f"/^\\d+ rollouts/.test({TOLD})")
        assert one.run(
            "[...document.querySelectorAll('[role=option]')].every((row) => /rl-math step 1,/.test(row.innerText))"
        )
        assert one.run("document.title").endswith("Etalon report")
        assert one.complaints == []
        one.run("location.hash = '#transcripts-rl-math'")
        assert one.run("document.getElementById('transcripts-rl-math').closest('details').open")
        one.picture(tmp_path / "page.png")
        assert one.complaints == []
