"""Writes one self-contained HTML page about a run, or about two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgectl.artifacts.artifact import open_artifact
from edgectl.deploy.bundle import fit_of
from edgectl.errors import EdgectlError, Interruption
from edgectl.files import find_artifacts
from edgectl.metrics.bootstrap import compare
from edgectl.metrics.diagnosis import diagnose
from edgectl.report.documents import read_documents
from edgectl.report.evidence import Evidence, collect_evidence
from edgectl.report.page import Additions, Measured, Other, save_report
from edgectl.runs.rundir import latest_run, through_latest
from edgectl.tasks.lookup import task_info
from edgectl.workflows.arguments import PathLike, read_path
from edgectl.workflows.console import Console
from edgectl.workflows.evaluate import gather_evidence, name_model
from edgectl.workflows.opening.context import Context, open_context
from edgectl.workflows.opening.models import open_for_evaluation, open_model
from edgectl.workflows.opening.run_data import data_for

_MOST_IMAGES = 200
"""Images looked at: enough for examples and curves, and a minute at most."""


@dataclass(frozen=True)
class Page:
    """The file that was written, and its size."""

    path: Path
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``report --json``."""
        return {"report": str(self.path), "bytes": self.bytes}


def report(
    run: PathLike | None = None,
    against: PathLike | None = None,
    *,
    data: PathLike | None = None,
    out: PathLike | None = None,
    console: Console | None = None,
    offline: bool = False,
) -> Page:
    """``edgectl report``.

    Args:
        run: default: the latest one. Its newest export is looked at, or its best checkpoint.
        against: a second run to compare it with.
        data: where the run's data set is now, if it has moved.
        out: default: ``RUN/report.html``.
        console: whom to tell of the progress; nobody by default.

    Raises:
        DataError, ArtifactError: no run, or a damaged one. Data that are not there are no error: the page
            says what it cannot show.
        UsageError: something else than a report is in its place.
    """
    context = open_context(console, offline)
    directory = through_latest(Path(run)) if run else latest_run().path
    documents = read_documents(directory)
    measured, absent = _measure(context, directory, data)
    other = None if against is None else _measure_other(context, Path(against), data, measured)
    boards = _list_fitting(context, directory)
    path = save_report(documents, read_path(out), Additions(measured, absent, boards, other))
    return Page(path, path.stat().st_size)


def _list_fitting(context: Context, run: Path) -> list[str]:
    """Boards that have room for one of the run's exports and the program around it."""
    exports = [a for a in map(open_artifact, find_artifacts(run)) if a.manifest.built]
    return [
        board.name
        for board in context.registry.boards.infos()
        if any(a.backend in board.backends and fit_of(a, board).passed for a in exports)
    ]


def _measure(context: Context, run: Path, data: PathLike | None) -> tuple[Measured | None, str]:
    """What the run's model finds; or None, and why."""
    try:
        opened = open_model(context.registry, run, prefer_artifact=True)
        index = data_for(context, opened, None if data is None else str(data), same=True)
        target = open_for_evaluation(context.registry, opened, runtime=None, threshold=None)
        split = opened.config.data.valid_split
        with context.console.bar(name_model(target.identity), _MOST_IMAGES) as done:
            evidence = collect_evidence(target, index, split, most=_MOST_IMAGES, progress=done)
    except (Interruption, MemoryError):
        raise
    except EdgectlError as e:
        context.console.warn(f"no images and curves on the page: {e.message}")
        return None, e.message
    findings = diagnose(gather_evidence(opened, target, evidence.figures, index, split))
    return Measured(target, evidence, findings), ""


def _measure_other(
    context: Context, run: Path, data: PathLike | None, ours: Measured | None
) -> Other:
    directory = through_latest(run)
    documents = read_documents(directory)
    theirs, _ = _measure(context, directory, data)
    if ours is None or theirs is None or not _are_comparable(ours.evidence, theirs.evidence):
        return Other(documents, None if theirs is None else theirs.evidence)
    assert ours.evidence.scores is not None
    assert theirs.evidence.scores is not None
    main = task_info(ours.target.task).main_metric
    comparison = compare(main, ours.evidence.scores, theirs.evidence.scores)
    return Other(documents, theirs.evidence, comparison)


def _are_comparable(ours: Evidence, theirs: Evidence) -> bool:
    """The same images, and a metric that can be resampled."""
    same = ours.fingerprint == theirs.fingerprint and len(ours.images) == len(theirs.images)
    return same and ours.scores is not None and theirs.scores is not None
