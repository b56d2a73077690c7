"""``edgectl data check``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edgectl.cli.session import Session, plain
from edgectl.errors import DataError

if TYPE_CHECKING:
    from edgectl.data.inspect.findings import Finding

_SHOWN = 12
_COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}

EPILOG = """Examples:

edgectl data check ./my_images --imgsz 192

edgectl data check ./my_images --fix ./my_images_fixed

Exit code 5 when there are errors, 0 with warnings only."""


def check(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    imgsz: str = typer.Option("192", help="Input size of the network in mind."),
    cell: float = typer.Option(8.0, min=1.0, help="Its finest stride, pixels."),
    fix: Path | None = typer.Option(
        None, help="Write a repaired copy here: unreadable images and leaks left out."
    ),
    fmt: str = typer.Option("auto", "--from", help="Format of DATA; detected."),
) -> None:
    """Find what would spoil training or scores, before it does."""
    session: Session = ctx.obj
    session.command = "data check"

    from edgectl.data.formats.tolerance import tolerant
    from edgectl.data.inspect.checks import Evidence, run_checks
    from edgectl.data.inspect.repair import write_repaired
    from edgectl.data.inspect.survey import survey
    from edgectl.workflows.opening.configuration import parse_size, resolve_config
    from edgectl.workflows.opening.datasets import open_data

    with tolerant():
        config = resolve_config({}, {"data": {"format": fmt}}, [])
        index = open_data(session.open_context(), data, config, quiet=True)
    facts = survey(index)
    found = run_checks(Evidence(index, facts, parse_size(imgsz), cell))
    counts = Counter(f.severity for f in found)
    session.data = {
        "findings": [vars(f) for f in found],
        "counts": {s: counts[s] for s in ("error", "warning", "note")},
        "images": len(facts),
        "repaired": None,
    }
    if not session.json:
        _say(session, found, len(facts))
    if fix is not None:
        done = write_repaired(index, facts, found, fix)
        session.data["repaired"] = {"directory": str(fix), **done}
        session.say(f"{fix}: {done['images']} images, {done['left_out']} left out")
    elif counts["error"]:
        raise DataError(
            f"{counts['error']} errors in '{index.name}', the first: {found[0].kind}: {found[0].detail}",
            where=found[0].file or str(index.root),
            fix="edgectl data check --fix DIRECTORY writes a repaired copy",
        )


def _say(session: Session, found: list[Finding], images: int) -> None:
    kinds = Counter((f.severity, f.kind) for f in found)
    shown: Counter[tuple[str, str]] = Counter()
    for f in found:
        key = (f.severity, f.kind)
        shown[key] += 1
        if shown[key] <= _SHOWN:
            color = _COLOURS[f.severity]
            name = Path(f.file).name if f.file else ""
            text = plain(f"{f.kind.replace('_', ' ')}: {name + ': ' if name else ''}{f.detail}")
            session.say(f"[{color}]{f.severity}[/{color}] {text}", markup=True)
        elif shown[key] == _SHOWN + 1:
            session.say(f"  ... and {kinds[key] - _SHOWN} more of these (--json lists all)")
    totals = Counter(f.severity for f in found)
    session.say(
        f"{images} images: {totals['error']} errors, {totals['warning']} warnings, "
        f"{totals['note']} notes"
    )
