"""The data set of a run, found again: where it was, under the name that was typed, or in a new place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgectl.errors import DataError, UsageError
from edgectl.plugins.absent import explain_missing_plugins
from edgectl.workflows.opening.context import Context
from edgectl.workflows.opening.datasets import open_run_data, restrict_to_classes

if TYPE_CHECKING:
    from edgectl.config.schema import RunConfig
    from edgectl.data.index import DatasetIndex
    from edgectl.workflows.arguments import PathLike
    from edgectl.workflows.opening.models import OpenModel


class MovedDataError(DataError):
    """The set of a run is not where it was. ``name``: as it was typed."""

    name = ""


_FIX = "--data NEWPLACE says where it is now; the images and labels must be the same"


def find_run_data(
    context: Context, config: RunConfig, known: Mapping[str, Any], data: str | None = None
) -> DatasetIndex:
    """The set a run was trained on.

    Args:
        config: of the run; names the set as it was typed.
        known: what the checkpoint remembers of it: ``path``, ``fingerprint``.
        data: where it is now. Without it the set is looked for as typed, then where it was.

    Raises:
        MovedDataError: it is in neither place.
        DataError: ``data`` holds other images or labels.
    """
    if not data:
        return open_run_data(context, locate_run_data(context, config, known), config)
    index = open_run_data(context, data, config)
    changed = changed_splits(index, known)
    if changed:
        raise DataError(
            f"not the set of the run: {', '.join(changed)} has other images or labels",
            where=data,
            fix="name the set as the run saw it; 'eval --data' scores on another one",
        )
    context.console.note(f"{data}: the images and labels of the run")
    return index


def data_for(
    context: Context,
    model: OpenModel,
    data: str | None,
    *,
    same: bool = False,
    images: PathLike | None = None,
) -> DatasetIndex:
    """DATA as given, or what the model was trained on; ``same``: DATA must be that. ``images``: directory
    of its images, where they are not beside the labels.

    Raises DataError as :func:`find_run_data`.
    """
    config = model.config
    if model.source is not None and model.family is not None:
        known: Mapping[str, Any] = model.source.data
    else:
        stated = None if model.artifact is None else model.artifact.manifest.data
        known = {"name": ""} if stated is None else stated.model_dump()
        named = config.data.model_copy(update={"name": str(known["name"])})
        config = config.model_copy(update={"data": named})
    if images is not None:
        apart = config.data.model_copy(update={"images": str(images)})
        config = config.model_copy(update={"data": apart})
    with explain_missing_plugins({} if data else model.versions):
        if data and not same:
            index = open_run_data(context, data, config)
        else:
            index = find_run_data(context, config, known, data)
    return restrict_to_classes(context, index, model.classes)


def locate_run_data(context: Context, config: RunConfig, known: Mapping[str, Any]) -> str:
    """The name typed where it leads to something, else the place it was in.

    Raises:
        MovedDataError: there is nothing in either.
    """
    name, place = config.data.name, str(known.get("path") or "")
    if not name:
        raise UsageError(
            "no data set", fix="add --data DATA; 'edgectl data list' shows the named ones"
        )
    if _is_here(context, name, config):
        return name
    if place and Path(place).exists():
        context.console.note(f"'{name}' is not here: the set is taken from {place}")
        return place
    was = f", and {place} is gone" if place else ""
    error = MovedDataError(
        f"the data set of the run has moved: there is no '{name}' here{was}", where=name, fix=_FIX
    )
    error.name = name
    raise error


def changed_splits(index: DatasetIndex, known: Mapping[str, Any]) -> list[str]:
    """Splits that are not what the run saw."""
    seen: Mapping[str, str] = known.get("fingerprint") or {}
    return [
        name
        for name, fingerprint in seen.items()
        if name not in index.splits or index.fingerprint(name) != fingerprint
    ]


def _is_here(context: Context, name: str, config: RunConfig) -> bool:
    """Whether anything of the name is found or can be obtained; what is in it shows later."""
    from edgectl.data.catalog.opening import search_roots

    if name in config.datasets or any(name == i.name for i in context.registry.datasets.infos()):
        return True
    bare = name == Path(name).name and not Path(name).suffix
    return Path(name).exists() or (bare and any((r / name).is_dir() for r in search_roots()))
