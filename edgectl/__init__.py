"""edgectl: from labelled images to a verified int8 model on the chip.

The commands as functions, with the options as arguments::

    import edgectl

    run = edgectl.train("fomo", data="demo_mask", epochs=2)
    artifact = edgectl.export(run, backend="tflite")
    print(edgectl.evaluate(artifact).metrics)

Each returns a frozen object whose ``to_dict()`` is the ``data`` of the command's ``--json``. Nothing is
printed unless a ``console`` is passed. Errors are those of :mod:`edgectl.errors`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.3.0"

if TYPE_CHECKING:
    from edgectl import errors as errors
    from edgectl.artifacts.artifact import Artifact as Artifact
    from edgectl.backends.cost import Profile as Profile
    from edgectl.deploy.bundle import Bundle as Bundle
    from edgectl.workflows.bench import Benchmark as Benchmark
    from edgectl.workflows.bench import bench as bench
    from edgectl.workflows.console import Console as Console
    from edgectl.workflows.console import TextConsole as TextConsole
    from edgectl.workflows.data.check import DataReport as DataReport
    from edgectl.workflows.data.check import check_data as check_data
    from edgectl.workflows.deploy import deploy as deploy
    from edgectl.workflows.evaluate import Evaluation as Evaluation
    from edgectl.workflows.evaluate import evaluate as evaluate
    from edgectl.workflows.export import export as export
    from edgectl.workflows.export import quantize as quantize
    from edgectl.workflows.load import Model as Model
    from edgectl.workflows.load import load as load
    from edgectl.workflows.networks.check import Checked as Checked
    from edgectl.workflows.networks.check import check_network as check_network
    from edgectl.workflows.predict import Prediction as Prediction
    from edgectl.workflows.predict import Predictions as Predictions
    from edgectl.workflows.predict import predict as predict
    from edgectl.workflows.profile import profile as profile
    from edgectl.workflows.qat import QatRun as QatRun
    from edgectl.workflows.qat import qat as qat
    from edgectl.workflows.report import Page as Page
    from edgectl.workflows.report import report as report
    from edgectl.workflows.train import Run as Run
    from edgectl.workflows.train import train as train

_HOME = {
    "train": "edgectl.workflows.train",
    "export": "edgectl.workflows.export",
    "quantize": "edgectl.workflows.export",
    "check_network": "edgectl.workflows.networks.check",
    "qat": "edgectl.workflows.qat",
    "evaluate": "edgectl.workflows.evaluate",
    "predict": "edgectl.workflows.predict",
    "deploy": "edgectl.workflows.deploy",
    "load": "edgectl.workflows.load",
    "check_data": "edgectl.workflows.data.check",
    "bench": "edgectl.workflows.bench",
    "profile": "edgectl.workflows.profile",
    "report": "edgectl.workflows.report",
    "Run": "edgectl.workflows.train",
    "QatRun": "edgectl.workflows.qat",
    "Artifact": "edgectl.artifacts.artifact",
    "Evaluation": "edgectl.workflows.evaluate",
    "Prediction": "edgectl.workflows.predict",
    "Predictions": "edgectl.workflows.predict",
    "Bundle": "edgectl.deploy.bundle",
    "Model": "edgectl.workflows.load",
    "DataReport": "edgectl.workflows.data.check",
    "Checked": "edgectl.workflows.networks.check",
    "Benchmark": "edgectl.workflows.bench",
    "Profile": "edgectl.backends.cost",
    "Page": "edgectl.workflows.report",
    "Console": "edgectl.workflows.console",
    "TextConsole": "edgectl.workflows.console",
}
"""What is offered -> the module it is imported from when it is first asked for."""
_ROOMS = ("train", "export", "qat", "deploy", "report")
"""Verbs that are also folders of this package."""

__all__ = ["errors", *_HOME]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("edgectl.errors")
    if name not in _HOME:
        raise AttributeError(f"module 'edgectl' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]


class _Package(ModuleType):
    """This package, whose verbs stay verbs.

    Importing ``edgectl.train.loop`` anywhere makes Python set the attribute ``train`` of this package to
    the folder. The folders stay importable under their full names; the attributes are the functions.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name in _ROOMS and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
