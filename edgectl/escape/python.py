"""Values in Python source."""

from __future__ import annotations

from collections.abc import Sequence


def quote(text: str) -> str:
    """A string literal of any text, in ASCII."""
    return ascii(str(text))


def strings(values: Sequence[str]) -> str:
    """A list of them."""
    return "[" + ", ".join(map(quote, values)) + "]"
