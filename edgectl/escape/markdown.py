"""Text in Markdown: README files of artifacts and bundles."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&$^=:@\"'])")


def text(value: object) -> str:
    """Shown as it is, in one line: no markup, no HTML, no link, no cell of a table.

    A backslash before punctuation makes it plain (CommonMark 0.31, 2.4). Letters, digits and single marks
    inside words, which mean nothing, stay bare so that the file can be read as text.
    """
    line = "".join(c if c.isprintable() else " " for c in str(value))
    if re.fullmatch(r"[\w]+([ .,-]+[\w]+)*", line) and "__" not in line and line[0] != "_":
        return line
    return _SPECIAL.sub(r"\\\1", line)


def code(value: object) -> str:
    """A code span of any text, in one line (CommonMark 0.31, 6.1)."""
    line = "".join(c if c.isprintable() else " " for c in str(value)).replace("|", "¦")
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") or not line.strip() else ""
    return f"{fence}{pad}{line}{pad}{fence}"
