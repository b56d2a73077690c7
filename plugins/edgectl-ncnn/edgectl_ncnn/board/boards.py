"""Boards that run the files of this distribution. Figures from the makers' pages."""

from __future__ import annotations

from edgectl.plugins.info import BoardInfo

_MIB = 1 << 20

BOARDS = (
    BoardInfo(
        name="ncnn-linux",
        summary="any Linux board with ncnn's library: a CMake project in C++",
        backend="ncnn",
        # of the smallest boards people put Linux on
        flash_bytes=128 * _MIB,
        ram_bytes=64 * _MIB,
    ),
    BoardInfo(
        name="maixii-dock",
        summary="Sipeed MaixII-Dock: Allwinner V831, Cortex-A7 with 64 MiB DDR2 and a 0.2 TOPS NPU",
        backend="awnn",
        flash_bytes=16 * _MIB,
        ram_bytes=64 * _MIB,
        accelerator="v831",
    ),
)
