"""``edgectl profile``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edgectl.cli.session import Session
from edgectl.errors import ArtifactError, UsageError
from edgectl.plugins.registry import build_registry

if TYPE_CHECKING:
    from edgectl.backends.cost import Profile
    from edgectl.plugins.registry import Registry

app = typer.Typer(add_completion=False)

_SHOWN = 15
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
    registry = build_registry()
    if target is not None and target in registry.families.names():
        if overlay is not None:
            raise _nothing_to_overlay(target)
        found = _of_family(registry, target, variant, imgsz, classes)
    else:
        path = None if target is None else Path(target)
        bare = path is not None and registry.backend_of(path) is not None
        if variant or (imgsz and not bare):
            raise UsageError(
                "--variant and --imgsz are for families; a trained model has its own",
                where=str(target),
            )
        found = _of_model(registry, path, imgsz, overlay=overlay is not None)
    session.data = found.to_dict()
    if overlay is not None:
        _write_overlay(overlay, found)
    if not session.json:
        _say(session, found, len(found.layers) if everything else _SHOWN)


def _of_family(
    registry: Registry, name: str, variant: str, imgsz: str | None, classes: int
) -> Profile:
    from edgectl.backends.cost import profile_network
    from edgectl.config.layers import validate
    from edgectl.workflows.opening.configuration import parse_size
    from edgectl.workflows.opening.families import check_size, open_family

    opened = open_family(registry, name)
    chosen = opened.variant(variant)
    size = parse_size(imgsz) if imgsz else chosen.default_input_size
    check_size(size, chosen)
    table = opened.family.presets(chosen.name).get("model", {})
    config = validate(opened.family.config_type, table, prefix="model.")
    return profile_network(opened.family.build(config, num_classes=classes), size)


def _of_model(
    registry: Registry, path: Path | None, imgsz: str | None, *, overlay: bool
) -> Profile:
    from edgectl.backends.contract import CostReader
    from edgectl.backends.cost import profile_network
    from edgectl.config.schema import RunConfig
    from edgectl.workflows.opening.backends import open_backend
    from edgectl.workflows.opening.configuration import parse_size
    from edgectl.workflows.opening.models import open_model

    foreign = None if path is None else registry.backend_of(path)
    if path is not None and foreign is not None:
        reader = open_backend(registry, foreign, RunConfig()).backend
        assert isinstance(reader, CostReader)
        return reader.cost(path, parse_size(imgsz) if imgsz else None)
    opened = open_model(registry, path, prefer_artifact=False)
    if opened.artifact is None:
        if overlay:
            raise _nothing_to_overlay(str(opened.location.path))
        assert opened.trained is not None
        return profile_network(opened.trained.model, opened.trained.preprocess.input_size)
    backend = open_backend(registry, opened.artifact.backend, opened.config).backend
    if not isinstance(backend, CostReader):
        raise ArtifactError(
            f"{opened.artifact.backend} does not say what its files cost",
            where=str(opened.artifact.directory),
            fix="profile the checkpoint it was exported from",
        )
    return backend.cost(opened.artifact.model_file, None)


def _nothing_to_overlay(where: str) -> UsageError:
    return UsageError(
        "--overlay colors the nodes of an exported file; this is none",
        where=where,
        fix="export it, and name the artifact: edgectl profile ARTIFACT --overlay FILE",
    )


def _write_overlay(path: Path, found: Profile) -> None:
    """Model Explorer's node data: a value an output tensor, colored by share of the largest."""
    from edgectl.files import replacing_file

    results = {layer.name: {"value": layer.macs} for layer in found.layers}
    gradient = [{"stop": 0, "bgColor": "white"}, {"stop": 1, "bgColor": "orangered"}]
    document = {"main": {"results": results, "gradient": gradient}}
    with replacing_file(path) as out:
        out.write(json.dumps(document, indent=1).encode())


def _say(session: Session, found: Profile, shown: int) -> None:
    from rich.table import Table

    total = max(1, found.macs)
    table = Table(box=None)
    table.add_column("layer", overflow="fold", min_width=20)
    table.add_column("op")
    table.add_column("output", no_wrap=True)
    for heading in ("params", "M MACs", "share", "KB moved", "MACs/B"):
        table.add_column(heading, justify="right")
    ranked = sorted(range(len(found.layers)), key=lambda i: -found.layers[i].macs)
    for i in sorted(ranked[:shown]):
        c = found.layers[i]
        table.add_row(
            c.name,
            c.op,
            "x".join(map(str, c.shape[1:])),
            f"{c.params:,}",
            f"{c.macs / 1e6:.2f}",
            f"{c.macs / total:.1%}",
            f"{(c.bytes_read + c.bytes_written) / 1e3:,.0f}",
            f"{c.intensity:.1f}",
        )
    session.say(table)
    hidden = len(found.layers) - shown
    if hidden > 0:
        session.say(f"and {hidden} layers that cost less (--all shows them)")
    session.say(
        f"[bold]{found.params:,}[/bold] parameters, [bold]{found.macs / 1e6:,.2f}[/bold] M MACs, "
        f"{found.activation_peak_bytes:,} bytes of activations at the peak",
        markup=True,
    )
