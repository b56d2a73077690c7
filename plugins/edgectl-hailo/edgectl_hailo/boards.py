"""Boards with an accelerator, and which HEF files each runs. Figures from the makers' pages."""

from __future__ import annotations

from edgectl.plugins.board import BoardInfo, plain_memory

_GIB = 1 << 30
_PI = "https://www.raspberrypi.com/documentation/accessories/ai-hat-plus.html"
# the smallest card its system asks for, and the smallest Pi 5
_MEMORY = plain_memory(ram_bytes=2 * _GIB, flash_bytes=16 * _GIB, source=_PI)

BOARDS = (
    BoardInfo(
        name="rpi5-hailo8l",
        summary="Raspberry Pi 5 with AI Kit or AI HAT+ (13 TOPS)",
        backends=("hailo",),
        memory=_MEMORY,
        page=_PI,
        accelerator="hailo8l",
    ),
    BoardInfo(
        name="rpi5-hailo8",
        summary="Raspberry Pi 5 with AI HAT+ (26 TOPS)",
        backends=("hailo",),
        memory=_MEMORY,
        page=_PI,
        accelerator="hailo8",
    ),
)

RUNS = {"hailo8l": ("hailo8l",), "hailo8": ("hailo8", "hailo8l")}
"""Accelerator to the architectures a HEF may be compiled for: the larger chip runs the smaller's files."""
