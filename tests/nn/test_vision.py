from __future__ import annotations

import subprocess
import sys

import pytest

from edgectl.errors import DependencyError
from edgectl.nn import vision as module
from edgectl.nn.vision import vision


def test_models_and_transforms_import_whatever_the_native_library_does():
    code = (
        "from edgectl.nn.vision import vision; import torch;"
        "m = vision('models').resnet18(weights=None);"
        "assert vision('transforms.v2.functional').equalize(torch.zeros(3, 4, 4, dtype=torch.uint8)).shape;"
        "assert vision('ops').box_iou(torch.tensor([[0., 0, 2, 2]]), torch.tensor([[0., 0, 2, 1]])) == 0.5"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_absent_torchvision_is_a_missing_dependency(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(module.importlib, "import_module", absent)
    with pytest.raises(DependencyError, match="cannot be imported") as error:
        vision()
    assert "torchvision" in (error.value.fix or "")


def test_other_failures_are_not_taken_for_missing_operators(monkeypatch):
    def broken(name):
        raise RuntimeError("built for another torch")

    monkeypatch.setattr(module.importlib, "import_module", broken)
    with pytest.raises(DependencyError, match="does not fit"):
        vision()
