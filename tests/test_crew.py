"""Helpers that share a step: the same bits whoever does what, the newest weights, and a death that is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.live]
torch = pytest.importorskip("torch")

from etalon.engines.jobs import RlJob  # noqa: E402
from etalon.engines.local.reinforcement import policy_loss, train_phase  # noqa: E402
from etalon.engines.local.trainer import Batch, Trainer, cross_entropy  # noqa: E402
from etalon.errors import RunError  # noqa: E402
from etalon.model import crew as crew_module  # noqa: E402
from etalon.model.crew import SLOTS, Crew, Held, crew_of  # noqa: E402
from etalon.problems import nano  # noqa: E402
from etalon.recipe import OptimSpec, RlSpec  # noqa: E402
from etalon.rl.credit import CreditSpec  # noqa: E402
from etalon.sampling.local import LocalSampler  # noqa: E402
from etalon.store import read_jsonl  # noqa: E402
from etalon.types import Credit, Domain, SamplingParams, ask  # noqa: E402
from tiny_models import ending, random_rows, tiny_language_model  # noqa: E402

SIZES = [(3, 7), (5, 2), (4, 1), (2, 12), (6, 5), (1, 1)]
MUON = OptimSpec(name="muon", lr=1e-2, final_lr=1e-3, warmup=0.25, muon_lr=0.02)


@pytest.fixture(scope="module")
def pair() -> Iterator[Crew]:
    """A process and two helpers, over a model of their own."""
    crew = Crew(tiny_language_model(max_position_embeddings=256), helpers=2)
    yield crew
    crew.close()


def who(held: Held, number: int) -> tuple[int, int]:
    return number, os.getpid()


def waits(held: Held, number: int) -> tuple[int, int]:
    time.sleep(0.02)
    return who(held, number)


def weight(held: Held) -> float:
    return float(next(iter(held.language_model.model.parameters())).detach().sum())


def weight_there(held: Held, number: int) -> tuple[int, float]:
    time.sleep(0.02)
    return os.getpid(), weight(held)


def fails(held: Held, number: int) -> None:
    if number == 3:
        raise ValueError("three is too many")


def test_results_are_in_order_and_the_work_is_shared(pair: Crew) -> None:
    list(pair.map(who, [(0,), (1,)]))  # helpers have started when it returns
    found = list(pair.map(waits, [(n,) for n in range(60)]))
    assert [number for number, _ in found] == list(range(60))
    assert len({process for _, process in found}) == 3


def test_helpers_see_the_weights_as_they_are_now(pair: Crew) -> None:
    with torch.no_grad():
        next(iter(pair.held.language_model.model.parameters())).add_(0.25)
    found = list(pair.map(weight_there, [(n,) for n in range(50)]))
    assert len({process for process, _ in found}) == 3
    assert len({there for _, there in found}) == 1


def test_what_a_part_raises_is_raised_here_and_the_crew_goes_on(pair: Crew) -> None:
    with pytest.raises((ValueError, RuntimeError), match="three is too many"):
        list(pair.map(fails, [(n,) for n in range(30)]))
    assert [number for number, _ in pair.map(who, [(1,), (2,)])] == [1, 2]


@pytest.mark.parametrize("kind", ["cross-entropy", "policy"])
def test_a_step_moves_the_weights_to_the_same_bits_with_helpers_and_without(pair: Crew, kind: str) -> None:
    rows = random_rows(SIZES)
    credits = [Credit(advantage=a, weight=1.0, reward=0.0) for a in (1.5, -0.5, 0.25, -1.0, 0.5, -0.75)]
    objective = cross_entropy(rows) if kind == "cross-entropy" else policy_loss(credits, rows, spec=CreditSpec())
    alone = tiny_language_model(max_position_embeddings=256)
    alone.model.load_state_dict(pair.held.language_model.model.state_dict())
    rows_of: list[dict[str, Any]] = []
    for model, crew in ((alone, None), (pair.held.language_model, pair)):
        trainer = Trainer(model, MUON, total_steps=3, micro_tokens=9, crew=crew)
        rows_of.append([trainer.step(step, Batch(rows=rows, objective=objective)) for step in range(3)])
    assert rows_of[0] == rows_of[1]
    for name, parameter in alone.model.named_parameters():
        assert torch.equal(dict(pair.held.language_model.model.named_parameters())[name], parameter), name


def test_rollouts_are_the_same_with_helpers_and_without(pair: Crew) -> None:
    conversations = [ask(f"{n}+{n}=?") for n in range(40)]
    found = [
        dict(LocalSampler(pair.held.language_model, crew=crew).sample(
            conversations, n=8, params=SamplingParams(max_tokens=6), seed=4
        ))
        for crew in (pair, Crew(pair.held.language_model))
    ]  # fmt: skip
    assert found[0] == found[1]
    assert len(found[0]) == 40


EVEN = """
def even(problem, response):
    return 1.0 if len(response) % 2 == 0 else 0.0
