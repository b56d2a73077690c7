"""What the runs of a project are, read from their files: no checkpoint is opened."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edgectl.config.resolved import flatten_table
from edgectl.errors import EdgectlError
from edgectl.files import find_artifacts
from edgectl.locks import require_unlocked
from edgectl.runs.events import read_events
from edgectl.runs.rundir import RUNS, RunDirectory

State = Literal["finished", "unfinished", "training", "empty"]
_MOST = 16 << 20


@dataclass(frozen=True)
class RunSummary:
    """One run.

    Attributes:
        kind: ``train`` or ``qat``.
        state: ``unfinished`` ones can be resumed; ``empty`` ones have no checkpoint.
        metrics: of the weights that ship, or of the exported file in a run of ``qat``.
        bytes: of all its files.
        artifacts: directories of what was exported.
        config: dotted key -> value, as the run was configured.
    """

    run: Path
    kind: str
    state: State
    created: str
    family: str
    variant: str
    data: str
    epochs: int
    metrics: dict[str, Any]
    artifacts: tuple[Path, ...]
    bytes: int
    config: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """A row of ``runs list --json``."""
        document = asdict(self) | {"run": str(self.run)}
        del document["config"]
        return document | {"artifacts": [str(a) for a in self.artifacts]}


def list_runs(root: Path = RUNS) -> list[RunSummary]:
    """Every run below ``root``, by kind and name. Names that begin with a dot are none."""
    found = []
    for kind in sorted(p for p in root.glob("*") if p.is_dir()):
        for path in sorted(kind.iterdir()):
            named = not path.name.startswith((".", "latest"))
            if named and (path / "checkpoints").is_dir() and not path.is_symlink():
                found.append(summarize(path))
    return found


def summarize(path: Path) -> RunSummary:
    """Of a run directory. What is missing or damaged in it is empty here."""
    run = RunDirectory(path)
    config = flatten_table(_toml(run.config))
    provenance, metrics = _json(run.provenance), _json(run.metrics)
    events = [e for e in read_events(run.events) if isinstance(e, dict)]
    data = provenance.get("data")
    return RunSummary(
        run=path,
        kind=path.parent.name,
        state=_state(run),
        created=str(provenance.get("created", "")),
        family=str(config.get("family", "")),
        variant=str(config.get("variant", "")),
        data=str(data.get("name", "")) if isinstance(data, dict) else "",
        epochs=sum(1 for e in events if e.get("event") == "epoch"),
        metrics=_metrics(metrics),
        artifacts=tuple(find_artifacts(path)),
        bytes=sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and not p.is_symlink()),
        config=config,
    )


def _state(run: RunDirectory) -> State:
    try:
        require_unlocked(run.path, "is being trained")
    except EdgectlError:
        return "training"
    if run.metrics.is_file():
        return "finished"
    return "unfinished" if run.last.is_file() or run.best.is_file() else "empty"


def _metrics(document: dict[str, Any]) -> dict[str, Any]:
    """Single numbers alone: a table of classes is the report's."""
    for key in ("file", "best"):
        part = document.get(key)
        values = part.get("metrics") if isinstance(part, dict) else None
        if isinstance(values, dict):
            return {k: v for k, v in values.items() if isinstance(v, int | float)}
    return {}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except (OSError, ValueError, RecursionError):
        return {}


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(_text(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _text(path: Path) -> str:
    with path.open("rb") as f:
        return f.read(_MOST).decode()
