"""Pascal VOC: one XML file an image.

Format: Everingham et al., http://host.robots.ox.ac.uk/pascal/VOC/. Corners are taken as they stand:
the tools of today count pixels from 0, whatever the original development kit did. Objects marked
``difficult`` are neither target nor background. A ``classes.txt`` in the directory gives classes an order.
"""

from __future__ import annotations

from edgectl.data.formats.voc.layouts import is_voc
from edgectl.data.formats.voc.read import read_voc
from edgectl.data.formats.voc.write import write_voc

__all__ = ["is_voc", "read_voc", "write_voc"]
