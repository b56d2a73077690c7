"""``edgectl quant``: looking into a quantized network."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Which tensor costs what in integers."
)

_SHOWN = 15

_EPILOG = """Examples:

edgectl quant analyze --backend tflite

edgectl quant analyze runs/train/rtmdet-001 --backend tflite --html tensors.html

edgectl quant analyze --backend tflite --set quant.observer=minmax

Share: of the error at the heads, each tensor rounded alone and all else in float. Noise so far: of the
tensor, relative to its signal, with everything before it rounded too."""


@app.callback()
def _group() -> None:
    """Looks into a quantized network."""


@app.command(epilog=_EPILOG)
def analyze(
    ctx: typer.Context,
    model: Path | None = typer.Argument(None, help="Run or checkpoint; default: the latest run."),
    backend: str = typer.Option(..., help="One of 'edgectl plugins list'."),
    calib: str | None = typer.Option(
        None, help="Calibration images: DATA (its train split) or a directory of images."
    ),
    calib_images: int | None = typer.Option(None, min=1, help="How many."),
    everything: bool = typer.Option(False, "--all", help="Every tensor, not the worst."),
    html: Path | None = typer.Option(None, help="Write one self-contained page as well."),
    assignments: list[str] = typer.Option([], "--set", help="Any configuration key: a.b=c."),
) -> None:
    """Rank the tensors of the quantized network by what rounding each of them costs."""
    session: Session = ctx.obj
    session.command = "quant analyze"

    from edgectl.cli.views.quant import say_analysis
    from edgectl.workflows.analyze import analyze as run

    found = run(
        session.open_context(),
        model,
        backend,
        calib=calib,
        calib_images=calib_images,
        html=html,
        assignments=assignments,
    )
    session.data = found.to_dict()
    if not session.json:
        say_analysis(session, found, len(found.analysis.tensors) if everything else _SHOWN)
