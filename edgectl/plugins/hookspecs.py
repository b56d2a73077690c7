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

from edgectl.plugins.head import HeadKind
from edgectl.plugins.info import (
    BackendInfo,
    BoardInfo,
    CallbackInfo,
    CheckInfo,
    CommandInfo,
    DatasetInfo,
    DecoderInfo,
    DoctorCheck,
    FamilyInfo,
    FormatInfo,
    MetricInfo,
    TaskInfo,
)

PROJECT = "edgectl"
EDGECTL_PLUGIN_API = 1
"""Raised by one when a hook, a protocol or a dataclass changes in a way plugins must follow."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def edgectl_register_families() -> list[FamilyInfo]:  # type: ignore[empty-body]
    """Model families this distribution offers.

    Called when any command looks up a name, ``plugins list`` and completion included. The family's code is
    imported when it is trained, scored or exported.
    """


@hookspec
def edgectl_register_tasks() -> list[TaskInfo]:  # type: ignore[empty-body]
    """What families can be trained for, beyond the tasks edgectl has.

    Called with the families. The task's code is imported when a family of that task is trained, scored,
    predicted with or deployed. Since 0.2.
    """


@hookspec
def edgectl_register_heads() -> list[HeadKind]:  # type: ignore[empty-body]
    """Kinds of raw heads that ``OutputSpec.kind`` may name, beyond those edgectl has.

    Called with the families. A kind is read whenever a model with such a head is checked by the conformance
    kit, distilled, described in a README or deployed. Since 0.2.
    """


@hookspec
def edgectl_register_decoders() -> list[DecoderInfo]:  # type: ignore[empty-body]
    """Rules for raw heads of networks that are no family's: what ``--decode`` may name.

    Called with the families. A rule's code is imported when it is named, or when an artifact made by it is
    opened. Since 0.3.
    """


@hookspec
def edgectl_register_backends() -> list[BackendInfo]:  # type: ignore[empty-body]
    """Hardware backends this distribution offers.

    Called with the families. The backend's code is imported by export, qat, and whatever opens one of
    its files.
    """


@hookspec
def edgectl_register_datasets() -> list[DatasetInfo]:  # type: ignore[empty-body]
    """Named data sets for the catalog.

    Called with the families. ``generate`` is imported and called once, when the set is asked for and is not
    on the machine.
    """


@hookspec
def edgectl_register_formats() -> list[FormatInfo]:  # type: ignore[empty-body]
    """Label formats this distribution reads or writes.

    Called with the families. A reader is imported when a set is opened: the built-in formats are asked
    first whether they recognize it, then those of plugins, in the order of the entry points, then the
    formats marked ``fallback``. A writer is imported by ``data convert`` and ``data split``. Since 0.2.
    """


@hookspec
def edgectl_register_checks() -> list[CheckInfo]:  # type: ignore[empty-body]
    """Checks of data sets.

    Called with the families. Each check is imported and called once by ``data check``, after the images
    were surveyed, in the order of the entry points. Since 0.2.
    """


@hookspec
def edgectl_register_metrics() -> list[MetricInfo]:  # type: ignore[empty-body]
    """Metrics reported beside those of a task.

    Called with the families. A metric is made anew for every evaluation: ``update`` is called after each
    batch with what was found in it, ``compute`` once, after the last one. That happens in ``eval``, on the
    validation split while training, and for float network and file in ``export``; never where a threshold
    or an epoch is chosen. Since 0.2.
    """


@hookspec
def edgectl_register_callbacks() -> list[CallbackInfo]:  # type: ignore[empty-body]
    """Code that follows training.

    Called with the families. A callback is imported and made when a run begins or is resumed, in the process
    of rank 0. ``on_start`` is called before the first step; ``on_step`` after every update of the weights;
    ``on_epoch`` after the epoch was evaluated, where it was due, and its checkpoint written; ``on_end``
    last, also when the run fails or is interrupted. What it raises ends the run, naming the plugin.
    Since 0.2.
    """


@hookspec
def edgectl_register_boards() -> list[BoardInfo]:  # type: ignore[empty-body]
    """Devices artifacts can be deployed to.

    Called with the families; read by ``boards`` and ``deploy``.
    """


@hookspec
def edgectl_register_commands() -> list[CommandInfo]:  # type: ignore[empty-body]
    """Additional top-level commands.

    Called with the families; the command's module is imported when the command, or its help, is asked for.
    """


@hookspec
def edgectl_doctor_checks() -> list[DoctorCheck]:  # type: ignore[empty-body]
    """Is what this plugin needs installed?

    Called by ``edgectl doctor`` alone, so it may import and look around; at most about a second.
    """
