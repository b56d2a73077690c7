"""``edgectl deploy``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session

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

    from edgectl.cli.views.deploy import say_bundle
    from edgectl.workflows.deploy import deploy as run

    session.deliver(
        lambda: run(
            model,
            target=target,
            out=out,
            converted=converted,
            console=session,
            offline=session.offline,
        ),
        say_bundle,
    )
