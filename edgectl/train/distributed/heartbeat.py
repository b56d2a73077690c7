"""Each process of a run says that it is there, and ends when another no longer does.

A process that is stopped, or whose machine hangs, keeps its connections: the others would wait for it as long
as their transport does. So each counts in the store where they met, on a connection of its own, and looks at
the counters of the others.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol

KEY = "edgectl/alive/"
_SHORTEST, _LONGEST = 0.2, 10.0
_PARTS = 20
"""Beats in the time a process may be silent."""


class Store(Protocol):
    """As much as is needed of ``torch.distributed.Store``."""

    def add(self, key: str, amount: int, /) -> int:
        """Adds to a counter, which begins at 0, and returns it."""
        ...


def say_and_end(message: str) -> None:
    """Of a process nobody launched: to standard error. It waits in a transport, and nothing else ends it."""
    if sys.stderr is not None:
        sys.stderr.write(f"error: {message}\n")
        sys.stderr.flush()
    os._exit(1)


on_lost: Callable[[str], None] = say_and_end
"""What a process does that has lost another; the command line reports to its launcher."""


class Heartbeat:
    """Beats and listens in a thread until :meth:`stop`.

    Args:
        connect: opens a connection to the store, in the thread.
        limit: seconds a process may be silent.
    """

    def __init__(self, connect: Callable[[], Store], rank: int, world: int, limit: float) -> None:
        self._connect, self._rank, self._world, self._limit = connect, rank, world, limit
        self._every = min(_LONGEST, max(_SHORTEST, limit / _PARTS))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """From now on."""
        self._thread.start()

    def stop(self) -> None:
        """The run is over; the others may be gone."""
        self._done.set()

    def _run(self) -> None:
        now = time.monotonic()
        seen = {rank: (0, now) for rank in range(self._world) if rank != self._rank}
        reached, store = now, None
        while not self._done.wait(self._every):
            try:
                store = store or self._connect()
                store.add(f"{KEY}{self._rank}", 1)
                counts = {rank: store.add(f"{KEY}{rank}", 0) for rank in seen}
                reached = time.monotonic()
            except (RuntimeError, OSError):
                counts, store = {}, None
            for rank, count in counts.items():
                if count != seen[rank][0]:
                    seen[rank] = (count, time.monotonic())
            silent = [r for r, (_, when) in seen.items() if reached - when > self._limit]
            if self._done.is_set():
                return
            if silent:
                on_lost(
                    f"process {silent[0]} of {self._world} has not answered for {self._limit:g} s"
                )
                return
            if time.monotonic() - reached > self._limit:
                on_lost(f"the place where the processes met has not answered for {self._limit:g} s")
                return
