"""Finds what would spoil training or scores, before it does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgectl.data.formats.tolerance import tolerant
from edgectl.data.inspect.checks import Evidence, run_checks
from edgectl.data.inspect.findings import Finding
from edgectl.data.inspect.repair import write_repaired
from edgectl.data.inspect.survey import survey
from edgectl.errors import DataError, EdgectlError
from edgectl.workflows.arguments import PathLike, Settings, SizeLike, read_size
from edgectl.workflows.console import Console
from edgectl.workflows.data.configuration import resolve_data_config
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.datasets import open_data


@dataclass(frozen=True)
class DataReport:
    """What was found in a data set.

    Attributes:
        root: its directory.
        findings: each with severity (error, warning, note), kind, file and detail; worst first.
        images: how many were looked at.
        repaired: the repaired copy's directory and what became of the images, where one was asked for.
    """

    name: str
    root: Path
    findings: tuple[Finding, ...]
    images: int
    repaired: dict[str, Any] | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each severity."""
        counts = Counter(f.severity for f in self.findings)
        return {s: counts[s] for s in ("error", "warning", "note")}

    def require_no_errors(self) -> None:
        """Raises DataError where there are errors and no repaired copy."""
        errors = self.counts["error"]
        if errors and self.repaired is None:
            first = self.findings[0]
            raise DataError(
                f"{errors} errors in '{self.name}', the first: {first.kind}: {first.detail}",
                where=first.file or str(self.root),
                fix="edgectl data check DATA --fix DIRECTORY writes a copy with all that can be kept",
            )

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``data check --json``."""
        return {
            "findings": [vars(f) for f in self.findings],
            "counts": self.counts,
            "images": self.images,
            "repaired": self.repaired,
        }


def check_data(
    data: PathLike,
    *,
    imgsz: SizeLike = 192,
    cell: float = 8.0,
    fix: PathLike | None = None,
    format: str = "auto",  # noqa: A002 - what the command calls --from
    images: PathLike | None = None,
    set: Settings = (),  # noqa: A002 - what the command calls it
    console: Console | None = None,
    offline: bool = False,
) -> DataReport:
    """``edgectl data check``: each argument is its option, ``format`` is ``--from``. Errors in the data
    are in the report; :meth:`DataReport.require_no_errors` raises them.

    Args:
        data: a catalog name, a directory or an annotation file.
        imgsz: input size of the network in mind. cell: its finest stride, in pixels.
        images: directory of the images, where it is not beside the labels. set: configuration keys.
        fix: a directory for a repaired copy with all that can be kept.

    Raises:
        DataError: no data set, or labels that cannot be read at all.
    """
    context, size = open_context(console, offline), read_size(imgsz)
    with tolerant():
        config = resolve_data_config(set, images, format)
        index = open_data(context, str(data), config, quiet=True)
    total = index.count_images()
    with context.console.bar("reading images", total) as done:
        facts = survey(index, lambda: done(1))
    with context.console.bar("comparing images", total) as compared:
        found = run_checks(Evidence(index, facts, size, cell, lambda: compared(1)))
    report = DataReport(index.name, index.root, tuple(found), len(facts))
    if fix is None:
        return report
    try:
        with context.console.bar("repairing images", total) as repaired:
            written = write_repaired(index, facts, found, Path(fix), lambda: repaired(1))
    except EdgectlError as e:
        e.result = report
        raise
    return replace(report, repaired={"directory": str(fix), **written})
