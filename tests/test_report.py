"""The report shows the numbers of the files, whatever is missing, and nothing a model wrote can act in it."""

import base64
import hashlib
import json
import random
import re
from html.parser import HTMLParser

import pytest

from etalon.errors import InputError
from etalon.report import svg, write_report
from etalon.report.load import load_run
from etalon.report.rl import entropy_weight

STAGES = ["base", "sft-broad", "sft-broad-fused", "sft-hard", "sft-hard-fused", "rl-math", "rl-long2short"]
STAGES += ["rl-code", "rl-stem", "distill", "instruct"]
DOMAINS = ["math", "code", "stem", "instruct", "claims"]
SKILLS = [f"{domain}/{skill}" for domain in DOMAINS[:4] for skill in ("add", "chain", "units")]
GAINS = {"sft-broad": 0.42, "sft-broad-fused": 0.02, "sft-hard": 0.04, "sft-hard-fused": 0.01, "distill": 0.02}
OWN = {"rl-math": "math", "rl-code": "code", "rl-stem": "stem", "instruct": "instruct"}


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


def write_rows(path, rows):
    write(path, "".join(json.dumps(row) + "\n" for row in rows))


def build_summary(random_):
    pass1 = dict.fromkeys(DOMAINS, 0.05)
    stages = []
    for stage in STAGES:
        domains = {}
        for domain in DOMAINS:
            gain = GAINS.get(stage, 0.0) + (0.19 if OWN.get(stage) == domain else 0.0) + random_.gauss(0, 0.008)
            gain = -0.04 if (stage, domain) == ("rl-code", "claims") else gain
            pass1[domain] = min(max(pass1[domain] + gain, 0.0), 0.99)
            tokens = 34.0 if stage in STAGES[6:] and domain == "math" else 52.0
            domains[domain] = {
                "problems": 200,
                "k": 8,
                "pass1": pass1[domain],
                "pass8": min(pass1[domain] + 0.3 * (1 - pass1[domain]), 1.0),
                "mean_tokens": tokens + random_.random(),
                "correct_tokens": tokens - 3 + random_.random(),
                "truncated": 0.07 if stage == "base" else 0.004,
                "undecided": 3 if (stage, domain) == ("rl-stem", "code") else 0,
                "delta": None if stage == "base" else gain,
                "delta_low": None if stage == "base" else gain - 0.021,
                "delta_high": None if stage == "base" else gain + 0.021,
            }
        stages.append({"name": stage, "seconds": 3 + 20 * random_.random(), "domains": domains, "skipped": ""})
    clr = {"problems": 200, "k": 32, "m": 5, "calls": 7412, "calls_full": 12800, "verify_accuracy": 0.631}
    clr |= {"no_claims": 41, "unreadable_verdicts": 17}
    for name, value in {"pass1": 0.671, "cons_k": 0.742, "cons_2k": 0.751, "clr": 0.763}.items():
        clr |= {name: value, f"{name}_low": value - 0.052, f"{name}_high": value + 0.052}
    run = {"name": "nano", "seed": 0, "seconds": 222.4, "peak_memory_mb": 1874.2}
    return {**run, "stages": stages, "clr": clr}


def write_probe(path, random_):
    names = [f"step-{step:06d}" for step in range(80, 401, 80)]

    def skill(step):
        pass1 = min(0.1 + step / 700 + random_.gauss(0, 0.04), 1.0)
        return {"pass1": pass1, "passk": min(pass1 + 0.3 + random_.gauss(0, 0.03), 1.0)}

    checkpoints = [{"name": n, "step": int(n[-3:]), "scores": {s: skill(int(n[-3:])) for s in SKILLS}} for n in names]
    chosen = {s: max(checkpoints, key=lambda c, s=s: c["scores"][s]["passk"])["name"] for s in SKILLS}
    weights = {name: list(chosen.values()).count(name) / len(SKILLS) for name in names}
    fused = {s: skill(420) for s in SKILLS}
    row = {"k": 8, "skills": SKILLS, "checkpoints": checkpoints, "chosen": chosen}
    write(path, {**row, "weights": weights, "fused": fused})


