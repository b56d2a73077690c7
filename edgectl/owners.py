"""Which process something belongs to: its number and the moment it began.

A number is used again after a while; with the moment, in the kernel's ticks, it deceives nobody.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


def own_start() -> int:
    """When this process began. A fork is a process of its own."""
    return _start_of_own(os.getpid())


def is_alive(pid: int, start: int) -> bool:
    """Whether the process of that number that began then is still there. True where nobody can tell."""
    if os.name == "nt":  # where a signal of zero is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return (own_start() if pid == os.getpid() else read_start(pid)) == start


@cache
def _start_of_own(pid: int) -> int:
    return read_start(pid)


def read_start(pid: int) -> int:
    """Ticks from the start of the system to the start of the process; 0 where the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        # field 22; the name before it, in brackets, may hold anything (proc(5))
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
