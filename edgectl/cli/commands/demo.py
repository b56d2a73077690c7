"""``edgectl demo``: the whole line on a generated data set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edgectl.cli.session import Session
from edgectl.errors import EdgectlError, GateFailedError, UsageError
from edgectl.plugins.registry import Registry

if TYPE_CHECKING:
    from edgectl.data.index import DatasetIndex
    from edgectl.metrics.report import EvaluationReport
    from edgectl.workflows.opening.models import OpenModel

app = typer.Typer(add_completion=False)

_DATA = "demo_mask"
_SPREAD = 0.01
"""Largest difference of the main metric between float and any runtime of the file."""


@app.command(
    epilog="Example: edgectl demo --out demo. Exit code 4: the figures differ by over .01."
)
def demo(
    ctx: typer.Context,
    out: Path = typer.Option(Path("demo"), help="Everything is written below this directory."),
    epochs: int = typer.Option(24, min=1),
    imgsz: str = typer.Option("96", help="Input size: H W, or N for N N."),
    seed: int = typer.Option(0, min=0),
) -> None:
    """Train, export to int8, score the exported file on every runtime, report. Needs no network."""
    session: Session = ctx.obj

    from edgectl.export.stages import export_model
    from edgectl.report.html import write_report
    from edgectl.workflows.export_request import make_request
    from edgectl.workflows.opening.configuration import parse_size
    from edgectl.workflows.opening.datasets import data_for
    from edgectl.workflows.opening.families import open_family
    from edgectl.workflows.opening.models import open_model
    from edgectl.workflows.training_plan import plan_new_run
    from edgectl.workflows.training_run import run_training

    out.mkdir(parents=True, exist_ok=True)
    os.chdir(out)
    context = session.open_context()
    registry = context.registry
    family, backend = _choose(registry)
    session.note(f"1/4 train {family} on {_DATA}")
    flags = {
        "data": {"name": _DATA},
        "input_size": list(parse_size(imgsz)),
        "train": {"epochs": epochs, "seed": seed, "weights": "none"},
    }
    result = run_training(context, plan_new_run(open_family(registry, family), flags, []))
    session.note(f"2/4 export to {backend}")
    model = open_model(registry, result.run, prefer_artifact=False)
    artifact = export_model(make_request(context, model, backend), progress=session.note)
    session.note("3/4 score the exported file")
    exported = open_model(registry, artifact.directory, prefer_artifact=True)
    index = data_for(context, exported, None)
    reports = _score_all(session, registry, model, exported, index)
    session.note("4/4 report")
    page = write_report(result.run)
    assert artifact.manifest.gate is not None
    main = artifact.manifest.gate.metric
    values = [r.metrics[main] for r in reports]
    spread = max(values) - min(values)
    session.data = {
        "run": str(Path.cwd() / result.run),
        "artifact": str(Path.cwd() / artifact.directory),
        "report": str(Path.cwd() / page),
        "rows": [{"model": r.model.to_dict(), "metrics": r.metrics} for r in reports],
        "metric": main,
        "spread": spread,
    }
    if not session.json:
        _say(session, reports)
        session.say(f"report: {out / page}")
    if spread > _SPREAD:
        raise GateFailedError(
            f"{main} differs by {spread:.4f} between float and file, more than {_SPREAD}",
            fix="edgectl qat, or look at the report",
        )


def _choose(registry: Registry) -> tuple[str, str]:
    """The first family that finds objects at a threshold of its own, which small nets can do, and a
    backend that writes int8 itself: one whose runtimes must agree to the bit, where there is one."""
    small = {t.name for t in registry.tasks.infos() if t.labels == "boxes" and t.operating_point}
    families = [f.name for f in registry.families.infos() if f.task in small]
    writers = [
        b for b in registry.backends.infos() if b.takes == "graph" and "int8" in b.precisions
    ]
    backends = [b.name for b in sorted(writers, key=lambda b: not b.exact)]
    if not families or not backends:
        raise UsageError(
            "the demo needs a centroid family and an int8 backend",
            fix="pip install edgectl-fomo edgectl-tflite",
        )
    return families[0], backends[0]


def _score_all(
    session: Session,
    registry: Registry,
    model: OpenModel,
    exported: OpenModel,
    index: DatasetIndex,
) -> list[EvaluationReport]:
    """Float, then every runtime of the file that is installed, on the same images."""
    from edgectl.errors import BackendUnavailableError
    from edgectl.evaluation.evaluate import score
    from edgectl.workflows.opening.models import open_for_evaluation

    split = model.config.data.valid_split
    reports = [
        score(open_for_evaluation(registry, model, runtime=None, threshold=None), index, split)
    ]
    assert exported.artifact is not None
    for runtime in registry.backends.get(exported.artifact.backend).runtimes:
        try:
            candidate = open_for_evaluation(registry, exported, runtime=runtime, threshold=None)
        except BackendUnavailableError as e:
            session.warn(f"not scored on {runtime}: {e.message}")
            continue
        reports.append(score(candidate, index, split))
    if len(reports) == 1:
        raise EdgectlError("no runtime for the exported file is installed", fix="edgectl doctor")
    return reports


def _say(session: Session, reports: list[EvaluationReport]) -> None:
    from rich.table import Table

    from edgectl.cli.views.numbers import label, scalars

    names = [n for n in scalars(reports[0].metrics) if not n.startswith("sscma")]
    table = Table("what was scored", *names, "sha256", box=None)
    for r in reports:
        figures = (f"{r.metrics[n]:.4f}" for n in names)
        table.add_row(label(r.model), *figures, r.model.sha256[:12])
    session.say(table)
