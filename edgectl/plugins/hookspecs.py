"""The hooks a plugin may implement. Each returns a list of frozen dataclasses from ``edgectl.plugins.info``.

A plugin is a module named by an entry point of the group ``edgectl``::

    [project.entry-points.edgectl]
    mychip = "edgectl_mychip.plugin"

    @hookimpl
    def edgectl_register_backends() -> list[BackendInfo]:
        return [BackendInfo(name="mychip", ..., entry="edgectl_mychip.backend:MyChip")]

Hooks run for ``--help`` and ``plugins list``: they import nothing heavy.
"""

from __future__ import annotations

import pluggy

from edgectl.plugins.info import (
    BackendInfo,
    BoardInfo,
    CommandInfo,
    DatasetInfo,
    DoctorCheck,
    FamilyInfo,
)

PROJECT = "edgectl"
EDGECTL_PLUGIN_API = 1
"""Raised by one when a hook, a protocol or a dataclass changes in a way plugins must follow."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def edgectl_register_families() -> list[FamilyInfo]:  # type: ignore[empty-body]
    """Model families this distribution offers."""


@hookspec
def edgectl_register_backends() -> list[BackendInfo]:  # type: ignore[empty-body]
    """Hardware backends this distribution offers."""


@hookspec
def edgectl_register_datasets() -> list[DatasetInfo]:  # type: ignore[empty-body]
    """Named data sets for the catalog."""


@hookspec
def edgectl_register_boards() -> list[BoardInfo]:  # type: ignore[empty-body]
    """Devices artifacts can be deployed to."""


@hookspec
def edgectl_register_commands() -> list[CommandInfo]:  # type: ignore[empty-body]
    """Additional top-level commands."""


@hookspec
def edgectl_doctor_checks() -> list[DoctorCheck]:  # type: ignore[empty-body]
    """Is what this plugin needs installed? Called by ``edgectl doctor`` only."""
