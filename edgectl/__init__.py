"""edgectl: from labelled images to a verified int8 model on the chip."""

from __future__ import annotations

__version__ = "0.1.0"
