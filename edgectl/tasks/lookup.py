"""Tasks and head kinds by name, built-in and registered by plugins, and what every task's reports hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from edgectl.metrics.evaluator import Metric, Metrics
from edgectl.plugins.head import HeadKind
from edgectl.plugins.info import MetricInfo, TaskInfo
from edgectl.plugins.registry import installed, load_entry, load_object
from edgectl.spec import OutputSpec, Size
from edgectl.tasks.contract import Task


def task_info(name: str) -> TaskInfo:
    """Raises UnknownNameError for a task nobody offers, PluginError for one that two plugins do."""
    return installed().tasks.get(name)


def load_task(name: str) -> Task:
    """Imports the task's code. Raises what :func:`task_info` does, PluginError where it is broken."""
    task: Task = load_entry(task_info(name).entry, name)
    return task


def find_main_metric(family: str, tasks: Sequence[str] = ()) -> str:
    """The metric that decides for a family, or for the first of ``tasks`` where its plugin is not here;
    '' where that is not known either."""
    registry = installed()
    named = [offer.info.task for offer in registry.families.claims(family)] or tasks
    known = [task for task in named if registry.tasks.claims(task)]
    return task_info(known[0]).main_metric if known else ""


def head_kind(name: str) -> HeadKind:
    """Raises UnknownNameError for a kind nobody offers, PluginError for one that two plugins do."""
    return installed().heads.get(name)


def task_metrics(
    name: str, classes: Sequence[str], outputs: Sequence[OutputSpec], input_size: Size
) -> Metrics:
    """The accumulators of a task for a model with these outputs, with those plugins add to its reports."""
    metrics = load_task(name).metrics(classes, outputs, input_size)
    added = [i for i in installed().metrics.infos() if i.task == name]
    if not added:
        return metrics
    make = {i.name: partial(_make, i, classes, outputs, input_size) for i in added}
    return replace(metrics, added=make)


def _make(
    info: MetricInfo, classes: Sequence[str], outputs: Sequence[OutputSpec], input_size: Size
) -> Metric:
    metric: Metric = load_object(info.entry, info.name)(classes, outputs, input_size)
    return metric
