"""What this distribution registers. Light: no torch here."""

from __future__ import annotations

import shutil

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import BackendInfo, DoctorCheck

COMPILERS = ("cc", "gcc", "clang")
"""Looked for in this order."""


@hookimpl
def edgectl_register_backends() -> list[BackendInfo]:
    """One backend; the compiled library and the integer executor agree in every byte."""
    return [
        BackendInfo(
            name="c",
            summary="self-contained C99 for any microcontroller, int8",
            entry="edgectl_c.backend:CBackend",
            precisions=("int8",),
            runtimes=("c", "integer"),
            exact=("integer", "c"),
            qat=True,
        )
    ]


@hookimpl
def edgectl_doctor_checks() -> list[DoctorCheck]:
    """The compiler of this machine."""
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if found is None:
        purpose = "compiles exported C to run it on this machine"
        return [DoctorCheck("C compiler", "warning", purpose, "install gcc or clang")]
    return [DoctorCheck("C compiler", "ok", found)]
