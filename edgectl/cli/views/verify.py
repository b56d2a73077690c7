"""What ``edgectl deploy verify`` shows people: a line a processor."""

from __future__ import annotations

from rich.table import Table

from edgectl.backends.device import DeviceReport
from edgectl.cli.session import Session


def say_checks(session: Session, report: DeviceReport) -> None:
    """Differences of bytes and of decoded results, instructions, memory."""
    heads = (
        "where",
        "images",
        "differing",
        "results",
        "wrong",
        "instructions",
        "stack",
        "RAM",
        "flash",
    )
    table = Table(*heads, box=None)
    for c in report.checks:
        million = "" if c.instructions is None else f"{c.instructions / 1e6:.2f} M"
        counts = (
            "" if n is None else f"{n:,}" for n in (c.stack_bytes, c.ram_bytes, c.flash_bytes)
        )
        found = (str(n) for n in (c.images, f"{c.differs:,}", c.results, c.results_wrong))
        table.add_row(c.name, *found, million, *counts)
    session.say(table)
    if any(c.instructions is not None for c in report.checks):
        session.say("instructions are QEMU's count; a chip's cycles are another number")
