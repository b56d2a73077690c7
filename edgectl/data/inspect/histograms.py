"""Distributions in a data set: object sides at the network's input, shapes, crowding; as numbers and PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np

from edgectl.data.index import DatasetIndex
from edgectl.labels import Sample
from edgectl.spec import Size

EDGES: dict[str, tuple[float, ...]] = {
    "object_side": (0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 1e9),
    "aspect_ratio": (0, 0.25, 0.5, 0.75, 1.0, 1.33, 2.0, 4.0, 1e9),
    "objects_per_image": (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 1e9),
    "image_side": (0, 160, 320, 480, 640, 960, 1280, 1920, 3840, 1e9),
}
"""Bin edges; the last bin is open. ``object_side``: square root of the area, network pixels.
``aspect_ratio``: width over height of a box. ``image_side``: the longer one, pixels."""


def histograms(
    index: DatasetIndex, input_size: Size, seen: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Per split, per entry of :data:`EDGES`: ``counts`` and the ``quantiles`` .05 .25 .5 .75 .95.

    ``seen`` is called once an image.
    """
    return {
        "input_size": list(input_size),
        "edges": {k: [*v[:-1], None] for k, v in EDGES.items()},
        "splits": {
            name: {
                key: _describe(values, EDGES[key])
                for key, values in _values(samples, input_size, seen).items()
            }
            for name, samples in index.splits.items()
        },
    }


def _values(
    samples: Sequence[Sample], input_size: Size, seen: Callable[[], None]
) -> dict[str, np.ndarray]:
    rows, columns = input_size
    sides, ratios = [np.zeros(0)], [np.zeros(0)]
    for s in samples:
        if len(s.boxes_xyxy):
            scale = min(rows / s.height, columns / s.width)
            extent = (s.boxes_xyxy[:, 2:] - s.boxes_xyxy[:, :2]).astype(np.float64)
            sides.append(np.sqrt(extent.prod(axis=1)) * scale)
            ratios.append(extent[:, 0] / extent[:, 1])
        seen()
    return {
        "object_side": np.concatenate(sides),
        "aspect_ratio": np.concatenate(ratios),
        "objects_per_image": np.array([len(s.labels) for s in samples], np.float64),
        "image_side": np.array([max(s.width, s.height) for s in samples], np.float64),
    }


def _describe(values: np.ndarray, edges: Sequence[float]) -> dict[str, Any]:
    counts, _ = np.histogram(values, edges)
    quantiles = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]) if len(values) else []
    return {"counts": counts.tolist(), "quantiles": [round(float(q), 3) for q in quantiles]}


def plot(document: dict[str, Any], out: BinaryIO) -> None:
    """PNG. A panel a distribution, a color a split, shares of the split."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasAgg(figure)
    splits = document["splits"]
    width = 0.8 / max(1, len(splits))
    for axes, (key, edges) in zip(
        figure.subplots(2, 2).flat, document["edges"].items(), strict=True
    ):
        places = np.arange(len(edges) - 1)
        for k, (name, tables) in enumerate(splits.items()):
            counts = np.array(tables[key]["counts"], np.float64)
            axes.bar(places + k * width, counts / max(1.0, counts.sum()), width, label=name)
        axes.set_xticks(places + 0.4 - width / 2, [f"{e:g}-" for e in edges[:-1]], fontsize=7)
        axes.set_title(key.replace("_", " "))
        axes.set_ylabel("share")
    figure.axes[0].legend()
    figure.suptitle("object side in pixels at " + "x".join(map(str, document["input_size"])))
    figure.savefig(out, format="png", dpi=100)
