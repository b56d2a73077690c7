"""``edgectl models``."""

from __future__ import annotations

import typer
from rich.table import Table

from edgectl.cli.session import Session
from edgectl.plugins.registry import build_registry

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: edgectl models · edgectl models --json")
def models(ctx: typer.Context) -> None:
    """Model families and variants installed here."""
    session: Session = ctx.obj
    registry = build_registry()
    table = Table("family", "variant", "task", "default size", "stride", "summary", box=None)
    rows = []
    for offer in registry.families.offers:
        family = offer.info
        for variant in family.variants:
            default = variant.name == family.default_variant
            height, width = variant.default_input_size
            table.add_row(
                family.name,
                variant.name + (" (default)" if default else ""),
                family.task,
                f"{height}x{width}",
                str(variant.output_stride),
                variant.summary,
            )
            rows.append(
                {
                    "family": family.name,
                    "variant": variant.name,
                    "default": default,
                    "task": family.task,
                    "input_size": [height, width],
                    "output_stride": variant.output_stride,
                    "summary": variant.summary,
                    "distribution": offer.plugin.distribution,
                }
            )
    session.data = {"models": rows}
    if not session.json:
        session.say(table if rows else "no model family is installed")
