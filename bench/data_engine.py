"""The data engine end to end, on real problems with faults that are known because they were planted.

GSM8K train and MATH -> import -> filter (planted copies of the test set, copies, copies that disagree) -> label (a
share without answers) -> distill (a scripted teacher with known shares of right, wrong, looping, cut and failing
responses) -> filter --verify -> stratify (a scripted reference model with known error rates, then a real one) -> build
-> funnel

    python bench/data_engine.py --benchmarks DIR [--rows 300] [--folder DIR] [--model DIR]

Prints what was planted beside what each step found. --model: a model directory as a second reference model.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ETALON = [sys.executable, "-c", "from etalon.cli import main; raise SystemExit(main())"]

TEACHER = """
import json, random
from pathlib import Path
KNOWN = json.loads(Path(__file__).with_name("known.json").read_text())
TOLD = Path(__file__).with_name("told.jsonl")  # what became of each call
SHARES = (("fails", .03), ("loops", .05), ("cut", .04), ("wrong", .2))

def fate(prompt, index, seed):
    drawn = random.Random(f"{seed} {index} {prompt}").random()
    for name, share in SHARES:
        if drawn < share:
            return name
        drawn -= share
    return "right"

def wrong(answer, rng):
    return str(int(answer) + rng.choice((1, 2, -1, 10))) if answer.lstrip("-").isdigit() else f"{answer}+1"

