"""A backend by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgectl.plugins.info import BackendInfo
from edgectl.plugins.registry import Registry, load_entry

if TYPE_CHECKING:
    from edgectl.backends.contract import ArtifactReader
    from edgectl.config.schema import RunConfig


@dataclass(frozen=True)
class OpenBackend:
    """A backend by name, its code imported, its configuration validated."""

    info: BackendInfo
    backend: Any
    """A Backend or a VendorBackend, as ``info.takes`` says."""
    config: Any


def open_backend(registry: Registry, name: str, config: RunConfig) -> OpenBackend:
    """Raises UnknownNameError, PluginError, BackendUnavailableError, ConfigError."""
    from edgectl.config.layers import validate

    info = registry.backends.get(name)
    backend: ArtifactReader = load_entry(info.entry, name)
    table = config.backend.get(name, {})
    return OpenBackend(
        info, backend, validate(backend.config_type, table, prefix=f"backend.{name}.")
    )
