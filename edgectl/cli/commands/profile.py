"""``edgectl profile``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session

app = typer.Typer(add_completion=False)

_MOST_CLASSES = 1 << 16
"""Three times the classes of the largest public set: more is a slip that asks for all memory there is."""

_EPILOG = """Examples:

edgectl profile fomo --imgsz 96

edgectl profile runs/train/fomo-001 --json

edgectl profile runs/train/fomo-001/export/tflite-int8 --overlay macs.json

One MAC is one multiplication with its addition; norms and activations count none."""


@app.command(epilog=_EPILOG)
def profile(
    ctx: typer.Context,
    target: str | None = typer.Argument(
        None, help="A family, run, checkpoint or artifact; default: the latest run."
    ),
    variant: str = typer.Option("", help="Of a family; default: its default variant."),
    imgsz: str | None = typer.Option(
        None, help="Of a family (default: the variant's), or of a bare file that states none."
    ),
    classes: int = typer.Option(80, min=1, max=_MOST_CLASSES, help="Of a family."),
    everything: bool = typer.Option(False, "--all", help="Every layer, not the costliest."),
    overlay: Path | None = typer.Option(
        None, help="Of an artifact: node data for Model Explorer, MACs a layer."
    ),
) -> None:
    """Parameters, multiply-accumulates, memory and traffic, layer by layer."""
    session: Session = ctx.obj

    from edgectl.cli.views.profile import say_profile
    from edgectl.workflows.profile import profile as run

    session.deliver(
        lambda: run(
            target,
            variant=variant,
            imgsz=imgsz,
            classes=classes,
            overlay=overlay,
            console=session,
            offline=session.offline,
        ),
        lambda session, found: say_profile(session, found, everything=everything),
    )
