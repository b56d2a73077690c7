"""``edgectl train``."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgectl.cli.session import Session
from edgectl.cli.wiring import (
    OpenFamily,
    check_size,
    open_data,
    open_family,
    parse_size,
    resolve_config,
)
from edgectl.errors import ConfigError, UsageError
from edgectl.plugins.registry import Registry, build_registry

if TYPE_CHECKING:
    from edgectl.train.result import FitResult
    from edgectl.train.rundir import RunDirectory
    from edgectl.train.setup import TrainSetup

app = typer.Typer(add_completion=False)

_SHEET = 16
"""Pictures on the sheet of what training sees."""

_EPILOG = """Examples:

edgectl train fomo --data coco_mask

edgectl train fomo --data ./my_pictures --imgsz 96 --epochs 50 --set train.optimizer.lr=0.005"""


@app.command(epilog=_EPILOG)
def train(
    ctx: typer.Context,
    family: str = typer.Argument("", help="A family of 'edgectl models'."),
    data: str = typer.Option("", help="Catalog name, directory or annotation file."),
    variant: str = typer.Option("", help="Size of the family; default: the family's."),
    epochs: int | None = typer.Option(None, min=0, help="0 takes pretrained weights as they are."),
    batch: int | None = typer.Option(None, min=1),
    imgsz: str | None = typer.Option(None, help="Input size: H W, or N for N N."),
    lr: float | None = typer.Option(None),
    weights: str | None = typer.Option(None, help="auto, none or a file."),
    device: str | None = typer.Option(None, help="cpu, cuda, npu, mps, xpu; default: auto."),
    devices: int = typer.Option(1, min=1),
    seed: int | None = typer.Option(None, min=0),
    resume: Path | None = typer.Option(None, help="A run directory: continue it."),
    name: str | None = typer.Option(None, help="Name of the run directory."),
    assignments: list[str] = typer.Option([], "--set", help="Any configuration key: a.b=c."),
) -> None:
    """Train a model family on labelled pictures."""
    session: Session = ctx.obj
    if devices > 1:
        raise UsageError(
            "training on several devices is planned, not built",
            where="--devices",
            fix="--devices 1",
        )
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
            "train.seed": seed,
        }
    )
    registry = build_registry()
    if resume is not None:
        result = continue_run(session, registry, resume, family, flags, assignments, name)
    else:
        if not family:
            raise UsageError(
                "which family?", fix="edgectl train FAMILY --data DATA; see 'edgectl models'"
            )
        opened = open_family(registry, family)
        result = start_run(session, registry, opened, flags, assignments, name)
    session.data = document(result)
    if not session.json:
        session.say(summary(result))


def start_run(
    session: Session,
    registry: Registry,
    family: OpenFamily,
    flags: dict[str, Any],
    assignments: list[str],
    name: str | None = None,
) -> FitResult:
    """Resolves the configuration, opens the data, trains."""
    # the variant decides the preset, and may itself come from any layer
    probe = resolve_config({}, flags, assignments)
    variant = family.variant(probe.variant)
    preset = {"family": family.info.name, "variant": variant.name}
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

    from edgectl.cli.training import make_setup
    from edgectl.train.loop import Trainer
    from edgectl.train.progress import choose_reporter
    from edgectl.train.rundir import create_run

    index = open_data(registry, config.data.name, config, session)
    setup = make_setup(session, family, config, index)
    run = create_run(family.info.name, name=name)
    if index.made_splits:
        run.write_splits({"made": index.made_splits, "files": index.files()})
    write_sheet(setup, run)
    return Trainer(setup, choose_reporter()).fit(run)


def write_sheet(setup: TrainSetup, run: RunDirectory) -> None:
    """``plots/pictures.png``: what the network is about to see, for the report."""
    from edgectl.data.loader import Batch
    from edgectl.data.sheet import batch_pictures, contact_sheet, png
    from edgectl.train.files import replacing_file

    shown: list[Any] = []
    batches = setup.train.epoch(0, total_epochs=max(1, setup.config.train.epochs))
    for batch in batches:
        assert isinstance(batch, Batch)
        shown += batch_pictures(batch, setup.classes)
        if len(shown) >= _SHEET:
            break
    if isinstance(batches, Generator):
        batches.close()  # the loader's thread ends with it
    run.plots.mkdir(parents=True, exist_ok=True)
    with replacing_file(run.plots / "pictures.png") as f:
        f.write(png(contact_sheet(shown[:_SHEET], setup.classes)))


def continue_run(
    session: Session,
    registry: Registry,
    run: Path,
    family_name: str,
    flags: dict[str, Any],
    assignments: list[str],
    name: str | None,
) -> FitResult:
    """Continues a run from its ``last.pt`` with the configuration it began with."""
    from edgectl.cli.training import make_setup
    from edgectl.cli.wiring import overridden
    from edgectl.config.schema import RunConfig
    from edgectl.train.checkpoint import Checkpoint
    from edgectl.train.loop import Trainer
    from edgectl.train.progress import choose_reporter
    from edgectl.train.rundir import RunDirectory, set_latest

    if name is not None:
        raise UsageError("a resumed run keeps its name", where="--name", fix="leave --name out")
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
    config = overridden(stored, flags, assignments)
    index = open_data(registry, config.data.name, config, session)
    setup = make_setup(session, family, config, index)
    if run.resolve().is_relative_to((Path.cwd() / "runs").resolve()):
        set_latest(run.resolve(), root=(Path.cwd() / "runs").resolve())
    return Trainer(setup, choose_reporter()).fit(directory, resume=checkpoint)


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


def summary(result: FitResult) -> str:
    """Two lines for people."""
    figures = "  ".join(
        f"{k} {v:.3f}" for k, v in result.metrics.items() if isinstance(v, int | float)
    )
    return (
        f"[bold]{result.run}[/bold]: {result.epochs} epochs in {result.seconds:.1f} s, "
        f"{result.images_per_second:.0f} pictures/s\n  valid: {figures}"
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
