"""Whom a workflow tells what it is doing. Without a console it tells nobody."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edgectl.train.progress import Reporter


class Console(Protocol):
    """What a workflow says while it runs. The command line has one; so may a notebook."""

    def note(self, message: str) -> None:
        """One line of progress."""

    def warn(self, message: str) -> None:
        """Something that is probably not what the user wanted; the workflow goes on."""

    def keep_warnings(self, messages: Sequence[str]) -> None:
        """Warnings that another process has shown already: to be listed, not to be shown again."""

    def bar(self, words: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A progress bar for the length of the block; call what it yields with how many more of
        ``total`` are done."""

    def reporter(self) -> Reporter:
        """Follows one training run: its start, steps, epochs and end."""


class SilentConsole:
    """Says nothing: the default of every workflow."""

    def note(self, message: str) -> None:
        """Drops the message."""

    def warn(self, message: str) -> None:
        """Drops the message."""

    def keep_warnings(self, messages: Sequence[str]) -> None:
        """Drops them."""

    @contextmanager
    def bar(self, words: str, total: int) -> Iterator[Callable[[int], None]]:
        """Shows nothing."""
        yield lambda done: None

    def reporter(self) -> Reporter:
        """Follows nothing."""
        from edgectl.train.progress import Reporter

        return Reporter()


class TextConsole(SilentConsole):
    """Plain lines on standard error, without bars: for scripts, notebooks and logs."""

    def note(self, message: str) -> None:
        """Writes the line."""
        sys.stderr.write(message + "\n")

    def warn(self, message: str) -> None:
        """Writes the line, marked as a warning."""
        sys.stderr.write(f"warning: {message}\n")

    def reporter(self) -> Reporter:
        """Writes a line an epoch."""
        from edgectl.train.progress import LineReporter

        return LineReporter(sys.stderr)


SILENT: Console = SilentConsole()
