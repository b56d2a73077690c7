"""Quantization-aware training from checkpoint to file: calibrate, train on the one engine, export.

Starts from the PTQ result, trains weights and activation ranges in the backend's arithmetic, and exports
the very scales that were learned, at the epoch the held-back images chose.
"""

from __future__ import annotations

from dataclasses import replace

from edgectl.artifacts.artifact import Artifact, open_artifact
from edgectl.backends.contract import Backend
from edgectl.errors import ArtifactError, GateFailedError, UsageError
from edgectl.export.request import ExportRequest
from edgectl.export.stages import Prepared, calibrated, export_model, prepare
from edgectl.files import MANIFEST
from edgectl.qat.checkpoint import QuantizedCheckpoint, load_graph
from edgectl.qat.trainee import QatTrainee
from edgectl.quant.quantized import QuantizedGraph
from edgectl.runs.rundir import RunDirectory
from edgectl.spec import Progress
from edgectl.train.distributed.processes import Processes
from edgectl.train.loop import Trainer
from edgectl.train.progress import Reporter
from edgectl.train.result import FitResult


def run_qat(
    request: ExportRequest[Backend],
    run: RunDirectory,
    *,
    origin: str,
    reporter: Reporter | None = None,
    processes: Processes = Processes(),
    resume: QuantizedCheckpoint | None = None,
    progress: Progress = lambda _: None,
) -> tuple[FitResult, Artifact]:
    """Calibrates, trains ``config.qat.epochs`` epochs on *train* (less the run's hold-out), and exports
    to ``request.out``. A drop over the limit stands in the artifact's manifest. Of several processes the
    first exports, and all return the same.

    Args:
        origin: the float model's path, as the user would name it.
        resume: the run's ``last.pt``: goes on from there, to the bit.

    Raises:
        UsageError: the backend cannot be trained for, there is no data set, or another share of *train* is
            to be held back than the run did.
        ArtifactError: the float model has changed since the run began.
        EdgectlError, InterruptedRunError: see :meth:`edgectl.train.loop.Trainer.fit`.
        GateFailedError: runtimes that must agree do not.
    """
    require_trainable(request)
    source = request.source
    prepared = prepare(source, request.backend, request.info, request.backend_config)
    scheme = request.backend.scheme(request.backend_config)
    if resume is not None:
        quantized = load_graph(resume.start, scheme)
    else:
        quantized = _calibrate(prepared, request, processes, progress)
    trainee = QatTrainee(request, prepared, quantized, origin, processes)
    if resume is not None and resume.model["sha256"] != trainee.checksum:
        raise ArtifactError(
            "the float model has changed since the run began",
            where=str(source.path),
            fix="restore it, or start again: edgectl qat --backend " + request.info.name,
        )
    fit = Trainer(trainee, reporter, processes).fit(run, resume)
    if processes.is_main:
        best = QuantizedCheckpoint.load(run.best)
        point = best.operating_point or source.operating_point
        request = replace(request, stage="qat", operating_point=point)
        _write_metrics(run, _export(request, best.quantized(scheme), progress), best)
    processes.wait()
    processes.leave()
    return fit, open_artifact(request.out)


def require_trainable(request: ExportRequest[Backend]) -> None:
    """Raises UsageError where QAT is not possible."""
    if not request.info.qat:
        raise UsageError(
            f"{request.info.name} quantizes with its vendor's tool; QAT is not possible here",
            fix="edgectl export --backend " + request.info.name,
        )
    if request.index is None:
        raise UsageError("QAT needs the training images", fix="--set data.name=DATA")


def _calibrate(
    prepared: Prepared,
    request: ExportRequest[Backend],
    processes: Processes,
    progress: Progress,
) -> QuantizedGraph:
    """By the first process; the others get what it found."""
    found: QuantizedGraph | None = None
    if processes.is_main:
        progress("calibrating")
        found = calibrated(prepared, request, progress)
    found = processes.broadcast(found)
    assert found is not None
    return found


def _export(
    request: ExportRequest[Backend], quantized: QuantizedGraph, progress: Progress
) -> Artifact:
    try:
        return export_model(request, quantized=quantized, progress=progress)
    except GateFailedError:
        # a file that lost too much is still there, and worth a look; one that failed parity is not
        if not (request.out / MANIFEST).is_file():
            raise
        return open_artifact(request.out)


def _write_metrics(run: RunDirectory, artifact: Artifact, best: QuantizedCheckpoint) -> None:
    """``metrics.json``, where the file was scored."""
    scored = artifact.manifest.metrics
    if scored is not None:
        run.write_metrics(
            {
                "schema": "edgectl-metrics/1",
                "float": scored.network.to_dict(),
                "file": scored.file.to_dict(),
                "best_epoch": best.epoch,
            }
        )
