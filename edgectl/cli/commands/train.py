"""``edgectl train``: on one device, or on several of one or more machines."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgectl.cli.ranks import Report, launch_command, reporting
from edgectl.cli.session import Session, plain
from edgectl.cli.wiring import (
    OpenFamily,
    apply_overrides,
    check_size,
    open_data,
    open_family,
    parse_size,
    resolve_config,
)
from edgectl.errors import ConfigError, UsageError
from edgectl.plugins.registry import Registry, build_registry

if TYPE_CHECKING:
    from edgectl.config.schema import RunConfig
    from edgectl.runs.checkpoint import Checkpoint
    from edgectl.runs.rundir import RunDirectory
    from edgectl.train.distributed.processes import Processes
    from edgectl.train.result import FitResult
    from edgectl.train.setup import TrainSetup

app = typer.Typer(add_completion=False)

_SHEET = 16
"""Images on the sheet of what training sees."""

_EPILOG = """Examples:

edgectl train fomo --data coco_mask

edgectl train fomo --data ./my_images --imgsz 96 --epochs 50 --set train.optimizer.lr=0.005

edgectl train rtmdet --data coco2017 --devices 8 --batch 256 --set train.scale_lr=true"""


@dataclass(frozen=True)
class Plan:
    """What to train, before any data is read. ``checkpoint``: of the run to continue; ``name``: of
    the one to begin."""

    family: OpenFamily
    config: RunConfig
    run: RunDirectory | None = None
    checkpoint: Checkpoint | None = None
    name: str | None = None
    note: str = ""


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
        registry = build_registry()
        if resume is not None:
            plan = resumed(registry, resume, family, flags, assignments, name)
        elif family:
            plan = plan_new_run(open_family(registry, family), flags, assignments, name)
        else:
            raise UsageError(
                "which family?", fix="edgectl train FAMILY --data DATA; see 'edgectl models'"
            )

        from edgectl.train.distributed.launch import Machines, check_machines
        from edgectl.train.distributed.processes import Processes

        if report.speaks and plan.note:
            session.note(plan.note)
        machines = Machines(plan.config.train.devices, nodes, rdzv, node_rank)
        processes = Processes.from_environment()
        if not processes.is_distributed:
            machines.check()
        if processes.is_distributed or machines.world == 1:
            figures = document(execute(session, registry, plan, processes, report))
            report.done(figures)
        else:
            check_machines(machines, plan.config.train)
            figures = launch_command(session, machines, plan.config.train.threads)
        if report.speaks:
            session.data = figures
            if not session.json:
                session.say(summary(figures), markup=True)


def start_run(
    session: Session,
    registry: Registry,
    family: OpenFamily,
    flags: dict[str, Any],
    assignments: list[str],
) -> FitResult:
    """Resolves the configuration, opens the data, trains on one device."""
    from edgectl.train.distributed.processes import Processes

    return execute(
        session, registry, plan_new_run(family, flags, assignments), Processes(), Report()
    )


def plan_new_run(
    family: OpenFamily, flags: dict[str, Any], assignments: list[str], name: str | None = None
) -> Plan:
    """A new run."""
    # the variant decides the preset, and may itself come from any layer
    probe = resolve_config({}, flags, assignments)
    variant = family.variant(probe.variant)
    preset: dict[str, Any] = {"family": family.info.name, "variant": variant.name}
    preset |= family.family.presets(variant.name)
    config = resolve_config(preset, flags, assignments)
    config = config.model_copy(
        update={
            "family": family.info.name,
            "variant": variant.name,
            "input_size": config.input_size or variant.default_input_size,
        }
    )
    assert config.input_size is not None
    check_size(config.input_size, variant)
    note = ""
    if config.train.scale_lr:
        config, note = scaled(config, preset.get("train", {}).get("batch"))
    return Plan(family, config, name=name, note=note)


def scaled(config: RunConfig, own_batch: int | None) -> tuple[RunConfig, str]:
    """The linear rule (Goyal et al., 2017, arXiv:1706.02677), and what it did in words. The rule is
    switched off in the result, which can be used again as it is.

    Args:
        own_batch: the batch the learning rate is meant for; None: the default one.
    """
    train, base = config.train, own_batch or type(config.train)().batch
    lr = train.optimizer.lr * train.batch / base
    note = f"learning rate {lr:g} = {train.optimizer.lr:g} x {train.batch} / {base}"
    optimizer = train.optimizer.model_copy(update={"lr": lr})
    train = train.model_copy(update={"optimizer": optimizer, "scale_lr": False})
    return config.model_copy(update={"train": train}), note


def resumed(
    registry: Registry,
    run: Path,
    family_name: str,
    flags: dict[str, Any],
    assignments: list[str],
    name: str | None,
) -> Plan:
    """A run from its ``last.pt`` on, with the configuration it began with."""
    from edgectl.config.schema import RunConfig
    from edgectl.runs.checkpoint import Checkpoint
    from edgectl.runs.rundir import RunDirectory, through_latest

    if name is not None:
        raise UsageError("a resumed run keeps its name", where="--name", fix="leave --name out")
    run = through_latest(run)
    directory = RunDirectory(run)
    if not directory.last.is_file():
        raise UsageError(
            "no checkpoint to resume from", where=str(directory.last), fix="name a run directory"
        )
    checkpoint = Checkpoint.load(directory.last)
    if family_name and family_name != checkpoint.family:
        raise ConfigError(
            f"the run trains {checkpoint.family}, not {family_name}",
            where=str(run),
            fix=f"edgectl train --resume {run}",
        )
    family = open_family(registry, checkpoint.family)
    stored = RunConfig.model_validate(checkpoint.config, strict=False)
    config = apply_overrides(stored, flags, assignments)
    return Plan(family, config, directory, checkpoint)


def execute(
    session: Session, registry: Registry, plan: Plan, processes: Processes, report: Report
) -> FitResult:
    """Opens the data and trains, alone or as one of several processes."""
    from edgectl.cli.training import make_setup
    from edgectl.runs.rundir import (
        RunDirectory,
        create_run,
        keep_if_resumable,
        pointed_at,
        set_latest,
    )
    from edgectl.train.device import choose_device
    from edgectl.train.loop import Trainer
    from edgectl.train.progress import choose_reporter

    config, runs = plan.config, (Path.cwd() / "runs").resolve()
    if processes.is_distributed:
        processes.join(choose_device(config.train.device))
    with processes.rank0_first():
        index = open_data(registry, config.data.name, config, session)
        resuming = plan.checkpoint is not None
        setup = make_setup(session, plan.family, config, index, processes, resuming=resuming)
    path: Path | None = None
    begins = processes.is_main and plan.run is None
    previous = pointed_at()
    if begins:
        path = create_run(plan.family.info.name, name=plan.name).path
    elif processes.is_main and plan.run is not None:
        path = plan.run.path
        if path.resolve().is_relative_to(runs):
            set_latest(path.resolve(), root=runs)
    path = processes.broadcast(path)
    assert path is not None
    run = RunDirectory(path)
    report.opened(run)
    # of several processes, what each wrote lies in the run and says why it ended
    alone = begins and not processes.is_distributed
    with keep_if_resumable(run, previous) if alone else nullcontext():
        if begins:
            if index.made_splits:
                run.write_splits({"made": index.made_splits, "files": index.files()})
            write_sheet(setup, run)
        result = Trainer(setup, choose_reporter(), processes).fit(run, resume=plan.checkpoint)
    processes.leave()
    return result


def write_sheet(setup: TrainSetup, run: RunDirectory) -> None:
    """``plots/images.png``: what the network is about to see, for the report."""
    from edgectl.data.inspect.sheet import batch_images, contact_sheet, png
    from edgectl.data.loading.loader import Batch
    from edgectl.files import replacing_file

    shown: list[Any] = []
    batches = setup.train.epoch(0, total_epochs=max(1, setup.config.train.epochs))
    for batch in batches:
        assert isinstance(batch, Batch)
        shown += batch_images(batch, setup.classes)
        if len(shown) >= _SHEET:
            break
    if isinstance(batches, Generator):
        batches.close()  # the loader's thread ends with it
    run.plots.mkdir(parents=True, exist_ok=True)
    with replacing_file(run.plots / "images.png") as f:
        f.write(png(contact_sheet(shown[:_SHEET], setup.classes)))


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
