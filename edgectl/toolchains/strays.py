"""Processes a vendor's program started and left: also those that went into a session of their own.

While a job runs, this process adopts the orphans below it (``PR_SET_CHILD_SUBREAPER``, prctl(2)), so they
can be found as its descendants. What stands outside this process's session was started by a job. Other
systems have no such thing: there a job's process group is ended and nothing else.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

MARKER = "EDGECTL_JOB_ID"
"""Variable that tells the processes of one job from those of another."""
_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 20
_active: set[str] = set()


def adopt(job: str) -> None:
    """From now on, until :func:`release`, orphans become this process's children."""
    _active.add(job)
    _set_subreaper(on=True)


def release(job: str) -> None:
    """Ends what the job left running."""
    for _ in range(_ROUNDS):
        strays = find_strays(job)
        for pid in strays:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not strays:
            break
        time.sleep(0.02)
    _active.discard(job)
    if not _active:
        _set_subreaper(on=False)


def find_strays(job: str) -> list[int]:
    """Processes of the job that are alive: by its marker, or below this process and nobody else's."""
    ours, own_session = os.getpid(), os.getsid(0)
    parents, found = {}, []
    for pid, (state, parent, session) in _read_processes().items():
        parents[pid] = parent
        if state == "Z":
            if parent == ours and session != own_session:
                _reap(pid)
        elif session != own_session:
            found.append(pid)
    strays = []
    for pid in found:
        marker = _read_marker(pid)
        below = marker is None and len(_active) == 1 and _is_below(pid, ours, parents)
        if marker == job or below:
            strays.append(pid)
    return strays


def _is_below(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == ancestor:
            return True
    return False


def _read_processes() -> dict[int, tuple[str, int, int]]:
    """Number -> state, parent, session (proc(5)); empty where there is no such file system."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
            found[int(entry.name)] = (fields[0], int(fields[1]), int(fields[3]))
    return found


def _read_marker(pid: int) -> str | None:
    """The job a process says it belongs to; None where it says none, or may not be asked."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    prefix = f"{MARKER}=".encode()
    return next((v[len(prefix) :].decode() for v in variables if v.startswith(prefix)), None)


def _reap(pid: int) -> None:
    with suppress(OSError):
        os.waitpid(pid, os.WNOHANG)


def _set_subreaper(*, on: bool) -> None:
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)
