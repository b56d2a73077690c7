"""``edgectl train``: on one device, or on several of one or more machines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgectl.cli.ranks import launch_command, reporting
from edgectl.cli.session import Session, plain
from edgectl.errors import UsageError
from edgectl.workflows.opening.configuration import parse_size
from edgectl.workflows.opening.families import open_family
from edgectl.workflows.training_plan import plan_new_run, plan_resume

if TYPE_CHECKING:
    from edgectl.train.result import FitResult

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
    flags = _table(
        {
            "data.name": data or None,
            "variant": variant or None,
            "input_size": None if imgsz is None else list(parse_size(imgsz)),
            "train.epochs": epochs,
            "train.batch": batch,
            "train.optimizer.lr": lr,
            "train.weights": weights,
            "train.device": device,
            "train.devices": devices,
            "train.seed": seed,
        }
    )
    with reporting(session) as report:
        context = session.open_context()
        registry = context.registry
        if resume is not None:
            plan = plan_resume(registry, resume, family, flags, assignments, name)
        elif family:
            plan = plan_new_run(open_family(registry, family), flags, assignments, name)
        else:
            raise UsageError(
                "which family?", fix="edgectl train FAMILY --data DATA; see 'edgectl models'"
            )

        from edgectl.train.distributed.launch import Machines, check_machines
        from edgectl.train.distributed.processes import Processes
        from edgectl.workflows.training_run import run_training

        if report.speaks and plan.note:
            session.note(plan.note)
        machines = Machines(plan.config.train.devices, nodes, rdzv, node_rank)
        processes = Processes.from_environment()
        if not processes.is_distributed:
            machines.check()
        if processes.is_distributed or machines.world == 1:
            figures = document(run_training(context, plan, processes, report.opened))
            report.done(figures)
        else:
            check_machines(machines, plan.config.train)
            figures = launch_command(session, machines, plan.config.train.threads)
        if report.speaks:
            session.data = figures
            if not session.json:
                session.say(summary(figures), markup=True)


def document(result: FitResult) -> dict[str, Any]:
    """``data`` of ``train --json``."""
    return {
        "run": str(result.run),
        "best": str(result.best),
        "last": str(result.last),
        "epochs": result.epochs,
        "seconds": round(result.seconds, 2),
        "images_per_second": round(result.images_per_second, 1),
        "metrics": result.metrics,
    }


def summary(figures: dict[str, Any]) -> str:
    """Two lines for people, of :func:`document`, with markup."""
    metrics = "  ".join(
        f"{k} {v:.3f}" for k, v in figures["metrics"].items() if isinstance(v, int | float)
    )
    run = plain(str(figures["run"]))
    return (
        f"[bold]{run}[/bold]: {figures['epochs']} epochs in {figures['seconds']:.1f} s, "
        f"{figures['images_per_second']:.0f} images/s\n  valid: {metrics}"
    )


def _table(flat: dict[str, Any]) -> dict[str, Any]:
    """Dotted keys to a nested table, leaving out what was not given."""
    table: dict[str, Any] = {}
    for key, value in flat.items():
        if value is None:
            continue
        *path, last = key.split(".")
        inner = table
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return table
