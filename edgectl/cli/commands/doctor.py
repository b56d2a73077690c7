"""``edgectl doctor``."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Literal

import typer
from rich.table import Table

from edgectl.cli.session import Session, plain
from edgectl.config.paths import cache_directory
from edgectl.errors import BackendUnavailableError, DependencyError
from edgectl.leftovers import find_all, find_leftovers, remove
from edgectl.plugins.info import DoctorCheck
from edgectl.plugins.registry import Registry, build_registry

app = typer.Typer(add_completion=False)

_REQUIRED = ("torch", "accelerate", "numpy", "opencv-python-headless")
_FREE_BYTES = 2 << 30
_COLOURS = {"ok": "green", "warning": "yellow", "missing": "red"}


@app.command(
    epilog="Examples: edgectl doctor · edgectl doctor --fix · edgectl doctor --json. "
    "Exit code 3: something is missing."
)
def doctor(
    ctx: typer.Context,
    fix: bool = typer.Option(
        False, "--fix", help="Remove what killed commands left here, in runs and in the cache."
    ),
) -> None:
    """What is installed, what is missing, and the remedy."""
    session: Session = ctx.obj
    registry = build_registry()
    checks = [
        _python(),
        *(_package(name) for name in _REQUIRED),
        _torchvision(),
        _device(),
        _cache(),
        _disk(),
        _leftovers(fix=fix),
        *_plugins(registry),
        *registry.doctor_checks(),
        *_tools(registry),
    ]
    session.data = {
        "checks": [{k: v for k, v in dataclasses.asdict(c).items() if k != "api"} for c in checks]
    }
    if not session.json:
        table = Table("", "state", "", "fix", box=None)
        for c in checks:
            color = _COLOURS[c.status]
            state = f"[{color}]{c.status}[/{color}]"
            # tables of the configuration are named in square brackets, as markup is
            table.add_row(plain(c.name), state, plain(c.detail), plain(c.fix))
        session.say(table)
    missing = [c for c in checks if c.status == "missing"]
    if missing:
        raise DependencyError(
            "missing: " + ", ".join(c.name for c in missing), fix=missing[0].fix or None
        )


def _python() -> DoctorCheck:
    version = platform.python_version()
    return DoctorCheck("python", "ok", f"{version} on {platform.system()} {platform.machine()}")


def _package(name: str) -> DoctorCheck:
    try:
        return DoctorCheck(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return DoctorCheck(name, "missing", "not installed", f"pip install {name}")


def _torchvision() -> DoctorCheck:
    """Its wheel on the package index wants CUDA's libraries; edgectl gets along without its operators."""
    if any(importlib.util.find_spec(n) is None for n in ("torch", "torchvision")):
        return DoctorCheck("torchvision", "missing", "not installed", "pip install torchvision")
    from edgectl.nn.vision import has_native_ops, vision

    try:
        version, native = vision().__version__, has_native_ops()
    except DependencyError as e:
        return DoctorCheck("torchvision", "missing", e.message, e.fix or "")
    if native:
        return DoctorCheck("torchvision", "ok", version)
    return DoctorCheck(
        "torchvision",
        "warning",
        f"{version} without its native operators; edgectl does not need them",
        "install torch and torchvision of one build, both CPU or both CUDA",
    )


def _device() -> DoctorCheck:
    if importlib.util.find_spec("torch") is None:
        return DoctorCheck("device", "missing", "torch is not installed", "pip install edgectl")
    # found without importing: importing torch_npu without its toolkit breaks torch itself
    if importlib.util.find_spec("torch_npu") is not None and "ASCEND_HOME_PATH" not in os.environ:
        return DoctorCheck(
            "device",
            "warning",
            "torch_npu is installed, its toolkit is not set up",
            "source the toolkit's set_env.sh, or set TORCH_DEVICE_BACKEND_AUTOLOAD=0",
        )
    from edgectl.train.device import describe_device

    return DoctorCheck("device", "ok", describe_device())


def _cache() -> DoctorCheck:
    path = cache_directory()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as e:
        return DoctorCheck("cache", "warning", f"{path}: {e.strerror}", "set EDGECTL_CACHE")
    return DoctorCheck("cache", "ok", str(path))


def _disk() -> DoctorCheck:
    free = shutil.disk_usage(Path.cwd()).free
    detail = f"{free / (1 << 30):.1f} GiB free here"
    if free < _FREE_BYTES:
        return DoctorCheck("disk", "warning", detail, "runs need room for checkpoints and caches")
    return DoctorCheck("disk", "ok", detail)


def _leftovers(*, fix: bool) -> DoctorCheck:
    """What killed commands wrote aside. The next command that writes there removes it as well."""
    here = find_leftovers(Path.cwd())
    found = [*here, *find_all(Path("runs")), *find_all(cache_directory())]
    if fix:
        for path in found:
            remove(path)
    if not found:
        return DoctorCheck("leftovers", "ok", "none")
    detail = f"{len(found)} of killed commands" + (", removed" if fix else "")
    status: Literal["ok", "warning"] = "ok" if fix else "warning"
    return DoctorCheck("leftovers", status, detail, "" if fix else "edgectl doctor --fix")


def _plugins(registry: Registry) -> list[DoctorCheck]:
    checks = []
    for plugin in registry.plugins:
        name = f"plugin {plugin.name}"
        detail = f"{plugin.distribution} {plugin.version}"
        if plugin.state == "ok":
            checks.append(DoctorCheck(name, "ok", detail))
        else:
            checks.append(
                DoctorCheck(
                    name,
                    "warning",
                    f"{detail}: {plugin.state}, {plugin.reason}",
                    f"edgectl plugins info {plugin.name} --debug",
                )
            )
    return checks


def _tools(registry: Registry) -> list[DoctorCheck]:
    """Compilers of vendors. Without one its backend still plans, so none is missing."""
    from edgectl.toolchains.tool import find_tool

    checks = []
    for info in registry.backends.infos():
        if info.tool is None:
            continue
        name = f"compiler {info.tool.name}"
        try:
            tool = find_tool(info.tool, start=False)
        except BackendUnavailableError as e:
            checks.append(DoctorCheck(name, "warning", e.message, e.fix or ""))
        else:
            detail = f"{tool.version} through {tool.origin}".strip()
            checks.append(DoctorCheck(name, "ok", detail))
    return checks
