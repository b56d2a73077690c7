"""Runs a vendor's program so that nothing it does can harm us: it hangs, crashes, prints garbage or
without end, and the user gets one line and the path of its log.

Job protocol, version 1. The program runs in the directory that holds its files and leaves its results there.
Lines on its standard output that are JSON objects with ``"edgectl": 1`` are events::

    {"edgectl": 1, "event": "progress", "message": "..."}
    {"edgectl": 1, "event": "result", ...}                    facts, returned to the caller
    {"edgectl": 1, "event": "error", "message": "...", "fix": "..."}

Everything else goes to the log. Exit code 0 means done. A runtime that stays open reads one JSON object a
line from its standard input and answers each with one ``result`` or ``error``; the end of input ends it.
``EDGECTL_JOB=1`` is set, so that a script run by hand may talk to people instead.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO
from uuid import uuid4

from edgectl.errors import EdgectlError
from edgectl.spec import Progress
from edgectl.toolchains import strays
from edgectl.toolchains.tool import Tool, isolated_environment

VERSION = 1
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 20
_GRACE_SECONDS = 5.0
_LINGER_SECONDS = 1.0
"""What a program that has ended said last is read for so long; then its children are ended."""
_LOOK_SECONDS = 0.1
_TAIL = 5


class ToolError(EdgectlError):
    """A vendor's program failed. ``where`` is its log."""

    code = "E-TOOL"


