from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

from edgectl.report.charts import Axis, Note, Series, bar_chart, line_chart

HOSTILE = '"><script>alert(1)</script>'


def test_charts_are_well_formed_and_escape_names() -> None:
    series = [
        Series(HOSTILE, [(1.0, 0.5), (2.0, 0.7)]),
        Series("b", [(1.0, 0.5), (2.0, 0.7)], True),
    ]
    svg = line_chart(HOSTILE, series, Axis(HOSTILE), Axis("y"), [Note(HOSTILE, 1.0, 0.5)])
    bars = bar_chart(HOSTILE, [(HOSTILE, 3.0, HOSTILE), ("none", 0.0, "0")])
    for text in (svg, bars):
        root = ET.fromstring(str(text))
        assert root.attrib["aria-label"] == HOSTILE
        assert "<script" not in text


def test_end_labels_do_not_touch() -> None:
    series = [Series(f"s{k}", [(0.0, 0.0), (1.0, 0.5 + k / 1000)]) for k in range(6)]
    svg = line_chart("t", series, Axis("x"), Axis("y", 0.0, 1.0))
    heights = sorted(float(y) for y in re.findall(r'class="end[^>]* y="([\d.]+)"', svg))
    assert len(heights) == 6
    assert all(b - a >= 14.9 for a, b in itertools.pairwise(heights))
    assert heights[-1] <= 280


def test_a_point_on_the_axis_and_one_value_only() -> None:
    assert line_chart("t", [], Axis("x"), Axis("y")) == ""
    assert "nan" not in line_chart("t", [Series("a", [(1.0, 0.0)])], Axis("x"), Axis("y"))
    assert bar_chart("t", []) == ""
