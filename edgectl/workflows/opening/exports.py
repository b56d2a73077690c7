"""Which of a run's exports is meant, where a run is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgectl.artifacts.artifact import Artifact, open_artifact
from edgectl.deploy.bundle import fit_of
from edgectl.deploy.firmware import firmware_violations
from edgectl.errors import EdgectlError, UsageError
from edgectl.files import MANIFEST, find_artifacts
from edgectl.plugins.board import BoardInfo
from edgectl.runs.locate import ModelLocation


def exports_of(location: ModelLocation) -> list[Artifact]:
    """What a run exported, the newest first; none where no run is named. What cannot be opened is left out:
    naming it says why."""
    if location.kind not in ("run", "checkpoint") or location.run is None:
        return []
    places = find_artifacts(location.run.path)
    places.sort(key=lambda p: (p / MANIFEST).stat().st_mtime, reverse=True)
    found = []
    for place in places:
        try:
            found.append(open_artifact(place))
        except EdgectlError:
            continue
    return found


def choose_for_board(
    exports: Sequence[Artifact], board: BoardInfo, *, own_program: bool
) -> Artifact | None:
    """The export a board should get: of the backend it prefers, taken by its firmware, with room for it, the
    newest. One that does not fit stands in where none does, so that it can be said what is missing."""
    usable = [
        a
        for a in exports
        if a.backend in board.backends
        and a.manifest.built
        and (own_program or not any(v.fatal for v in firmware_violations(board, a.manifest)))
    ]
    usable.sort(
        key=lambda a: (not fit_of(a, board).passed, board.backends.index(a.backend))
    )  # stable: the newest stays first
    return usable[0] if usable else None


def choose_of_backend(location: ModelLocation, backend: str) -> Path:
    """The newest export of a backend.

    Raises:
        UsageError: none.
    """
    for artifact in exports_of(location):
        if artifact.backend == backend:
            return artifact.directory
    raise UsageError(
        f"nothing exported by '{backend}'",
        where=str(location.path),
        fix=f"edgectl export --backend {backend}",
    )
