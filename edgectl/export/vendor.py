"""Export for compilers of vendors: network → ONNX → plan → (their compiler) → file, each hop measured.

The plan - ONNX file, settings, calibration images, the exact command - is complete without the compiler.
Where it is installed it runs as a process of its own; where not, the artifact is ``planned``, and what is
scored is the float network in the very ONNX file the compiler will read.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgectl.artifacts.artifact import Artifact, open_artifact
from edgectl.artifacts.manifest import Compiler, GraphParity, Parity, Tensors
from edgectl.backends.contract import Balanced, VendorBackend
from edgectl.backends.network import ONNX_FILE, Network, Plan
from edgectl.backends.onnx_file import describe_onnx, name_classes, write_onnx
from edgectl.backends.onnx_runtime import RUNTIME as ONNX_RUNTIME
from edgectl.errors import ArtifactError, BackendUnavailableError, GateFailedError, UsageError
from edgectl.export.balance import balance_network
from edgectl.export.finish import WrittenModel, finish_artifact, require_supported
from edgectl.export.gate import require_gate
from edgectl.export.parity import choose_parity_images, measure_runtime_parity
from edgectl.export.request import ExportRequest
from edgectl.files import replacing
from edgectl.plugins.info import BackendInfo, ToolInfo
from edgectl.spec import Progress
from edgectl.toolchains.process import run_job
from edgectl.toolchains.tool import Tool

# fp32 networks of up to a hundred layers, folded batch norm: larger means a wrong file
_ONNX_TOLERANCE = 1e-3
COMMAND_FILE = "build.sh"


Find = Callable[[ToolInfo], Tool]


@dataclass(frozen=True)
class _Compilation:
    """What came of a plan. ``absent``: why it was not compiled where that was wanted."""

    compiler: Compiler
    built: bool
    absent: BackendUnavailableError | None


def export_network(
    request: ExportRequest[VendorBackend], find: Find | None, progress: Progress = lambda _: None
) -> tuple[Artifact, BackendUnavailableError | None]:
    """Runs all stages. The artifact, and why it is only planned where more was wanted.

    Args:
        find: how programs of the vendor are found; None leaves the plan.

    Raises:
        ArtifactError: operations the compiler does not know, each with module path and replacement.
        ToolError: the compiler failed; nothing is left but its log, ``<out>.log``.
        GateFailedError: the ONNX file is not the network (no artifact), or the drop is over the limit.
    """
    request.require_precision()
    if request.precision == "int8" and request.calibration is None:
        raise UsageError("int8 needs calibration images", fix="add --calib DATA or --calib DIR")
    with replacing(request.out, "artifact") as directory:
        progress("writing ONNX")
        network = _write_network(request, directory, progress)
        progress("writing the compiler's inputs")
        plan = request.backend.plan(
            network, directory, precision=request.precision, config=request.backend_config
        )
        for remark in plan.remarks:
            progress(remark)
        compilation = _compile(request, plan, directory, find, progress)
        progress("checking parity")
        product = plan.product if compilation.built else ONNX_FILE
        parity = _measure_parity(request, directory, product, built=compilation.built)
        written = WrittenModel(
            model=product,
            outputs=request.source.outputs,
            parity=parity,
            tensors=Tensors.from_description(
                describe_onnx(network.file)
                if product == ONNX_FILE
                else request.backend.describe(directory / product)
            ),
            status="built" if compilation.built else "planned",
            remarks=plan.remarks,
            compiler=compilation.compiler,
            runtime=_runs_here(request.info, parity) if compilation.built else ONNX_RUNTIME,
        )
        artifact = finish_artifact(request, written, directory, progress)
    require_gate(artifact.manifest, request.out, "more calibration images, or a higher precision")
    return open_artifact(request.out), compilation.absent


def _write_network(
    request: ExportRequest[VendorBackend], directory: Path, progress: Progress
) -> Network:
    """The ONNX file, checked by the backend, and balanced where its compiler profits from that."""
    source, backend, config = request.source, request.backend, request.backend_config
    network = Network(
        directory / ONNX_FILE,
        source.preprocess,
        source.outputs,
        source.classes,
        request.calibration,
    )
    opset = backend.opset(config, precision=request.precision)
    write_onnx(source.model, network.preprocess, network.outputs, network.file, opset=opset)
    issues = backend.check(network, precision=request.precision, config=config)
    require_supported(issues, request.info, source.path)
    if request.precision == "int8" and isinstance(backend, Balanced):
        progress("balancing the network")
        suited = balance_network(request, backend.scheme(config), progress)
        if suited is not None:
            write_onnx(suited, network.preprocess, network.outputs, network.file, opset=opset)
            network = replace(network)  # what was parsed of it is stale
    name_classes(network.file, network.preprocess, network.classes)
    return network


def _compile(
    request: ExportRequest[VendorBackend],
    plan: Plan,
    directory: Path,
    find: Find | None,
    progress: Progress,
) -> _Compilation:
    """Runs the plan's programs where all of them are found, and leaves their commands in any case."""
    info = request.info
    steps = _steps(info, plan)
    _write_command(directory, info, plan, steps)
    tools, absent = _find_tools(steps, find)
    log = request.out.with_name(request.out.name + ".log")
    log.unlink(missing_ok=True)
    facts: dict[str, Any] = {}
    for (_, arguments), tool in zip(steps, tools, strict=False):
        progress(f"running '{tool.name}'; its log: {log}")
        facts |= run_job(tool, arguments, directory, log=log, progress=progress)
    product = directory / plan.product
    built = len(tools) == len(steps) and (bool(steps) or product.is_file())
    if built and not product.is_file():
        raise ArtifactError(
            f"the compiler ended well but left no {plan.product}",
            where=str(log),
            fix="look into its log",
        )
    compiler = Compiler(
        name="" if info.tool is None else info.tool.name,
        version=tools[-1].version if tools else "",
        arguments=plan.arguments,
        product=plan.product,
        facts=facts,
    )
    return _Compilation(compiler, built, absent)


