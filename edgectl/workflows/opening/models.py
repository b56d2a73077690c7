"""Opens a run, a checkpoint, an artifact or a foreign network by its path, and makes it scorable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from pydantic import ValidationError

from edgectl.artifacts.artifact import Artifact, explain_damage, open_artifact
from edgectl.artifacts.manifest import Manifest
from edgectl.config.schema import RunConfig
from edgectl.errors import ArtifactError, EdgectlError, UsageError
from edgectl.evaluation.evaluate import (
    EvaluationTarget,
    target_from_artifact,
    target_from_source,
)
from edgectl.files import MANIFEST, find_artifacts, sha256_of
from edgectl.plugins.absent import explain_missing_plugins
from edgectl.plugins.family import Postprocess
from edgectl.plugins.registry import Registry
from edgectl.runs.checkpoint import Checkpoint, is_checkpoint
from edgectl.runs.locate import ModelLocation, resolve_model
from edgectl.runs.trained import TrainedModel, configuration_error, load_trained_model
from edgectl.sources.options import Statement
from edgectl.sources.reading import NETWORK
from edgectl.sources.source import Source, from_trained
from edgectl.sources.tail import Tail, read_tail
from edgectl.spec import TENSORS
from edgectl.tasks.decoders import build_postprocess
from edgectl.train.device import choose_device, choose_threads
from edgectl.workflows.opening.backends import open_backend
from edgectl.workflows.opening.families import OpenFamily, open_family
from edgectl.workflows.opening.networks import NetworkReader, is_network

FOREIGN = (NETWORK, "file")
"""Instead of a family's name: a network that is no family's, an int8 file of another program."""


@dataclass(frozen=True)
class OpenModel:
    """A MODEL and where it belongs.

    Attributes:
        family: None for a network that is no family's.
        source: its float network; None where an artifact's is gone.
        artifact: None for a float network.
    """

    location: ModelLocation
    family: OpenFamily | None
    source: Source | None
    artifact: Artifact | None

    @property
    def trained(self) -> TrainedModel | None:
        """A family's float network."""
        return None if self.source is None else self.source.trained

    @property
    def task(self) -> str:
        """What it does; ``tensors`` where nobody said how its outputs are read."""
        if self.artifact is not None:
            return self.artifact.manifest.task
        assert self.source is not None
        return self.source.task

    @property
    def name(self) -> str:
        """Of its family, or of itself."""
        if self.family is not None:
            return self.family.info.name
        if self.source is not None:
            return self.source.variant
        assert self.artifact is not None
        return self.artifact.manifest.variant

    @property
    def config(self) -> RunConfig:
        """Configuration of the run it came from; defaults where an artifact stands alone."""
        return self.source.config if self.source else RunConfig()

    @property
    def gates(self) -> tuple[str, ...]:
        """Configured for its run; the manifest remembers them where the checkpoint is gone."""
        if self.source is not None:
            return self.source.config.gates
        assert self.artifact is not None
        return self.artifact.manifest.gates or ()

    @property
    def versions(self) -> dict[str, str]:
        """Distributions it was made with."""
        if self.artifact is not None:
            return self.artifact.manifest.tools
        assert self.source is not None
        return dict(self.source.versions)

    @property
    def classes(self) -> tuple[str, ...]:
        """What it was trained to tell apart."""
        if self.artifact is not None:
            return self.artifact.manifest.classes
        assert self.source is not None
        return self.source.classes


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
            fix="name the artifact directory; eval, predict and export take float networks of other "
            "programs (.onnx, .pt2, module:function); bench and profile take this file as it is",
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
        trained = replace(trained, device=chosen)
        return OpenModel(location, family, from_trained(trained, family.info.task), None)
    return _open_artifact(registry, location, chosen)


def _open_artifact(registry: Registry, location: ModelLocation, device: str) -> OpenModel:
    artifact = open_artifact(location.path)
    manifest = artifact.manifest
    if manifest.family in FOREIGN:
        return OpenModel(location, None, _foreign_origin(registry, artifact), artifact)
    with explain_missing_plugins(manifest.tools):
        family = open_family(registry, manifest.family)
    if family.info.task != manifest.task:
        raise explain_damage(
            artifact.directory / MANIFEST,
            f"'task': {manifest.task}, which {family.info.name} does not do",
        )
    origin = _origin(artifact, family)
    source = None
    if origin is not None:
        source = from_trained(replace(origin, device=device), family.info.task)
    return OpenModel(location, family, source, artifact)


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


def _same_file(artifact: Artifact) -> Path | None:
    """What an artifact was made of, if it is still there and still the same."""
    noted = artifact.manifest.checkpoint
    path = Path(artifact.directory, noted.path).resolve()
    return path if path.is_file() and sha256_of(path) == noted.sha256 else None


def _origin(artifact: Artifact, family: OpenFamily) -> TrainedModel | None:
    """The checkpoint an artifact was exported from, if it is still there and still the same."""
    path = _same_file(artifact)
    if path is None or not is_checkpoint(path):
        return None
    return load_trained_model(path, Checkpoint.load(path), family.family)


def _foreign_origin(registry: Registry, artifact: Artifact) -> Source | None:
    """The file a network was read from. One that was built by code is gone: no code is imported because a
    manifest says so."""
    path = _same_file(artifact)
    if path is None or not is_network(path) or artifact.manifest.family != NETWORK:
        return None
    try:
        source = NetworkReader(registry).open(path, state_artifact(artifact), RunConfig())
    except EdgectlError:
        return None
    return replace(source, preprocess=artifact.preprocess)


def state_artifact(artifact: Artifact) -> Statement:
    """What has to be said of the float network an artifact was made of."""
    manifest, spec = artifact.manifest, artifact.preprocess
    return Statement(
        input_size=spec.input_size,
        mean=spec.mean,
        std=spec.std,
        channel_order=spec.channel_order,
        resize=_spell_resize(manifest),
        interpolation=spec.interpolation,
        decode=manifest.decode or "",
        outputs=manifest.cut_at,
        classes=manifest.classes if manifest.decode else (),
    )


def _spell_resize(manifest: Manifest) -> str:
    spec = manifest.preprocess
    return "center" if spec.resize == "letterbox" and spec.pad_side == "center" else spec.resize


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
        assert model.source is not None
        return target_from_source(model.source, threshold)
    with explain_missing_plugins(model.versions):
        backend = open_backend(registry, model.artifact.backend, model.config)
    return target_from_artifact(
        model.artifact,
        backend.backend,
        backend.info,
        _postprocess_of(model, model.artifact),
        runtime=runtime,
        threshold=threshold,
        tail=_tail_of(model.artifact),
    )


def _postprocess_of(model: OpenModel, artifact: Artifact) -> Postprocess | None:
    """The family's, or the decode rule's; None where nobody said how the outputs are read."""
    manifest = artifact.manifest
    if model.family is None:
        if manifest.task == TENSORS:
            return None
        return build_postprocess(manifest.decode, manifest.outputs, None)
    family = model.family.family
    try:
        model_config = family.config_type.model_validate(manifest.network_config, strict=False)
    except ValidationError as e:
        raise configuration_error(e, manifest.family, artifact.directory) from e
    return family.postprocess(model_config, num_classes=len(manifest.classes))


def _tail_of(artifact: Artifact) -> Tail | None:
    name = artifact.manifest.tail
    return None if name is None else read_tail(artifact.directory / name, artifact.outputs)
