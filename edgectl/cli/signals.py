"""Ctrl-C, SIGTERM and a closed terminal: a command cleans up, says one line, and exits with 130."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from edgectl.errors import Interruption

INTERRUPTED = 130
_AGAIN_SECONDS = 0.05
# Windows knows no SIGHUP
_NUMBERS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def interrupt_on_signals() -> None:
    """From here on each raises Interruption. What ``nohup`` ignores stays ignored."""
    for number in _NUMBERS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt)
    sys.unraisablehook = _repeat


def exit_on_signals() -> None:
    """From here on each ends the program at once: all is said, and the interpreter is shutting down."""
    for number in _NUMBERS:
        if signal.getsignal(number) is _interrupt:
            signal.signal(number, _exit)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Signals are dropped within: an interrupted command says so once, whole."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in _NUMBERS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interruption


def _repeat(unraisable: sys.UnraisableHookArgs) -> None:
    """An interruption that came while C called back into Python is dropped there: it comes again, once the
    interpreter is past that."""
    if unraisable.exc_type is not None and issubclass(unraisable.exc_type, Interruption):
        timer = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
        timer.daemon = True
        timer.start()
    else:
        sys.__unraisablehook__(unraisable)


def _exit(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
