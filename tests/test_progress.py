"""What the user sees while a run works, and at its end."""

from __future__ import annotations

import io
import re
import threading
from typing import Any

import pytest
from rich.console import Console

from etalon.show.progress import Progress, show_numbers, show_seconds
from etalon.show.table import clr_table, print_summary, stage_table


def plain_console(width: int = 100) -> tuple[Console, io.StringIO]:
    screen = io.StringIO()
    return Console(file=screen, width=width, force_terminal=False), screen


def terminal() -> tuple[Console, io.StringIO]:
    screen = io.StringIO()
    return Console(file=screen, width=120, force_terminal=True, force_interactive=True, color_system=None), screen


def shown_on(screen: io.StringIO) -> str:
    """What was printed; a busy machine may take a second for any of it."""
    return re.sub(r"done in \d+s", "done in Ns", screen.getvalue())


def test_without_a_terminal_a_stage_prints_its_start_its_quarters_and_its_end() -> None:
    console, screen = plain_console()
    with Progress(console).stage("rl-math", "amplify what is correct [x]", "2.2") as stage:
        for step in range(401):
            stage.update(step, 400, reward=step / 400, tokens=step * 100)
    lines = shown_on(screen).splitlines()
    assert lines[0] == "rl-math: amplify what is correct [x] (section 2.2)"
    assert [line.split(",")[0] for line in lines[1:-1]] == [
        "  rl-math 100/400",
        "  rl-math 200/400",
        "  rl-math 300/400",
    ]
    assert lines[1].endswith("left, reward 0.25, tokens 10000")
    assert lines[-1] == "  rl-math done in Ns, reward 1, tokens 40000"


def test_without_a_terminal_a_resumed_stage_does_not_print_the_quarters_it_skipped() -> None:
    console, screen = plain_console()
    with Progress(console).stage("rl-math", "learn") as stage:
        for step in range(60, 101):
            stage.update(step, 100)
    assert [line.split(",")[0] for line in shown_on(screen).splitlines()] == [
        "rl-math: learn",
        "  rl-math 75/100",
        "  rl-math done in Ns",
    ]


def test_the_time_left_is_that_of_the_part_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("etalon.show.progress.time.monotonic", lambda: clock[0])
    for console, screen in (plain_console(), terminal()):
        console.get_time = lambda: clock[0]
        with Progress(console).stage("rl", "filters, then learns") as stage:
            for total, seconds in ((10, 60.0), (100, 1.0)):
                for done in range(total // 2 + 1):
                    stage.update(done, total)
                    clock[0] += seconds
            last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).replace("\r", "\n").splitlines()[-1]
        assert "50/100" in last
        assert ", 50s left" in last or "00:50" in last


def test_a_stage_of_unknown_length_or_without_steps_is_fine() -> None:
    for console, screen in (plain_console(), terminal()):
        progress = Progress(console)
        with progress.stage("data", "label") as stage:
            stage.update(3, 0, kept=3)
            stage.update(5, 3, kept=5)
        with progress.stage("fuse", "merge"):
            pass
        assert "data done in Ns, kept 5" in shown_on(screen)
        assert "fuse done in Ns" in shown_on(screen)


def test_long_lines_stay_one_line_in_a_log() -> None:
    console, screen = plain_console(width=40)
    Progress(console).say("word " * 50)
    assert len(screen.getvalue().splitlines()) == 1


def test_on_a_terminal_a_bar_shows_numbers_and_gives_way_to_lines() -> None:
    console, screen = terminal()
    progress = Progress(console)
    with progress.stage("rl-math", "amplify", "2.2") as stage:
        stage.update(1, 4, reward=0.125)
        stage.note("kept [bold]as it is[/bold]")
        background = threading.Thread(target=progress.say, args=("sft-hard: Pass@1 0.5",))
        background.start()
        background.join()
        stage.update(4, 4, reward=0.5)
    shown = shown_on(screen)
    for text in (
        "rl-math: amplify (section 2.2)",
        "1/4",
        "reward 0.125",
        "kept [bold]as it is[/bold]",
        "sft-hard: Pass@1 0.5",
    ):
        assert text in shown
    assert "4/4" in shown
    assert shown.rstrip().endswith("rl-math done in Ns, reward 0.5")


def interrupt(progress: Progress) -> None:
    with progress.stage("rl-math", "amplify") as stage:
        stage.update(1, 4)
        raise KeyboardInterrupt


def test_a_stage_that_fails_ends_its_bar_and_does_not_claim_to_be_done() -> None:
    for console, screen in (plain_console(), terminal()):
        progress = Progress(console)
        with pytest.raises(KeyboardInterrupt):
            interrupt(progress)
        assert "done" not in screen.getvalue()
        with progress.stage("next", "works") as stage:
            stage.update(1, 1)
        assert "next done" in screen.getvalue()


