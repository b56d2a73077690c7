"""``edgectl trust``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session
from edgectl.config.layers import file_layer
from edgectl.config.trust import trust as record

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: edgectl trust .")
def trust(
    ctx: typer.Context,
    directory: Path = typer.Argument(Path(), help="The project; default: this directory."),
) -> None:
    """Let a project's edgectl.toml name programs, as the file is now. A changed file is asked about again."""
    session: Session = ctx.obj
    path = record(directory)
    tools = file_layer(path).table.get("tools", {})
    named = [
        {"name": name, "program": str(_program(table))}
        for name, table in (tools.items() if isinstance(tools, dict) else ())
    ]
    session.data = {"file": str(path), "tools": named}
    if session.json:
        return
    session.say(f"trusted as it is now: {path}")
    for tool in named:
        session.say(f"  {tool['name']} runs {tool['program']}")


def _program(table: object) -> object:
    """What a tool's table would start."""
    if not isinstance(table, dict):
        return ""
    return next((table[k] for k in ("python", "command", "container") if k in table), "")
