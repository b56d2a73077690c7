"""DATA on the command line: a name of the catalog, a directory, or an annotation file."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path

from edgectl.config.paths import cache_directory
from edgectl.data.catalog.archive import is_archive, open_archive
from edgectl.data.catalog.download import fetch_archive
from edgectl.data.formats import read_dataset
from edgectl.data.formats.reading.options import PLAIN, ReadOptions
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError, EdgectlError, UnknownNameError
from edgectl.files import directory_beside
from edgectl.plugins.info import DatasetInfo
from edgectl.spec import Progress

DEMO_SEED = 0


def cache_root() -> Path:
    """Where generated and downloaded sets are kept."""
    return cache_directory() / "datasets"


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
    data: str | Path,
    *,
    infos: Sequence[DatasetInfo],
    fmt: str = "auto",
    offline: bool,
    say: Progress = lambda _: None,
    options: ReadOptions = PLAIN,
) -> DatasetIndex:
    """Finds, generates, downloads or unpacks the set, and reads its labels.

    Raises:
        UnknownNameError: a bare name nobody offers.
        DataError: a path without data, a set that must be downloaded with ``offline``, bad labels.
    """
    text = str(data)
    info = next((i for i in infos if i.name == text), None)
    if info is None:
        path = Path(data)
        if not path.exists() and text == path.name and not path.suffix:
            local = next((r / path for r in search_roots() if (r / path).is_dir()), None)
            if local is None:
                raise UnknownNameError("data set", text, [i.name for i in infos], where="--data")
            path = local
        if is_archive(path):
            index = read_dataset(open_archive(path, cache_root()), fmt, options)
            index.name = path.stem
            return index
        return read_dataset(path, fmt, options)
    directory = find_local(info) or _obtain(info, offline, say)
    index = read_dataset(directory, info.format if fmt == "auto" else fmt, options)
    index.name = info.name
    return index


def _obtain(info: DatasetInfo, offline: bool, say: Progress) -> Path:
    target = cache_root() / (info.directories or (info.name,))[0]
    if info.generate is None and (info.url is None or offline):
        looked = ", ".join(str(r) for r in search_roots())
        raise DataError(
            f"the set '{info.name}' is not here (looked in {looked})"
            + (" and --offline forbids the download" if info.url else ""),
            fix=f"put it into ./datasets/{info.name} or set EDGECTL_DATA"
            + ("; or leave out --offline" if info.url else ""),
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if info.generate is not None:
            _generate(info.generate, target)
        elif info.url is not None:
            fetch_archive(info.url, target, say)
    except OSError as e:
        raise EdgectlError(
            f"cannot be written: {e.strerror or e}",
            where=str(target),
            fix="free disk space, or choose another directory with EDGECTL_CACHE",
        ) from e
    return target


def _generate(entry: str, target: Path) -> None:
    """Draws the set beside its place and renames it, so that a half-drawn one is never found."""
    module, _, function = entry.partition(":")
    with directory_beside(target) as place:
        drawn = place / target.name
        drawn.mkdir()
        getattr(importlib.import_module(module), function)(drawn, DEMO_SEED)
        try:
            drawn.rename(target)
        except OSError:
            # another process may have drawn it in the meantime
            if not target.is_dir():
                raise
