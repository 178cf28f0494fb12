"""The whole recipe in about 20 seconds of one core: every stage, a 50k-parameter model, a few dozen problems."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import forked
from etalon.config.toml import toml_value

MAIN = [sys.executable, "-c", "from etalon.cli import main; raise SystemExit(main())"]
OWN = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "100", "CUDA_VISIBLE_DEVICES": ""}
ENVIRONMENT = os.environ | OWN  # and what `conftest` decides of the machine

RECIPE = """
name = "shrunk"
threads = 1
jobs = 1
model = { vocabulary = 384, hidden = 48, layers = 2, heads = 4, kv_heads = 2, mlp = 96, max_positions = 512 }
problems = { train = 160, probe = 6, rl = 120, test = 8 }
fuse = { k = 4 }
eval = { n = 2, k = 2, max_tokens = 64 }
clr = { k = 4, m = 3, problems = 8, max_tokens = 80 }

[base]
documents = 640
batch = 16
optim = { name = "muon", lr = 3e-3, final_lr = 3e-4 }

[data]
paths = 2
max_paths = 2
relabel = 0.1
claims = 60
thoughts = "any"
max_tokens = 200

[sft]
batch = 16
micro_tokens = 2048
checkpoints = 2
optim = { name = "muon", lr = 3e-3, final_lr = 3e-4 }

[rl]
group_size = 8
prompts_per_step = 8
max_tokens = 64
prefilter_attempts = 8
micro_tokens = 2048
save_every = 2
steps = 4
lr = 5e-4

[distill]
problems = 16
n = 2
min_tokens = 2
low = 0.1
replay = 20
epochs = 1
batch = 8
micro_tokens = 2048
optim = { lr = 5e-4, final_lr = 5e-5 }

[[stages]]
name = "base"
kind = "base"

[[stages]]
name = "data"
kind = "data"

[[stages]]
name = "sft-broad"
kind = "sft"
epochs = 5

[[stages]]
name = "sft-broad-fused"
kind = "fuse"

[[stages]]
name = "sft-hard"
kind = "sft"
traces = "hard"
epochs = 1
min_tokens = 20
min_error_rate = 0.5
difficulty_attempts = 2
queries = 16

[[stages]]
name = "sft-hard-fused"
kind = "fuse"

[[stages]]
name = "rl-math"
kind = "rl"
domains = ["math"]

[[stages]]
name = "rl-long2short"
kind = "rl"
domains = ["math"]
lambda = 0.2

[[stages]]
name = "rl-code"
kind = "rl"
domains = ["code"]
steps = 10

[[stages]]
name = "rl-stem"
kind = "rl"
domains = ["stem"]

[[stages]]
name = "distill"
kind = "distill"

[[stages]]
name = "instruct"
kind = "rl"
domains = ["instruct"]
general = 0.2

[[stages]]
name = "clr"
kind = "clr"
"""


# The same up to the stages of RL, then four of them: code, then math; twice more from code, as ablations.
BRANCHES = """
[[stages]]
name = "code"
kind = "rl"
domains = ["code"]
steps = 3

[[stages]]
name = "math"
kind = "rl"
domains = ["math"]
steps = 4

[[stages]]
name = "math-grpo"
kind = "rl"
from = "code"
domains = ["math"]
gamma = 0
steps = 4

[[stages]]
name = "both"
kind = "rl"
from = "code"
domains = ["math", "code"]
lambda = 0.2
steps = 3
"""


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    """The shrunk recipe, or another, as a file."""
    path = folder / "shrunk.toml"
    path.write_text(text)
    return path


def stage(name: str, kind: str, **keys: Any) -> str:
    """An entry of the list; `from_` and `lambda_` are written without the underscore."""
    written = {"name": name, "kind": kind, **{key.rstrip("_"): value for key, value in keys.items()}}
    return "\n[[stages]]\n" + "".join(f"{key} = {toml_value(value)}\n" for key, value in written.items())


def branches() -> str:
    """The recipe of branches."""
    return RECIPE.partition('[[stages]]\nname = "rl-math"')[0] + BRANCHES.lstrip()


def command(*arguments: str | Path) -> list[str]:
    """`etalon ARGUMENTS` of this very checkout."""
    return [*MAIN, *map(str, arguments)]


def etalon(
    *arguments: object, cwd: Path | None = None, stdin: str = "", timeout: int = 300
) -> subprocess.CompletedProcess[str]:
    """One command line, from start to end, in a process that has the modules loaded already."""
    words = list(map(str, arguments))
    done = forked.run(words, cwd=cwd, env=os.environ | OWN, stdin=stdin.encode(), timeout=timeout)
    return subprocess.CompletedProcess(["etalon", *words], *done)


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """A command line in a process group of its own, as a shell starts it; its streams are text pipes."""
    return subprocess.Popen(
        command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a test run in the background ignores
    )


def children(pid: int) -> list[int]:
    """Process ids of all descendants of a process."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that has just ended
            found += map(int, file.read_text().split())
    return found + [grandchild for child in found for grandchild in children(child)]


def stage_dir(run: Path, name: str) -> Path:
    """The directory of one stage of a run."""
    found = run / "stages" / name
    assert found.is_dir()
    return found


def read_inputs(run: Path, name: str) -> dict[str, Any]:
    """inputs.json of one stage."""
    value = json.loads((stage_dir(run, name) / "inputs.json").read_text())
    assert isinstance(value, dict)
    return value


def checkpoint(run: Path, name: str) -> Path:
    """Where the checkpoint of a stage lies."""
    return run / "stages" / str(done(run)[name]["outputs"]["checkpoint"])


def weights(run: Path, name: str) -> dict[str, Any]:
    """The tensors of a stage's checkpoint."""
    from safetensors.torch import load_file

    return dict(load_file(checkpoint(run, name) / "model.safetensors"))


def done(run: Path) -> dict[str, dict[str, Any]]:
    """DONE.json of every stage that has one."""
    found = [json.loads(path.read_text()) for path in sorted((run / "stages").glob("*/DONE.json"))]
    return {payload["stage"]: payload for payload in found}


def finished_at(run: Path) -> dict[str, int]:
    """When each stage was finished, in ns: a stage that was redone has another time."""
    marks = sorted((run / "stages").glob("*/DONE.json"))
    return {json.loads(path.read_text())["stage"]: path.stat().st_mtime_ns for path in marks}


def timeless(value: Any) -> Any:
    """A summary without what the clock and the memory of the machine decide."""
    if isinstance(value, Mapping):
        return {k: timeless(v) for k, v in value.items() if k not in ("seconds", "peak_memory_mb")}
    return [timeless(v) for v in value] if isinstance(value, list) else value


def summary(run: Path) -> dict[str, Any]:
    """summary.json of a run."""
    value = json.loads((run / "summary.json").read_text())
    assert isinstance(value, dict)
    return value


def artifacts(run: Path) -> dict[str, str]:
    """Hashes of everything a run keeps that does not depend on the clock: rollouts, traces, probes and checkpoints."""
    patterns = ("*/*rollouts*.jsonl", "*/pool.jsonl", "*/traces.jsonl", "*/probes/*.jsonl", "*/clr.jsonl")
    patterns += ("*/plain.jsonl", "*/checkpoint/*", "*/checkpoints/*/*")
    root = run / "stages"
    files = sorted(path for pattern in patterns for path in root.glob(pattern))
    assert any(path.name == "model.safetensors" for path in files)
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
