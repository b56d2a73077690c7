"""One process at a time works on a run or makes a directory; a second one is told who does.

The lock is the kernel's (flock), on a file ``.NAME.edgectl-lock`` beside what is locked: it ends with its
process however that ends, so none is ever stale. The file says who holds it. Where a file system has no such
locks the file alone is the lock, and counts for as long as the process that it names is alive.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from edgectl.errors import EdgectlError
from edgectl.owners import is_alive, own_start

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SUFFIX = ".edgectl-lock"
_BUSY = frozenset({errno.EAGAIN, errno.EACCES})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL})
_MOST = 1 << 16
_ATTEMPTS = 100


class BusyError(EdgectlError):
    """Another process works on the same thing."""

    code = "E-BUSY"


@dataclass(frozen=True)
class Holder:
    """Who holds a lock. ``start``: see :mod:`edgectl.owners`; ``since``: local time."""

    pid: int
    start: int
    host: str
    since: str

    @property
    def is_gone(self) -> bool:
        """Whether it certainly is: of another machine nothing is known."""
        return self.host == socket.gethostname() and not is_alive(self.pid, self.start)


def lock_of(target: Path) -> Path:
    """The file whose lock is the target's."""
    return target.parent / f".{target.name}{SUFFIX}"


@contextmanager
def hold(target: Path, what: str) -> Iterator[None]:
    """The target is this process's for the length of the block. Its parent exists.

    Args:
        what: of the target, for whoever comes second: "is being trained".

    Raises:
        BusyError: another process holds it.
        OSError: nothing can be written beside the target.
    """
    path = lock_of(target)
    handle = _acquire(path, target, what)
    try:
        me = Holder(os.getpid(), own_start(), socket.gethostname(), time.strftime("%F %T"))
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(asdict(me)).encode() + b"\n", 0)
        yield
    finally:
        # removed while it is held: whoever has opened it meanwhile sees that it is no longer there
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)


def require_unlocked(target: Path, what: str) -> None:
    """Raises BusyError where :func:`hold` would: to be asked before long work."""
    path = lock_of(target)
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return
    try:
        if not _lock(handle, path):
            raise _busy(target, what, read_holder(path))
    finally:
        os.close(handle)


def remove_abandoned(path: Path) -> bool:
    """Deletes a lock file whose holder is gone; False where it is held."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        if not _lock(handle, path) or not _is_at(handle, path):
            return False
        path.unlink()
        return True
    finally:
        os.close(handle)


def read_holder(path: Path) -> Holder | None:
    """Who wrote the lock file; None where it does not say."""
    try:
        with path.open("rb") as f:
            document = json.loads(f.read(_MOST))
        return Holder(
            int(document["pid"]),
            int(document["start"]),
            str(document["host"]),
            str(document["since"]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _acquire(path: Path, target: Path, what: str) -> int:
    for _ in range(_ATTEMPTS):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _lock(handle, path):
                raise _busy(target, what, read_holder(path))
            if _is_at(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        # its holder has just removed it: the lock is on a file without a name
        os.close(handle)
    raise _busy(target, what, None)


def _lock(handle: int, path: Path) -> bool:
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as e:
            if e.errno in _BUSY:
                return False
            if e.errno not in _NO_LOCKS:
                raise
    holder = read_holder(path)
    return holder is None or holder.is_gone


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _busy(target: Path, what: str, holder: Holder | None) -> BusyError:
    by = "another process"
    if holder is not None:
        by = f"process {holder.pid} on {holder.host}, since {holder.since}"
    return BusyError(
        f"{what} by {by}", where=str(target), fix="wait for it, or end it and try again"
    )
