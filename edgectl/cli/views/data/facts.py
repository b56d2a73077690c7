"""What ``edgectl data list`` and ``data info`` show people."""

from __future__ import annotations

from rich.table import Table

from edgectl.cli.session import Session
from edgectl.workflows.data.catalog import Catalog
from edgectl.workflows.data.info import DataFacts


def say_catalog(session: Session, catalog: Catalog) -> None:
    """A row a set."""
    table = Table("name", "here", "licence", "summary", box=None)
    for s in catalog.sets:
        obtained = "generated on first use" if s.generated else "downloaded on first use"
        where = str(s.directory) if s.directory else obtained
        table.add_row(s.name, where, s.licence, s.summary)
    session.say(table)


def say_facts(session: Session, found: DataFacts) -> None:
    """Images, boxes, classes and sizes of every split."""
    facts = found.facts
    session.say(f"{facts['name']} ({facts['format']}): {', '.join(facts['classes'])}")
    table = Table("split", "images", "empty", "boxes", "classes", "small/medium/large", box=None)
    for name, part in facts["splits"].items():
        classes = ", ".join(f"{c['name']} {c['count']}" for c in part["classes"])
        sizes = "/".join(str(n) for n in part["sizes"].values())
        counts = (str(part[k]) for k in ("images", "empty_images", "boxes"))
        table.add_row(name, *counts, classes, sizes)
    session.say(table)
