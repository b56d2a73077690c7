"""What ``edgectl data check`` shows people: the findings and their number."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from edgectl.cli.session import Session, plain
from edgectl.workflows.data.check import DataReport

_SHOWN = 12
_COLORS = {"error": "red", "warning": "yellow", "note": "dim"}


def say_report(session: Session, report: DataReport) -> None:
    """The findings, a dozen of a kind, and how many there are."""
    found = report.findings
    kinds = Counter((f.severity, f.kind) for f in found)
    shown: Counter[tuple[str, str]] = Counter()
    for f in found:
        key = (f.severity, f.kind)
        shown[key] += 1
        if shown[key] <= _SHOWN:
            color = _COLORS[f.severity]
            name = Path(f.file).name if f.file else ""
            text = plain(f"{f.kind.replace('_', ' ')}: {name + ': ' if name else ''}{f.detail}")
            session.say(f"[{color}]{f.severity}[/{color}] {text}", markup=True)
        elif shown[key] == _SHOWN + 1:
            session.say(f"  ... and {kinds[key] - _SHOWN} more of these (--json lists all)")
    totals = report.counts
    session.say(
        f"{report.images} images: {totals['error']} errors, {totals['warning']} warnings, "
        f"{totals['note']} notes"
    )
    if report.repaired is not None:
        done = report.repaired
        session.say(
            f"{done['directory']}: {done['images']} images, {done['labels']} labels ({done['format']})"
        )
        for line in done["announced"]:
            session.say(f"  {line}")
