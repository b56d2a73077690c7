"""Loss and metric curves of a run, drawn from its events, and the confusion matrix of its best weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_NUMBERED = 20
"""Classes up to which a cell of the confusion matrix has room for its count."""


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


def plot_confusion(metrics: dict[str, Any], directory: Path) -> Path | None:
    """``confusion.png``, each row in shares of its class; None where ``metrics`` has no matrix."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts, names = metrics.get("confusion"), list(metrics.get("per_class", ()))
    if not counts:
        return None
    shares = [[n / max(1, sum(row)) for n in row] for row in counts]
    side = min(14.0, 2.5 + 0.35 * len(names))
    figure = Figure(figsize=(side + 1, side), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    figure.colorbar(image, label="share of the class")
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 6 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="predicted", ylabel="true")
    for i, row in enumerate(counts if len(names) <= _NUMBERED else ()):
        for j, count in enumerate(row):
            axes.text(
                j, i, count, ha="center", va="center", color="w" if shares[i][j] > 0.5 else "k"
            )
    path = directory / "confusion.png"
    figure.savefig(path)
    return path


def _curves(epochs: Sequence[dict[str, Any]], key: str) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for event in epochs:
        for name, value in event[key].items():
            curves.setdefault(name, []).append((event["epoch"], value))
    return curves
