"""torchvision, also where its native library cannot load.

Its Linux wheel links against CUDA; beside a CPU build of torch ``import torchvision`` then fails with
``operator torchvision::nms does not exist``. The Python part (models, transforms, box functions) needs
only the declarations of two operators, which are made here. Everything that uses torchvision takes
it from this module: ``models = vision("models")``.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import torch

from edgectl.errors import DependencyError

_NATIVE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_library: torch.library.Library | None = None
"""Declarations live as long as the object that made them."""


def vision(name: str = "") -> ModuleType:
    """torchvision, or the module ``name`` in it (``transforms.v2``).

    Raises DependencyError where it is absent or does not fit the installed torch.
    """
    _load()
    return importlib.import_module(f"torchvision.{name}" if name else "torchvision")


def has_native_ops() -> bool:
    """Whether torchvision's compiled operators (NMS, RoI pooling, deformable convolution) are there."""
    return bool(vision("extension")._has_ops())


def _load() -> None:
    fix = f'pip install a "torchvision" that fits torch {torch.__version__}'
    try:
        importlib.import_module("torchvision")
        return
    except ImportError as e:
        raise DependencyError(f"torchvision cannot be imported: {e}", fix=fix) from e
    except RuntimeError as e:
        if "torchvision::" not in str(e):
            raise DependencyError(f"torchvision does not fit torch: {e}", fix=fix) from e
    _declare_native()
    # what the failed import left behind is half initialized
    for module in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
        del sys.modules[module]
    importlib.import_module("torchvision")


def _declare_native() -> None:
    global _library
    if _library is None:
        _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            _library.define(f"{name}{_NATIVE}")  # type: ignore[no-untyped-call]
