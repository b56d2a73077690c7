"""``edgectl demo``: the whole line on a generated data set."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Example: edgectl demo --out demo. Exit code 4: the figures differ by over .01."
)
def demo(
    ctx: typer.Context,
    out: Path = typer.Option(Path("demo"), help="Everything is written below this directory."),
    epochs: int = typer.Option(24, min=1),
    imgsz: str = typer.Option("96", help="Input size: H W, or N for N N."),
    seed: int = typer.Option(0, min=0),
) -> None:
    """Train, export to int8, score the exported file on every runtime, report. Needs no network."""
    session: Session = ctx.obj

    from edgectl.cli.views.demo import say_demo
    from edgectl.workflows.demo import demo as run

    session.deliver(
        lambda: run(out=out, epochs=epochs, imgsz=imgsz, seed=seed, console=session),
        lambda session, found: say_demo(session, found, out),
    )
