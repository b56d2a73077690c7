"""What this distribution registers. Light: no torch here."""

from __future__ import annotations

import shutil

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import BackendInfo, DoctorCheck


@hookimpl
def edgectl_register_backends() -> list[BackendInfo]:
    """Convolutions multiply integers; what is between them is float."""
    return [
        BackendInfo(
            name="carray",
            summary="plain C with the weights in arrays, int8 or float",
            entry="edgectl_carray.backend:CArrayBackend",
            precisions=("int8", "fp32"),
            runtimes=("cc",),
            qat=True,
        )
    ]


@hookimpl
def edgectl_doctor_checks() -> list[DoctorCheck]:
    """A C compiler, to run what was written."""
    found = shutil.which("cc")
    if found is None:
        return [DoctorCheck("C compiler", "warning", "runs C files here", "apt install gcc")]
    return [DoctorCheck("C compiler", "ok", found)]
