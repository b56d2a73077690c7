"""``edgectl plugins list|info|new``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from edgectl.cli.session import Session, plain
from edgectl.errors import UnknownNameError, UsageError
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
        color = "green" if row["state"] == "ok" else "red"
        table.add_row(
            row["name"],
            row["kind"],
            row["distribution"],
            row["version"],
            f"[{color}]{row['state']}[/{color}]",
            plain(row["reason"]),
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


@app.command(
    epilog="Examples: edgectl plugins new my-detector --kind family · "
    "edgectl plugins new my-chip --kind backend --out ../my-chip"
)
def new(
    ctx: typer.Context,
    name: str = typer.Argument(help="What users will type: lower-case letters, digits, - and _."),
    kind: str = typer.Option(..., help="family, backend or dataset."),
    out: Path | None = typer.Option(None, help="Default: edgectl-NAME here."),
) -> None:
    """Write a plugin project that installs, trains or exports, and passes its tests."""
    from edgectl.scaffold.render import KINDS, render

    session: Session = ctx.obj
    session.command = "plugins new"
    if kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS, where="--kind")
    registry = build_registry()
    taken = {
        "family": registry.families.names(),
        "backend": registry.backends.names(),
        "dataset": registry.datasets.names(),
    }
    if name in taken[kind]:
        raise UsageError(
            f"a {kind} '{name}' is installed already", where="NAME", fix="choose another name"
        )
    directory = out or Path(f"edgectl-{name}")
    files = render(next(k for k in KINDS if k == kind), name, directory)
    session.data = {
        "directory": str(directory),
        "name": name,
        "kind": kind,
        "files": [str(f) for f in files],
    }
    if session.json:
        return
    session.say(f"[bold]{plain(str(directory))}[/bold]", markup=True)
    for file in files:
        session.say(f"  {file}")
    session.say(f"next: pip install -e {directory} && pytest {directory}")


def _conflicts(registry: Registry) -> dict[tuple[str, str], list[str]]:
    """(kind, name) claimed more than once -> the distributions claiming it."""
    claims: dict[tuple[str, str], list[str]] = {}
    for plugin in registry.plugins:
        for item in registry.provided_by(plugin):
            claims.setdefault(item, []).append(plugin.distribution)
    return {item: owners for item, owners in claims.items() if len(owners) > 1}
