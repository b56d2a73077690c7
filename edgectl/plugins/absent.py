"""A run or an artifact whose plugin was uninstalled: says so, and how to get it back."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from edgectl.errors import DependencyError, EdgectlError, UnknownNameError


@contextmanager
def explain_missing_plugins(versions: Mapping[str, str]) -> Iterator[None]:
    """Within it, a name nobody offers, or a data set that is gone, is blamed on the plugins that are gone.

    Args:
        versions: distributions recorded when the thing was made, with their versions.

    Raises:
        DependencyError: in place of an error with a ``name``, where a recorded distribution is not installed.
    """
    try:
        yield
    except EdgectlError as e:
        name = getattr(e, "name", None)
        if name is None:
            raise
        gone = [f"{n}=={v}" for n, v in versions.items() if n != "python" and not _installed(n)]
        # a plugin mostly has its distribution's name; else any of them may be the one, unless it is a set,
        # which may just have been moved
        likely = [g for g in gone if name in g.partition("==")[0]]
        gone = likely or (gone if isinstance(e, UnknownNameError) else [])
        if not gone:
            raise
        raise DependencyError(
            f"{e.message}: it was made with {', '.join(gone)}, not installed now",
            where=e.where,
            fix="pip install " + " ".join(gone),
        ) from e


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