def run_job(
    tool: Tool,
    arguments: Sequence[str],
    directory: Path,
    *,
    log: Path,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Runs to the end. Returns the facts of all its ``result`` events.

    Raises:
        ToolError: it failed, was killed, or went over its time or output limit.
    """
    facts: dict[str, Any] = {}
    with _Process(tool, arguments, directory, log) as process:
        process.close_input()
        deadline = time.monotonic() + tool.time_limit
        while (event := process.next_event(deadline)) is not None:
            if event["event"] == "progress":
                progress(str(event.get("message", "")))
            elif event["event"] == "result":
                facts.update({k: v for k, v in event.items() if k not in ("edgectl", "event")})
        process.expect_success()
    return facts


class ToolSession:
    """A runtime that stays open: a vendor's simulator or device, asked request by request."""

    def __init__(self, tool: Tool, arguments: Sequence[str], directory: Path, *, log: Path) -> None:
        self._process = _Process(tool, arguments, directory, log)
        self._limit = tool.time_limit

    def request(self, document: dict[str, Any]) -> dict[str, Any]:
        """One request, one answer. Raises ToolError; the session is over then."""
        self._process.send(document)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next ``result``, also of a program that says one before it is asked."""
        process = self._process
        deadline = time.monotonic() + self._limit
        while (event := process.next_event(deadline)) is not None:
            if event["event"] == "result":
                return {k: v for k, v in event.items() if k not in ("edgectl", "event")}
        process.expect_success()
        raise process.failure("ended without an answer")

    def close(self) -> None:
        """Ends the program."""
        self._process.stop()

    def __enter__(self) -> ToolSession:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Process:
    """The program, a thread that reads what it prints, and its limits."""

    def __init__(self, tool: Tool, arguments: Sequence[str], directory: Path, log: Path) -> None:
        self._tool, self._log_path = tool, log
        place = str(directory.resolve())
        argv = [w.replace("{directory}", place) for w in tool.argv] + list(arguments)
        environment = isolated_environment() if tool.isolated else dict(os.environ)
        # without bytecode: what is left in the directory becomes part of an artifact
        python = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._job = uuid4().hex
        environment |= {"EDGECTL_JOB": str(VERSION), strays.MARKER: self._job, **python}
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log: BinaryIO = log.open("ab")
        self._log.write((" ".join(argv) + "\n").encode())
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._error: dict[str, Any] | None = None
        self._over_limit = False
        self._ended: float | None = None
        strays.adopt(self._job)
        try:
            self._child = subprocess.Popen(
                argv,
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                # a group of its own: all it started is stopped with it, and Ctrl-C reaches it through us
                start_new_session=True,
            )
        except OSError as e:
            self._log.close()
            strays.release(self._job)
            raise ToolError(f"cannot start '{argv[0]}': {e.strerror}", where=str(log)) from e
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> _Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _read(self) -> None:
        """Until the program closes its output or goes over the limit. None in the queue: the end."""
        assert self._child.stdout is not None
        descriptor = self._child.stdout.fileno()
        total, pending = 0, b""
        while chunk := os.read(descriptor, _CHUNK):
            total += len(chunk)
            if total > self._tool.output_limit:
                self._over_limit = True
                break
            self._log.write(chunk)
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                self._take(line)
            # a line without end is for the log alone
            pending = pending if len(pending) <= _LONGEST_LINE else b""
        self._take(pending)
        self._log.flush()
        self._events.put(None)

    def _take(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip()
        if text:
            self._tail.append(text[:200])
        if not text.startswith("{"):
            return
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):  # garbage, or nested without end
            return
        if "edgectl" not in event or not isinstance(event.get("event"), str):
            return
        if event["edgectl"] != VERSION:
            event = {
                "event": "error",
                "message": f"it speaks version {event['edgectl']} of the job protocol, edgectl {VERSION}",
                "fix": "use a plugin and an edgectl of one release",
            }
        self._events.put(event)

    def close_input(self) -> None:
        """It will be asked nothing."""
        assert self._child.stdin is not None
        with suppress(OSError):
            self._child.stdin.close()

    def send(self, document: dict[str, Any]) -> None:
        """One request. A program that is gone is noticed by :meth:`next_event`."""
        assert self._child.stdin is not None
        with suppress(OSError):
            self._child.stdin.write(json.dumps(document).encode() + b"\n")
            self._child.stdin.flush()

    def next_event(self, deadline: float) -> dict[str, Any] | None:
        """None once the output has ended, or the program has and what it left holds the output open.

        Raises ToolError on an error event and at a limit.
        """
        event = self._wait(deadline)
        if event is None and self._over_limit:
            self.stop()
            raise self.failure(
                f"printed more than {self._tool.output_limit >> 20} MiB and was stopped",
                fix=f"raise output_limit under [tools.{self._tool.name}], if that is in order",
            )
        if event is not None and event["event"] == "error":
            self.stop()
            raise self.failure(
                f"says: {event.get('message', 'nothing')}", fix=str(event.get("fix") or "") or None
            )
        return event

    def _wait(self, deadline: float) -> dict[str, Any] | None:
        while True:
            # however fast events come, the limit holds
            if (left := deadline - time.monotonic()) <= 0.0:
                self.stop()
                raise self.failure(
                    f"did not end within {self._tool.time_limit:g} seconds and was stopped",
                    fix=f"raise time_limit under [tools.{self._tool.name}], if it needs longer",
                )
            with suppress(queue.Empty):
                return self._events.get(timeout=min(left, _LOOK_SECONDS))
            if self._child.poll() is None:
                continue
            self._ended = self._ended or time.monotonic()
            if time.monotonic() - self._ended > _LINGER_SECONDS:
                return None

    def expect_success(self) -> None:
        """After the output has ended. Raises ToolError unless the exit code is 0."""
        try:
            code = self._child.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.stop()
            raise self.failure("closed its output but did not end, and was stopped") from None
        if code < 0:
            raise self.failure(f"was killed by {signal.Signals(-code).name}")
        if code:
            said = f"; it said: {' | '.join(self._tail)}" if self._tail else ""
            raise self.failure(f"ended with exit code {code}{said}")

    def failure(self, what: str, fix: str | None = None) -> ToolError:
        """An error that names the log."""
        return ToolError(
            f"the compiler '{self._tool.name}' {what}",
            where=str(self._log_path),
            fix=fix or "its log is the file named above",
        )

    def stop(self) -> None:
        """Ends the program and all it started; does nothing when they are gone."""
        self.close_input()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._child.poll() is None:
                self._signal(number)
                with suppress(subprocess.TimeoutExpired):
                    self._child.wait(timeout=_GRACE_SECONDS)
        # what it left running still holds the pipe
        self._signal(signal.SIGKILL)
        strays.release(self._job)
        self._reader.join(timeout=_GRACE_SECONDS)
        self._log.close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)
