"""``edgectl tools``: compilers of vendors, each in an environment of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from edgectl.cli.session import Session, plain
from edgectl.errors import BackendUnavailableError, UnknownNameError, UsageError
from edgectl.plugins.info import ToolInfo
from edgectl.plugins.registry import Registry, build_registry

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def tools() -> None:
    """Compilers of vendors, each in an environment of its own."""


@app.command("list", epilog="Example: edgectl tools list --json")
def list_tools(ctx: typer.Context) -> None:
    """What the installed backends would call, and whether it is there."""
    session: Session = ctx.obj
    session.command = "tools list"
    rows = [_row(backend, info) for backend, info in known(build_registry()).values()]
    session.data = {"tools": rows}
    if session.json:
        return
    from rich.table import Table

    table = Table("tool", "backend", "state", "version", "found through", "fix", box=None)
    for r in rows:
        # words in square brackets would be taken for markup
        words = (plain(r[k]) for k in ("name", "backend", "state", "version", "origin", "fix"))
        table.add_row(*words)
    session.say(table)


@app.command(epilog="Example: edgectl tools setup NAME --python /usr/bin/python3.10")
def setup(
    ctx: typer.Context,
    name: str = typer.Argument(help="One of 'edgectl tools list'."),
    python: Path | None = typer.Option(
        None, help="Make its environment from this interpreter; default: edgectl's own."
    ),
) -> None:
    """Install a compiler its vendor publishes, apart from edgectl."""
    from edgectl.config.paths import tools_directory
    from edgectl.toolchains.environment import set_up

    session: Session = ctx.obj
    session.command = "tools setup"
    offered = known(build_registry())
    if name not in offered:
        raise UnknownNameError("tool", name, offered)
    if session.offline:
        raise UsageError("an installation needs the network", where="--offline")
    log = tools_directory() / f"{name}.log"
    tool = set_up(offered[name][1], python, log, session.note)
    session.data = {"name": name, "version": tool.version, "python": tool.argv[0]}
    if not session.json:
        session.say(f"{name} {tool.version} in {Path(tool.argv[0]).parents[1]}")


def known(registry: Registry) -> dict[str, tuple[str, ToolInfo]]:
    """Tools by name, each with the backend that calls it."""
    return {i.tool.name: (i.name, i.tool) for i in registry.backends.infos() if i.tool is not None}


def _row(backend: str, info: ToolInfo) -> dict[str, Any]:
    from edgectl.toolchains.tool import find_tool

    row = {"name": info.name, "backend": backend}
    try:
        tool = find_tool(info, start=False)
    except BackendUnavailableError as e:
        return {
            **row,
            "state": "absent",
            "version": "",
            "origin": e.where or "",
            "fix": e.fix or "",
            "reason": e.message,
        }
    return {
        **row,
        "state": "found",
        "version": tool.version,
        "origin": tool.origin,
        "fix": "",
        "reason": "",
    }
