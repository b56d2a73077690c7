"""Says which plugin everybody is waiting for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 5.0


@contextmanager
def name_the_slow(plugin: str, doing: str) -> Iterator[None]:
    """One line on standard error where the block takes more than five seconds, and again every minute."""
    done = threading.Event()

    def watch() -> None:
        wait = SECONDS
        while not done.wait(wait):
            if sys.stderr is not None:
                sys.stderr.write(
                    f"still {doing} plugin '{plugin}'; EDGECTL_PLUGINS=none leaves it out\n"
                )
                sys.stderr.flush()
            wait = 60.0

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
