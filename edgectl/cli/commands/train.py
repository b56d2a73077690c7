"""``edgectl train``: on one device, or on several of one or more machines."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.commands.data.options import IMAGES_HELP
from edgectl.cli.ranks import reporting
from edgectl.cli.session import Session

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl train fomo --data coco_mask

edgectl train fomo --data ./my_images --imgsz 96 --epochs 50 --set train.optimizer.lr=0.005

edgectl train rtmdet --data coco2017 --devices 8 --batch 256 --set train.scale_lr=true"""


@app.command(epilog=_EPILOG)
def train(
    ctx: typer.Context,
    family: str = typer.Argument("", help="A family of 'edgectl models'."),
    data: str = typer.Option("", help="Catalog name, directory or annotation file."),
    images: str | None = typer.Option(None, help=IMAGES_HELP),
    variant: str = typer.Option("", help="Size of the family; default: the family's."),
    epochs: int | None = typer.Option(None, min=0, help="0 takes pretrained weights as they are."),
    batch: int | None = typer.Option(None, min=1, help="Of all devices together."),
    imgsz: str | None = typer.Option(None, help="Input size: H W, or N for N N."),
    lr: float | None = typer.Option(None),
    weights: str | None = typer.Option(None, help="auto, none or a file."),
    device: str | None = typer.Option(None, help="cpu, cuda, npu, mps, xpu; default: auto."),
    devices: int | None = typer.Option(None, min=1, help="Devices on each machine; default: 1."),
    nodes: int = typer.Option(1, min=1, help="Machines; start the command on each of them."),
    rdzv: str = typer.Option("", help="HOST:PORT of the first machine, where they meet."),
    node_rank: int | None = typer.Option(None, min=0, help="This machine's number, from 0."),
    seed: int | None = typer.Option(None, min=0),
    resume: Path | None = typer.Option(None, help="A run directory: continue it."),
    name: str | None = typer.Option(None, help="Name of the run directory."),
    assignments: list[str] = typer.Option([], "--set", help="Any configuration key: a.b=c."),
) -> None:
    """Train a model family on labelled images."""
    session: Session = ctx.obj
    with reporting(session) as report:
        from edgectl.cli.views.train import say_run
        from edgectl.workflows.train import train as run

        found = run(
            family,
            data=data,
            images=images,
            variant=variant,
            epochs=epochs,
            batch=batch,
            imgsz=imgsz,
            lr=lr,
            weights=weights,
            device=device,
            devices=devices,
            nodes=nodes,
            rdzv=rdzv,
            node_rank=node_rank,
            seed=seed,
            resume=resume,
            name=name,
            set=assignments,
            console=session,
            offline=session.offline,
            on_opened=report.opened,
        )
        report.done(found.to_dict())
        if report.speaks:
            session.deliver(lambda: found, say_run)
