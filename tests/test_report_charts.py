"""Charts of a report: scales, what marks say, bands over seeds, levels of p(q), styles of real evaluations."""

import itertools
import re
from html import unescape

import pytest

from conftest import Finished
from etalon.report.charts import curves, draw, phases, rows, styles, svg
from etalon.report.load import load_run


def said(chart: str) -> list[str]:
    """What the marks of a chart say, in their order; the first title is that of the whole."""
    return [unescape(words) for words in re.findall(r"<title>(.*?)</title>", chart)][1:]


def values(chart: str) -> dict[str, list[str]]:
    """What the lines of a chart say, by name."""
    found = re.findall(r'data-said="(.*?)" data-values="(.*?)"', chart)
    return {unescape(name): told.split(",") for name, told in found}


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0), (-3, 17), (0.02, 0.021), (1e-9, 2e-9), (5, 5), (0, 123456)])
def test_ticks_are_round_and_enclose_the_range(low, high):
    marks = draw.ticks(low, high)
    assert marks[0] <= low
    assert marks[-1] >= high
    assert 2 <= len(marks) <= 8
    assert marks == sorted(set(marks))


def test_labels_at_one_height_are_moved_apart_keep_their_order_and_stay_inside():
    placed = draw.spread([100.0, 100.0, 101.0, 10.0])
    assert sorted(placed) == [placed[3], placed[0], placed[1], placed[2]]
    assert min(b - a for a, b in itertools.pairwise(sorted(placed))) >= 12 - 1e-9
    low = draw.spread_within([98.0, 99.0, 100.0], 0.0, 100.0)
    assert low == [76.0, 88.0, 100.0]
    assert draw.spread_within([0.0, 1.0], 0.0, 100.0)[0] == 0.0


def test_a_line_says_every_point_in_its_unit_and_a_line_without_a_name_says_nothing():
    lines = [
        svg.Line(label="math", points=[(1, 0.5), (2, 0.7512)]),
        svg.Line(label="", said="raw", points=[(1, 0.25), (2, 1.0)], style="c0 faint"),
        svg.Line(label="", points=[(1, 0.0), (2, 0.1)]),
    ]
    chart = svg.line_chart("Pass@1", lines, ("step", "Pass@1"), is_share=True)
    assert values(chart) == {"math": ["1 50.0%", "2 75.1%"], "raw": ["1 25.0%", "2 100.0%"]}
    assert 'data-name="step"' in chart
    numbers = svg.line_chart("loss", [svg.Line(label="loss", points=[(1, 0.00012345), (2000, -12345.6)])], ("step", ""))
    assert values(numbers) == {"loss": ["1 0.0001234", "2000 −12346"]}


def test_very_small_numbers_have_their_power_of_ten_in_the_name_of_the_axis():
    chart = svg.line_chart("loss", [svg.Line(label="a", points=[(1, 0.0), (2, 1e-7)])], ("step", "loss"))
    assert "loss × 10^−7" in chart
    assert "e-" not in chart


def test_a_name_is_shortened_in_its_middle_where_it_is_written_and_whole_where_it_is_pointed_at():
    names = [f"runs/a-very-long-name-of-a-run-{place}" for place in range(20)]
    runs = [(name, [(1.0, 0.1), (2.0, place / 20)]) for place, name in enumerate(names)]
    chart = curves.overlaid("Runs", runs, ("step", "Pass@1"), top=1.0, is_share=True, is_smooth=False)
    assert list(values(chart)) == names
    written = re.findall(r'<text [^>]*y="([\d.]+)"[^>]*>(runs/[^<]*)</text>', chart)
    assert len({label for _, label in written}) == 20
    assert max(len(label) for _, label in written) <= draw.MOST_LETTERS
    heights = sorted(float(height) for height, _ in written)
    assert min(b - a for a, b in itertools.pairwise(heights)) > 11
    styles_of_lines = re.findall(r'class="line (c\d[^"]*)"', chart)
    assert len(set(styles_of_lines[:8])) == 8


