"""Catches what native libraries print to the process's standard output and error."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_STREAMS = (1, 2)


@dataclass
class NativeLog:
    """``text`` is complete once the block is left."""

    text: str = ""


@contextmanager
def native_log() -> Iterator[NativeLog]:
    """Redirects file descriptors 1 and 2 into the log for the duration of the block.

    The interpreters report errors and memory figures there and nowhere else, and with ``--json``
    standard output belongs to one document. The redirection holds for the whole process: keep the
    block short, and free of Python output.
    """
    log = NativeLog()
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [(stream, os.dup(stream)) for stream in _STREAMS]
    with tempfile.TemporaryFile() as sink:
        for stream, _ in saved:
            os.dup2(sink.fileno(), stream)
        try:
            yield log
        finally:
            for stream, copy in saved:
                os.dup2(copy, stream)
                os.close(copy)
            sink.seek(0)
            log.text = sink.read().decode("utf-8", "replace")
