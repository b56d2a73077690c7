"""How the processes of a run tell their launcher how it went: one JSON file each.

An exit code cannot say why, and only the launcher speaks to the user at the end.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edgectl.errors import EdgectlError
from edgectl.files import write_json


@dataclass
class Outcome:
    """Attributes:
    run: the run directory, once there is one.
    data: what ``edgectl train --json`` reports, of a run that ended well.
    warnings: shown already.
    error: ``message``, ``fix``, ``code`` and ``exit`` of what went wrong.
    traceback: of the same.
    """

    run: str | None = None
    data: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None
    traceback: str = ""

    def write(self, directory: Path, rank: int) -> None:
        """Atomically."""
        write_json(_file(directory, rank), asdict(self))

    def as_error(self) -> EdgectlError | None:
        """The process's own error, with its code and exit code."""
        if self.error is None:
            return None
        error = EdgectlError(self.error["message"], fix=self.error["fix"])
        error.code, error.exit_code = self.error["code"], self.error["exit"]
        return error


def read_outcomes(directory: Path) -> dict[int, Outcome]:
    """By rank, of the processes of this machine that wrote one."""
    found = {}
    for path in sorted(directory.glob("rank-*.json")):
        rank = int(path.stem.removeprefix("rank-"))
        found[rank] = Outcome(**json.loads(path.read_text(encoding="utf-8")))
    return dict(sorted(found.items()))


def _file(directory: Path, rank: int) -> Path:
    return directory / f"rank-{rank}.json"
