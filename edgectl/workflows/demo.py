"""The whole line on a generated data set, offline."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgectl.errors import BackendUnavailableError, EdgectlError, GateFailedError, UsageError
from edgectl.evaluation.evaluate import score
from edgectl.metrics.report import EvaluationReport
from edgectl.plugins.registry import Registry
from edgectl.workflows.arguments import PathLike, SizeLike
from edgectl.workflows.console import Console
from edgectl.workflows.export import export
from edgectl.workflows.opening.context import Context, open_context
from edgectl.workflows.opening.models import open_for_evaluation, open_model
from edgectl.workflows.opening.run_data import data_for
from edgectl.workflows.report import report
from edgectl.workflows.train import train

DATA = "demo_mask"
LARGEST_SPREAD = 0.01
"""Of the main metric between float and any runtime of the file."""


@dataclass(frozen=True)
class Demo:
    """What the line made.

    Attributes:
        run, artifact, report: absolute paths.
        rows: model and metrics of the float network, then for every runtime of the file.
        metric: the task's main one; its values differ by ``spread``.
    """

    run: Path
    artifact: Path
    report: Path
    rows: tuple[EvaluationReport, ...]
    metric: str
    spread: float

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``demo --json``."""
        return {
            "run": str(self.run),
            "artifact": str(self.artifact),
            "report": str(self.report),
            "rows": [{"model": r.model.to_dict(), "metrics": r.metrics} for r in self.rows],
            "metric": self.metric,
            "spread": self.spread,
        }


def demo(
    *,
    out: PathLike = "demo",
    epochs: int = 24,
    imgsz: SizeLike = 96,
    seed: int = 0,
    console: Console | None = None,
) -> Demo:
    """``edgectl demo``: trains, exports to int8, scores the file on every runtime, reports. Needs no
    network.

    Args:
        out: everything is written below this directory.

    Raises:
        UsageError: no family or no backend is installed that could show it.
        GateFailedError: the figures differ by over .01. The demo is its ``result``.
    """
    place = Path(out)
    place.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(place):
        found = _run_line(open_context(console), epochs, imgsz, seed)
    if found.spread > LARGEST_SPREAD:
        error = GateFailedError(
            f"{found.metric} differs by {found.spread:.4f} between float and file, "
            f"more than {LARGEST_SPREAD}",
            fix="edgectl qat, or look at the report",
        )
        error.result = found
        raise error
    return found


def _run_line(context: Context, epochs: int, imgsz: SizeLike, seed: int) -> Demo:
    console = context.console
    family, backend = choose_pair(context.registry)
    console.note(f"1/4 train {family} on {DATA}")
    run = train(
        family,
        data=DATA,
        epochs=epochs,
        imgsz=imgsz,
        seed=seed,
        weights="none",
        console=console,
    )
    console.note(f"2/4 export to {backend}")
    artifact = export(run, backend=backend, console=console)
    console.note("3/4 score the exported file")
    reports = _score_all(context, run.path, artifact.directory)
    console.note("4/4 report")
    page = report(run)
    assert artifact.manifest.gate is not None
    main = artifact.manifest.gate.metric
    values = [r.metrics[main] for r in reports]
    here = Path.cwd()
    return Demo(
        run=here / run.path,
        artifact=here / artifact.directory,
        report=here / page.path,
        rows=tuple(reports),
        metric=main,
        spread=max(values) - min(values),
    )


def choose_pair(registry: Registry) -> tuple[str, str]:
    """The first family that finds objects at a threshold of its own, which small nets can do, and a
    backend that writes int8 itself: one whose runtimes must agree to the bit, and of those the one that
    most runtimes judge."""
    small = {t.name for t in registry.tasks.infos() if t.labels == "boxes" and t.operating_point}
    families = [f.name for f in registry.families.infos() if f.task in small]
    writers = [
        b for b in registry.backends.infos() if b.takes == "graph" and "int8" in b.precisions
    ]
    backends = [b.name for b in sorted(writers, key=lambda b: (not b.exact, -len(b.runtimes)))]
    if not families or not backends:
        raise UsageError(
            "the demo needs a centroid family and an int8 backend",
            fix="pip install edgectl-fomo edgectl-tflite",
        )
    return families[0], backends[0]


def _score_all(context: Context, run: Path, artifact: Path) -> list[EvaluationReport]:
    """Float, then every runtime of the file that is installed, on the same images."""
    registry = context.registry
    model = open_model(registry, run, prefer_artifact=False)
    exported = open_model(registry, artifact, prefer_artifact=True)
    assert exported.artifact is not None
    index, split = data_for(context, exported, None), model.config.data.valid_split
    targets = [open_for_evaluation(registry, model, runtime=None, threshold=None)]
    for runtime in registry.backends.get(exported.artifact.backend).runtimes:
        try:
            targets.append(open_for_evaluation(registry, exported, runtime=runtime, threshold=None))
        except BackendUnavailableError as e:
            context.console.warn(f"not scored on {runtime}: {e.message}")
    if len(targets) == 1:
        raise EdgectlError("no runtime for the exported file is installed", fix="edgectl doctor")
    return [score(target, index, split) for target in targets]
