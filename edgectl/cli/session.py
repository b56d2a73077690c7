"""What one invocation carries: output mode, warnings, and the document ``--json`` prints."""

from __future__ import annotations

import errno
import json
import math
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from edgectl.errors import EdgectlError
from edgectl.escape.terminal import markup

if TYPE_CHECKING:
    from edgectl.train.progress import Reporter
    from edgectl.workflows.opening.context import Context

SCHEMA = "edgectl/1"
SILENCED = "EDGECTL_SILENT"
"""Set to 1 for processes whose caller wants to hear nothing."""


class Result(Protocol):
    """What a workflow returns."""

    def to_dict(self) -> dict[str, Any]:
        """``data`` of the document."""
        ...


R = TypeVar("R", bound=Result)


@dataclass
class Session:
    """Attributes:
    json: one JSON document on stdout; people's text goes to stderr.
    debug: show tracebacks.
    offline: no network; also set by ``EDGECTL_OFFLINE=1``.
    command: the words before the arguments, for the document.
    data: what the document holds; set it before raising, and a failed gate still shows its figures.
    """

    json: bool = False
    debug: bool = False
    offline: bool = False
    command: str = ""
    data: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    silent: bool = False
    """Say nothing: a process whose caller in Python wants to hear nothing."""

    def open_context(self) -> Context:
        """What the workflows of this invocation stand on."""
        from edgectl.workflows.opening.context import open_context

        return open_context(self, self.offline)

    def bar(self, words: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A bar on stderr, on terminals only."""
        from edgectl.cli.views.progress import image_bar

        return image_bar(words, total)

    def reporter(self) -> Reporter:
        """A live bar on a terminal, a line an epoch otherwise; both on stderr."""
        from edgectl.train.progress import choose_reporter

        return choose_reporter(quiet=self.silent)

    def deliver(self, make: Callable[[], R], show: Callable[[Session, R], None]) -> R:
        """Runs a workflow. Its result becomes the document's ``data``, or is shown to people; so does
        what an error carries, before the error goes on."""
        try:
            result = make()
        except EdgectlError as e:
            if e.result is not None:
                self._take(e.result, show)
            raise
        self._take(result, show)
        return result

    def _take(self, result: R, show: Callable[[Session, R], None]) -> None:
        self.data = result.to_dict()
        if not self.json:
            show(self, result)

    def keep_warnings(self, messages: Sequence[str]) -> None:
        """Into the document."""
        self.warnings.extend(messages)

    def warn(self, message: str) -> None:
        """Into the document, and to stderr for people."""
        self.warnings.append(message)
        self._console().print(f"[yellow]warning:[/yellow] {plain(message)}", highlight=False)

    def say(self, renderable: Any, *, markup: bool = False) -> None:
        """A table or other Rich renderable for people, or lines: shown as they are, unless they hold
        ``markup``. stdout, or stderr with ``--json``."""
        if isinstance(renderable, str) and not markup:
            renderable = "\n".join(map(plain, renderable.split("\n")))
        self._console(stderr=self.json).print(renderable, highlight=False)

    def note(self, message: str) -> None:
        """Progress for people, always on stderr."""
        self._console().print(f"[dim]{plain(message)}[/dim]", highlight=False)

    def fail(self, message: str, fix: str | None) -> None:
        """One red line and the remedy, on stderr."""
        console = self._console()
        console.print(f"[red]error:[/red] {plain(message)}", highlight=False, soft_wrap=True)
        if fix:
            console.print(f"  [cyan]fix:[/cyan] {plain(fix)}", highlight=False, soft_wrap=True)

    def print_document(self, error: dict[str, Any] | None) -> None:
        """The one document of ``--json``. Raises OSError where it cannot be written."""
        document = {
            "schema": SCHEMA,
            "command": self.command,
            "ok": error is None,
            "data": self.data,
            "warnings": self.warnings,
            "error": error,
        }
        if sys.stdout is None:
            raise OSError(errno.EBADF, "standard output is closed")
        sys.stdout.write(json.dumps(_finite(document), default=str, allow_nan=False) + "\n")
        sys.stdout.flush()

    def _console(self, stderr: bool = True) -> Any:
        from rich.console import Console

        return Console(stderr=stderr, quiet=self.silent, emoji=False)


def _finite(value: Any) -> Any:
    """null for figures that JSON has no word for: a mean of nothing, a ratio to nothing."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value


def plain(text: str) -> str:
    """Text of users and plugins for Rich: one line, shown as it is, that a terminal cannot act on."""
    return markup(text)
