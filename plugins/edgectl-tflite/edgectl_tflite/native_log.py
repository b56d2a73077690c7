"""Catches what native libraries print to the process's standard error."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_STDERR = 2


@dataclass
class NativeLog:
    """``text`` is complete once the block is left."""

    text: str = ""


@contextmanager
def native_log() -> Iterator[NativeLog]:
    """Redirects file descriptor 2 into the log for the duration of the block.

    The interpreters report errors and memory figures there and nowhere else. The redirection holds
    for the whole process: keep the block short, and free of Python output.
    """
    log = NativeLog()
    sys.stderr.flush()
    saved = os.dup(_STDERR)
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), _STDERR)
        try:
            yield log
        finally:
            os.dup2(saved, _STDERR)
            os.close(saved)
            sink.seek(0)
            log.text = sink.read().decode("utf-8", "replace")
