"""``edgectl data``: its sub-commands, and the two smallest of them."""

from __future__ import annotations

from typing import Any

import typer

from edgectl.cli.commands.data import calib, check, convert, pack, preview, split, stats
from edgectl.cli.session import Session
from edgectl.plugins.registry import build_registry

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="List, describe, check and convert data sets."
)
app.command("check", epilog=check.EPILOG)(check.check)
app.command("stats", epilog=stats.EPILOG)(stats.stats)
app.command("preview", epilog=preview.EPILOG)(preview.preview)
app.command("split", epilog=split.EPILOG)(split.split)
app.command("convert", epilog=convert.EPILOG)(convert.convert)
app.command("pack", epilog=pack.EPILOG)(pack.pack)
app.command("calib", epilog=calib.EPILOG)(calib.calib)


@app.command("list", epilog="Examples: edgectl data list · EDGECTL_DATA=/sets edgectl data list")
def list_sets(ctx: typer.Context) -> None:
    """Data sets known by name, and where they are."""
    session: Session = ctx.obj
    session.command = "data list"

    from rich.table import Table

    from edgectl.data.catalog.opening import find_local

    rows = []
    table = Table("name", "here", "licence", "summary", box=None)
    for offer in build_registry().datasets.offers:
        info = offer.info
        local = find_local(info)
        obtained = "generated on first use" if info.generate else "downloaded on first use"
        where = str(local) if local else obtained
        table.add_row(info.name, where, info.licence, info.summary)
        rows.append(
            {
                "name": info.name,
                "directory": str(local) if local else None,
                "url": info.url,
                "licence": info.licence,
                "summary": info.summary,
                "distribution": offer.plugin.distribution,
            }
        )
    session.data = {"datasets": rows}
    if not session.json:
        session.say(table)


@app.command(epilog="Examples: edgectl data info coco_mask · edgectl data info ./my_images --json")
def info(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
) -> None:
    """Images, boxes, classes and sizes of every split."""
    session: Session = ctx.obj
    session.command = "data info"

    from edgectl.data.inspect.stats import describe
    from edgectl.workflows.opening.configuration import resolve_config
    from edgectl.workflows.opening.datasets import open_data

    facts = describe(open_data(session.open_context(), data, resolve_config({}, {}, [])))
    session.data = facts
    if not session.json:
        _say(session, facts)


def _say(session: Session, facts: dict[str, Any]) -> None:
    from rich.table import Table

    session.say(f"{facts['name']} ({facts['format']}): {', '.join(facts['classes'])}")
    table = Table("split", "images", "empty", "boxes", "classes", "small/medium/large", box=None)
    for name, part in facts["splits"].items():
        classes = ", ".join(f"{c['name']} {c['count']}" for c in part["classes"])
        sizes = "/".join(str(n) for n in part["sizes"].values())
        counts = (str(part[k]) for k in ("images", "empty_images", "boxes"))
        table.add_row(name, *counts, classes, sizes)
    session.say(table)