def _steps(info: BackendInfo, plan: Plan) -> list[tuple[ToolInfo, tuple[str, ...]]]:
    """Programs in order, the compiler last. None where the plan is its own product."""
    if not plan.arguments or info.tool is None:
        return []
    return [*((s.tool, s.arguments) for s in plan.before), (info.tool, plan.arguments)]


def _find_tools(
    steps: Sequence[tuple[ToolInfo, tuple[str, ...]]], find: Find | None
) -> tuple[list[Tool], BackendUnavailableError | None]:
    """A tool for each step, or none at all: half a build helps nobody."""
    if find is None:
        return [], None
    try:
        return [find(tool) for tool, _ in steps], None
    except BackendUnavailableError as e:
        return [], e


def _write_command(
    directory: Path,
    info: BackendInfo,
    plan: Plan,
    steps: Sequence[tuple[ToolInfo, tuple[str, ...]]],
) -> None:
    """The exact commands, for whoever runs them elsewhere."""
    if not steps:
        return
    commands = [shlex.join([tool.command or "python3", *words]) for tool, words in steps]
    script = (
        "#!/bin/sh\n"
        f"# {info.summary}\n"
        f"# Run where the compiler is installed; leaves {plan.product} in this directory.\n"
        'cd "$(dirname "$0")" || exit 1\n' + " &&\n".join(commands) + "\n"
    )
    path = directory / COMMAND_FILE
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)


def _measure_parity(
    request: ExportRequest[VendorBackend], directory: Path, product: str, *, built: bool
) -> Parity:
    """The ONNX file against the network, then every runtime of the product against both."""
    source, info = request.source, request.info
    images = np.concatenate(choose_parity_images(request))
    with torch.no_grad():
        heads = source.predictor()(images)
    files = {ONNX_RUNTIME: directory / ONNX_FILE}
    if built:
        files |= {r: directory / product for r in info.runtimes if r != ONNX_RUNTIME}
    # a product and its float network differ by design: each is held against the network alone
    reports = {
        runtime: measure_runtime_parity(
            request.backend,
            info,
            file,
            runtimes=(runtime,),
            exact=(),
            specs=source.outputs,
            preprocess=source.preprocess,
            images=images,
            heads=heads,
        )
        for runtime, file in files.items()
    }
    first = reports[ONNX_RUNTIME].runtimes.get(ONNX_RUNTIME)
    # None where ONNX Runtime, an extra, is not here: ``absent`` says so
    worst = None if first is None else first.heads_max_abs
    span = max(1.0, *(float(h.abs().max()) for h in heads))
    if worst is not None and not worst <= _ONNX_TOLERANCE * span:  # not a number is wrong too
        raise GateFailedError(
            f"the ONNX file differs from the network by {worst:.2g}",
            fix="please report this with the run directory",
        )
    return Parity(
        graph=GraphParity(images=len(images), float_max_abs=worst, sqnr_db={}),
        reference=ONNX_RUNTIME,
        images=len(images),
        runtimes={n: found for r in reports.values() for n, found in r.runtimes.items()},
        absent={n: reason for r in reports.values() for n, reason in r.absent.items()},
    )


def _runs_here(info: BackendInfo, parity: Parity) -> str:
    """The first runtime the product could be opened on; ONNX Runtime stands in with the float network."""
    return next((r for r in info.runtimes if r in parity.runtimes), ONNX_RUNTIME)
