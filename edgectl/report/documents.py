"""What a run has written about itself, read for the page."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgectl.artifacts.artifact import read_manifest
from edgectl.artifacts.manifest import Manifest
from edgectl.config.resolved import flatten_table
from edgectl.errors import DataError
from edgectl.files import MANIFEST, find_artifacts
from edgectl.runs.events import read_events
from edgectl.tasks.lookup import find_main_metric


@dataclass(frozen=True)
class Documents:
    """One run. What is not there is empty.

    Attributes:
        configuration: the text of ``config.resolved.toml``.
    """

    run: Path
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    events: list[dict[str, Any]]
    configuration: str
    artifacts: list[Manifest]

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The configuration by dotted key; empty where it cannot be read."""
        try:
            return flatten_table(tomllib.loads(self.configuration))
        except tomllib.TOMLDecodeError:
            return {}

    @property
    def family(self) -> str:
        """As the configuration names it, or an export; '' where neither is there."""
        named = self.settings.get("family") or next((m.family for m in self.artifacts), "")
        return str(named)

    @property
    def variant(self) -> str:
        """The same for the variant."""
        named = self.settings.get("variant") or next((m.variant for m in self.artifacts), "")
        return str(named)

    @property
    def main_metric(self) -> str:
        """The metric that decides, by the family's task; '' where its plugin is not here."""
        return find_main_metric(self.family, [m.task for m in self.artifacts])

    @property
    def best(self) -> dict[str, Any]:
        """What was noted of the best checkpoint."""
        found = self.metrics.get("best")
        return found if isinstance(found, dict) else {}

    @property
    def data(self) -> dict[str, Any]:
        """Name, path, images and fingerprints of the data set."""
        found = self.provenance.get("data") or self.metrics.get("data")
        return found if isinstance(found, dict) else {}


def read_documents(run: Path) -> Documents:
    """Reads a run directory.

    Raises:
        DataError: the directory is not a run, or a document of it is damaged.
        ArtifactError: a manifest that cannot be read.
    """
    metrics, provenance = _json(run / "metrics.json"), _json(run / "provenance.json")
    if not metrics and not provenance:
        raise DataError(
            "not a run directory: neither metrics.json nor provenance.json",
            where=str(run),
            fix="name a run, for example runs/train/fomo-001",
        )
    configuration = run / "config.resolved.toml"
    return Documents(
        run=run,
        metrics=metrics,
        provenance=provenance,
        events=list(read_events(run / "events.jsonl")),
        configuration=configuration.read_text("utf-8") if configuration.is_file() else "",
        artifacts=[read_manifest(p / MANIFEST) for p in find_artifacts(run)],
    )


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as e:
        raise DataError(f"not JSON: {e}", where=str(path), fix="the run is damaged") from e
    return value if isinstance(value, dict) else {}
