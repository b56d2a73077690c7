"""A command that is done ends, whatever plugins and libraries have left running."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress

GRACE_SECONDS = 10.0


def end_soon(status: int) -> None:
    """From here on the interpreter has ten seconds to shut down: threads that are no daemons and functions
    registered with ``atexit`` may take that long and no longer."""
    threading.Thread(target=_end, args=(status,), daemon=True).start()


def _end(status: int) -> None:
    time.sleep(GRACE_SECONDS)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status)


def occupy_standard_streams() -> None:
    """Where one was closed by whoever started this, it leads nowhere: a file opened later would take its
    number, and get what libraries print."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for good
