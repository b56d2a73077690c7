"""``edgectl data``: its sub-commands, and the two smallest of them."""

from __future__ import annotations

import typer

from edgectl.cli.commands.data import calib, check, convert, pack, preview, split, stats
from edgectl.cli.commands.data.options import Assignments, Images
from edgectl.cli.session import Session

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

    from edgectl.cli.views.data.facts import say_catalog
    from edgectl.workflows.data.catalog import list_data

    session.deliver(list_data, say_catalog)


@app.command(epilog="Examples: edgectl data info coco_mask · edgectl data info ./my_images --json")
def info(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    images: Images = "",
    assignments: Assignments = [],  # noqa: B006 - typer copies it
) -> None:
    """Images, boxes, classes and sizes of every split."""
    session: Session = ctx.obj
    session.command = "data info"

    from edgectl.cli.views.data.facts import say_facts
    from edgectl.workflows.data.info import describe_data

    session.deliver(
        lambda: describe_data(
            data, images=images or None, set=assignments, console=session, offline=session.offline
        ),
        say_facts,
    )
