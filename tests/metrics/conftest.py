from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def drawn() -> ModuleType:
    """``drawn.py`` of this directory: ground truth and detections."""
    spec = importlib.util.spec_from_file_location("drawn", Path(__file__).with_name("drawn.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def coco128() -> Path:
    """The real set; skips where it is absent."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    root = Path(os.environ.get("EDGECTL_DATA") or beside) / "coco128"
    if not root.is_dir():
        pytest.skip("no coco128: set EDGECTL_DATA")
    return root
