"""Opens a run, a checkpoint or an artifact by its path, and makes it scorable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from pydantic import ValidationError

from edgectl.artifacts.artifact import Artifact, explain_damage, open_artifact
from edgectl.config.schema import RunConfig
from edgectl.errors import ArtifactError, UsageError
from edgectl.evaluation.evaluate import (
    EvaluationTarget,
    target_from_artifact,
    target_from_checkpoint,
)
from edgectl.files import MANIFEST, find_artifacts
from edgectl.plugins.absent import explain_missing_plugins
from edgectl.plugins.registry import Registry
from edgectl.runs.checkpoint import Checkpoint
from edgectl.runs.locate import ModelLocation, resolve_model
from edgectl.runs.trained import TrainedModel, configuration_error, load_trained_model
from edgectl.train.device import choose_device, choose_threads
from edgectl.workflows.opening.backends import open_backend
from edgectl.workflows.opening.families import OpenFamily, open_family


@dataclass(frozen=True)
class OpenModel:
    """A MODEL and where it belongs. ``artifact`` is None for a checkpoint."""

    location: ModelLocation
    family: OpenFamily
    trained: TrainedModel | None
    artifact: Artifact | None

    @property
    def config(self) -> RunConfig:
        """Configuration of the run it came from; defaults where an artifact stands alone."""
        return self.trained.config if self.trained else RunConfig()

    @property
    def gates(self) -> tuple[str, ...]:
        """Configured for its run; the manifest remembers them where the checkpoint is gone."""
        if self.trained is not None:
            return self.trained.config.gates
        assert self.artifact is not None
        return self.artifact.manifest.gates or ()

    @property
    def versions(self) -> dict[str, str]:
        """Distributions it was made with."""
        if self.artifact is not None:
            return self.artifact.manifest.tools
        assert self.trained is not None
        return self.trained.checkpoint.versions

    @property
    def classes(self) -> tuple[str, ...]:
        """What it was trained to tell apart."""
        if self.artifact is not None:
            return self.artifact.manifest.classes
        assert self.trained is not None
        return self.trained.classes


def open_model(
    registry: Registry, model: Path | None, *, prefer_artifact: bool, device: str | None = None
) -> OpenModel:
    """Opens MODEL, or the latest run.

    Args:
        prefer_artifact: a run stands for the file exported last, where there is one.
        device: where the float network runs: cpu (the default), cuda, npu, mps, xpu or auto.

    Raises:
        UsageError, ArtifactError, PluginError: see :func:`edgectl.runs.locate.resolve_model`.
        DependencyError: a device that is not here.
    """
    chosen = choose_device(device or "cpu", where="--device")
    # as in training: one core stays free, so that a busy machine does not stall every operator
    torch.set_num_threads(choose_threads(0))
    location = resolve_model(model)
    if location.kind == "file":
        raise ArtifactError(
            "a model file alone does not say what it is: no manifest.json beside it",
            where=str(location.path),
            fix="name the artifact directory, or export the file with edgectl",
        )
    if location.kind == "run" and prefer_artifact:
        newest = _newest_artifact(location)
        if newest is not None:
            location = resolve_model(newest)
    if location.kind != "artifact":
        _require_float(location)
        checkpoint = Checkpoint.load(location.path)
        with explain_missing_plugins(checkpoint.versions):
            family = open_family(registry, checkpoint.family)
        trained = load_trained_model(location.path, checkpoint, family.family)
        return OpenModel(location, family, replace(trained, device=chosen), None)
    artifact = open_artifact(location.path)
    with explain_missing_plugins(artifact.manifest.tools):
        family = open_family(registry, artifact.manifest.family)
    if family.info.task != artifact.manifest.task:
        raise explain_damage(
            artifact.directory / MANIFEST,
            f"'task': {artifact.manifest.task}, which {family.info.name} does not do",
        )
    origin = _origin(artifact, family)
    if origin is not None:
        origin = replace(origin, device=chosen)
    return OpenModel(location, family, origin, artifact)


def _require_float(location: ModelLocation) -> None:
    run = location.run
    made_here = run is not None and location.path in (run.last, run.best)
    origin = run.float_model if run is not None and made_here else None
    if origin is not None:
        assert run is not None
        raise UsageError(
            "a run of qat holds integers, and wrote its file when it had trained them",
            where=str(run.path),
            fix=f"eval, bench and deploy take {run.path}; for the float network name {origin}",
        )


def _newest_artifact(location: ModelLocation) -> Path | None:
    assert location.run is not None
    found = find_artifacts(location.run.path)
    return max(found, key=lambda p: (p / MANIFEST).stat().st_mtime) if found else None


def _origin(artifact: Artifact, family: OpenFamily) -> TrainedModel | None:
    """The checkpoint an artifact was exported from, if it is still there and still the same."""
    from edgectl.files import sha256_of

    noted = artifact.manifest.checkpoint
    path = Path(artifact.directory, noted.path).resolve()
    if not path.is_file() or sha256_of(path) != noted.sha256:
        return None
    return load_trained_model(path, Checkpoint.load(path), family.family)


def open_for_evaluation(
    registry: Registry, model: OpenModel, *, runtime: str | None, threshold: float | None
) -> EvaluationTarget:
    """Raises UsageError for a runtime with a checkpoint."""
    if model.artifact is None:
        if runtime is not None:
            raise UsageError(
                "a checkpoint runs in torch; runtimes are for exported files",
                where="--runtime",
                fix="export first: edgectl export --backend BACKEND",
            )
        assert model.trained is not None
        return target_from_checkpoint(model.trained, model.family.info.task, threshold)
    with explain_missing_plugins(model.versions):
        backend = open_backend(registry, model.artifact.backend, model.config)
    family, manifest = model.family.family, model.artifact.manifest
    try:
        model_config = family.config_type.model_validate(manifest.network_config, strict=False)
    except ValidationError as e:
        raise configuration_error(e, manifest.family, model.artifact.directory) from e
    postprocess = family.postprocess(model_config, num_classes=len(manifest.classes))
    return target_from_artifact(
        model.artifact,
        backend.backend,
        backend.info,
        postprocess,
        runtime=runtime,
        threshold=threshold,
    )
