"""YOLO: one text file an image, a line an object, and something that names the classes.

Format: https://docs.ultralytics.com/datasets/detect/. A line is ``class cx cy width height``, relative to
the image; what else tools write into such files is told apart in :mod:`.columns`.
"""

from __future__ import annotations

from edgectl.data.formats.yolo.layouts import is_yolo
from edgectl.data.formats.yolo.read import read_yolo
from edgectl.data.formats.yolo.write import write_yolo

__all__ = ["is_yolo", "read_yolo", "write_yolo"]
