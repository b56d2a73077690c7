"""The table of ``edgectl bench``."""

from __future__ import annotations

from rich.table import Table

from edgectl.cli.session import Session
from edgectl.workflows.bench import Benchmark


def say_rows(session: Session, found: Benchmark) -> None:
    """One row a file."""
    table = Table(box=None)
    table.add_column("model", overflow="fold")
    for heading in ("precision", "runtime", "bytes", "arena", "ms", "metric"):
        table.add_column(heading, justify="right")
    for r in found.rows:
        metric = "" if r.metric is None else f"{r.metric_name} {r.metric:.4f}"
        arena = "" if r.arena_bytes is None else f"{r.arena_bytes:,}"
        table.add_row(
            r.model,
            r.precision or "",
            f"{r.backend} {r.runtime}",
            f"{r.bytes:,}",
            arena,
            f"{r.latency_ms:.2f}",
            metric,
        )
    session.say(table)