def write_rl(folder, random_, steps=60):
    def groups(centre, number):
        return [min(max(round(random_.gauss(centre, 0.3) * 16), 0), 16) / 16 for _ in range(number)]

    write_rows(
        folder / "metrics.jsonl",
        [
            {
                "step": step,
                "accuracy": 0.45 + 0.35 * step / steps + random_.gauss(0, 0.04),
                "mean_tokens": 55 - 15 * step / steps + random_.gauss(0, 2),
                "correct_tokens": 51 - 16 * step / steps + random_.gauss(0, 2),
                "truncated": abs(random_.gauss(0, 0.01)),
                "undecided": int(step == 7),
                "grad_norm": abs(random_.gauss(0.8, 0.2)),
                "mean_weight": 0.8,
                "accuracies": groups(0.45 + 0.3 * step / steps, 32),
                "weights": [1.0] * 32,
                "seconds": 0.5,
            }
            for step in range(1, steps + 1)
        ],
    )
    accuracies = [min(max(round(random_.gauss(0.4, 0.45) * 8), 0), 8) / 8 for _ in range(512)]
    wrong, right = accuracies.count(0), accuracies.count(1)
    pool = {"prompts": 512, "kept": 512 - wrong - right, "all_wrong": wrong, "all_right": right, "undecided": 0}
    write(folder / "pool.json", {**pool, "accuracies": accuracies})


def write_sft(folder, random_):
    rows = [
        {
            "step": s,
            "loss": 0.4 + 3 / (1 + s / 12) + random_.gauss(0, 0.03),
            "lr": 3e-3,
            "grad_norm": 1.0,
            "tokens": 1024,
        }
        for s in range(1, 401, 4)
    ]
    write_rows(folder / "metrics.jsonl", rows)


def trial(number, random_):
    clusters = [
        {"answer": "42", "score": 2.1, "votes": 3, "correct": True},
        {"answer": "-7/3", "score": 1.4 if number % 3 else 3.0, "votes": 4, "correct": False},
    ]
    claim = {"text": "12 + 30 is 42, because 10 + 30 is 40 and 2 more are 42.", "valid": True}
    trajectories = [
        {"answer": "42" if i % 2 else "-7/3", "claims": [claim, {**claim, "valid": False}], "reliability": 0.03}
        for i in range(7)
    ]
    question = f"Problem {number}: what is (12 + 30) * 1, if a < b & c > d?"
    row = {"problem_id": f"math-test-{number}", "question": question, "answer": "42", "chosen": 0 if number % 3 else 1}
    return {**row, "clusters": clusters, "trajectories": trajectories, "calls": 11, "calls_full": 14}


def write_data(folder):
    reasons = {"repetition": 7, "template": 3, "overlap with test": 2}
    examples = [
        {"reason": "repetition", "text": "so so so so so " * 60},
        {"reason": "overlap", "text": "What is 2 + 2?"},
    ]
    gates = [{"gate": "n-gram", "kept": 5988, "dropped": 12, "reasons": reasons, "examples": examples}]
    gates.append({"gate": "query quality", "kept": 5988, "dropped": 0, "reasons": {}, "examples": []})
    gates.append({"gate": "answer check", "kept": 4120, "dropped": 1868, "reasons": {"wrong": 1868}, "examples": []})
    write(folder / "gates.json", gates)
    write(folder / "strata.json", {"math": {"length_edges": [0, 40, 80, 160], "counts": [[9, 4], [5, 7], [1, 12]]}})


def write_distill(folder, random_):
    buckets = []
    for domain in DOMAINS[:3]:
        for low, high in ((16, 40), (40, 90)):
            scores = [abs(random_.gauss(0.3, 0.12)) + 0.02 for _ in range(240)]
            kept = {"low": sorted(scores)[48], "high": sorted(scores)[228], "kept": 180}
            buckets.append({"domain": domain, "length_low": low, "length_high": high, "scores": scores, **kept})
    write(folder / "selection.json", {"buckets": buckets, "rejected_wrong": 731, "too_short": 12})


def build_run(directory):
    """A finished nano run, with made-up numbers."""
    random_ = random.Random(0)
    write(directory / "summary.json", build_summary(random_))
    write(directory / "recipe.toml", 'name = "nano"\n[rl]\ngamma = 1.0\n')
    write(directory / "resolved.toml", 'name = "nano"\n[rl]\ngamma = 1.0\ngroup_size = 16\nprefilter_attempts = 8\n')
    write(directory / "env.json", {"python": "3.11.7", "torch": "2.13.0+cpu", "etalon": "0.1.0"})
    for number, stage in enumerate(["base", "data", *STAGES[1:], "clr"]):
        folder = directory / "stages" / f"{number:02d}-{stage}"
        write(folder / "DONE.json", {"stage": stage, "key": "abc", "seconds": 12.5, "outputs": {}})
        if stage.endswith("fused"):
            write_probe(folder / "probe.json", random_)
        elif stage.startswith("rl-") or stage == "instruct":
            write_rl(folder, random_)
        elif stage.startswith("sft-") or stage in ("base", "distill"):
            write_sft(folder, random_)
    write_data(directory / "stages" / "01-data")
    write_distill(directory / "stages" / "10-distill", random_)
    write_rows(directory / "stages" / "12-clr" / "clr.jsonl", [trial(number, random_) for number in range(1, 10)])
    return directory


