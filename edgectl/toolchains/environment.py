"""Makes the environment of a vendor's compiler: a venv of its own, with exactly the packages named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from edgectl.config.paths import tools_directory
from edgectl.errors import DependencyError, UsageError
from edgectl.plugins.info import ToolInfo
from edgectl.spec import Progress
from edgectl.toolchains.tool import (
    Tool,
    environment_python,
    find_tool,
    isolated_environment,
    remedy,
)


def set_up(info: ToolInfo, python: Path | None, log: Path, progress: Progress) -> Tool:
    """Makes the environment anew and finds the tool in it; leaves none behind where that fails.

    Args:
        python: the interpreter it is made from; this one's where None.
        log: of pip.

    Raises:
        UsageError: a tool its vendor does not publish.
        DependencyError: the interpreter or the packages cannot be had.
        BackendUnavailableError: they are there, and still it does not work.
    """
    if not info.requirements:
        raise UsageError(
            f"'{info.name}' cannot be installed from the package index", fix=remedy(info)
        )
    place = tools_directory() / info.name
    log.parent.mkdir(parents=True, exist_ok=True)
    done = False
    try:
        shutil.rmtree(place, ignore_errors=True)
        with log.open("wb") as output:
            progress(f"making {place}")
            _run([str(python or sys.executable), "-m", "venv", str(place)], output, log)
            progress(f"installing {', '.join((*info.bare, *info.requirements))}")
            pip = [str(environment_python(info.name)), "-m", "pip", "install"]
            _run([*pip, *info.requirements], output, log)
            if info.bare:
                _run([*pip, "--no-deps", *info.bare], output, log)
        tool = find_tool(info, {})
        done = True
        return tool
    finally:
        if not done:
            shutil.rmtree(place, ignore_errors=True)


def _run(argv: list[str], output: BinaryIO, log: Path) -> None:
    try:
        result = subprocess.run(
            argv,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=isolated_environment(),
            check=False,
        )
    except OSError as e:
        raise DependencyError(f"cannot run '{argv[0]}': {e.strerror}", fix="--python PATH") from e
    if result.returncode:
        last = [t for t in log.read_text("utf-8", "replace").splitlines() if t.strip()][-1:]
        raise DependencyError(
            f"'{' '.join(argv[1:4])}' failed: {last[0] if last else 'it said nothing'}",
            where=str(log),
            fix="another Python may have the packages: --python PATH",
        )