def test_numbers_and_seconds_read_well() -> None:
    assert show_numbers({"loss": 0.0012345, "tokens": 12345, "skill": "algebra", "rate": 123456.0}) == (
        "loss 0.00123, tokens 12345, skill algebra, rate 1.23e+05"
    )
    assert [show_seconds(s) for s in (0.4, 59.6, 185, 3599.9, 7620)] == ["0s", "1m00s", "3m05s", "1h00m", "2h07m"]


def scores(**more: float | None) -> dict[str, Any]:
    return {
        "problems": 200, "k": 8, "pass1": 0.56, "passk": 0.97, "mean_tokens": 1043.2, "correct_tokens": 940.1,
        "truncated": 0.012, "undecided": 0.0, **more,
    }  # fmt: skip


SUMMARY: dict[str, Any] = {
    "seconds": 200.0,
    "stages": [
        {"name": "base", "seconds": 30.2, "domains": {name: scores() for name in ("math", "instruct")}},
        {"name": "sft-broad", "seconds": 3, "domains": {}},
        {
            "name": "sft-broad-fused",
            "seconds": 1130.2,
            "domains": {
                "math": scores(delta=0.153, delta_low=0.12, delta_high=0.186),
                "instruct": scores(delta=-1.0, delta_low=-1.0, delta_high=1.0),
            },
        },
        {
            "name": "rl-long2short",
            "as": "sft-broad-fused",
            "skipped": "every prompt is at accuracy 0 or 1 [x]",
            "seconds": 0.1,
            "domains": {"math": scores()},
        },
    ],
    "clr": {
        "problems": 200, "pass1": 0.5, "cons_k": 0.6, "cons_2k": 0.61, "clr": 0.62, "clr_low": 0.58, "clr_high": 0.66,
        "calls": 8000, "calls_full": 12800,
    },
}  # fmt: skip


def test_the_table_marks_a_change_whose_interval_excludes_zero() -> None:
    console, screen = plain_console()
    console.print(stage_table(SUMMARY))
    lines = [line for line in screen.getvalue().splitlines() if line.strip()]
    rows = {tuple(line.split()[:2]): line for line in lines}
    assert "+15.3 [+12.0, +18.6] *" in rows["sft-broad-fused", "math"]
    assert "*" not in rows["instruct", "56.0"]
    assert rows["sft-broad-fused", "math"].split()[2:6] == ["56.0", "-", "97.0", "1,043"]
    assert rows["sft-broad-fused", "math"].split()[-3:] == ["1.2", "0", "1,130"]


def test_a_stage_without_numbers_of_its_own_shows_dashes_and_says_why() -> None:
    console, screen = plain_console()
    console.print(stage_table(SUMMARY))
    lines = screen.getvalue().splitlines()
    [number] = [number for number, line in enumerate(lines) if line.split()[:1] == ["rl-long2short"]]
    first, *rest = lines[number : number + 3]
    assert first.split() == ["rl-long2short", *["-"] * 4, "as", "sft-broad-fused;", "-", "-", "0.1"]
    assert [line.strip() for line in rest] == ["skipped: every prompt is", "at accuracy 0 or 1 [x]"]
    [unasked] = [line.split() for line in lines if line.split()[:1] == ["sft-broad"]]
    assert unasked == ["sft-broad", *["-"] * 4, "not", "evaluated", "-", "-", "3.0"]


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_fits_the_screen_without_cutting_a_value(width: int) -> None:
    console, screen = plain_console(width)
    console.print(stage_table(SUMMARY, width=width))
    shown = screen.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    for text in (
        "sft-broad-fused",
        "instruct",
        "Pass@1",
        "Pass@8",
        "Tokens",
        "-100.0 [-100.0, +100.0]",
        "[x]",
        "Seconds",
    ):
        assert text in shown
    assert "…" not in shown


def test_the_clr_table_shows_every_method_beside_its_cost() -> None:
    console, screen = plain_console()
    console.print(clr_table(SUMMARY))
    shown = screen.getvalue()
    assert [shown.index(name) for name in ("Pass@1", "Cons@K", "Cons@2K", "CLR@K")] == sorted(
        shown.index(name) for name in ("Pass@1", "Cons@K", "Cons@2K", "CLR@K")
    )
    assert "62.0 [58.0, 66.0]" in shown
    assert "8,000 of the 12,800 model calls" in shown
    assert clr_table({"stages": []}) is None


def test_a_pipe_gets_the_full_width_whatever_the_environment_says() -> None:
    console, screen = plain_console(width=20)
    print_summary(SUMMARY, console)
    assert "sft-broad-fused math" in screen.getvalue()
    assert "CLR@K" in screen.getvalue()
