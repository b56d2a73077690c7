"""One command line, several processes: the one the user started speaks, the ones that train report."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgectl.cli.session import Session
from edgectl.errors import EdgectlError
from edgectl.train.distributed import heartbeat

_OUTCOMES = "EDGECTL_OUTCOMES"
_LOOK_S = 1.0
_GRACE_S = 30.0


class Report:
    """What a process tells of itself. This one has no launcher to tell.

    Attributes:
        speaks: whether it tells the user.
    """

    def __init__(self, *, speaks: bool = True) -> None:
        self.speaks = speaks

    def opened(self, run: Path) -> None:
        """There is a run directory."""

    def done(self, data: dict[str, Any]) -> None:
        """The run has ended well."""


class ProcessReport(Report):
    """To the launcher that named ``directory``."""

    def __init__(self, session: Session, directory: Path, rank: int) -> None:
        from edgectl.train.distributed.outcome import Outcome

        super().__init__(speaks=False)
        self._session, self._directory, self._rank = session, directory, rank
        self._outcome = Outcome()

    def opened(self, run: Path) -> None:
        """Told at once: a process that is killed says nothing later. From here on, what a process
        other than the first prints goes to its own log."""
        from edgectl.runs.rundir import RunDirectory

        self._outcome.run = str(run)
        self._write()
        if self._rank:
            directory = RunDirectory(run)
            directory.logs.mkdir(parents=True, exist_ok=True)
            with directory.log_of(self._rank).open("ab") as f:
                for stream in (1, 2):
                    os.dup2(f.fileno(), stream)

    def done(self, data: dict[str, Any]) -> None:
        """The figures."""
        self._outcome.data = data
        self._write()

    def lost(self, message: str) -> None:
        """Another process is silent: said, and this one, which waits for it, ended."""
        status = self.failed(EdgectlError(message, fix="look at that machine, then --resume"))
        os._exit(status)

    def failed(self, error: BaseException) -> int:
        """Why, and the traceback into the run's logs; returns the exit code."""
        from edgectl.cli.app import explain
        from edgectl.runs.rundir import RunDirectory
        from edgectl.train.distributed.processes import LostPeerError, is_lost_connection

        message, fix, code, status = explain(error)
        if is_lost_connection(error):
            code = LostPeerError.code
        self._outcome.error = {"message": message, "fix": fix, "code": code, "exit": status}
        self._outcome.traceback = "".join(traceback.format_exception(error))
        self._write()
        if self._outcome.run is not None:
            run = RunDirectory(Path(self._outcome.run))
            run.logs.mkdir(parents=True, exist_ok=True)
            with run.log_of(self._rank).open("a", encoding="utf-8") as f:
                f.write(self._outcome.traceback)
        return status

    def _write(self) -> None:
        self._outcome.warnings = self._session.warnings
        self._outcome.write(self._directory, self._rank)


@contextmanager
def reporting(session: Session) -> Iterator[Report]:
    """Let nothing leave the block but a report, in a process with a launcher: a failure ends it."""
    rank = int(os.environ.get("RANK", "0"))
    if _OUTCOMES not in os.environ:
        # started by torchrun itself: the first process has the document
        session.json = session.json and rank == 0
        yield Report(speaks=rank == 0)
        return
    faulthandler.enable()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    session.json = False
    report = ProcessReport(session, Path(os.environ[_OUTCOMES]), rank)
    heartbeat.on_lost = report.lost
    try:
        yield report
    except BaseException as e:  # noqa: BLE001 - the launcher turns it into text
        status = report.failed(e)
        sys.stdout.flush()
        sys.stderr.flush()
        # without goodbyes to the other processes, which may have gone or wait for this one
        os._exit(status or 1)


def _end_with(launcher: int) -> None:
    """A launcher that is killed tells nobody; its processes must not train on beside a resumed run."""
    while os.getppid() == launcher:
        time.sleep(_LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)
    # one that waits in a transport for its peers does not come to listen
    time.sleep(_GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)
