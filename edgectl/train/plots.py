"""Loss and metric curves of a run, drawn from its events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def plot_curves(events: Sequence[dict[str, Any]], directory: Path) -> list[Path]:
    """``loss.png`` and, where epochs were evaluated, ``metrics.png``.

    Importing matplotlib takes half a second, so it waits until the training is over.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    epochs = [e for e in events if e["event"] == "epoch"]
    written = []
    for name, key, label in (("loss", "losses", "mean loss"), ("metrics", "metrics", "on valid")):
        curves = _curves(epochs, key)
        if not curves:
            continue
        figure = Figure(figsize=(6, 3.5), dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for curve, points in curves.items():
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, label=curve, marker="." if key == "metrics" else "")
        axes.set(xlabel="epoch", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend()
        path = directory / f"{name}.png"
        figure.savefig(path)
        written.append(path)
    return written


def _curves(epochs: Sequence[dict[str, Any]], key: str) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for event in epochs:
        for name, value in event[key].items():
            curves.setdefault(name, []).append((event["epoch"], value))
    return curves
