"""Counts parameters, multiply-accumulates, memory and traffic, layer by layer."""

from __future__ import annotations

import json
from pathlib import Path

from edgectl.backends.contract import CostReader
from edgectl.backends.cost import Profile, profile_network
from edgectl.config.layers import validate
from edgectl.config.schema import RunConfig
from edgectl.errors import ArtifactError, UsageError
from edgectl.files import replacing_file
from edgectl.plugins.registry import Registry
from edgectl.quant.graph.module import GraphModule
from edgectl.sources.options import Statement
from edgectl.spec import Size
from edgectl.workflows.arguments import PathLike, SizeLike, read_path, read_size
from edgectl.workflows.console import Console
from edgectl.workflows.opening.backends import open_backend
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.families import check_size, open_family
from edgectl.workflows.opening.models import open_model
from edgectl.workflows.opening.networks import NetworkReader, is_network


def profile(
    target: PathLike | None = None,
    *,
    variant: str = "",
    imgsz: SizeLike | None = None,
    classes: int = 80,
    overlay: PathLike | None = None,
    console: Console | None = None,
    offline: bool = False,
) -> Profile:
    """``edgectl profile``: each argument is its option.

    Args:
        target: a family, run, checkpoint, artifact, model file or network of another program; default:
            the latest run.
        variant: of a family. classes: of a family.
        imgsz: of a family, or of a model file that states none.
        overlay: a file to write: node data for Model Explorer, MACs a layer.

    Raises:
        UsageError: options that do not go with the target.
        ArtifactError: a backend that does not say what its files cost.
    """
    registry = open_context(console, offline).registry
    size = None if imgsz is None else read_size(imgsz)
    if isinstance(target, str) and target in registry.families.names():
        if overlay is not None:
            raise _nothing_to_overlay(target)
        return _profile_family(registry, target, variant, size, classes)
    path = read_path(target)
    if path is not None and is_network(path) and not variant:
        if overlay is not None:
            raise _nothing_to_overlay(str(path))
        return _profile_network(registry, path, size)
    bare = path is not None and registry.backend_of(path) is not None
    if variant or (size and not bare):
        raise UsageError(
            "--variant and --imgsz are for families; a trained model has its own",
            where=str(path),
        )
    found = _profile_model(registry, path, size, overlay=overlay is not None)
    if overlay is not None:
        _write_overlay(Path(overlay), found)
    return found


def _profile_family(
    registry: Registry, name: str, variant: str, size: Size | None, classes: int
) -> Profile:
    opened = open_family(registry, name)
    chosen = opened.variant(variant)
    size = size or chosen.default_input_size
    check_size(size, chosen)
    table = opened.family.presets(chosen.name).get("model", {})
    config = validate(opened.family.config_type, table, prefix="model.")
    return profile_network(opened.family.build(config, num_classes=classes), size)


def _profile_network(registry: Registry, path: Path, size: Size | None) -> Profile:
    """A network of another program, up to its raw heads; weights are not needed."""
    read = NetworkReader(registry, weights_needed=False).read(path, Statement(input_size=size))
    channels = read.graph.input.shape[1]
    return profile_network(GraphModule(read.graph), read.input_size, in_chans=channels)


def _profile_model(
    registry: Registry, path: Path | None, size: Size | None, *, overlay: bool
) -> Profile:
    foreign = None if path is None else registry.backend_of(path)
    if path is not None and foreign is not None:
        reader = open_backend(registry, foreign, RunConfig()).backend
        assert isinstance(reader, CostReader)
        return reader.cost(path, size)
    opened = open_model(registry, path, prefer_artifact=False)
    if opened.artifact is None:
        if overlay:
            raise _nothing_to_overlay(str(opened.location.path))
        assert opened.trained is not None
        return profile_network(opened.trained.model, opened.trained.preprocess.input_size)
    backend = open_backend(registry, opened.artifact.backend, opened.config).backend
    if not isinstance(backend, CostReader):
        raise ArtifactError(
            f"{opened.artifact.backend} does not say what its files cost",
            where=str(opened.artifact.directory),
            fix="profile the checkpoint it was exported from",
        )
    return backend.cost(opened.artifact.model_file, None)


def _nothing_to_overlay(where: str) -> UsageError:
    return UsageError(
        "--overlay colors the nodes of an exported file; this is none",
        where=where,
        fix="export it, and name the artifact: edgectl profile ARTIFACT --overlay FILE",
    )


def _write_overlay(path: Path, found: Profile) -> None:
    """Model Explorer's node data: a value an output tensor, colored by share of the largest."""
    results = {layer.name: {"value": layer.macs} for layer in found.layers}
    gradient = [{"stop": 0, "bgColor": "white"}, {"stop": 1, "bgColor": "orangered"}]
    document = {"main": {"results": results, "gradient": gradient}}
    with replacing_file(path) as out:
        out.write(json.dumps(document, indent=1).encode())
