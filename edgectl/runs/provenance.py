"""Where a run came from: versions, machine, seed, data, command."""

from __future__ import annotations

import datetime
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("edgectl", "torch", "accelerate", "numpy", "opencv-python-headless")


def versions() -> dict[str, str]:
    """Python, the packages that shape the numbers, and every installed edgectl plugin."""
    names = list(_PACKAGES)
    for point in metadata.entry_points(group="edgectl"):
        if point.dist is not None and point.dist.name not in names:
            names.append(point.dist.name)
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def provenance(
    *, seed: int, data: dict[str, Any], device: str, precision: str, processes: int = 1
) -> dict[str, Any]:
    """The document ``provenance.json`` holds. ``processes``: that trained together."""
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "versions": versions(),
        "git_commit": _git_commit(Path.cwd()),
        "seed": seed,
        "data": data,
        "hardware": {
            "device": device,
            "precision": precision,
            "processes": processes,
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
            "system": platform.platform(),
            "accelerator": torch.cuda.get_device_name() if device.startswith("cuda") else None,
        },
    }


def _git_commit(directory: Path) -> str | None:
    """Commit of the project the user trains in; None outside a repository or without git."""
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None
