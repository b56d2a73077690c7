"""What ``edgectl check`` shows people."""

from __future__ import annotations

from rich.table import Table

from edgectl.cli.session import Session, plain
from edgectl.workflows.networks.check import Checked

_COLORS = {"refused": "red", "cut": "yellow", "rewritten": "cyan", "runs": "green"}
_MOST = 20


def say_checked(session: Session, found: Checked, *, everything: bool) -> None:
    """A count a verdict, and the operations that do not simply run."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.counts.items())
    session.say(f"{found.model}: {counts}")
    shown = [o for o in found.operations if everything or o.verdict in ("refused", "cut")]
    if shown:
        table = Table("verdict", "operation", "module", "why, and the way out", box=None)
        for o in shown if everything else shown[:_MOST]:
            color = _COLORS.get(o.verdict, "white")
            table.add_row(
                f"[{color}]{o.verdict}[/{color}]", plain(o.op), plain(o.module), plain(o.fix)
            )
        session.say(table)
    if not everything and len(shown) > _MOST:
        session.say(f"and {len(shown) - _MOST} more: --all")
    if found.heads:
        session.say(f"raw heads: {', '.join(found.heads)}")
