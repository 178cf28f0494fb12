"""The recipes of a given model, whole, at the size of a test: files of our own in place of the benchmarks."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import shrunk
from etalon import config
from etalon.config.stages import listed
from etalon.model import loader
from etalon.model.loader import LanguageModel
from tiny_models import ending, tiny_model, tokenizer

pytestmark = pytest.mark.torch

SMALL = {
    "smollm2-rl": """
        form.max_steps=2 rl.steps=2 rl.prompts_per_step=2 rl.group_size=2 rl.max_tokens=6
        eval.n=1 eval.k=1 eval.max_tokens=6
    """,
    "smollm2": """
        form.max_steps=2 sft.max_steps=3 claims.max_steps=2 fuse.k=1 rl.steps=1 rl-math.steps=1 rl-long2short.steps=1
        instruct.steps=1 rl.prompts_per_step=2 instruct.prompts_per_step=2 rl.group_size=2 rl.prefilter_attempts=2
        rl.max_tokens=6 distill.problems=4 distill.n=1 eval.n=1 eval.k=1 eval.max_tokens=6
        eval.after=["form","instruct"] clr.problems=2 clr.k=2 clr.max_tokens=6
    """,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All that the recipes name, in the folder they are called from."""
    model = tiny_model("llama", max_position_embeddings=4096)
    loader.save(ending(LanguageModel(model=model, tokenizer=tokenizer())), tmp_path / "smollm2")
    made = {"stories": 60, "claims": 20, "rules": 60, "gsm8k-train": 60, "gsm8k-test": 8}
    for seed, (name, count) in enumerate(made.items()):
        kind = name if name in ("claims", "rules") else "stories"
        out = tmp_path / f"{name}.jsonl"
        done = shrunk.etalon("data", "make", kind, "--count", count, "--seed", seed, "-o", out)
        assert done.returncode == 0, done.stderr
    rng = random.Random(0)
    for name, count in (("svamp", 60), ("svamp-train", 60), ("svamp-test", 8)):
        rows = [_svamp(f"{name}-{index}", rng) for index in range(count)]
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "stories.jsonl").rename(tmp_path / "form.jsonl")
    rules = (tmp_path / "rules.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "ifeval-test.jsonl").write_text("".join(rules[:6]))
    return tmp_path


def _svamp(name: str, rng: random.Random) -> dict[str, str | float]:
    """A row as SVAMP has it; no two are near copies."""
    things = " ".join("".join(rng.choices("abcdefghij", k=6)) for _ in range(6))
    a, b = rng.randint(2, 90), rng.randint(2, 90)
    return {"ID": name, "Body": f"There are {a} {things} and {b} others", "Question": "How many are there in all?",
            "Equation": f"( {a}.0 + {b}.0 )", "Answer": float(a + b), "Type": "Addition"}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_recipe_of_a_given_model_runs_whole(name: str, folder: Path) -> None:
    changed = (*SMALL[name].split(), "rl.when_empty=skip", "problems.rl=24")
    sets = [word for one in changed for word in ("--set", one)]
    done = shrunk.etalon("run", name, "--run", "run", "--no-preflight", *sets, cwd=folder)
    assert done.returncode == 0, done.stderr
    ran = shrunk.done(folder / "run")
    assert set(ran) >= {stage.name for stage in listed(config.load(config.packaged_recipe(name)))}
    assert ran["form"]["outputs"]["rows"] > 20
    scores = {row["name"]: row for row in shrunk.summary(folder / "run")["stages"]}
    assert set(scores["form"]["domains"]) == ({"math"} if name == "smollm2-rl" else {"math", "instruct"})
    if name == "smollm2":
        assert set(scores["form"]["sets"]) == {"math/svamp", "math/made-stories"}
        assert ran["clr"]["outputs"]["clr"]["problems"] == 2
