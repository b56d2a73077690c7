"""``edgectl data stats``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session

EPILOG = "Example: edgectl data stats coco_mask --imgsz 192 --out stats.png"

_BAR = 24


def stats(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    imgsz: str = typer.Option("192", help="Input size of the network in mind."),
    out: Path | None = typer.Option(None, help="PNG to write."),
) -> None:
    """Object sizes, shapes and crowding of every split."""
    session: Session = ctx.obj
    session.command = "data stats"

    from edgectl.data.inspect.histograms import histograms, plot
    from edgectl.data.inspect.stats import describe
    from edgectl.files import replacing_file
    from edgectl.workflows.opening.configuration import parse_size, resolve_config
    from edgectl.workflows.opening.datasets import open_data

    index = open_data(session.open_context(), data, resolve_config({}, {}, []))
    document = histograms(index, parse_size(imgsz))
    session.data = {**describe(index), "histograms": document}
    if out is not None:
        with replacing_file(out) as f:
            plot(document, f)
        session.data["plot"] = str(out)
    if session.json:
        return
    from rich.table import Table

    for key, edges in document["edges"].items():
        table = Table(key.replace("_", " "), box=None)
        for name in document["splits"]:
            table.add_column(name)
        for i, low in enumerate(edges[:-1]):
            row = []
            for tables in document["splits"].values():
                counts = tables[key]["counts"]
                share = counts[i] / max(1, sum(counts))
                row.append(f"{counts[i]:>6} {'█' * round(_BAR * share)}")
            if any(not cell.strip().startswith("0") for cell in row):
                high = edges[i + 1]
                table.add_row(f"{low:g} - {high:g}" if high is not None else f"{low:g} -", *row)
        session.say(table)