def teach(prompt, index, seed):
    kind, rng = fate(prompt, index, seed), random.Random(f"{seed} {index} {prompt} words")
    with TOLD.open("a") as told:
        told.write(json.dumps({"prompt": prompt, "kind": kind}) + "\\n")
    if kind == "fails":
        raise RuntimeError("overloaded")
    known = KNOWN[prompt]
    steps = known["solution"].split(". ")
    opening = rng.choice(("Okay, let me see.", "First I read the question again.", "We need to find one value.", "Hm."))
    checks = [f"{rng.choice(('So', 'Thus', 'Then'))} {step.strip()}." for step in steps if step.strip()]
    if rng.random() < .5:
        checks += ["Wait, let me check that once more.", *checks[::-1]]
    thought = " ".join([opening, *checks])
    answer = wrong(known["answer"], rng) if kind == "wrong" else known["answer"]
    thought += f" So it has to be {answer}."
    if kind == "loops":
        thought += "".join(f" Wait, case {number} has to be looked at again before going on." for number in range(300))
    text = f"<think>\\n{thought}\\n</think>\\n\\nThe answer is \\\\boxed{{{answer}}}."
    return text[: text.index("</think>") // 2] if kind == "cut" else text

def error_rate(prompt):
    return random.Random(f"rate {prompt}").choice((0, 2, 4, 6, 8))

def attempt(prompt, index, seed):
    answer = KNOWN[prompt]["answer"]
    return f"\\\\boxed{{{wrong(answer, random.Random(index)) if index < error_rate(prompt) else answer}}}"
"""


def etalon(folder: Path, *words: object) -> str:
    """Run one command in the folder; its standard error, which is shown, and a failure ends the script."""
    done = subprocess.run(
        [*ETALON, "data", *map(str, words)], cwd=folder, capture_output=True, text=True, check=False
    )  # fmt: skip
    print(f"$ etalon data {' '.join(map(str, words))}\n{done.stderr.rstrip()}\n{done.stdout[:4000].rstrip()}")
    if done.returncode:
        raise SystemExit(f"exit code {done.returncode}")
    return done.stderr


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file, packed or not."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in content.splitlines() if line.strip()]


def write(path: Path, content: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content))


def plant(folder: Path, benchmarks: Path, count: int) -> Counter[str]:
    """gsm8k.jsonl and math.jsonl with copies of the test set, copies of their own, and copies that disagree."""
    rng = random.Random(0)
    train = rng.sample(rows(benchmarks / "gsm8k_train_2000.jsonl"), count)
    test = rng.sample(rows(benchmarks / "gsm8k_test.jsonl"), 50)
    math = [{**row, "license": "mit"} for row in rng.sample(rows(benchmarks / "math_test.jsonl.gz"), count)]
    leaked = [{"question": row["question"].upper() if n % 2 else f"Q: {row['question']}\n", "answer": row["answer"]}
              for n, row in enumerate(test)]  # fmt: skip
    copies = train[:30]
    disagreeing = [{**row, "answer": row["answer"].rpartition("#### ")[0] + "#### 123456"} for row in train[30:50]]
    gsm8k = [{**row, "license": "mit"} for row in [*train, *leaked, *copies, *disagreeing]]
    write(folder / "gsm8k.jsonl", gsm8k)
    write(folder / "math.jsonl", math)
    return Counter(leaked=len(leaked), copies=len(copies), disagreeing=2 * len(disagreeing))


def teacher(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("teacher", folder / "teacher.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def withhold(folder: Path) -> tuple[dict[str, str], int]:
    """clean.jsonl as open.jsonl without every fourth answer, and what the teacher knows; the withheld, by prompt."""
    content = rows(folder / "clean.jsonl")
    known = {row["prompt"]: {"answer": row["answer"], "solution": (row.get("solutions") or [row["answer"]])[0]}
             for row in content}  # fmt: skip
    for told in known.values():
        told["solution"] = told["solution"].split("</think>")[0].removeprefix("<think>").split("\\boxed")[0]
    (folder / "known.json").write_text(json.dumps(known))
    withheld = {row["prompt"]: row.pop("answer") for row in content[::4]}
    write(folder / "open.jsonl", [{k: v for k, v in row.items() if k != "solutions"} for row in content])
    return withheld, len(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmarks", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--model", type=Path)
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="data-engine-"))
    folder.mkdir(exist_ok=True)
    (folder / "teacher.py").write_text(TEACHER)
    benchmarks = chosen.benchmarks.resolve()
    planted = plant(folder, benchmarks, chosen.rows)
    found: list[tuple[str, object, object]] = []

    etalon(folder, "import", "gsm8k.jsonl", "math.jsonl", "-o", "all.jsonl")
    against = ("--against", f"gsm8k={benchmarks / 'gsm8k_test.jsonl'}")
    etalon(folder, "filter", "all.jsonl", *against, "--dropped", "dropped.jsonl", "-o", "clean.jsonl")
    dropped = Counter(row["gate"] for row in rows(folder / "dropped.jsonl") if not row["kept"])
    found += [("leaked rows dropped", planted["leaked"], dropped["overlap"])]
    found += [("rows of disagreeing copies dropped", planted["disagreeing"], dropped["duplicates"])]

    withheld, count = withhold(folder)
    etalon(folder, "label", "open.jsonl", "-o", "labelled.jsonl", "--teacher", "teacher.py:teach", "--seed", 1)
    labelled = {row["prompt"]: row["answer"] for row in rows(folder / "labelled.jsonl")}
    voted = [labelled[prompt] == answer for prompt, answer in withheld.items() if prompt in labelled]
    found += [("records labelled, of those withheld", len(withheld), len(voted))]
    found += [("labels that equal the withheld", len(voted), sum(voted))]

    (folder / "told.jsonl").unlink()  # of the votes
    etalon(
        folder, "distill", "labelled.jsonl", "-o", "traced.jsonl", "--teacher", "teacher.py:teach", "-n", 4, "--seed", 2
    )
    module, told = teacher(folder), rows(folder / "told.jsonl")
    fates = Counter(row["kind"] for row in told)
    etalon(folder, "filter", "traced.jsonl", *against, "--verify", "--dropped", "bad.jsonl", "-o", "right.jsonl")
    gates = {gate["gate"]: gate for gate in json.loads((folder / "right.jsonl.report.json").read_text())["gates"]}
    found += [("looping and cut traces dropped", fates["loops"] + fates["cut"], gates["trace"]["dropped"])]
    found += [("wrong traces dropped", fates["wrong"], gates["correctness"]["dropped"])]
    mislabelled = {prompt for prompt, answer in withheld.items() if labelled.get(prompt, answer) != answer}
    fates["right"] -= sum(row["kind"] == "right" for row in told if row["prompt"] in mislabelled)
    kept = sum(len(row.get("traces", ())) for row in rows(folder / "right.jsonl"))
    found += [("right traces of right labels kept", fates["right"], kept)]

    etalon(folder, "stratify", "right.jsonl", "-o", "rated.jsonl", "--reference", "teacher.py:attempt", "-n", 8)
    rates = [(row["error_rates"]["teacher.py:attempt"]["wrong"], module.error_rate(row["prompt"]))
             for row in rows(folder / "rated.jsonl")]  # fmt: skip
    found += [("error rates as planted", len(rates), sum(own == there for own, there in rates))]
    etalon(folder, "build", "rated.jsonl", "-o", "curriculum", "--min-tokens", 100, "--probe", 20, "--test", 20)
    sizes = {path.name: len(rows(path)) for path in sorted((folder / "curriculum").glob("*.jsonl"))}
    print(json.dumps(sizes, indent=2))
    if chosen.model:
        write(folder / "few.jsonl", rows(folder / "right.jsonl")[:40])
        etalon(folder, "stratify", "few.jsonl", "-o", "few-rated.jsonl", "--reference", chosen.model.resolve(),
               "--model", "weak", "-n", 2, "--max-tokens", 96, "--tokenizer", chosen.model.resolve())  # fmt: skip
        weak = [row["error_rates"]["weak"] for row in rows(folder / "few-rated.jsonl") if "weak" in row["error_rates"]]
        found += [("records rated by the model", 40, len(weak))]
        print(f"mean error rate of the model: {sum(r['wrong'] / r['attempts'] for r in weak) / len(weak):.3f}")
    etalon(folder, "funnel", ".", "-o", "funnel.html")
    print(f"\n{'':42} planted    found   ({folder}, {count} records after the first filter)")
    for name, there, got in found:
        print(f"{name:42} {there!s:>7} {got!s:>8}")


if __name__ == "__main__":
    main()
