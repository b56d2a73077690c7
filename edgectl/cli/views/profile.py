"""The table of ``edgectl profile``."""

from __future__ import annotations

from rich.table import Table

from edgectl.backends.cost import Profile
from edgectl.cli.session import Session

_SHOWN = 15


def say_profile(session: Session, found: Profile, *, everything: bool) -> None:
    """The costliest layers, or all of them, and the sums."""
    shown = len(found.layers) if everything else _SHOWN
    total = max(1, found.macs)
    table = Table(box=None)
    table.add_column("layer", overflow="fold", min_width=20)
    table.add_column("op")
    table.add_column("output", no_wrap=True)
    for heading in ("params", "M MACs", "share", "KB moved", "MACs/B"):
        table.add_column(heading, justify="right")
    ranked = sorted(range(len(found.layers)), key=lambda i: -found.layers[i].macs)
    for i in sorted(ranked[:shown]):
        c = found.layers[i]
        table.add_row(
            c.name,
            c.op,
            "x".join(map(str, c.shape[1:])),
            f"{c.params:,}",
            f"{c.macs / 1e6:.2f}",
            f"{c.macs / total:.1%}",
            f"{(c.bytes_read + c.bytes_written) / 1e3:,.0f}",
            f"{c.intensity:.1f}",
        )
    session.say(table)
    hidden = len(found.layers) - shown
    if hidden > 0:
        session.say(f"and {hidden} layers that cost less (--all shows them)")
    session.say(
        f"[bold]{found.params:,}[/bold] parameters, [bold]{found.macs / 1e6:,.2f}[/bold] M MACs, "
        f"{found.activation_peak_bytes:,} bytes of activations at the peak",
        markup=True,
    )
