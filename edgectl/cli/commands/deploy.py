"""``edgectl deploy``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edgectl.cli.session import Session, plain
from edgectl.errors import UsageError
from edgectl.plugins.absent import explain_missing_plugins

if TYPE_CHECKING:
    from edgectl.labels import Sample

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl deploy --target grove-vision-ai-v2

edgectl deploy runs/train/resnet-001 --target maixii-dock --converted maixhub_result.zip

Exit code 4 when the model does not fit the board."""


@app.command(epilog=_EPILOG)
def deploy(
    ctx: typer.Context,
    model: Path | None = typer.Argument(None, help="Run or artifact; default: the latest run's."),
    target: str = typer.Option(..., help="One of 'edgectl boards'."),
    out: Path | None = typer.Option(None, help="Default: deploy/BOARD beside the artifact."),
    converted: Path | None = typer.Option(
        None, help="What a vendor's online converter returned, a zip."
    ),
) -> None:
    """Everything a board needs: model, code, golden vectors to compare with."""
    session: Session = ctx.obj

    from edgectl.deploy.bundle import write_bundle
    from edgectl.workflows.opening.backends import open_backend
    from edgectl.workflows.opening.datasets import data_for
    from edgectl.workflows.opening.models import open_model

    context = session.open_context()
    registry = context.registry
    board = registry.boards.get(target)
    opened = open_model(registry, model, prefer_artifact=True)
    if opened.artifact is None:
        raise UsageError(
            "nothing exported to deploy",
            where=str(opened.location.path),
            fix=f"edgectl export --backend {board.backend}",
        )
    with explain_missing_plugins(opened.versions):
        backend = open_backend(registry, opened.artifact.backend, opened.config)
    samples: tuple[Sample, ...] = ()
    if opened.artifact.manifest.data.name:
        index = data_for(context, opened, None)
        samples = index.splits.get(opened.config.data.valid_split, ())
    bundle = write_bundle(
        opened.artifact,
        board,
        backend.backend,
        backend.info,
        out or opened.artifact.directory.parent.parent / "deploy" / board.name,
        samples=samples,
        converted=converted,
    )
    if bundle.fit.ram_unknown:
        session.warn(f"RAM is not checked: {bundle.fit.ram_unknown}")
    session.data = {
        "bundle": str(bundle.directory),
        "board": board.name,
        "files": bundle.files,
        "fit": bundle.fit.to_dict(),
    }
    if session.json:
        return
    session.say(f"[bold]{plain(str(bundle.directory))}[/bold]", markup=True)
    for f in bundle.files:
        if not f["path"].startswith("golden/"):
            session.say(f"  {f['path']}  {f['bytes']:,} bytes")
    golden = sum(f["path"].endswith(".rgb") for f in bundle.files)
    session.say(f"  golden/  {golden} images and their outputs")
    session.say(f"fits: {bundle.fit}")
