"""Text on a terminal, and in files whose lines are read one by one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def one_line(text: str) -> str:
    """What a terminal cannot act on: characters that print nothing are written as Python would."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text)
    )


def markup(text: str) -> str:
    """The same for Rich, whose words in square brackets are styles."""
    from rich.markup import escape

    return escape(one_line(text))


def is_control(c: str) -> bool:
    """Whether a character ends a line, directs a terminal or is half of one: no name holds such."""
    return unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")


def lines(values: Iterable[str]) -> str:
    """A text file of one value a line: ``labels.txt``. A value never takes two."""
    return "".join(
        "".join(c.encode("unicode_escape").decode("ascii") if is_control(c) else c for c in v)
        + "\n"
        for v in values
    )
