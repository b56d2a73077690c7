"""The index of what Tab may offer, as a file in the user's cache.

It is made once from the commands and plugins (:mod:`edgectl.cli.completion.index`) and made again when
anything is installed or removed. Reading it imports nothing but the standard library: a shell waits for it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from edgectl import __version__
from edgectl.config.paths import cache_directory

_SCHEMA = 1


def read_index() -> dict[str, Any] | None:
    """The index, or None where there is none or it is of other packages than those installed."""
    try:
        document = json.loads(_path().read_text(encoding="utf-8"))
        return document["index"] if document["of"] == _identify() else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def keep_index(index: dict[str, Any]) -> None:
    """Writes it for the next time. Raises OSError where the cache cannot be written."""
    from edgectl.files import write_text

    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps({"of": _identify(), "index": index}))


def _path() -> Path:
    return cache_directory() / "completion.json"


def _identify() -> list[Any]:
    """Changes when a package comes, goes, or is exchanged, or plugins are chosen otherwise."""
    folders = [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
    times = [[p, Path(p).stat().st_mtime_ns] for p in folders if Path(p).is_dir()]
    return [_SCHEMA, __version__, times, os.environ.get("EDGECTL_PLUGINS", "")]
