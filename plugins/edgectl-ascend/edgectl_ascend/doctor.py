"""torch, torch_npu and CANN: three versions that fit or end in an import error without a hint.

torch_npu's minor version must be torch's, and CANN must be one that torch_npu was released for
(https://gitee.com/ascend/pytorch, README, "Ascend auxiliary software"). Nothing is imported: importing
torch_npu without CANN breaks torch itself.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections.abc import Mapping
from pathlib import Path

from edgectl.plugins.info import DoctorCheck

NAME = "Ascend training"
CANN_OF: Mapping[str, tuple[str, ...]] = {
    "2.1": ("8.0.RC1", "8.0.RC2", "8.0.RC3", "8.0.0", "8.1.RC1", "8.2.RC1"),
    "2.2": ("8.0.RC1", "8.0.RC2"),
    "2.3": ("8.0.RC2", "8.0.RC3", "8.0.0", "8.1.RC1"),
    "2.4": ("8.0.RC3", "8.0.0", "8.1.RC1"),
    "2.5": ("8.1.RC1", "8.2.RC1"),
    "2.6": ("8.2.RC1", "8.3.RC1"),
    "2.7": ("8.3.RC1",),
    "2.8": ("8.3.RC1",),
}
"""torch_npu's minor version → CANN releases it was made for."""
_INFO_FILES = ("version.info", "ascend_toolkit_install.info", "version.cfg")


def cann_version(home: Path) -> str | None:
    """Read the version of the toolkit at ``$ASCEND_HOME_PATH``: ``8.0.RC2``."""
    for name in _INFO_FILES:
        for path in (home / name, *sorted(home.glob(f"*/{name}"))):
            if path.is_file():
                found = re.search(
                    r"(?mi)^version\s*=\s*\[?(\d+\.\d+\.\w+)",
                    path.read_text("utf-8", "replace"),
                )
                if found:
                    return found[1]
    return None


def check_versions() -> DoctorCheck:
    """One line; ``ok`` where torch_npu is not installed, since nobody asked for it."""
    try:
        npu = importlib.metadata.version("torch-npu")
    except importlib.metadata.PackageNotFoundError:
        return DoctorCheck(NAME, "ok", "not used: torch_npu is not installed")
    torch = importlib.metadata.version("torch")
    if _minor(npu) != _minor(torch):
        return DoctorCheck(
            NAME,
            "warning",
            f"torch_npu {npu} does not fit torch {torch}",
            f"pip install 'torch-npu=={_minor(torch)}.*', or 'torch=={_minor(npu)}.*'",
        )
    home = os.environ.get("ASCEND_HOME_PATH")
    if not home:
        return DoctorCheck(NAME, "warning", "CANN is not set up", "source CANN's set_env.sh")
    cann = cann_version(Path(home))
    fitting = CANN_OF.get(_minor(npu), ())
    if cann is None:
        return DoctorCheck(NAME, "warning", f"no version of CANN found in {home}", "reinstall CANN")
    if fitting and cann not in fitting:
        return DoctorCheck(
            NAME,
            "warning",
            f"CANN {cann} is not one torch_npu {npu} was made for",
            "install CANN " + " or ".join(fitting),
        )
    return DoctorCheck(NAME, "ok", f"torch {torch}, torch_npu {npu}, CANN {cann}")


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
