"""Files of other programs for parsers in C and C++ that trust what they read.

Such a parser first meets the file in a process of its own, with limits on memory and time. What ends that
process is one line here; in this process it would have been the end of the command.
"""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgectl.errors import ArtifactError

_SECONDS = 60
_MEMORY = 8 << 30
_LIMITS = f"""
import resource
resource.setrlimit(resource.RLIMIT_CPU, ({_SECONDS}, {_SECONDS}))
resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY}, {_MEMORY}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
"""


def require_survivable_parse(code: str, files: Sequence[Path], runtime: str) -> None:
    """Returns where ``code`` ends on its own, well or not: an error of the parser's own is told better by
    the parser.

    Args:
        code: Python that loads the files, named in ``sys.argv[1:]``, and runs the network once.
        files: looked at once, as long as they do not change.
        runtime: for the message.

    Raises:
        ArtifactError: the process was killed, or went over a limit.
    """
    _parse_apart(code, tuple((str(f), *_version(f)) for f in files), runtime)


def _version(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


@functools.lru_cache(maxsize=64)
def _parse_apart(code: str, files: tuple[tuple[str, int, int], ...], runtime: str) -> None:
    names = [name for name, _, _ in files]
    limits = _LIMITS if os.name == "posix" else ""
    try:
        ended = subprocess.run(
            [sys.executable, "-c", limits + code, *names],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=2 * _SECONDS,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        ended = -int(signal.SIGKILL)
    if ended < 0:
        raise ArtifactError(
            f"{runtime} ends with {signal.Signals(-ended).name} on this file",
            where=names[0],
            fix="the file is damaged, or was made to do that",
        )
