"""Everything one export needs, put together from a model and what the caller asks for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from edgectl.config.schema import RunConfig
from edgectl.data.formats import looks_like_dataset
from edgectl.data.index import DatasetIndex
from edgectl.data.select.calibration import (
    CalibrationSet,
    calibration_from_directory,
    calibration_list,
)
from edgectl.errors import UsageError
from edgectl.export.points import move_points
from edgectl.export.request import ExportRequest
from edgectl.plugins.absent import explain_missing_plugins
from edgectl.sources.options import Statement
from edgectl.sources.source import Source, from_trained
from edgectl.spec import Size
from edgectl.workflows.opening.anything import open_network
from edgectl.workflows.opening.backends import OpenBackend, open_backend
from edgectl.workflows.opening.configuration import apply_overrides, resolve_config
from edgectl.workflows.opening.context import Context
from edgectl.workflows.opening.datasets import open_run_data, restrict_to_classes
from edgectl.workflows.opening.models import OpenModel
from edgectl.workflows.opening.run_data import MovedDataError, find_run_data

_FEWEST = 50


def make_request(
    context: Context,
    model: OpenModel,
    backend: str,
    *,
    precision: str | None = None,
    calib: str | None = None,
    data: str | None = None,
    imgsz: Size | None = None,
    out: Path | None = None,
    flags: dict[str, Any] | None = None,
    assignments: list[str] | None = None,
) -> ExportRequest[Any]:
    """The caller's configuration over the checkpoint's, the backend, the data and the images.

    Raises:
        UsageError: MODEL is an artifact, or --imgsz is not the checkpoint's.
        DataError: the run's data set has moved and its images are needed, or ``data`` is another set.
    """
    source = _require_float(model)
    if imgsz is not None:
        _require_size(model, source, imgsz)
    config = apply_overrides(source.config, flags or {}, assignments or [])
    if config.quant.point_offset is not None:
        moved = move_points(source.require_trained(), config.quant.point_offset)
        source = from_trained(moved, source.task)
    opened = open_backend(context.registry, backend, config)
    if precision is None:
        precision = opened.info.precisions[0]
    needed = precision == "int8" and calib is None
    with explain_missing_plugins(model.versions):
        index = _labelled_images(context, source, config, data, needed=needed)
    calibration = _calibration(context, calib, config, index) if precision == "int8" else None
    run = model.location.run
    parent = (run.path if run else model.location.path.parent) / "export"
    return _put_together(
        source.configured(config),
        opened,
        precision,
        out or parent / f"{backend}-{precision}",
        index,
        calibration,
    )


def make_network_request(
    context: Context,
    model: Path,
    said: Statement,
    backend: str,
    *,
    precision: str | None = None,
    calib: str | None = None,
    data: str | None = None,
    out: Path | None = None,
    flags: dict[str, Any] | None = None,
    assignments: list[str] | None = None,
) -> ExportRequest[Any]:
    """The same for a network that is no checkpoint of edgectl's. ``data``: labelled images to score on, and
    to calibrate on where ``calib`` names none.

    Raises:
        UsageError: what nobody said. UnsupportedOpError, ArtifactError: a network that cannot be read.
    """
    config = resolve_config({}, flags or {}, assignments or [])
    opened = open_backend(context.registry, backend, config)
    if precision is None:
        precision = opened.info.precisions[0]
    index = open_run_data(context, data, config) if data else None
    calibration = _calibration(context, calib, config, index) if precision == "int8" else None
    found = open_network(
        context,
        model,
        said,
        config,
        assignments=assignments or [],
        data_classes=() if index is None else index.classes,
        images=calibration,
    )
    source = found.source
    assert source is not None
    if index is not None and source.decoded:
        index = restrict_to_classes(context, index, source.classes)
    name = re.sub(r"[^\w.-]+", "-", source.variant)
    place = model.parent if model.is_file() else Path()
    return _put_together(
        source,
        opened,
        precision,
        out or place / f"{name}-{backend}-{precision}",
        index,
        calibration,
    )


def _put_together(
    source: Source,
    opened: OpenBackend,
    precision: str,
    out: Path,
    index: DatasetIndex | None,
    calibration: CalibrationSet | None,
) -> ExportRequest[Any]:
    return ExportRequest(
        source=source,
        backend=opened.backend,
        info=opened.info,
        backend_config=opened.config,
        precision=precision,
        out=out,
        index=index,
        calibration=calibration,
        max_drop=source.config.quant.max_drop,
    )


def _labelled_images(
    context: Context, source: Source, config: RunConfig, data: str | None, *, needed: bool
) -> DatasetIndex | None:
    """The set of the run, or the one the caller's configuration names; None where there is none and
    none is ``needed``: the file is then not scored."""
    if not data and not config.data.name:
        return None
    if not data and config.data.name != source.config.data.name:
        return open_run_data(context, config.data.name, config)
    try:
        return find_run_data(context, config, source.data, data)
    except MovedDataError as e:
        if needed:
            raise
        context.console.warn(f"not scored: {e.message}; {e.fix}")
        return None


def _require_float(model: OpenModel) -> Source:
    if model.source is None or model.artifact is not None:
        raise UsageError(
            "an exported file cannot be exported again",
            where=str(model.location.path),
            fix="name the run or its checkpoint",
        )
    return model.source


def _require_size(model: OpenModel, source: Source, wanted: Size) -> None:
    size = source.preprocess.input_size
    if wanted != size:
        raise UsageError(
            f"the checkpoint was trained at {size[0]}x{size[1]}; another size is another network",
            where="--imgsz",
            fix=f"leave --imgsz out, or train at the size you want: edgectl train {model.name}"
            f" --imgsz {wanted[0]} {wanted[1]}",
        )


def _calibration(
    context: Context, calib: str | None, config: RunConfig, index: DatasetIndex | None
) -> CalibrationSet:
    """Images of *train*; a plain directory of images is taken as it is."""
    count, seed = config.quant.calib_images, config.train.seed
    if calib is not None and Path(calib).is_dir() and not looks_like_dataset(Path(calib)):
        chosen = calibration_from_directory(Path(calib), count, seed)
    else:
        source = open_run_data(context, calib, config) if calib else index
        if source is None:
            raise UsageError(
                "no calibration images",
                fix="--set data.name=DATA; export takes --calib DATA or --calib DIR as well",
            )
        split = config.data.train_split if config.data.train_split in source.splits else None
        if split is None:
            raise UsageError(
                f"'{source.name}' has no split '{config.data.train_split}' to calibrate on",
                where="--calib",
                fix="name a directory of images, or --set data.train_split=",
            )
        chosen = calibration_list(source.splits[split], count, seed)
    if len(chosen.names) < _FEWEST:
        context.console.warn(
            f"{len(chosen.names)} calibration images; 100 or more give steadier ranges"
        )
    return chosen
