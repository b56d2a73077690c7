"""An analysis of a quantized network as a table."""

from __future__ import annotations

from rich.table import Table

from edgectl.cli.session import Session, plain
from edgectl.workflows.analyze import AnalyzedModel


def say_analysis(session: Session, found: AnalyzedModel, most: int) -> None:
    """The worst tensors, and what each side of the rounding costs."""
    analysis = found.analysis
    table = Table(box=None)
    table.add_column("tensor", overflow="fold")
    for words in ("share", "SQNR dB", "clipped", "used", "noise so far"):
        table.add_column(words, justify="right", no_wrap=True)
    table.add_column("what ails it", overflow="fold")
    for t in analysis.tensors[:most]:
        table.add_row(
            plain(t.words),
            f"{t.share:.1%}",
            f"{t.sqnr_db:.1f}",
            f"{t.saturation:.2%}",
            f"{t.used:.0%}",
            f"{t.cumulative:.3g}",
            "; ".join(t.reasons),
        )
    session.say(table)
    left = len(analysis.tensors) - most
    if left > 0:
        session.say(f"{left} more tensors; --all shows them")
    session.say(
        f"error at the heads on {analysis.images} images: activations alone {analysis.activations:.3g}, "
        f"weights alone {analysis.weights:.3g}, both {analysis.both:.3g}"
    )
