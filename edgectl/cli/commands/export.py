"""``edgectl export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgectl.cli.session import Session, plain
from edgectl.errors import BackendUnavailableError, GateFailedError, UsageError

if TYPE_CHECKING:
    from edgectl.artifacts.artifact import Artifact
    from edgectl.export.request import ExportRequest
    from edgectl.plugins.info import ToolInfo
    from edgectl.toolchains.tool import Tool

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl export --backend tflite

edgectl export runs/train/fomo-001 --backend tflite --calib ./images --calib-images 200

edgectl export --backend BACKEND --plan

A backend that needs its vendor's compiler finds it through \\[tools.NAME] in edgectl.toml, 'edgectl tools
setup' or PATH; without it the plan is complete and the exit code is 3 (0 with --plan).

Exit code 4 when the file loses more than quant.max_drop of the main metric; it is kept all the same."""


@app.command(epilog=_EPILOG)
def export(
    ctx: typer.Context,
    model: Path | None = typer.Argument(None, help="Run or checkpoint; default: the latest run."),
    backend: str = typer.Option(..., help="One of 'edgectl plugins list'."),
    precision: str | None = typer.Option(
        None, help="int8, fp16 or fp32; default: what the backend names first, mostly int8."
    ),
    calib: str | None = typer.Option(
        None, help="Calibration images: DATA (its train split) or a directory of images."
    ),
    calib_images: int | None = typer.Option(None, min=1, help="How many."),
    imgsz: str | None = typer.Option(None, help="Only to check: must be the checkpoint's size."),
    plan: bool = typer.Option(
        False, "--plan", help="Everything a vendor's compiler needs, without running it."
    ),
    out: Path | None = typer.Option(None, help="Default: RUN/export/BACKEND-PRECISION."),
    assignments: list[str] = typer.Option([], "--set", help="Any configuration key: a.b=c."),
) -> None:
    """Write the file that ships, and prove it."""
    session: Session = ctx.obj

    from edgectl.workflows.export_request import make_request
    from edgectl.workflows.opening.models import open_model

    context = session.open_context()
    opened = open_model(context.registry, model, prefer_artifact=False)
    flags: dict[str, Any] = {"quant": {"calib_images": calib_images}} if calib_images else {}
    request = make_request(
        context,
        opened,
        backend,
        precision=precision,
        calib=calib,
        imgsz=imgsz,
        out=out,
        flags=flags,
        assignments=assignments,
    )
    if plan and request.info.takes != "network":
        raise UsageError(
            f"{backend} writes its files itself; there is nothing to plan",
            where="--plan",
            fix="leave --plan out",
        )
    try:
        artifact, absent = _exported(session, request, plan_only=plan)
    except GateFailedError:
        # a file that lost too much is still there, and its figures are wanted
        session.data = _kept(request.out)
        raise
    session.data = document(artifact)
    if not session.json:
        say_artifact(session, artifact)
    if absent is not None:
        raise absent


def _exported(
    session: Session, request: ExportRequest[Any], *, plan_only: bool
) -> tuple[Artifact, BackendUnavailableError | None]:
    """The artifact, and why it is only planned where that was not asked for."""
    from edgectl.export.stages import export_model
    from edgectl.export.vendor import export_network
    from edgectl.toolchains.tool import find_tool

    if request.info.takes == "graph":
        return export_model(request, progress=session.note), None
    tools = request.trained.config.tools

    def find(info: ToolInfo) -> Tool:
        return find_tool(info, tools)

    artifact, absent = export_network(request, None if plan_only else find, session.note)
    if absent is not None:
        absent = BackendUnavailableError(
            f"planned, not built: {absent.message}; everything it needs is in {artifact.directory}",
            where=absent.where,
            fix=f"{absent.fix}; or run {artifact.directory / 'build.sh'} where it is installed; "
            "or accept the plan: --plan",
        )
    return artifact, absent


def _kept(directory: Path) -> dict[str, Any] | None:
    """The document of an artifact whose gate failed; None where a gate left no artifact."""
    from edgectl.artifacts.artifact import open_artifact
    from edgectl.files import MANIFEST

    if not (directory / MANIFEST).is_file():
        return None
    artifact = open_artifact(directory)
    gate = artifact.manifest.gate
    return None if gate is None or gate.passed else document(artifact)


def document(artifact: Artifact) -> dict[str, Any]:
    """``data`` of ``export --json``."""
    names = (
        "files", "backend", "precision", "stage", "status", "parity", "metrics", "gate", "tensors",
    )  # fmt: skip
    stated = artifact.manifest.to_dict()
    return {"artifact": str(artifact.directory), **{name: stated.get(name) for name in names}}


def say_artifact(session: Session, artifact: Artifact) -> None:
    """Files, parity and figures for people."""
    manifest = artifact.manifest
    state = "" if manifest.built else f"  [yellow]{manifest.status}[/yellow]"
    session.say(f"[bold]{plain(str(artifact.directory))}[/bold]{state}", markup=True)
    inside: dict[str, list[int]] = {}
    for f in manifest.files:
        folder, slash, _ = f.path.partition("/")
        if slash:
            inside.setdefault(folder, []).append(f.bytes)
        else:
            session.say(f"  {f.path}  {f.bytes:,} bytes  sha256 {f.sha256[:12]}")
    for folder, sizes in inside.items():
        session.say(f"  {folder}/  {len(sizes)} files, {sum(sizes):,} bytes")
    parity = manifest.parity
    heads = parity.graph.sqnr_db
    if heads:
        session.say("  quantization noise: " + ", ".join(f"{k} {v} dB" for k, v in heads.items()))
    for name, r in parity.runtimes.items():
        if heads and r.sqnr_db:
            figures = ", ".join(f"{k} {v} dB" for k, v in r.sqnr_db.items())
            session.say(f"  the file on {name}: {figures}")
        if not heads and r.heads_max_abs is not None:
            session.say(f"  {name} against the network: at most {r.heads_max_abs:.2g} apart")
        elif name != parity.reference:
            session.say(
                f"  {name} against {parity.reference}: {r.differing} of {r.of} elements differ"
            )
    for name, reason in parity.absent.items():
        session.warn(f"not judged by {name}: {reason}")
    gate, scored = manifest.gate, manifest.metrics
    if gate is not None and scored is not None:
        before, after = (r.metrics[gate.metric] for r in (scored.network, scored.file))
        runtime = scored.file.model.runtime
        session.say(f"  {gate.metric}: float {before:.4f} → file {after:.4f} on {runtime}")
        exact = [name for name, r in parity.runtimes.items() if r.exact]
        if exact and runtime not in exact:
            session.say(
                f"  as the device computes: edgectl eval {artifact.directory} --runtime {exact[0]}"
            )