def test_words_of_marks_do_not_cover_one_another_and_every_mark_still_says_what_it_is():
    marks = [svg.Mark(point=(1.0, 0.5), label=f"stage {place}", said=f"stage {place}: 50.0%") for place in range(4)]
    chart = svg.line_chart("plane", [], ("tokens", "Pass@1"), marks=marks, is_share=True, y_range=(0.0, 1.0))
    assert said(chart) == [f"stage {place}: 50.0%" for place in range(4)]
    assert re.findall(r">(stage \d)</text>", chart) == ["stage 3", "stage 2"]


# ---- curves


def test_seeds_become_their_mean_and_its_t_interval_where_all_of_them_have_a_point():
    seeds = [[(1, 0.2), (2, 0.5), (3, 0.9)], [(1, 0.4), (2, 0.5)], [(1, 0.6), (2, 0.8)]]
    line, band = curves.banded(seeds, said="95% interval")
    assert line == [(1, pytest.approx(0.4)), (2, pytest.approx(0.6))]
    # t(2) = 4.3027; the standard errors are 0.2/sqrt(3) and 0.1732/sqrt(3)
    assert band.points[0] == (1, pytest.approx(0.4 - 0.49683, abs=1e-4), pytest.approx(0.4 + 0.49683, abs=1e-4))
    assert band.points[1] == (2, pytest.approx(0.6 - 0.43027, abs=1e-4), pytest.approx(0.6 + 0.43027, abs=1e-4))
    alone, none = curves.banded([seeds[0]])
    assert alone == seeds[0]
    assert none.points == []


def test_a_band_has_no_width_where_seeds_agree_and_of_shares_ends_at_0_and_1():
    _, band = curves.banded([[(1, 150.0), (2, 100.0)], [(1, 150.0), (2, 102.0)]])
    assert band.points[0] == (1, 150.0, 150.0)
    assert band.points[1] == (2, pytest.approx(101 - 12.706, abs=1e-2), pytest.approx(101 + 12.706, abs=1e-2))
    _, cut = curves.banded([[(1, 0.0), (2, 0.1)], [(1, 0.0), (2, 0.5)]], is_share=True)
    assert cut.points == [(1, 0.0, 0.0), (2, 0.0, 1.0)]


def test_a_chart_of_seeds_draws_a_band_per_setting_and_says_its_ends():
    groups = [(name, [[(x, base + seed / 20) for x in (1, 2, 3)] for seed in range(3)])
              for name, base in (("γ = 0", 0.2), ("γ = 1", 0.6))]  # fmt: skip
    chart = curves.seeded("Accuracy", groups, ("step", "Pass@1"), top=1.0, is_share=True)
    assert chart.count('class="area ') == 2
    assert values(chart)["γ = 1"] == ["1 65.0%", "2 65.0%", "3 65.0%"]
    assert values(chart)["γ = 1 95% interval"][0] == "1 52.6% to 77.4%"
    assert "Mean of up to 3 seeds" in chart
    assert curves.seeded("Accuracy", [("γ = 0", [])], ("step", "Pass@1")) == ""


def test_a_long_curve_is_thinned_to_means_of_neighbours_and_says_so():
    points = [(float(step), float(step % 7)) for step in range(3000)]
    thin = curves.thinned(points)
    assert len(thin) <= curves.MOST_POINTS
    assert sum(y for _, y in thin) / len(thin) == pytest.approx(sum(y for _, y in points) / 3000, abs=0.01)
    assert curves.thinned(points[:400]) == points[:400]
    assert curves.thinned([]) == []
    assert "A point is the mean of 8 steps." in curves.curves("Loss", [("", "c0", points)], "loss")
    assert curves.curves("Loss", [("", "c0", [])], "loss") == ""


# ---- rows


