"""What ``edgectl data stats`` shows people: a bar a count."""

from __future__ import annotations

from rich.table import Table

from edgectl.cli.session import Session
from edgectl.workflows.data.stats import DataStats

_BAR = 24


def say_histograms(session: Session, found: DataStats) -> None:
    """A table a property, a column a split."""
    document = found.histograms
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
