"""Lists the data sets known by name, and where they are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgectl.data.catalog.opening import find_local
from edgectl.plugins.registry import build_registry


@dataclass(frozen=True)
class KnownSet:
    """A data set by name. ``directory``: None while it is not on this machine."""

    name: str
    directory: Path | None
    url: str | None
    licence: str
    summary: str
    distribution: str
    generated: bool

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        row = asdict(self)
        del row["generated"]
        return {**row, "directory": None if self.directory is None else str(self.directory)}


@dataclass(frozen=True)
class Catalog:
    """In the order the plugins name them."""

    sets: tuple[KnownSet, ...]

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``data list --json``."""
        return {"datasets": [s.to_dict() for s in self.sets]}


def list_data() -> Catalog:
    """``edgectl data list``. Nothing is downloaded."""
    return Catalog(
        tuple(
            KnownSet(
                offer.info.name,
                find_local(offer.info),
                offer.info.url,
                offer.info.licence,
                offer.info.summary,
                offer.plugin.distribution,
                generated=bool(offer.info.generate),
            )
            for offer in build_registry().datasets.offers
        )
    )
