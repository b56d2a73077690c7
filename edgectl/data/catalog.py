"""DATA on the command line: a name of the catalog, a directory, or an annotation file."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgectl.data.download import fetch_archive
from edgectl.data.formats import read_dataset
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError, UnknownNameError
from edgectl.types import DatasetInfo

DEMO_SEED = 0


def cache_root() -> Path:
    """``$EDGECTL_CACHE/datasets`` or the user's cache directory."""
    named = os.environ.get("EDGECTL_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    root = Path(named) if named else Path(base).expanduser() / "edgectl"
    return root / "datasets"


def search_roots() -> list[Path]:
    """Where named sets are looked for, in order."""
    named = os.environ.get("EDGECTL_DATA")
    return [*([Path(named)] if named else []), Path("datasets"), cache_root()]


def find_local(info: DatasetInfo) -> Path | None:
    """The first directory of the set that is here."""
    for root in search_roots():
        for directory in info.directories or (info.name,):
            if (root / directory).is_dir():
                return root / directory
    return None


def open_dataset(
    data: str | Path, *, infos: Sequence[DatasetInfo], fmt: str = "auto", offline: bool
) -> DatasetIndex:
    """Finds, generates or downloads the set, and reads its labels.

    Raises:
        UnknownNameError: a bare name nobody offers.
        DataError: a path without data, a set that must be downloaded with ``offline``, bad labels.
    """
    text = str(data)
    info = next((i for i in infos if i.name == text), None)
    if info is None:
        path = Path(data)
        if not path.exists() and len(path.parts) == 1 and not path.suffix:
            local = next((r / path for r in search_roots() if (r / path).is_dir()), None)
            if local is None:
                raise UnknownNameError("data set", text, [i.name for i in infos], where="--data")
            path = local
        return read_dataset(path, fmt)
    directory = find_local(info) or _obtain(info, offline)
    index = read_dataset(directory, info.format if fmt == "auto" else fmt)
    index.name = info.name
    return index


def _obtain(info: DatasetInfo, offline: bool) -> Path:
    target = cache_root() / (info.directories or (info.name,))[0]
    if info.generate is not None:
        return _generate(info.generate, target)
    if info.url is None or offline:
        looked = ", ".join(str(r) for r in search_roots())
        raise DataError(
            f"the set '{info.name}' is not here (looked in {looked})"
            + (" and --offline forbids the download" if info.url else ""),
            fix=f"put it into ./datasets/{info.name} or set EDGECTL_DATA"
            + ("; or leave out --offline" if info.url else ""),
        )
    fetch_archive(info.url, target)
    return target


def _generate(entry: str, target: Path) -> Path:
    """Draws the set beside its place and renames it, so that a half-drawn one is never found."""
    module, _, function = entry.partition(":")
    target.parent.mkdir(parents=True, exist_ok=True)
    tmp = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        getattr(importlib.import_module(module), function)(tmp, DEMO_SEED)
        try:
            tmp.rename(target)
        except OSError:
            # another process drew it in the meantime
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    return target
