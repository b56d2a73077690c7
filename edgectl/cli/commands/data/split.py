"""``edgectl data split``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.commands.data.options import Assignments, Images
from edgectl.cli.session import Session

EPILOG = "Example: edgectl data split ./my_images ./my_split --valid 0.2 --test 0.1"


def split(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    out: Path = typer.Argument(help="A new directory."),
    valid: float = typer.Option(0.2, min=0.0, max=0.9),
    test: float = typer.Option(0.0, min=0.0, max=0.9),
    seed: int = typer.Option(0, min=0),
    to: str = typer.Option("", "--to", help="Format; default: the set's own."),
    images: Images = "",
    assignments: Assignments = [],  # noqa: B006 - typer copies it
) -> None:
    """Split a set anew: classes and sizes alike in every part, near-duplicates together."""
    session: Session = ctx.obj
    session.command = "data split"

    from edgectl.cli.views.data.written import say_split
    from edgectl.workflows.data.split import split_data

    session.deliver(
        lambda: split_data(
            data,
            out,
            valid=valid,
            test=test,
            seed=seed,
            to=to,
            images=images or None,
            set=assignments,
            console=session,
            offline=session.offline,
        ),
        say_split,
    )
