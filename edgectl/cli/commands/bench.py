"""``edgectl bench``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgectl.cli.session import Session
from edgectl.errors import BackendUnavailableError, UsageError
from edgectl.plugins.absent import explain_missing_plugins
from edgectl.plugins.registry import build_registry

if TYPE_CHECKING:
    from edgectl.artifacts.artifact import Artifact
    from edgectl.plugins.registry import Registry
    from edgectl.spec import OutputSpec, PreprocessSpec

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl bench                                         every artifact under runs/

edgectl bench runs/train/fomo-001/export/tflite-int8 squeezenet.param

Latency is this machine's, on the file's first runtime; the metric is what the export measured."""


@app.command(epilog=_EPILOG)
def bench(
    ctx: typer.Context,
    models: list[Path] = typer.Argument(None, help="Artifacts or bare model files."),
    runtime: str | None = typer.Option(None, help="Instead of each backend's first."),
    imgsz: str | None = typer.Option(None, help="Of bare files that state no input size."),
    seconds: float = typer.Option(1.0, min=0.05, max=60.0, help="A model."),
) -> None:
    """Latency, size, memory and metric, one table."""
    session: Session = ctx.obj

    from edgectl.files import MANIFEST
    from edgectl.runs.rundir import through_latest

    registry = build_registry()
    chosen = list(models or [])
    if not chosen:
        found = sorted(Path("runs").glob(f"**/export/*/{MANIFEST}"))
        chosen = [p.parent for p in found]
    if not chosen:
        raise UsageError("nothing exported yet", fix="edgectl export --backend BACKEND")
    rows = []
    for path in map(through_latest, chosen):
        try:
            rows.append(_row(registry, path, runtime, imgsz, seconds))
        except BackendUnavailableError as e:
            session.warn(f"{path}: {e.message}")
    session.data = {"rows": rows}
    if not session.json:
        _say(session, rows)


def _row(
    registry: Registry, path: Path, runtime: str | None, imgsz: str | None, seconds: float
) -> dict[str, Any]:
    from edgectl.artifacts.artifact import open_artifact
    from edgectl.backends.runtime import default_runtime, file_on, open_runtime, precision_on
    from edgectl.config.schema import RunConfig
    from edgectl.errors import UnknownNameError
    from edgectl.evaluation.bench import measure
    from edgectl.workflows.opening.backends import open_backend
    from edgectl.workflows.opening.configuration import parse_size

    if not path.exists():
        raise UsageError(
            "no such file or directory", where=str(path), fix="an artifact or a bare model file"
        )
    name = registry.backend_of(path)
    artifact: Artifact | None = None
    precision: str | None = None
    if name is None:
        artifact = open_artifact(path if path.is_dir() else path.parent)
        name = artifact.backend
    with explain_missing_plugins({} if artifact is None else artifact.manifest.tools):
        opened = open_backend(registry, name, RunConfig())
    info = opened.info
    if runtime is not None:
        wanted = runtime
    else:
        wanted = info.runtimes[0] if artifact is None else default_runtime(info, artifact.manifest)
    if wanted not in info.runtimes:
        raise UnknownNameError("runtime", wanted, info.runtimes, where="--runtime")
    specs: tuple[OutputSpec, ...] = ()
    preprocess: PreprocessSpec | None = None
    if artifact is None:
        facts = opened.backend.describe(path)
        file, nbytes = path, int(facts["file_bytes"])
        size = parse_size(imgsz) if imgsz else _size(path, facts["inputs"])
    else:
        file = file_on(info, artifact.directory, artifact.manifest, wanted)
        specs, preprocess = artifact.outputs, artifact.preprocess
        precision, size = precision_on(info, artifact.manifest, wanted), preprocess.input_size
        whole = file == artifact.model_file
        nbytes = artifact.model_bytes if whole else file.stat().st_size
    runner = open_runtime(
        opened.backend, info, file, runtime=wanted, specs=specs, preprocess=preprocess
    )
    latency = measure(runner, size, seconds=seconds)
    return {
        "model": str(path),
        "backend": name,
        "precision": precision,
        "runtime": wanted,
        "bytes": nbytes,
        "latency_ms": round(latency.median_ms, 4),
        "latency_ms_10": round(latency.fast_ms, 4),
        "latency_ms_90": round(latency.slow_ms, 4),
        "runs": latency.runs,
        **_measured_at_export(artifact),
    }


def _measured_at_export(artifact: Artifact | None) -> dict[str, Any]:
    """What the manifest knows; nothing of a bare file."""
    manifest = None if artifact is None else artifact.manifest
    arena = manifest.tensors.arena if manifest is not None else None
    gate = manifest.gate if manifest is not None else None
    scored = manifest.metrics if manifest is not None else None
    value = None
    if gate is not None and scored is not None:
        value = scored.file.metrics.get(gate.metric)
    return {
        "arena_bytes": None if arena is None else arena.total,
        "metric": value,
        "metric_name": None if gate is None else gate.metric,
    }


def _size(path: Path, inputs: list[dict[str, Any]]) -> tuple[int, int]:
    """(height, width) of a foreign file's input: (1, H, W, C) or (C, H, W)."""
    shape = [int(n) for n in (inputs[0].get("shape") or [])] if len(inputs) == 1 else []
    if len(shape) == 4 and shape[3] == 3:
        return shape[1], shape[2]
    if len(shape) == 3 and shape[0] == 3:
        return shape[1], shape[2]
    raise UsageError(
        f"its input is {shape or 'of no stated size'}, not one color image",
        where=str(path),
        fix="--imgsz H W, if it takes one",
    )


def _say(session: Session, rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None)
    table.add_column("model", overflow="fold")
    for heading in ("precision", "runtime", "bytes", "arena", "ms", "metric"):
        table.add_column(heading, justify="right")
    for r in rows:
        metric = "" if r["metric"] is None else f"{r['metric_name']} {r['metric']:.4f}"
        arena = "" if r["arena_bytes"] is None else f"{r['arena_bytes']:,}"
        table.add_row(
            r["model"],
            r["precision"] or "",
            f"{r['backend']} {r['runtime']}",
            f"{r['bytes']:,}",
            arena,
            f"{r['latency_ms']:.2f}",
            metric,
        )
    session.say(table)
