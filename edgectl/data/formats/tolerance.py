"""Readers refuse what is wrong; ``data check`` wants to hear everything that is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from edgectl.data.formats.reading.options import read_options
from edgectl.data.index import Repair
from edgectl.errors import DataError

_TOLERANT: ContextVar[bool] = ContextVar("tolerant", default=False)


@contextmanager
def tolerant() -> Iterator[None]:
    """Within it, readers leave out what they would refuse, and note it among the repairs."""
    token = _TOLERANT.set(True)
    try:
        yield
    finally:
        _TOLERANT.reset(token)


def refuse(
    error: DataError,
    repairs: list[Repair],
    kind: str,
    file: str,
    *,
    lost: int = 0,
    split: str = "",
    name: str = "",
) -> None:
    """Raises ``error``, or notes it: the caller then goes on without the faulty part.

    Args:
        lost: labels that go with it, of the class ``name``.
    """
    skipped = kind == "unreadable_image" and read_options().skip_unreadable
    if not _TOLERANT.get() and not skipped:
        raise error
    repairs.append(Repair(kind, file, error.message, max(lost, 1), lost, split, name))