class Outline(HTMLParser):
    """Tags, attributes and the visible text; void elements aside every tag must be closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "br":
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return build_run(tmp_path_factory.mktemp("runs") / "nano")


@pytest.fixture(scope="module")
def html(run_dir):
    return write_report(run_dir).read_text(encoding="utf-8")


def minus(digits):
    return digits.replace("-", "−")


def test_every_section_of_a_finished_run_is_there(html):
    outline = Outline(html)
    ids = [attributes["id"] for tag, attributes in outline.tags if tag == "section"]
    assert ids == ["stages", "checks", "data", "sft", "rl", "distill", "clr", "inputs"]
    assert outline.open == []
    assert "Not in this report" not in html


def test_the_page_needs_nothing_but_itself(html):
    outline = Outline(html)
    assert {tag for tag, _ in outline.tags}.isdisjoint({"script", "link", "img", "iframe", "object", "base", "form"})
    for tag, attributes in outline.tags:
        assert not any(name.startswith("on") or name in ("src", "style", "srcset") for name in attributes), tag
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in html
    assert "@import" not in html


def test_the_policy_allows_only_the_style_sheet_that_is_in_the_page(html):
    policy = next(a["content"] for tag, a in Outline(html).tags if a.get("http-equiv") == "Content-Security-Policy")
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'")
    assert f"'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_the_stage_table_shows_the_numbers_of_the_summary(run_dir, html):
    words = set(Outline(html).words)
    summary = json.loads((run_dir / "summary.json").read_text())
    rows = [row for stage in summary["stages"] for row in stage["domains"].values()]
    assert len(rows) == 55
    for row in rows:
        assert {f"{row['pass1']:.3f}", f"{row['pass8']:.3f}", f"{row['mean_tokens']:.1f}"} <= words
        assert {f"{row['correct_tokens']:.1f}", f"{row['truncated']:.1%}", str(row["undecided"])} <= words
        if row["delta"] is not None:
            assert minus(f"{row['delta']:+.3f}") in words
            assert minus(f"[{row['delta_low']:+.3f}, {row['delta_high']:+.3f}]") in words
    for method in ("pass1", "cons_k", "cons_2k", "clr"):
        clr = summary["clr"]
        assert f"{clr[method]:.3f}" in words
        assert f"[{clr[method + '_low']:.3f}, {clr[method + '_high']:.3f}]" in words


def test_a_stage_that_did_not_do_its_job_is_named(tmp_path):
    run_dir = build_run(tmp_path / "run")
    summary = json.loads((run_dir / "summary.json").read_text())
    stages = {stage["name"]: stage for stage in summary["stages"]}
    stages["rl-math"]["domains"]["math"] |= {"delta": 0.01, "delta_low": -0.02, "delta_high": 0.04}
    stages["distill"]["skipped"] = "no verified trace was left"
    summary["clr"]["clr"] = 0.7
    write(run_dir / "summary.json", summary)
    (run_dir / "stages" / "07-rl-long2short" / "DONE.json").unlink()
    text = "".join(Outline(write_report(run_dir).read_text(encoding="utf-8")).words)
    assert "cannot tellrl-math lifts Pass@1 on math. +0.010 [−0.020, +0.040]" in text
    assert "did notdistill ran. Skipped: no verified trace was left" in text
    assert "did notrl-long2short finished. Its DONE.json is not there." in text
    assert "did notCLR beats the majority vote at equal cost. 0.700 against 0.751" in text
    assert "did notrl-code leaves claims alone. −0.040 [−0.061, −0.019]" in text
    assert "did notEvery rollout was decided. 3 rollouts; rl-stem: 3" in text
    assert "didrl-code lifts Pass@1 on code." in text


HOSTILE = "</style></title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x00\u202e\ud800"


def poison(value):
    """The same JSON with hostile text in every string and every free key."""
    if isinstance(value, str):
        return HOSTILE + value
    if isinstance(value, list):
        return [poison(row) for row in value]
    if isinstance(value, dict):
        return {key: poison(row) for key, row in value.items()} | {HOSTILE: poison(next(iter(value.values()), 1))}
    return value


def test_text_from_files_cannot_become_markup(tmp_path):
    run_dir = build_run(tmp_path / f"run<b>{'x' * 20}")
    files = [*run_dir.rglob("*.json"), *run_dir.rglob("*.jsonl")]
    assert len(files) > 20
    for path in files:
        rows = [json.dumps(poison(json.loads(row))) for row in path.read_text().splitlines()]
        path.write_text("\n".join(rows))
    for name in ("recipe.toml", "resolved.toml"):
        (run_dir / name).write_text(f"# {HOSTILE[:-1]}\n", encoding="utf-8")
    html = write_report(run_dir).read_text(encoding="utf-8")
    outline = Outline(html)
    assert html.count("alert(1)") > 50
    assert {"script", "img", "b "}.isdisjoint({tag for tag, _ in outline.tags})
    assert html.count("</style>") == 1
    assert not re.search("[\x00\u202e\ud800]", html)


def test_an_empty_run_directory_says_what_is_missing(tmp_path):
    text = "".join(Outline(write_report(tmp_path).read_text(encoding="utf-8")).words)
    assert "summary.json is not there; recipe.toml is not there; resolved.toml is not there; env.json" in text
    assert "No stage has been evaluated yet" in text


def test_no_run_directory_is_an_error_of_the_user(tmp_path):
    with pytest.raises(InputError, match="no such run directory"):
        write_report(tmp_path / "nowhere")


@pytest.mark.live
def test_a_run_without_any_one_file_still_has_a_report(tmp_path):
    run_dir = build_run(tmp_path / "run")
    files = sorted(path for path in run_dir.rglob("*") if path.is_file())
    assert len(files) > 30
    for path in files:
        content = path.read_bytes()
        path.unlink()
        assert Outline(write_report(run_dir).read_text(encoding="utf-8")).open == []
        path.write_bytes(content)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "7", "null", '{"stages": 3, "clr": []}', "[" * 100_000, '{"a": NaN}']
)
def test_torn_and_odd_files_are_noted_and_not_fatal(tmp_path, content):
    run_dir = build_run(tmp_path / "run")
    for path in [*run_dir.rglob("*.json"), *run_dir.rglob("*.jsonl"), *run_dir.rglob("*.toml")]:
        path.write_text(content)
    html = write_report(run_dir).read_text(encoding="utf-8")
    assert Outline(html).open == []
    if content == "{":
        assert "summary.json is not valid JSON" in html
        assert "06-rl-math/metrics.jsonl: unreadable lines left out: 1" in html


def test_every_value_may_be_missing_null_or_of_another_type(tmp_path):
    run_dir = build_run(tmp_path / "run")
    random_ = random.Random(3)
    wrong = [None, "text", [], {}, True, float("nan"), 1e308, -1]

    def damage(value):
        if random_.random() < 0.12:
            return random_.choice(wrong)
        if isinstance(value, list):
            return [damage(row) for row in value]
        return {key: damage(row) for key, row in value.items()} if isinstance(value, dict) else value

    originals = {
        p: p.read_text() for p in [*run_dir.rglob("*.json"), *run_dir.rglob("*.jsonl")] if "report" not in p.name
    }
    for _ in range(12):
        for path, content in originals.items():
            path.write_text("\n".join(json.dumps(damage(json.loads(row))) for row in content.splitlines()))
        assert Outline(write_report(run_dir).read_text(encoding="utf-8")).open == []


def test_a_torn_last_line_loses_only_itself(tmp_path):
    run_dir = build_run(tmp_path / "run")
    metrics = run_dir / "stages" / "06-rl-math" / "metrics.jsonl"
    metrics.write_text(metrics.read_text() + '{"step": 61, "accu')
    run = load_run(run_dir)
    assert len(next(folder for folder in run.folders if folder.name == "rl-math").steps) == 60
    assert run.missing == ("stages/06-rl-math/metrics.jsonl: unreadable lines left out: 1",)


def test_the_weight_over_the_histogram_is_that_of_the_paper():
    assert entropy_weight(0.5, 4.0) == pytest.approx(1.0)
    assert entropy_weight(0.0, 1.0) == pytest.approx(0.5)  # D(0 || 1/2) = log 2
    assert entropy_weight(1.0, 2.0) == pytest.approx(0.25)
    assert entropy_weight(0.25, 1.0) == pytest.approx(0.877383)  # 0.25 log 0.5 + 0.75 log 1.5 = 0.130812
    assert entropy_weight(0.9, 0.0) == 1.0


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0), (-3, 17), (0.02, 0.021), (1e-9, 2e-9), (5, 5), (0, 123456)])
def test_ticks_are_round_and_enclose_the_range(low, high):
    marks = svg.ticks(low, high)
    assert marks[0] <= low
    assert marks[-1] >= high
    assert 2 <= len(marks) <= 8
    assert marks == sorted(set(marks))


def test_labels_at_one_height_are_moved_apart_and_keep_their_order():
    placed = svg.spread([100.0, 100.0, 101.0, 10.0])
    assert sorted(placed) == [placed[3], placed[0], placed[1], placed[2]]
    assert min(b - a for a, b in zip(sorted(placed), sorted(placed)[1:], strict=False)) >= 12 - 1e-9
