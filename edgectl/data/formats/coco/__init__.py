"""COCO annotation files, in every layout that tools write.

Format: https://cocodataset.org/#format-data. Roboflow writes one ``_annotations.coco.json`` beside
the images of each split, with a dummy category 0 whose supercategory is ``none``.
"""

from __future__ import annotations

from edgectl.data.formats.coco.layouts import find_layout, is_layout
from edgectl.data.formats.coco.read import read_coco
from edgectl.data.formats.coco.write import write_coco2017, write_roboflow

__all__ = ["find_layout", "is_layout", "read_coco", "write_coco2017", "write_roboflow"]