def test_ridges_count_every_number_once_and_take_a_logarithmic_axis_where_they_spread():
    found = [rows.Ridge(label="short", values=[0.001, 0.01, 0.01, 1.0], band=(0.005, 0.1)),
             rows.Ridge(label="long", values=[0.5], band=None)]  # fmt: skip
    chart = rows.ridges("potential", found, "nats", "traces")
    assert "nats, logarithmic" in chart
    assert sum(int(re.search(r": (\d+) of", words)[1]) for words in said(chart)) == 5
    assert chart.count('class="band edged"') == 1
    even = rows.ridges("potential", [rows.Ridge(label="a", values=[-1.0, 2.0])], "nats", "traces")
    assert "logarithmic" not in even
    same = rows.ridges("potential", [rows.Ridge(label="a", values=[1.21158, 1.21158])], "nats", "traces")
    assert "1.21158" not in same  # the axis has round numbers


def test_shares_of_a_row_add_up_to_one_and_a_row_of_nothing_has_none():
    chart = rows.share_rows("styles", [("a", [1, 0, 3]), ("b", [0, 0, 0])], [("k", "x"), ("k", "y"), ("k", "z")], "")
    assert said(chart) == ["a: x 25.0%", "a: z 75.0%"]


# ---- levels of p(q)


@pytest.mark.parametrize(
    ("accuracy", "level"),
    [(0, 0), (1e-9, 1), (0.25, 1), (0.2501, 2), (0.5, 2), (0.75, 3), (0.7501, 4), (1 - 1e-9, 4), (1, 5)],
)
def test_an_accuracy_belongs_to_the_level_that_ends_at_or_above_it(accuracy, level):
    assert phases.level_of(accuracy) == level


def test_levels_that_no_group_reaches_are_named_in_their_order():
    """The last steps have groups of 1 alone: the names of all others end at one height."""
    named = [str(part) for part in phases._beside([0.0, 0.0, 0.0, 0.0, 0.0, 1.0], []) if "<text" in str(part)]
    found = [(float(re.findall(r' y="([-0-9.]+)"', part)[0]), re.findall(r">([^<]+)<", part)[0]) for part in named[1:]]
    assert [name for _, name in sorted(found)] == ["1", "below 1", "to ¾", "to ½", "to ¼", "0"]


def test_a_single_value_has_ticks_that_differ():
    assert len({draw.tick_label(tick) for tick in draw.ticks(1.0, 1.0)}) == len(draw.ticks(1.0, 1.0)) > 1


@pytest.mark.torch
def test_levels_of_a_real_phase_fill_every_step_and_are_drawn_only_where_there_are_groups(finished: Finished):
    run = load_run(finished.run)
    phase = next(folder for folder in run.folders if sum(bool(step.accuracies) for step in folder.steps) > 1)
    told = said(phases.levels_chart(phase))
    shares: dict[str, float] = {}
    for words in told:
        place, part = words.split(": p(q) ")[0], float(words.rsplit(" ", 1)[1].removesuffix("%"))
        shares[place] = shares.get(place, 0.0) + part
    assert len(shares) == min(len(phase.steps), phases.MOST_COLUMNS)
    assert all(total == pytest.approx(100, abs=0.5) for total in shares.values())
    assert all("(w " in words for words in told)
    tuned = next(folder for folder in run.folders if folder.kind == "sft")
    assert phases.levels_chart(tuned) == ""


# ---- styles


@pytest.mark.torch
def test_styles_of_a_real_run_count_every_arithmetic_response_of_every_evaluation(finished: Finished):
    run = load_run(finished.run)
    evaluated = [stage for stage in run.summary.stages if not stage.same and "math" in stage.domains]
    assert evaluated
    assert [mix.stage for mix in run.styles] == [stage.name for stage in evaluated]
    for stage, mix in zip(evaluated, run.styles, strict=True):
        score = stage.domains["math"]
        assert mix.of == styles.NANO
        assert sum(mix.counts) == score.problems * score.k
        assert not mix.is_part
