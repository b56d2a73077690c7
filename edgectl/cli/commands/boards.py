"""``edgectl boards``."""

from __future__ import annotations

import dataclasses

import typer
from rich.table import Table

from edgectl.cli.session import Session
from edgectl.plugins.registry import build_registry

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: edgectl boards · edgectl boards --json")
def boards(ctx: typer.Context) -> None:
    """Devices the installed backends know."""
    session: Session = ctx.obj
    infos = build_registry().boards.infos()
    session.data = {
        "boards": [{k: v for k, v in dataclasses.asdict(b).items() if k != "api"} for b in infos]
    }
    if session.json:
        return
    table = Table("board", "backend", "flash", "RAM", "accelerator", "summary", box=None)
    for b in infos:
        flash, ram = (_size(n) for n in (b.flash_bytes, b.ram_bytes))
        table.add_row(b.name, b.backend, flash, ram, b.accelerator, b.summary)
    session.say(table if infos else "no installed backend names a board")


def _size(count: int) -> str:
    """``1,924 KiB``, ``128 MiB``, ``16 GiB``: the largest unit that leaves no fraction."""
    for shift, unit in ((30, "GiB"), (20, "MiB")):
        if count >= 1 << shift and not count % (1 << shift):
            return f"{count >> shift:,} {unit}"
    return f"{count / 1024:,.0f} KiB"
