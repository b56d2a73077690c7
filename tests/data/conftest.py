"""Small sets drawn on the spot, and the real ones where they are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgectl.data.catalog.demo import draw_split

CATEGORIES = [
    {"id": 0, "name": "faces", "supercategory": "none"},
    {"id": 1, "name": "mask", "supercategory": "faces"},
    {"id": 2, "name": "no-mask", "supercategory": "faces"},
]


def coco_document(
    boxes: list[list[float]], *, size: tuple[int, int] = (64, 48), **changes: Any
) -> dict[str, Any]:
    """One image ``a.png`` of (width, height), boxes of category 1; ``changes`` replace keys."""
    return {
        "images": [{"id": 7, "file_name": "a.png", "width": size[0], "height": size[1]}],
        "annotations": [
            {"id": i, "image_id": 7, "category_id": 1, "bbox": b} for i, b in enumerate(boxes)
        ],
        "categories": CATEGORIES,
        **changes,
    }


@pytest.fixture
def write_split() -> Callable[..., Path]:
    """``write_split(directory, document)``: an annotation file and the image ``a.png``."""

    def write(directory: Path, document: Any, *, image: bool = True) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "_annotations.coco.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        if image:
            cv2.imwrite(str(directory / "a.png"), np.full((48, 64, 3), 90, np.uint8))
        return path

    return write


@pytest.fixture
def document() -> Callable[..., dict[str, Any]]:
    return coco_document


@pytest.fixture(scope="session")
def demo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn set: 12 training and 5 validation images."""
    root = tmp_path_factory.mktemp("demo")
    draw_split(root / "train", 12, (0, 0))
    draw_split(root / "valid", 5, (0, 1))
    return root


@pytest.fixture
def small_files() -> Callable[[], AbstractContextManager[None]]:
    """``with small_files():`` no file grows beyond 8 KiB, much as on a full disk."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limited() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture
def real_data() -> Path:
    """The folder of real sets; skips without one."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    root = Path(os.environ.get("EDGECTL_DATA") or beside)
    if not (root / "coco_mask").is_dir():
        pytest.skip("no real data: set EDGECTL_DATA")
    return root
