"""``edgectl boards``."""

from __future__ import annotations

import dataclasses
from typing import Any

import typer
from rich.table import Table

from edgectl.cli.session import Session
from edgectl.plugins.board import BoardInfo
from edgectl.plugins.registry import build_registry

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: edgectl boards · edgectl boards --json")
def boards(ctx: typer.Context) -> None:
    """Devices the installed backends know."""
    session: Session = ctx.obj
    infos = sorted(build_registry().boards.infos(), key=lambda b: b.name)
    session.data = {"boards": [_plain(b) for b in infos]}
    if session.json:
        return
    table = Table(box=None)
    for column in ("board", "backends", "memory for a program"):
        table.add_column(column, no_wrap=True)
    table.add_column("summary")
    for b in infos:
        words = f"{b.summary}; {b.accelerator}" if b.accelerator else b.summary
        memory = "\n".join(f"{r.name} {_size(r.usable_bytes)}" for r in b.memory)
        table.add_row(b.name, ", ".join(b.backends), memory, words)
    session.say(table if infos else "no installed backend names a board")


def _plain(board: BoardInfo) -> dict[str, Any]:
    """For JSON: every figure beside its source."""
    fields = {k: v for k, v in dataclasses.asdict(board).items() if k != "api"}
    camera = board.camera
    return {
        **fields,
        "backend": board.backend,
        "flash_bytes": board.flash_bytes,
        "ram_bytes": board.ram_bytes,
        "memory": [{**dataclasses.asdict(r), "usable_bytes": r.usable_bytes} for r in board.memory],
        "camera": {**dataclasses.asdict(camera), "bytes": camera.nbytes} if camera else None,
    }


def _size(count: int) -> str:
    """``1,924 KiB``, ``128 MiB``, ``16 GiB``: the largest unit that leaves no fraction."""
    for shift, unit in ((30, "GiB"), (20, "MiB")):
        if count >= 1 << shift and not count % (1 << shift):
            return f"{count >> shift:,} {unit}"
    return f"{count / 1024:,.0f} KiB"
