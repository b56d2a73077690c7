from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from edgectl.data.index import DatasetIndex
from edgectl.data.inspect.histograms import histograms, plot
from edgectl.labels import Sample


def index():
    boxes = np.array([[0, 0, 20, 20], [0, 0, 40, 10]], np.float32)
    sample = Sample(Path("a"), 200, 100, boxes, np.array([0, 0]), np.zeros(2, bool))
    empty = Sample(Path("b"), 640, 480, boxes[:0], np.zeros(0, np.int64), np.zeros(0, bool))
    return DatasetIndex("s", Path(), "x", ("a",), {"train": (sample, empty), "valid": (empty,)})


def test_counts_by_hand():
    document = histograms(index(), (100, 100))
    train = document["splits"]["train"]
    edges = document["edges"]["object_side"]
    # at half size both boxes have a side of 10 pixels: between 8 and 12
    assert dict(zip(edges, train["object_side"]["counts"], strict=False))[8] == 2
    assert sum(train["object_side"]["counts"]) == 2
    assert train["objects_per_image"]["counts"][:3] == [1, 0, 1]
    ratios = dict(
        zip(document["edges"]["aspect_ratio"], train["aspect_ratio"]["counts"], strict=False)
    )
    assert ratios[1.0] == 1
    assert ratios[4.0] == 1
    assert document["splits"]["valid"]["object_side"] == {"counts": [0] * 12, "quantiles": []}


def test_the_plot_is_a_png():
    out = io.BytesIO()
    plot(histograms(index(), (100, 100)), out)
    assert out.getvalue().startswith(b"\x89PNG")
