"""Two kindnesses the option parser does not know: global flags anywhere, and ``--imgsz H W``."""

from __future__ import annotations

from collections.abc import Sequence

GLOBAL_FLAGS = ("--json", "--debug", "--offline")


def hoist_flags(argv: Sequence[str]) -> tuple[list[str], set[str]]:
    """Takes the global flags out, wherever they stand before ``--``: ``train fomo --json``."""
    end = argv.index("--") if "--" in argv else len(argv)
    found = {a for a in argv[:end] if a in GLOBAL_FLAGS}
    return [a for a in argv[:end] if a not in found] + list(argv[end:]), found


def join_sizes(argv: Sequence[str], options: Sequence[str] = ("--imgsz",)) -> list[str]:
    """``--imgsz 192 256`` becomes ``--imgsz 192x256``: an option cannot take one or two values."""
    joined: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        joined.append(word)
        if word == "--":
            return joined + rest
        if word in options and len(rest) >= 2 and rest[0].isdigit() and rest[1].isdigit():
            joined.append(f"{rest.pop(0)}x{rest.pop(0)}")
    return joined
