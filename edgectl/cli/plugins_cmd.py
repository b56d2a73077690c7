"""``edgectl plugins list|info``."""

from __future__ import annotations

from typing import Any

import typer
from rich.table import Table

from edgectl.cli.session import Session
from edgectl.errors import UnknownNameError
from edgectl.plugins.hookspecs import EDGECTL_PLUGIN_API
from edgectl.plugins.registry import Registry, build_registry

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="What is plugged in, and in what state."
)


@app.command(
    "list", epilog="Examples: edgectl plugins list · EDGECTL_PLUGINS=none edgectl plugins list"
)
def list_plugins(ctx: typer.Context) -> None:
    """Every entry point found, and what became of it."""
    session: Session = ctx.obj
    session.command = "plugins list"
    registry = build_registry()
    conflicts = _conflicts(registry)
    rows: list[dict[str, Any]] = []
    for plugin in registry.plugins:
        provided = registry.provided_by(plugin)
        clash = [c for c in provided if c in conflicts]
        state = "conflict" if clash and plugin.state == "ok" else plugin.state
        reason = plugin.reason or "; ".join(
            f"{kind} '{name}' is also offered by "
            + ", ".join(d for d in conflicts[kind, name] if d != plugin.distribution)
            for kind, name in clash
        )
        rows.append(
            {
                "name": plugin.name,
                "kind": ", ".join(sorted({kind for kind, _ in provided})),
                "distribution": plugin.distribution,
                "version": plugin.version,
                "api": EDGECTL_PLUGIN_API,
                "state": state,
                "reason": reason,
                "provides": [f"{kind} {name}" for kind, name in provided],
            }
        )
    session.data = {"plugins": rows}
    if session.json:
        return
    table = Table("name", "kind", "distribution", "version", "state", "", box=None)
    for row in rows:
        colour = "green" if row["state"] == "ok" else "red"
        table.add_row(
            row["name"],
            row["kind"],
            row["distribution"],
            row["version"],
            f"[{colour}]{row['state']}[/{colour}]",
            row["reason"],
        )
    session.say(table)


@app.command(epilog="Examples: edgectl plugins info builtin · edgectl plugins info NAME --debug")
def info(
    ctx: typer.Context, name: str = typer.Argument(help="As 'plugins list' shows it.")
) -> None:
    """One plugin: what it provides, and why it is not usable if it is not."""
    session: Session = ctx.obj
    session.command = "plugins info"
    registry = build_registry()
    plugin = next((p for p in registry.plugins if p.name == name), None)
    if plugin is None:
        raise UnknownNameError("plugin", name, [p.name for p in registry.plugins])
    provided = registry.provided_by(plugin)
    session.data = {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "state": plugin.state,
        "reason": plugin.reason,
        "provides": [{"kind": kind, "name": n} for kind, n in provided],
        "traceback": plugin.trace if session.debug else "",
    }
    if session.json:
        return
    session.say(f"{plugin.name}: {plugin.distribution} {plugin.version}, {plugin.state}")
    if plugin.reason:
        session.say("  " + plugin.reason)
    for kind, item in provided:
        session.say(f"  {kind}: {item}")
    if plugin.trace:
        session.say(plugin.trace if session.debug else "  (--debug shows the traceback)")


def _conflicts(registry: Registry) -> dict[tuple[str, str], list[str]]:
    """(kind, name) claimed more than once -> the distributions claiming it."""
    claims: dict[tuple[str, str], list[str]] = {}
    for plugin in registry.plugins:
        for item in registry.provided_by(plugin):
            claims.setdefault(item, []).append(plugin.distribution)
    return {item: owners for item, owners in claims.items() if len(owners) > 1}
