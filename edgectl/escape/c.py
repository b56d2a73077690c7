"""Text and numbers in C and C++."""

from __future__ import annotations


def quote(text: str) -> str:
    """A string literal of any text, as UTF-8: what stands in it, nothing can end.

    Everything but plain letters, digits and spaces is written as three octal digits: no quote, no backslash,
    no line end, no trigraph and no end of a comment gets through, and no digit behind can join in.
    """
    return '"' + "".join(map(_octal, text.encode("utf-8", "replace"))) + '"'


def _octal(byte: int) -> str:
    c = chr(byte)
    return c if c.isascii() and (c.isalnum() or c in " _-.") else f"\\{byte:03o}"


def comment(text: str) -> str:
    """A comment of any text: letters, digits and harmless marks; the rest becomes an underscore."""
    return f"/* {harmless(text)} */"


def harmless(text: str) -> str:
    """For the inside of a comment, of either form: no line end, no star, slash or backslash."""
    return "".join(c if c.isascii() and (c.isalnum() or c in " _-.,:()[]") else "_" for c in text)


def literal(value: float) -> str:
    """The nearest float, as a literal."""
    import numpy as np

    v = np.float32(value)
    if np.isnan(v):
        return "NAN"
    if np.isinf(v):
        return "INFINITY" if v > 0 else "-INFINITY"
    return np.format_float_scientific(v, trim="0") + "f"
