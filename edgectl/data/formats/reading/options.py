"""What a reader cannot know from the files, said by the user: where images are, what columns mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReadOptions:
    """Attributes:
    images: where images lie, when not where the format has them.
    yolo_columns: what the numbers of a YOLO line are; ``auto`` takes it from the whole set.
    skip_unreadable: leave out images that are none, and note it, instead of refusing the set.
    """

    images: Path | None = None
    yolo_columns: str = "auto"
    skip_unreadable: bool = False


PLAIN = ReadOptions()
_CURRENT: ContextVar[ReadOptions] = ContextVar("read_options", default=PLAIN)


@contextmanager
def read_with(options: ReadOptions) -> Iterator[None]:
    """Within it, readers follow ``options``."""
    token = _CURRENT.set(options)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def read_options() -> ReadOptions:
    """Those in force."""
    return _CURRENT.get()
