"""Which projects may name programs to run: those whose ``edgectl.toml`` the user has allowed, as it is.

A directory from elsewhere brings its ``edgectl.toml``, and ``[tools]`` names programs. They count only where
``edgectl trust DIR`` has recorded the file's path and the digest of its bytes; a changed file is asked about
again, as direnv does.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from edgectl.config.paths import config_directory
from edgectl.errors import UsageError
from edgectl.files import write_json

PROJECT_FILE = "edgectl.toml"
_STORE = "trusted.json"


def trust(directory: Path) -> Path:
    """Records the project file of a directory as it is now; returns its path.

    Raises:
        UsageError: there is none.
        EdgectlError: the record cannot be written.
    """
    path = (directory / PROJECT_FILE).resolve()
    if not path.is_file():
        raise UsageError(f"no {PROJECT_FILE} there", where=str(directory), fix="name the project")
    store = config_directory() / _STORE
    known = _read(store)
    known[str(path)] = _digest(path)
    store.parent.mkdir(parents=True, exist_ok=True)
    write_json(store, known)
    return path


def is_trusted(path: Path) -> bool:
    """Whether that project file was allowed with exactly these bytes."""
    path = path.resolve()
    known = _read(config_directory() / _STORE).get(str(path))
    return known is not None and known == _digest(path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(store: Path) -> dict[str, Any]:
    """Empty where there is none, and where it is damaged: then nothing is trusted."""
    try:
        document = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
