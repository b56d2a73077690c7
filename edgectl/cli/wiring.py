"""From words on the command line to objects: registry, configuration layers, data, model."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgectl.cli.session import Session
from edgectl.errors import UnknownNameError, UsageError
from edgectl.plugins.info import BackendInfo, FamilyInfo, VariantInfo
from edgectl.plugins.registry import Registry, load_entry
from edgectl.spec import Size

if TYPE_CHECKING:
    from edgectl.backends.contract import ArtifactReader
    from edgectl.config.layers import Layer
    from edgectl.config.schema import RunConfig
    from edgectl.data.index import DatasetIndex
    from edgectl.plugins.family import Family


@dataclass(frozen=True)
class OpenFamily:
    """A family by name, its code imported."""

    info: FamilyInfo
    family: Family

    def variant(self, name: str) -> VariantInfo:
        """Raises UnknownNameError."""
        wanted = name or self.info.default_variant
        for variant in self.info.variants:
            if variant.name == wanted:
                return variant
        raise UnknownNameError(
            f"{self.info.name} variant", wanted, [v.name for v in self.info.variants]
        )


@dataclass(frozen=True)
class OpenBackend:
    """A backend by name, its code imported, its configuration validated."""

    info: BackendInfo
    backend: Any
    """A Backend or a VendorBackend, as ``info.takes`` says."""
    config: Any


def open_family(registry: Registry, name: str) -> OpenFamily:
    """Raises UnknownNameError, PluginError."""
    info = registry.families.get(name)
    return OpenFamily(info, load_entry(info.entry, name))


def open_backend(registry: Registry, name: str, config: RunConfig) -> OpenBackend:
    """Raises UnknownNameError, PluginError, BackendUnavailableError, ConfigError."""
    from edgectl.config.layers import validate

    info = registry.backends.get(name)
    backend: ArtifactReader = load_entry(info.entry, name)
    table = config.backend.get(name, {})
    return OpenBackend(
        info, backend, validate(backend.config_type, table, prefix=f"backend.{name}.")
    )


def parse_size(text: str) -> Size:
    """``192`` or ``192x256`` (height x width). Raises UsageError."""
    from edgectl.config.schema import LARGEST_SIDE

    match = re.fullmatch(r"(\d{1,9})(?:[x, ](\d{1,9}))?", text.strip())
    size = (0, 0) if match is None else (int(match[1]), int(match[2] or match[1]))
    if not all(0 < side <= LARGEST_SIDE for side in size):
        raise UsageError(
            f"not a size: '{text}'",
            where="--imgsz",
            fix=f"write --imgsz H W or --imgsz N, up to {LARGEST_SIDE} pixels",
        )
    return size


def check_size(size: Size, variant: VariantInfo) -> None:
    """Raises UsageError naming the nearest sizes that the network's stride divides."""
    stride = variant.output_stride
    if all(n % stride == 0 for n in size):
        return
    down = tuple(max(stride, n // stride * stride) for n in size)
    up = tuple(-(-n // stride) * stride for n in size)
    raise UsageError(
        f"{size[0]}x{size[1]} is not a multiple of the stride {stride} of {variant.name}",
        where="--imgsz",
        fix=f"--imgsz {down[0]} {down[1]} or --imgsz {up[0]} {up[1]}",
    )


def resolve_config(
    preset: dict[str, Any], flags: dict[str, Any], assignments: Sequence[str]
) -> RunConfig:
    """All layers in order; ``flags`` are a nested table of what was given."""
    from edgectl.config.layers import (
        Layer,
        environment_layer,
        project_layer,
        resolve,
        set_layer,
        user_layer,
    )

    layers: list[Layer | None] = [
        Layer("the family's preset", preset),
        user_layer(),
        project_layer(Path.cwd()),
        environment_layer(os.environ),
        set_layer(assignments),
        Layer("the command line", flags),
    ]
    config, _ = resolve(layers)
    return config


def apply_overrides(
    config: RunConfig, flags: dict[str, Any], assignments: Sequence[str]
) -> RunConfig:
    """A checkpoint's configuration with the words of this command line on top."""
    from edgectl.config.layers import Layer, machine_layer, resolve, set_layer

    table = config.model_dump(mode="json", exclude_none=True, exclude={"tools"})
    result, _ = resolve(
        [
            Layer("the checkpoint", table),
            machine_layer(),
            set_layer(assignments),
            Layer("the command line", flags),
        ]
    )
    return result


def open_data(
    registry: Registry, name: str, config: RunConfig, session: Session, *, quiet: bool = False
) -> DatasetIndex:
    """Opens DATA and warns of what its reader had to mend, unless ``quiet``."""
    from edgectl.data.catalog.opening import open_dataset

    if not name:
        raise UsageError(
            "no data set", fix="add --data DATA; 'edgectl data list' shows the named ones"
        )
    entry = config.datasets.get(name)
    fmt = config.data.format
    index = open_dataset(
        name if entry is None else entry.path,
        infos=registry.datasets.infos(),
        fmt=entry.format if entry is not None and fmt == "auto" else fmt,
        offline=session.offline,
        say=session.note,
    )
    if entry is not None:
        index.name = name
    if config.data.classes:
        index = index.restricted(config.data.classes)
    if quiet:
        return index
    for repair in index.repairs[:5]:
        session.warn(f"{repair.file}: {repair.kind.replace('_', ' ')}: {repair.detail}")
    if len(index.repairs) > 5:
        session.warn(f"... and {len(index.repairs) - 5} more repairs of the labels")
    return index