"""


def test_a_phase_ends_with_the_same_files_whatever_the_number_of_helpers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etalon.sampling.local.SMALL_ROWS", 8)  # three batches a step
    (tmp_path / "even.py").write_text(EVEN)
    spec = RlSpec(group_size=4, prompts_per_step=6, steps=2, max_tokens=12, micro_tokens=64, lr=1e-3,
                  reward=f"{tmp_path}/even.py:even")  # fmt: skip
    logs = []
    for helpers in (0, 1):
        crew = Crew(ending(tiny_language_model(max_position_embeddings=256)), helpers)
        job = RlJob(
            source=tmp_path, prompts=nano.problems(Domain.MATH, "rl", 12, seed=0), spec=spec,
            credit=CreditSpec.of(spec), seed=3, directory=tmp_path / str(helpers), system="",
            prompts_folder="nano", name="rl",
        )  # fmt: skip
        job.directory.mkdir()
        train_phase(crew, job, autocast="off", on_step=lambda done, row: None)
        logs.append([read_jsonl(job.directory / "rollouts.jsonl"), weight(crew.held)])
        assert all(row["grad_norm"] > 0 for row in read_jsonl(job.directory / "metrics.jsonl"))
        crew.close()
    assert logs[0] == logs[1]


class OddError(Exception):
    """Pickled, it cannot be read again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def odd(held: Held, number: int) -> object:
    if os.getpid() == number:
        time.sleep(0.05)
        return number
    raise OddError(1, 2)


def unsendable(held: Held, number: int) -> object:
    time.sleep(0.02)
    return number if os.getpid() == number else lambda: number


def test_an_error_of_a_helper_comes_with_its_traceback(pair: Crew) -> None:
    with pytest.raises(RuntimeError, match="1 and 2") as caught:
        list(pair.map(odd, [(os.getpid(),)] * 30))
    assert "OddError: 1 and 2" in str(caught.value.__cause__)
    assert "test_crew.py" in str(caught.value.__cause__)
    with pytest.raises(RuntimeError) as caught:
        list(pair.map(unsendable, [(os.getpid(),)] * 30))
    assert "unsendable" in str(caught.value.__cause__)
    assert [number for number, _ in pair.map(who, [(1,), (2,)])] == [1, 2]


def test_more_passes_than_gradients_are_shared_add_up(pair: Crew) -> None:
    rows = random_rows([(2, 3 + n) for n in range(2 * SLOTS + 3)])
    found = []
    for crew in (Crew(pair.held.language_model), pair):
        trainer = Trainer(pair.held.language_model, MUON, total_steps=3, micro_tokens=1, crew=crew)
        loss = trainer.backward(Batch(rows=rows, objective=cross_entropy(rows)))
        found.append([loss, *(p.grad.clone() for p in pair.held.language_model.model.parameters())])
        pair.held.language_model.model.zero_grad(set_to_none=True)
    assert found[0][0] == found[1][0]
    assert all(torch.equal(one, other) for one, other in zip(found[0][1:], found[1][1:], strict=True))


ORPHANED = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_crew import Crew, tiny_language_model, noted

if __name__ == "__main__":
    crew = Crew(tiny_language_model(), helpers=1)
    list(crew.map(noted, [({folder!r}, 0.2)] * 200))
"""


def noted(held: Held, folder: str, seconds: float) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(seconds)


def test_a_helper_ends_when_the_process_that_it_helps_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "orphan.py"
    (tmp_path / "seen").mkdir()
    script.write_text(ORPHANED.format(tests=str(Path(__file__).parent), folder=str(tmp_path / "seen")))
    helped = subprocess.Popen([sys.executable, script])
    while len(list((tmp_path / "seen").iterdir())) < 2:
        assert helped.poll() is None
        time.sleep(0.1)
    [helper] = [int(one.name) for one in (tmp_path / "seen").iterdir() if one.name != str(helped.pid)]
    helped.kill()
    helped.wait()
    for _ in range(100):
        if not Path(f"/proc/{helper}").exists() or "Z" in Path(f"/proc/{helper}/stat").read_text().split()[2]:
            return
        time.sleep(0.1)
    pytest.fail("the helper goes on")


def test_without_room_in_shared_memory_there_are_no_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    language_model = tiny_language_model()
    assert crew_module._has_shared_memory(language_model)
    monkeypatch.setattr(crew_module, "SHARED_MEMORY", "/proc")  # a file system without room
    with crew_of(language_model, jobs=2, threads=1) as crew:
        assert crew.size == 1


def test_a_helper_that_was_killed_is_told_and_its_crew_ends() -> None:
    crew = Crew(tiny_language_model(), helpers=1)
    list(crew.map(who, [(1,), (2,)]))
    [process] = crew._processes
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with pytest.raises(RunError, match="a helper process was killed"):
        list(crew.map(who, [(1,), (2,)]))
    crew.close()


def test_a_helper_that_was_killed_with_the_lock_of_the_counter_is_told_too() -> None:
    crew = Crew(tiny_language_model(), helpers=1)
    list(crew.map(who, [(1,), (2,)]))
    threading.Thread(target=crew._next.acquire).start()  # whose thread has ended, and who never gives it back
    [process] = crew._processes
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(RunError, match="a helper process was killed"):
        list(crew.map(who, [(1,), (2,)]))
    crew.close()


@pytest.mark.parametrize(("jobs", "threads", "size"), [(1, 1, 1), (2, 1, 2), (2, 2, 1)])
def test_helpers_are_as_many_as_pay(jobs: int, threads: int, size: int) -> None:
    with crew_of(tiny_language_model(), jobs=jobs, threads=threads) as crew:
        assert crew.size == size
        helpers = list(crew._processes)
    assert not any(helper.is_alive() for helper in helpers)
