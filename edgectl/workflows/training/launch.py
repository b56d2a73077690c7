"""A run on several devices: the command line once a device, told what this process was told."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from edgectl.train.distributed.launch import Machines, launch
from edgectl.workflows.console import SILENT
from edgectl.workflows.opening.context import Context

SILENCED = "EDGECTL_SILENT"
"""Set to 1 for processes whose caller wants to hear nothing."""


def launch_command(
    context: Context, machines: Machines, words: Sequence[str], threads: int
) -> dict[str, Any]:
    """Runs ``edgectl WORDS`` on every device; returns what the first one reports, and hands its
    warnings on.

    Raises:
        EdgectlError: see :func:`edgectl.train.distributed.launch.launch`.
    """
    flags = ["--offline"] if context.offline else []
    silenced = {SILENCED: "1"} if context.console is SILENT else {}
    with _environment(silenced):
        outcome = launch(machines, [*flags, *words], threads=threads)
    context.console.keep_warnings(outcome.warnings)
    assert outcome.data is not None  # of processes that ended well
    return outcome.data


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    previous = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
