"""Boards that run .tflite files or the same networks as C: with a neural processor, and without.

A figure's ``source`` is the page it is from. What a system keeps for itself is the linker script's or the
board package's word where there is one; where it is an estimate, the region's ``note`` says so.
"""

from __future__ import annotations

from edgectl.plugins.board import BoardInfo, CameraFrame, FirmwareContract, MemoryRegion
from edgectl_tflite.board.microcontrollers import MICROCONTROLLERS

_KIB, _MIB = 1 << 10, 1 << 20
_HIMAX = "https://github.com/HimaxWiseEyePlus/Seeed_Grove_Vision_AI_Module_V2"
_GROVE = "https://wiki.seeedstudio.com/grove_vision_ai_v2/"
_WATCHER = "https://wiki.seeedstudio.com/watcher_hardware_overview/"
_MICRO = "https://github.com/Seeed-Studio/SSCMA-Micro"

SSCMA_MICRO = FirmwareContract(
    name="SSCMA-Micro",
    source=_MICRO,
    backend="tflite",
    square=True,
    multiple_of=32,
    resize="stretch",
    offset=0.5,
    confused_channels=4,
    applied=True,
    unseen=(
        ("cell_logits", "divides integers where it places a cell: every box comes out at 0, 0"),
    ),
)
"""Read in its sources at 1e05836 and 43332b4, not run on a board."""

_HX6538 = (
    # CM55M_S_SRAM of the maker's linker script is 0x1E1000 bytes of it; the boot loader has the rest
    MemoryRegion("SRAM", "ram", 2 * _MIB, kept_bytes=0x1F000, source=_HIMAX),
    MemoryRegion(
        "flash",
        "flash",
        16 * _MIB,
        kept_bytes=2 * _MIB,
        external=True,
        source=_HIMAX,
        note="two slots of 1 MiB for the firmware",
    ),
)

BOARDS = (
    BoardInfo(
        name="grove-vision-ai-v2",
        summary="Seeed Grove Vision AI V2: Himax WiseEye2 HX6538, two Cortex-M55 and an Ethos-U55",
        backends=("tflite", "c"),
        memory=_HX6538,
        camera=CameraFrame((240, 240), "rgb888", "OV5647", _GROVE),
        accelerator="ethos-u55-64",
        page=_GROVE,
        firmware=SSCMA_MICRO,
    ),
    BoardInfo(
        name="sensecap-watcher",
        summary="Seeed SenseCAP Watcher: Himax WiseEye2 HX6538 for vision beside an ESP32-S3",
        backends=("tflite", "c"),
        memory=_HX6538,
        camera=CameraFrame((240, 240), "rgb888", "OV5647", _WATCHER),
        accelerator="ethos-u55-64",
        page=_WATCHER,
        firmware=SSCMA_MICRO,
    ),
    *MICROCONTROLLERS,
)
