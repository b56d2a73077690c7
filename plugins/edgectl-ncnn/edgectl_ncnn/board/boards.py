"""Boards that run the files of this distribution. Figures from the makers' pages."""

from __future__ import annotations

from edgectl.plugins.board import BoardInfo, plain_memory

_MIB = 1 << 20
_NCNN = "https://github.com/Tencent/ncnn"
_SIPEED = "https://wiki.sipeed.com/soft/maixpy3/zh/readme.html"

BOARDS = (
    BoardInfo(
        name="ncnn-linux",
        summary="any Linux board with ncnn's library: a CMake project in C++",
        backends=("ncnn",),
        # of the smallest boards people put Linux on
        memory=plain_memory(ram_bytes=64 * _MIB, flash_bytes=128 * _MIB, source=_NCNN),
        page=_NCNN,
    ),
    BoardInfo(
        name="maixii-dock",
        summary="Sipeed MaixII-Dock: Allwinner V831, Cortex-A7 with 64 MiB DDR2 and a 0.2 TOPS NPU",
        backends=("awnn",),
        memory=plain_memory(ram_bytes=64 * _MIB, flash_bytes=16 * _MIB, source=_SIPEED),
        accelerator="v831",
        page=_SIPEED,
    ),
)
