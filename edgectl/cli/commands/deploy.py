"""``edgectl deploy``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from edgectl.cli.session import Session
from edgectl.errors import UsageError


class _DeployGroup(TyperGroup):
    """``deploy verify`` is a command of its own; every other word is about a bundle."""

    default_command = "bundle"
    """What is meant where no command is named; completion offers its options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the name of the bundle's command in front where none is named."""
        return super().parse_args(
            ctx, args if args[:1] and args[0] in self.commands else [self.default_command, *args]
        )


app = typer.Typer(cls=_DeployGroup, add_completion=False)

_EPILOG = """Examples:

edgectl deploy --target grove-vision-ai-v2

edgectl deploy runs/train/resnet-001 --target maixii-dock --converted maixhub_result.zip

edgectl deploy --target nicla-vision --fit --family fomo --imgsz 192

edgectl deploy verify --cpu m55

Exit code 4 when the model does not fit the board, its firmware would misread it, or 'verify' finds a
difference."""
_VERIFY_EPILOG = """Examples:

edgectl deploy verify

edgectl deploy verify runs/train/fomo-001 --cpu m4 --cpu m55

edgectl deploy verify BUNDLE --serial dump.txt"""


@app.command("bundle", epilog=_EPILOG)
def deploy(
    ctx: typer.Context,
    model: Path | None = typer.Argument(None, help="Run or artifact; default: the latest run's."),
    target: str = typer.Option(..., help="One of 'edgectl boards'."),
    out: Path | None = typer.Option(None, help="Default: deploy/BOARD beside the artifact."),
    converted: Path | None = typer.Option(
        None, help="What a vendor's online converter returned, a zip."
    ),
    data: str | None = typer.Option(None, help="Where the run's data set is now, if it has moved."),
    firmware: str = typer.Option(
        "maker", help="own: the bundle's program runs, not the firmware the board came with."
    ),
    fit: bool = typer.Option(
        False, "--fit", help="Only say whether it would fit; with --family before any training."
    ),
    family: str | None = typer.Option(None, help="With --fit: a family in place of MODEL."),
    variant: str = typer.Option("", help="Of the family; default: the one it prefers."),
    imgsz: str | None = typer.Option(None, help='Of the family, "N" or "H W".'),
    classes: int = typer.Option(2, min=1, help="Of the family: how many it tells apart."),
    backend: str | None = typer.Option(None, help="With --fit: one of those the board runs."),
) -> None:
    """Everything a board needs: model, code, golden vectors to compare with."""
    session: Session = ctx.obj

    from edgectl.cli.views.deploy import say_bundle, say_fit
    from edgectl.workflows.deploy import deploy as run
    from edgectl.workflows.fit import fit as ask

    if fit or family is not None:
        session.deliver(
            lambda: ask(
                model,
                target=target,
                family=family,
                variant=variant,
                imgsz=imgsz,
                classes=classes,
                backend=backend,
                console=session,
                offline=session.offline,
            ),
            say_fit,
        )
        return
    if variant or imgsz is not None or backend is not None:
        raise UsageError(
            "--variant, --imgsz and --backend are for --fit; a trained model has its own",
            where="--fit",
            fix="add --fit, or leave them out",
        )

    session.deliver(
        lambda: run(
            model,
            target=target,
            out=out,
            converted=converted,
            data=data,
            firmware=firmware,
            console=session,
            offline=session.offline,
        ),
        say_bundle,
    )


@app.command("verify", epilog=_VERIFY_EPILOG)
def verify(
    ctx: typer.Context,
    bundle: Path | None = typer.Argument(
        None, help="Bundle, artifact or run; default: the latest run's."
    ),
    cpu: list[str] = typer.Option(
        ["m4"], help="m4, m7, m33, m55 (in QEMU) or host; several times for several."
    ),
    serial: Path | None = typer.Option(None, help="What a real board printed, as text."),
) -> None:
    """Compile a bundle, run it on golden images, and compare every byte."""
    session: Session = ctx.obj
    session.command = "deploy verify"

    from edgectl.cli.views.verify import say_checks
    from edgectl.workflows.verification import verify_bundle

    session.deliver(
        lambda: verify_bundle(
            bundle, cpus=cpu, serial=serial, console=session, offline=session.offline
        ),
        say_checks,
    )
