"""MODEL, whatever it is: a run, a checkpoint, an artifact, or a network that somebody else made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from edgectl.config.schema import RunConfig
from edgectl.data.formats import looks_like_dataset
from edgectl.data.select.calibration import CalibrationSet
from edgectl.errors import UsageError
from edgectl.evaluation.agreement import images_of_split
from edgectl.runs.locate import ModelLocation
from edgectl.sources.options import Statement
from edgectl.train.device import choose_threads
from edgectl.workflows.opening.configuration import resolve_config
from edgectl.workflows.opening.context import Context
from edgectl.workflows.opening.datasets import open_run_data
from edgectl.workflows.opening.families import open_family
from edgectl.workflows.opening.models import OpenModel, open_model
from edgectl.workflows.opening.networks import NetworkReader, is_network


def open_anything(
    context: Context,
    model: Path | None,
    said: Statement,
    *,
    prefer_artifact: bool,
    device: str | None = None,
    data: str | None = None,
) -> OpenModel:
    """Opens MODEL.

    Args:
        said: of a network that is no checkpoint of edgectl's; must be empty for everything else.
        data: a labelled set, whose names its classes take.

    Raises:
        UsageError: options that do not go with MODEL. What :func:`open_model` raises.
    """
    if model is None or not is_network(model):
        require_nothing_said(said, model)
        return open_model(context.registry, model, prefer_artifact=prefer_artifact, device=device)
    require_cpu(device)
    config = resolve_config({}, {}, [])
    if not data or _is_directory_of_images(data):
        return open_network(context, model, said, config)
    index = open_run_data(context, data, config)
    few = index.splits.get(config.data.valid_split)
    return open_network(
        context,
        model,
        said,
        config,
        data_classes=index.classes,
        images=images_of_split(index, config.data.valid_split) if few else None,
    )


def _is_directory_of_images(data: str) -> bool:
    """Without labels: good for measuring agreement."""
    return Path(data).is_dir() and not looks_like_dataset(Path(data))


def open_network(
    context: Context,
    model: Path,
    said: Statement,
    config: RunConfig,
    *,
    assignments: Sequence[str] = (),
    data_classes: tuple[str, ...] = (),
    images: CalibrationSet | None = None,
) -> OpenModel:
    """Opens a network that is no checkpoint of edgectl's. ``images``: on which its preparation is checked."""
    torch.set_num_threads(choose_threads(0))
    reader = NetworkReader(context.registry, context.console.note)
    source = reader.open(
        model,
        said,
        config,
        assignments=assignments,
        data_classes=data_classes,
        images=images,
    )
    family = None if source.trained is None else open_family(context.registry, source.family)
    return OpenModel(ModelLocation("file", model), family, source, None)


def require_nothing_said(said: Statement, model: Path | None) -> None:
    """Raises UsageError for options that only foreign networks take."""
    if said.given:
        raise UsageError(
            f"{said.given[0]} is for networks that edgectl did not train; this one knows its own",
            where=str(model or "the latest run"),
            fix=f"leave {', '.join(said.given)} out, or name an .onnx, a .pt2, weights or module:function",
        )


def require_cpu(device: str | None) -> None:
    """Raises UsageError: a network that is no family's has no torch module to move."""
    if device not in (None, "cpu", "auto"):
        raise UsageError(
            "a network that is not a family's is compared on the CPU",
            where="--device",
            fix="leave --device out",
        )
