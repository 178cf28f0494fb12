"""Scales and labels of the charts."""

import pytest

from etalon.report.charts import svg


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
