"""Finds a vendor's compiler: as configured, as ``edgectl tools setup`` made it, or on PATH.

Such compilers pin an old numpy, torch or Python. They get an interpreter, or a container, of their own and
are never imported here.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edgectl.config.layers import machine_layer, resolve, untrusted_tools
from edgectl.config.paths import tools_directory
from edgectl.config.schema import ToolConfig
from edgectl.config.trust import PROJECT_FILE
from edgectl.errors import BackendUnavailableError
from edgectl.plugins.info import ToolInfo

_LIMITS = ToolConfig(command="unused")
_PROBE_SECONDS = 60.0
# the module is looked for, not imported: importing it may take a minute, and it may print
_PROBE = """
import importlib.util, json, sys
try:
    from importlib import metadata
    version = metadata.version(sys.argv[2])
except Exception:
    version = ""
found = importlib.util.find_spec(sys.argv[1]) is not None
print(json.dumps({"found": found, "version": version, "python": sys.version.split()[0]}))
"""


@dataclass(frozen=True)
class Tool:
    """A compiler that is there.

    Attributes:
        argv: the words before its arguments; ``{directory}`` stands for the directory of a job.
        isolated: a Python of its own, which must not see this one's ``PYTHONPATH``.
        version: of its distribution; empty where it does not say.
        origin: where it was found, for ``doctor``.
    """

    name: str
    argv: tuple[str, ...]
    origin: str
    version: str = ""
    isolated: bool = False
    time_limit: float = float(_LIMITS.time_limit)
    output_limit: int = _LIMITS.output_limit << 20


def find_tool(
    info: ToolInfo, configured: Mapping[str, ToolConfig] | None = None, *, start: bool = True
) -> Tool:
    """The tool, looked at and found usable.

    Args:
        configured: the ``[tools]`` table; this machine's where none is given.
        start: ask its interpreter whether it has the package. Commands that only list look at files.

    Raises:
        BackendUnavailableError: it is not there, or not what was configured; with the remedy.
        ConfigError: a mistake in the ``[tools]`` table.
    """
    if configured is None:
        config, _ = resolve([machine_layer()])
        configured = config.tools
    settings = configured.get(info.name)
    if settings is not None:
        return _configured(info, settings, start=start)
    if info.name in untrusted_tools(Path.cwd()):
        raise BackendUnavailableError(
            f"the compiler '{info.name}' is named by a project that you have not allowed to run programs",
            where=str(Path.cwd() / PROJECT_FILE),
            fix="read its [tools], then: edgectl trust .",
        )
    if info.command:
        found = shutil.which(info.command)
        if found is None:
            raise _absent(info, f"'{info.command}' is not on PATH")
        return Tool(info.name, (found,), "PATH")
    python = environment_python(info.name)
    if not python.is_file():
        raise _absent(info, f"no interpreter with '{info.module}' is set up")
    return _python(info, python, "edgectl tools setup", _LIMITS, start=start)


def environment_python(name: str) -> Path:
    """Interpreter of the environment ``edgectl tools setup NAME`` makes."""
    place = tools_directory() / name
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def remedy(info: ToolInfo) -> str:
    """How to get the tool."""
    if info.requirements:
        return f"edgectl tools setup {info.name}"
    key = "command" if info.command else "python"
    return info.fix or f'set {key} = "..." under [tools.{info.name}] in edgectl.toml'


def _configured(info: ToolInfo, settings: ToolConfig, *, start: bool) -> Tool:
    origin = f"[tools.{info.name}]"
    if settings.python:
        path = Path(settings.python).expanduser()
        if not path.is_file():
            raise _absent(info, f"no interpreter at {path}", origin)
        return _python(info, path, origin, settings, start=start)
    words = (settings.command,) if settings.command else settings.container
    program = shutil.which(str(Path(words[0]).expanduser()))
    if program is None:
        raise _absent(info, f"'{words[0]}' is not there, or cannot be run", origin)
    return Tool(
        info.name,
        (program, *words[1:]),
        origin,
        time_limit=settings.time_limit,
        output_limit=settings.output_limit << 20,
    )


def _python(
    info: ToolInfo, python: Path, origin: str, settings: ToolConfig, *, start: bool
) -> Tool:
    version = _ask(info, python, origin) if start else _read_version(info, python)
    return Tool(
        info.name,
        (str(python),),
        origin,
        version,
        isolated=True,
        time_limit=settings.time_limit,
        output_limit=settings.output_limit << 20,
    )


def _ask(info: ToolInfo, python: Path, origin: str) -> str:
    """The version, of an interpreter that has the module."""
    argv = [str(python), "-c", _PROBE, info.module, info.distribution]
    try:
        answer = subprocess.run(
            argv,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            env=isolated_environment(),
            check=True,
        )
        facts = json.loads(answer.stdout.splitlines()[-1])
        found, version = bool(facts["found"]), str(facts["version"])
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError) as e:
        raise _absent(info, f"{python} does not work: {type(e).__name__}: {e}", origin) from e
    if not found:
        raise _absent(info, f"{python} has no module '{info.module}'", origin)
    return version


def _read_version(info: ToolInfo, python: Path) -> str:
    """What the directories of an environment say; empty where the interpreter's lie elsewhere."""
    places = [str(p) for p in python.parent.parent.glob("[Ll]ib/**/site-packages")]
    if not places or not info.distribution:
        return ""
    found = metadata.distributions(name=info.distribution, path=places)
    return next((d.version for d in found), "")


def isolated_environment() -> dict[str, str]:
    """This process's environment without what would lead another Python to our packages."""
    ours = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP"}
    return {k: v for k, v in os.environ.items() if k not in ours}


def _absent(info: ToolInfo, reason: str, where: str | None = None) -> BackendUnavailableError:
    return BackendUnavailableError(
        f"the compiler '{info.name}' is not available: {reason}", where=where, fix=remedy(info)
    )
