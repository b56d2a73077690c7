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
        flash, ram = (f"{n / 1024:,.0f} KiB" for n in (b.flash_bytes, b.ram_bytes))
        table.add_row(b.name, b.backend, flash, ram, b.accelerator, b.summary)
    session.say(table if infos else "no installed backend names a board")
