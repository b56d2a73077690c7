"""Writes a trained model for a device, and verifies what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from edgectl.artifacts.artifact import Artifact, open_artifact
from edgectl.errors import BackendUnavailableError, GateFailedError, UsageError
from edgectl.export.request import ExportRequest
from edgectl.export.stages import export_model
from edgectl.export.vendor import export_network
from edgectl.files import MANIFEST
from edgectl.plugins.info import ToolInfo
from edgectl.toolchains.tool import Tool, find_tool
from edgectl.workflows.arguments import (
    PathLike,
    Settings,
    SizeLike,
    read_path,
    read_settings,
    read_size,
)
from edgectl.workflows.console import Console
from edgectl.workflows.export_request import make_network_request, make_request
from edgectl.workflows.networks.conversion import convert, find_file
from edgectl.workflows.opening.anything import require_cpu, require_nothing_said
from edgectl.workflows.opening.context import Context, open_context
from edgectl.workflows.opening.models import open_model
from edgectl.workflows.opening.networks import NetworkOptions, is_network, read_statement


def export(
    model: PathLike | None = None,
    *,
    backend: str,
    precision: str | None = None,
    calib: PathLike | None = None,
    calib_images: int | None = None,
    imgsz: SizeLike | None = None,
    plan: bool = False,
    out: PathLike | None = None,
    data: PathLike | None = None,
    device: str | None = None,
    set: Settings = (),  # noqa: A002 - the option's name
    console: Console | None = None,
    offline: bool = False,
    **network: Unpack[NetworkOptions],
) -> Artifact:
    """``edgectl export``: each argument is its option.

    Args:
        model: a run, a checkpoint, a network of another program (``model.onnx``, ``model.pt2``,
            ``module:function``, ``timm:NAME``, ``torchvision:NAME``, a family's bare weights), or an int8
            model file whose arithmetic the backend writes, as it is; default: the latest run.
        network: of networks of other programs; see
            :class:`edgectl.workflows.opening.networks.NetworkOptions`.
        imgsz: of networks that leave their size open; of a checkpoint, only to check.
        plan: everything a vendor's compiler needs, without running it.
        data: where the run's data set is now, if it has moved; of other networks, labelled images to
            score on.
        device: where the float network runs, for parity and scores; default: the CPU.
        set: any configuration keys, over those of the run.
        console: whom to tell of the progress; nobody by default.

    Raises:
        UsageError: a model, backend or precision that does not go.
        GateFailedError: the file lost too much. It is kept, and is the error's ``result``.
        BackendUnavailableError: no compiler. The plan is the error's ``result``.
    """
    context, path = open_context(console, offline), read_path(model)
    said = read_statement(network, imgsz)
    if path is not None and is_network(path):
        require_cpu(device)
        request = make_network_request(
            context,
            path,
            said,
            backend,
            precision=precision,
            calib=None if calib is None else str(calib),
            data=None if data is None else str(data),
            out=read_path(out),
            flags={"quant": {"calib_images": calib_images}} if calib_images else {},
            assignments=read_settings(set),
        )
        return _run(context, request, plan)
    require_nothing_said(said, path)
    file = find_file(context, path)
    if file is not None:
        require_cpu(device)
        words = read_settings(set)
        return convert(
            context, file, backend, precision=precision, out=read_path(out), assignments=words
        )
    opened = open_model(context.registry, path, prefer_artifact=False, device=device)
    request = make_request(
        context,
        opened,
        backend,
        precision=precision,
        calib=None if calib is None else str(calib),
        data=None if data is None else str(data),
        imgsz=None if imgsz is None else read_size(imgsz),
        out=read_path(out),
        flags={"quant": {"calib_images": calib_images}} if calib_images else {},
        assignments=read_settings(set),
    )
    return _run(context, request, plan)


def quantize(model: PathLike, *, backend: str, **options: Any) -> Artifact:
    """``edgectl quantize``: :func:`export` of a network that is none of the families, with its options."""
    return export(model, backend=backend, **options)


def _run(context: Context, request: ExportRequest[Any], plan: bool) -> Artifact:
    if plan:
        _require_compiler(request)
    try:
        return run_export(context, request, plan_only=plan)
    except GateFailedError as e:
        e.result = _kept(request.out)
        raise


def _require_compiler(request: ExportRequest[Any]) -> None:
    if request.info.takes != "network":
        raise UsageError(
            f"{request.info.name} writes its files itself; there is nothing to plan",
            where="--plan",
            fix="leave --plan out",
        )


def run_export(context: Context, request: ExportRequest[Any], *, plan_only: bool) -> Artifact:
    """The pipeline the backend wants. Raises what :func:`export` does."""
    if request.info.takes == "graph":
        return export_model(request, progress=context.console.note)
    tools = request.source.config.tools

    def find(info: ToolInfo) -> Tool:
        return find_tool(info, tools)

    artifact, absent = export_network(request, None if plan_only else find, context.console.note)
    if absent is None:
        return artifact
    error = BackendUnavailableError(
        f"planned, not built: {absent.message}; everything it needs is in {artifact.directory}",
        where=absent.where,
        fix=f"{absent.fix}; or run {artifact.directory / 'build.sh'} where it is installed; "
        "or accept the plan: --plan",
    )
    error.result = artifact
    raise error


def _kept(directory: Path) -> Artifact | None:
    """An artifact whose gate failed; None where a gate left no artifact."""
    if not (directory / MANIFEST).is_file():
        return None
    artifact = open_artifact(directory)
    gate = artifact.manifest.gate
    return None if gate is None or gate.passed else artifact
